from __future__ import annotations

import io

import pytest
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError

from etl.platforms.config import PlatformConfig
from etl.platforms.explain import explain
from etl.platforms.gate import Gate, Refused
from etl.platforms.handler import GateError


def by_ytdlp(error: Exception) -> DownloadError:
    """The error as YoutubeDL raises it."""
    try:
        raise error
    except Exception as raised:
        return DownloadError(f"ERROR: {raised}", (type(raised), raised, raised.__traceback__))


def status(code: int) -> ExtractorError:
    return ExtractorError("no", cause=HTTPError(Response(io.BytesIO(), "http://x/", {}, code)))


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (GeoRestrictedError("not here", countries=["DE"]), "platform.geo"),
        (UnsupportedError("http://x/"), "platform.no_media"),
        (ExtractorError("This video is DRM protected", expected=True), "platform.drm"),
        (ExtractorError("Sign in to confirm your age", expected=True), "platform.login"),
        (ExtractorError("only available for registered users. Use --cookies"), "platform.login"),
        (ExtractorError("Private video. Sign in", expected=True), "platform.login"),
        (ExtractorError("not available in your country", expected=True), "platform.geo"),
        (ExtractorError("This live event will begin in 2 days"), "platform.live"),
        (ExtractorError("Video unavailable", expected=True), "platform.gone"),
        (status(401), "platform.login"),
        (status(404), "platform.gone"),
        (status(503), "http_error"),
        (ExtractorError("x", cause=TransportError("timed out")), "timeout"),
        (ExtractorError("x", cause=TransportError("reset by peer")), "network_error"),
        (ExtractorError("Unable to extract title"), "extractor_error"),
        (KeyError("formats"), "extractor_error"),
        (RecursionError("maximum recursion depth exceeded"), "extractor_error"),
    ],
)
def test_where_an_error_ends(error: Exception, end: str) -> None:
    found = explain(by_ytdlp(error), Gate(PlatformConfig()))
    assert (found.rule or found.error_class) == end
    assert (found.verdict == "rejected") == (found.rule is not None)
    assert found.message
    assert "ERROR" not in found.message


def test_a_refusal_of_the_gate_is_found_below_everything_else() -> None:
    refused = Refused("platform.robots", "disallowed by robots.txt")
    error = by_ytdlp(ExtractorError("Unable to download", cause=GateError("no", cause=refused)))
    found = explain(error, Gate(PlatformConfig()))
    assert (found.rule, found.message) == ("platform.robots", "disallowed by robots.txt")
