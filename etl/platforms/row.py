"""From what yt-dlp found to a row of the table `media`, and to a JSON file without secrets."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from etl.crawl.urls import UrlRefusedError, canonical_url, host_of
from etl.language.codes import iso639_3
from etl.licence.evidence import Licence
from etl.platforms.licences import Statement
from schemas import __version__
from schemas.identity import UNDETERMINED_LANGUAGE, UNKNOWN_LICENCE, uri_id

CODE_VERSION = f"token-foundry {__version__}"
_TEXT_LIMIT = 20_000
_SIGNED = re.compile(r"(https?://[^\s?]+)\?\S+")  # a query may hold a signature
# What goes into the info file. A list of what may, because a URL of media carries signatures.
_INFO_KEYS = (
    "id", "title", "fulltitle", "alt_title", "description", "uploader", "uploader_id", "channel",
    "channel_id", "creator", "artists", "track", "album", "genres", "series", "season", "episode",
    "license", "tags", "categories", "chapters", "duration", "timestamp", "upload_date",
    "release_date", "view_count", "like_count", "comment_count", "age_limit", "language",
    "webpage_url", "extractor", "extractor_key", "availability", "live_status", "location",
)  # fmt: skip
_FORMAT_KEYS = (
    "format_id", "format_note", "ext", "container", "protocol", "width", "height", "fps", "vcodec",
    "acodec", "abr", "vbr", "tbr", "asr", "audio_channels", "language", "filesize", "dynamic_range",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One URL to visit. `entry` picks one of several media of a page, counted from 1."""

    url: str
    listed_in: str | None = None
    depth: int = 0
    entry: int | None = None
    statement: Statement | None = None

    @property
    def identity(self) -> str:
        """The full canonical URL: what tells two items apart, whatever they are called."""
        try:
            url = canonical_url(self.url)
        except UrlRefusedError:
            url = self.url
        return url if self.entry is None else f"{url}#media-{self.entry}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where an item ended, and why."""

    verdict: str = "kept"
    rule: str | None = None
    error_class: str | None = None
    message: str | None = None


def empty_row(task: Task, source: str, config_hash: str, outcome: Outcome) -> dict[str, Any]:
    """The row of an item of which nothing is known but how it ended."""
    identity = task.identity
    return {
        "uri_id": uri_id(source, identity),
        "source": source,
        "url": identity,
        "host": host_of(identity),
        "verdict": outcome.verdict,
        "rule": outcome.rule,
        "error_class": outcome.error_class,
        "message": _text(_SIGNED.sub(r"\1?...", outcome.message or ""), 1_000),
        "robots": "denied" if outcome.rule == "platform.robots" else "not_asked",
        "opt_outs": [],
        "listed_in": task.listed_in,
        "licence": UNKNOWN_LICENCE,
        "language": UNDETERMINED_LANGUAGE,
        "formats": [],
        "files": [],
        "subtitles": [],
        "bytes": 0,
        "fetched_at": datetime.now(UTC).isoformat(),
        "code_version": CODE_VERSION,
        "config_hash": config_hash,
    }


def describe(
    info: dict[str, Any], licence: Licence, chosen: list[dict[str, Any]]
) -> dict[str, Any]:
    """The columns that the metadata fill. `chosen` are the formats that are taken."""
    picture = next((f for f in chosen if f.get("vcodec") != "none"), {})
    sound = next((f for f in chosen if f.get("acodec") != "none"), {})
    return {
        "platform": _text(info.get("extractor_key")),
        "page_url": _text(info.get("webpage_url")),
        "title": _text(info.get("title")),
        "description": _text(info.get("description")),
        "uploader": _text(info.get("uploader")),
        "channel": _text(info.get("channel")),
        "uploaded": _text(info.get("upload_date")),
        "licence": licence.spdx,
        "licence_evidence": licence.evidence,
        "language": _language(info.get("language") or sound.get("language")),
        "duration": _number(info.get("duration")),
        "width": _whole(picture.get("width")),
        "height": _whole(picture.get("height")),
        "fps": _number(picture.get("fps")),
        "video_codec": _codec(picture.get("vcodec")),
        "audio_codec": _codec(sound.get("acodec")),
        "formats": [_format(f) for f in (info.get("formats") or chosen)[:200]],
    }


def clean_info(info: dict[str, Any]) -> dict[str, Any]:
    """The info JSON: metadata only, without media URLs, headers, cookies or signatures."""
    kept = {key: info[key] for key in _INFO_KEYS if info.get(key) is not None}
    kept["formats"] = [
        {key: f[key] for key in _FORMAT_KEYS if f.get(key) is not None}
        for f in (info.get("formats") or [])[:200]
    ]
    return kept


def _format(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "format_id": _text(found.get("format_id"), 100),
        "extension": _text(found.get("ext"), 20),
        "width": _whole(found.get("width")),
        "height": _whole(found.get("height")),
        "fps": _number(found.get("fps")),
        "video_codec": _codec(found.get("vcodec")),
        "audio_codec": _codec(found.get("acodec")),
    }


def _text(value: Any, limit: int = _TEXT_LIMIT) -> str | None:
    if not isinstance(value, str):
        return None
    # A lone surrogate is no text, and would not be written as UTF-8.
    return value[:limit].encode("utf-8", "replace").decode("utf-8").replace("\x00", "") or None


def _codec(value: Any) -> str | None:
    return None if value in (None, "none") else _text(value, 100)


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    return float(value) if good else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < 2**31 else None


def _language(value: Any) -> str:
    """ISO 639-3 of a BCP 47 tag."""
    primary = value.split("-")[0].lower() if isinstance(value, str) else ""
    found = iso639_3(primary)
    return found if found.isascii() and found.isalpha() else UNDETERMINED_LANGUAGE
