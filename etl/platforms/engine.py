"""yt-dlp with everything off that would act behind our back, and one way to the network."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.downloader import get_suitable_downloader
from yt_dlp.downloader.external import ExternalFD
from yt_dlp.networking.common import RequestDirector
from yt_dlp.utils import DownloadError

from etl.platforms.config import PlatformConfig
from etl.platforms.gate import Gate
from etl.platforms.handler import GatedRH

_PROTOCOLS = "[protocol~='^(https?|m3u8_native|http_dash_segments)$']"
_NO_PROGRAM = "/nonexistent"


def format_selection(max_height: int) -> str:
    """yt-dlp's format string: pictures of at most `max_height`, by protocols that need no program.

    Pictures and sound that come apart stay apart: merging them would need ffmpeg, and ffmpeg
    would make requests that the gate does not see.
    """
    low = f"[height<=?{max_height}]{_PROTOCOLS}"
    return f"bv{low}+ba{_PROTOCOLS}/b{low}/bv{low}/ba{_PROTOCOLS}"


class Messages:
    """What yt-dlp says, kept for the row instead of printed."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        pass

    def info(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        if len(self.warnings) < 20:
            self.warnings.append(message[:300])

    def error(self, message: str) -> None:
        self.warning(message)


class Engine(YoutubeDL):
    """One per item: nothing of one item is left for the next."""

    def __init__(self, config: PlatformConfig, gate: Gate) -> None:
        self.messages = Messages()
        self.handler = GatedRH(gate=gate, logger=self.messages)
        super().__init__(_parameters(config, self.messages), auto_init="no_verbose_header")

    def build_request_director(self, *_: Any) -> RequestDirector:
        """Ours is the only handler, whatever is installed or registered."""
        director = RequestDirector(logger=self.messages)
        director.add_handler(self.handler)
        return director

    def metadata(self, url: str) -> dict[str, Any]:
        """Everything but media. Raises yt-dlp's `DownloadError`."""
        return dict(self.extract_info(url, download=False) or {})

    def is_generic(self, url: str) -> bool:
        """Whether no extractor of a platform knows the URL."""
        known = (ie.ie_key() for ie in self._ies.values() if ie.suitable(url))
        return next(known, "Generic") == "Generic"

    def with_page_facts(
        self, info: dict[str, Any], page: tuple[str, bytes] | None
    ) -> dict[str, Any]:
        """`info` with what schema.org markup of the page adds: description, date, length..."""
        if page is None:
            return info
        generic = self.get_info_extractor("Generic")
        found = generic._search_json_ld(
            page[1].decode("utf-8", "replace"), info.get("id"), fatal=False, default={}
        )
        wanted = ("title", "description", "duration", "upload_date", "timestamp", "uploader")
        facts = {key: found[key] for key in wanted if found.get(key) is not None}
        if facts.get("timestamp") is not None and "upload_date" not in facts:
            when = datetime.fromtimestamp(0, UTC) + timedelta(seconds=facts["timestamp"])
            facts["upload_date"] = when.strftime("%Y%m%d")
        return {**info, **facts}

    def fetch(self, info: dict[str, Any], path: Path, *, subtitle: bool = False) -> None:
        """Downloads one format to `path`, going on from `path`.part. Raises `DownloadError`."""
        downloader = get_suitable_downloader(info, self.params)
        if downloader is None or issubclass(downloader, ExternalFD):
            protocol = info.get("protocol")
            raise DownloadError(f"protocol {protocol} needs a program of its own, which is off")
        path.parent.mkdir(parents=True, exist_ok=True)
        done, _ = self.dl(str(path), info, subtitle=subtitle)
        if not done or not path.is_file():
            said = self.messages.warnings[-1] if self.messages.warnings else "no reason given"
            raise DownloadError(f"download of {path.suffix[1:]} failed: {said}")


def _parameters(config: PlatformConfig, messages: Messages) -> dict[str, Any]:
    return {
        "logger": messages,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "default_search": "error",
        "format": format_selection(config.max_height),
        "check_formats": False,  # a test download would come before the licence is known
        "ignore_no_formats_error": True,  # metadata first; we say ourselves why there is none
        "extract_flat": "in_playlist",
        "playlistend": config.max_items + 1,  # one more tells that a list was cut
        "socket_timeout": config.timeout_seconds,
        "retries": config.retries,
        "fragment_retries": config.retries,
        "extractor_retries": config.retries,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "concurrent_fragment_downloads": 1,
        "hls_prefer_native": True,
        "continuedl": True,
        "updatetime": False,
        "fixup": "never",
        "ffmpeg_location": _NO_PROGRAM,
        "js_runtimes": {},
        "remote_components": [],
        "cachedir": False,
        "usenetrc": False,
        "cookiefile": None,
        "cookiesfrombrowser": None,
        "geo_bypass": False,
        "enable_file_urls": False,
        "nocheckcertificate": False,
        "proxy": "",
    }


def quiet_close(engine: Engine) -> None:
    with contextlib.suppress(Exception):
        engine.close()
