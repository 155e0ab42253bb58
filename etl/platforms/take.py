"""The downloads of one admitted item: formats, subtitles, description, info, thumbnail."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import DownloadError, is_html

from etl.platforms.config import PlatformConfig
from etl.platforms.engine import Engine
from etl.platforms.files import ItemFiles, sha256_of, write_whole
from etl.platforms.row import clean_info
from etl.platforms.wire import Answer

_EXTENSION = re.compile(
    r"mp4|m4v|m4a|mov|webm|mkv|mka|ogg|ogv|oga|opus|mp3|aac|wav|flac|avi|flv|3gp|ts|mpg|jpg|jpeg"
    r"|png|webp|vtt|srt|ttml|srv[123]|json3|ass|lrc"
)
_SUBTITLE_ORDER = ("vtt", "srt", "ttml", "srv3", "json3")
_MAX_SUBTITLES = 100


class NotMediaError(Exception):
    """What was served in the place of media is something else."""


@dataclass(slots=True)
class Taker:
    """Takes what belongs to one item; `notes` are the things that were left out."""

    engine: Engine
    files: ItemFiles
    config: PlatformConfig
    notes: list[str] = field(default_factory=list)

    def formats(self, info: dict[str, Any], chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Downloads each chosen format to a file of its own."""
        return [self._format(info, one, len(chosen)) for one in chosen]

    def _format(self, info: dict[str, Any], one: dict[str, Any], of: int) -> dict[str, Any]:
        role = _role(one, of)
        format_id = str(one.get("format_id") or "0")
        path = self.files.path(role, format_id, _extension(one.get("ext")))
        if not path.exists():
            with self._resumable(path, str(one.get("protocol") or "")):
                self.engine.fetch({**info, "requested_formats": None, **one}, path)
        with path.open("rb") as handle:
            head = handle.read(512)
        if not head or is_html(head):
            path.unlink()
            raise NotMediaError(f"format {format_id}: {'a web page' if head else 'nothing'}")
        return self._file(path, role, format_id)

    @contextlib.contextmanager
    def _resumable(self, path: Path, protocol: str) -> Any:
        """Goes on from a part only while the server holds the same bytes (RFC 9110, If-Range)."""
        handler = self.engine.handler
        part, note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.validator")
        if not protocol.startswith("http") or "dash" in protocol:
            yield  # fragments: yt-dlp keeps a list of those it has
            return
        if part.exists() and not note.exists():
            part.unlink()

        def remember(answer: Answer) -> None:
            if answer.status == 200:
                etag = answer.header("ETag")
                strong = etag if etag and not etag.startswith("W/") else ""
                if validator := strong or answer.header("Last-Modified"):
                    write_whole(note, validator.encode("latin-1", "replace"))
                else:
                    note.unlink(missing_ok=True)

        handler.if_range = note.read_text("latin-1") if note.exists() else ""
        handler.on_media = remember
        try:
            yield
        finally:
            handler.if_range, handler.on_media = "", None
        note.unlink(missing_ok=True)

    def subtitles(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """Subtitles in the languages that are wanted, the uploader's and the machine's apart."""
        kinds = (
            ("own", info.get("subtitles"), self.config.subtitle_languages),
            ("automatic", info.get("automatic_captions"), self.config.automatic_languages),
        )
        wanted = [
            (kind, language, _preferred(offered))
            for kind, table, patterns in kinds
            for language, offered in sorted((table or {}).items())
            if language != "live_chat" and offered and _matches(language, patterns)
        ]
        if len(wanted) > _MAX_SUBTITLES:
            self.notes.append(f"{len(wanted) - _MAX_SUBTITLES} subtitles over {_MAX_SUBTITLES}")
        found = (self._subtitle(*one) for one in wanted[:_MAX_SUBTITLES])
        return [one for one in found if one]

    def _subtitle(self, kind: str, language: str, offer: dict[str, Any]) -> dict[str, Any] | None:
        extension = _extension(offer.get("ext"))
        path = self.files.path("subtitle", kind, language, extension)
        try:
            if isinstance(offer.get("data"), str):
                write_whole(path, offer["data"].encode("utf-8", "replace"))
            elif not path.exists():
                self.engine.fetch(dict(offer), path, subtitle=True)
        except (DownloadError, RequestError) as error:
            self.notes.append(f"{kind} subtitle {language}: {str(error)[:200]}")
            return None
        file = self._file(path, "", "")
        return {
            "language": language, "kind": kind, "format": extension,
            **{name: file[name] for name in ("path", "bytes", "sha256")},
        }  # fmt: skip

    def descriptions(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """The info JSON, the description as text, the thumbnail where it is wanted."""
        path = self.files.path("info", "json")
        text = json.dumps(clean_info(info), ensure_ascii=True, sort_keys=True, indent=1)
        write_whole(path, text.encode())
        found = [self._file(path, "info", "")]
        if isinstance(info.get("description"), str) and info["description"]:
            path = self.files.path("description", "txt")
            write_whole(path, info["description"].encode("utf-8", "replace"))
            found.append(self._file(path, "description", ""))
        images = [one for one in info.get("thumbnails") or [] if one.get("url")]
        if self.config.thumbnails and images:
            found += self._thumbnail(images[-1])  # yt-dlp sorts them, the best last
        return found

    def _thumbnail(self, image: dict[str, Any]) -> list[dict[str, Any]]:
        extension = str(image["url"]).split("?")[0].rsplit(".", 1)[-1].lower()
        path = self.files.path("thumbnail", _extension(extension))
        try:
            if not path.exists():
                self.engine.fetch({"url": image["url"], "ext": extension}, path)
        except (DownloadError, RequestError) as error:
            self.notes.append(f"thumbnail: {str(error)[:200]}")
            return []
        return [self._file(path, "thumbnail", "")]

    def _file(self, path: Path, role: str, format_id: str) -> dict[str, Any]:
        return {
            "role": role, "path": self.files.relative(path), "format_id": format_id or None,
            "bytes": path.stat().st_size, "sha256": sha256_of(path),
        }  # fmt: skip


def _role(one: dict[str, Any], of: int) -> str:
    if one.get("vcodec") == "none":
        return "audio"
    return "video" if of > 1 or one.get("acodec") == "none" else "muxed"


def _extension(text: Any) -> str:
    """The extension, if it is one of media or subtitles: a server must not choose any other."""
    return text if isinstance(text, str) and _EXTENSION.fullmatch(text) else "bin"


def _preferred(offered: list[dict[str, Any]]) -> dict[str, Any]:
    ranks = {name: rank for rank, name in enumerate(_SUBTITLE_ORDER)}
    return min(offered, key=lambda one: ranks.get(str(one.get("ext")), len(ranks)))


def _matches(language: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(language, pattern) for pattern in patterns)
