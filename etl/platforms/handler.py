"""yt-dlp's only way to the network: a request handler behind the gate."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin

from yt_dlp.networking.common import Request, RequestHandler, Response
from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError
from yt_dlp.utils.networking import normalize_url

from etl.platforms.gate import REDIRECTS, Gate, Refused, looks_like_media
from etl.platforms.wire import Answer, WireError

# Whatever poses as somebody else, or would open what is closed, is not sent on.
_NOT_SENT = frozenset(
    {
        "user-agent", "cookie", "authorization", "proxy-authorization", "x-forwarded-for",
        "accept-encoding", "host", "connection", "content-length", "transfer-encoding",
        "ytdl-socks-proxy",
    }
)  # fmt: skip
_HTML = ("text/html", "application/xhtml+xml")


class GateError(TransportError):
    """A refusal, in the form in which yt-dlp lets an optional request fail."""


class GatedRH(RequestHandler):
    """Fetches through the gate, hop by hop; no cookies, no credentials, no proxies."""

    _SUPPORTED_URL_SCHEMES = ("http", "https")
    _SUPPORTED_PROXY_SCHEMES = None
    _SUPPORTED_FEATURES = None
    RH_NAME = "gated"

    def __init__(self, *, gate: Gate, logger: Any) -> None:
        super().__init__(logger=logger)
        self.gate = gate
        self.if_range = ""
        """ETag or Last-Modified of the bytes that a part file holds (RFC 9110, 13.1.5)."""
        self.on_media: Callable[[Answer], None] | None = None

    def _check_extensions(self, extensions: dict[str, Any]) -> None:
        super()._check_extensions(extensions)
        for name in ("cookiejar", "timeout", "legacy_ssl", "keep_header_casing"):
            extensions.pop(name, None)

    def _send(self, request: Request) -> Response:
        try:
            answer = self._follow(request)
            return self._response(request, answer)
        except Refused as refusal:
            raise GateError(refusal.message, cause=refusal) from refusal
        except WireError as error:
            raise TransportError(str(error), cause=error) from error

    def _follow(self, request: Request) -> Answer:
        url, method, data = request.url, request.method, _data(request.data)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _NOT_SENT and not name.lower().startswith("sec-")
        }
        if self.if_range and any(name.lower() == "range" for name in headers):
            headers["If-Range"] = self.if_range
        for _ in range(self.gate.config.max_redirects + 1):
            self.gate.admit(url)
            answer = self.gate.send(url, headers, method, data)
            location = answer.header("Location")
            if answer.status not in REDIRECTS or not location:
                return answer
            answer.body.close()
            self.gate.finished(url)
            url = normalize_url(urljoin(url, location))
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                method, data = "GET" if method != "HEAD" else "HEAD", None
                headers = {k: v for k, v in headers.items() if k.lower() != "content-type"}
        raise RequestError(f"{request.url}: more than {self.gate.config.max_redirects} redirects")

    def _response(self, request: Request, answer: Answer) -> Response:
        gate = self.gate
        if answer.status < 400:
            gate.look(answer)
        listing = _is_playlist(answer)
        if answer.status < 400 and not listing and (gate.media_open or looks_like_media(answer)):
            if gate.media_open and self.on_media:
                self.on_media(answer)
            answer.body.on_bytes = gate.count
            stream: Any = _Stream(answer, gate)
        else:
            limit = gate.config.max_page_bytes
            body = answer.body.read_some(limit + 1)
            gate.finished(answer.url)
            if len(body) > limit:
                raise RequestError(f"{answer.url}: longer than max_page_bytes {limit}")
            if request.method != "HEAD" and len(body) < (expected := _length(answer)):
                raise WireError(f"{answer.url}: broke off after {len(body)} of {expected} bytes")
            if listing and b"#EXTINF" in body and b"#EXT-X-ENDLIST" not in body:
                gate.refuse(Refused("platform.live", "the stream has no end (RFC 8216, 4.3.3.4)"))
            if answer.status < 400 and _is_html(answer):
                gate.take_page(answer, body)
            stream = io.BytesIO(body)
        dropped = ("content-encoding", "content-length") if _encoded(answer) else ()
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in dropped}
        response = Response(stream, answer.url, headers, answer.status, answer.reason)
        if answer.status >= 400:
            raise HTTPError(response)
        return response


class _Stream(io.RawIOBase):
    """A media body for yt-dlp: its errors are those that yt-dlp retries or reports."""

    def __init__(self, answer: Answer, gate: Gate) -> None:
        super().__init__()
        self._answer, self._gate = answer, gate

    def readable(self) -> bool:
        return True

    def read(self, amount: int | None = None) -> bytes:
        body, limit = self._answer.body, self._gate.config.max_page_bytes
        if amount is None or amount < 0:  # a fragment's key, a subtitle: small things
            data = body.read_some(limit + 1)
            if len(data) > limit:
                raise OSError(f"{self._answer.url}: longer than max_page_bytes {limit}")
            return data
        data = body.read(amount)
        if not data and amount:
            self.close()
        return data

    def close(self) -> None:
        if not self.closed:
            self._answer.body.close()
            self._gate.finished(self._answer.url)
        super().close()


def _data(data: Any) -> bytes | None:
    if data is None or isinstance(data, bytes):
        return data
    if hasattr(data, "read"):
        return bytes(data.read())
    return b"".join(data) if isinstance(data, Iterable) else None


def _is_html(answer: Answer) -> bool:
    return answer.header("Content-Type").split(";")[0].strip().lower() in _HTML


def _is_playlist(answer: Answer) -> bool:
    kind = answer.header("Content-Type").lower()
    return "mpegurl" in kind or answer.url.split("?")[0].endswith(".m3u8")


def _length(answer: Answer) -> int:
    """The body's length as stated; 0 where nothing is, or it is that of other bytes."""
    stated = answer.header("Content-Length")
    return int(stated) if stated.isdecimal() and not _encoded(answer) else 0


def _encoded(answer: Answer) -> bool:
    return bool(answer.header("Content-Encoding"))
