"""One visit: a URL becomes a row, or, when it is a list, the URLs that it lists.

The order is fixed: address, robots.txt and pace (the gate, at each request), then metadata, then
the decision (access, licence, length, size), then media.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.crawl.directives import opt_outs
from etl.platforms import licences
from etl.platforms.config import PlatformConfig
from etl.platforms.engine import Engine, quiet_close
from etl.platforms.explain import causes, explain, refused_in_words, rejected
from etl.platforms.files import ItemFiles
from etl.platforms.gate import Gate, Refused
from etl.platforms.probe import picture_size
from etl.platforms.row import Outcome, Task, describe, empty_row
from etl.platforms.take import NotMediaError, Taker
from schemas.identity import uri_id

_CLOSED = ("private", "premium_only", "subscriber_only", "needs_auth")
_NOT_RECORDED = ("is_live", "is_upcoming", "post_live")
_KEEP_PARTS = ("platform.budget",)
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a channel, a playlist or a page of several media holds."""

    children: tuple[Task, ...]


@dataclass(slots=True)
class Visitor:
    """Visits tasks one after another; the gate's pace and rules last from one to the next."""

    config: PlatformConfig
    source: str
    root: Path
    config_hash: str
    gate: Gate

    def visit(self, task: Task) -> dict[str, Any] | Listing:
        """The row of the item, or what the list holds. Raises `OSError` when the disk is full."""
        files = ItemFiles(self.root, uri_id(self.source, task.identity))
        key = self._archive_key(task)
        if known := files.record(key):
            return known
        engine = Engine(self.config, self.gate)
        row = empty_row(task, self.source, self.config_hash, Outcome())
        try:
            result = self._visit(task, engine, files, row)
            if isinstance(result, Listing):
                return result
            outcome = result
        except Refused as refusal:
            outcome = rejected(refusal)
        except NotMediaError as error:
            outcome = Outcome(verdict="quarantined", error_class="not_media", message=str(error))
        except Exception as error:  # yt-dlp's extractors raise whatever a page provokes
            if any(getattr(cause, "errno", None) in _FATAL for cause in causes(error)):
                raise
            outcome = explain(error, self.gate)
        finally:
            quiet_close(engine)
        return self._close(task, files, key, row, outcome)

    def _archive_key(self, task: Task) -> str:
        return f"{task.identity}\n{self.config.max_height}p"

    def _visit(
        self, task: Task, engine: Engine, files: ItemFiles, row: dict[str, Any]
    ) -> Outcome | Listing:
        def licence_refusal() -> Refused | None:
            known = licences.item_licence(task.statement, {}, self.gate.page)
            return licences.refusal(self.config, known, licences.source_host(task.url, {}))

        self.gate.begin(page_decides=engine.is_generic(task.url), licence=licence_refusal)
        self.gate.require_address(task.url)
        info = engine.metadata(task.url)
        if info.get("_type") in ("playlist", "multi_video"):
            picked = self._pick(task, info)
            if isinstance(picked, Listing):
                return picked
            info = picked
        if licences.is_of_the_page(info) and task.entry is None:
            info = engine.with_page_facts(info, self.gate.page)
        licence = licences.item_licence(task.statement, info, self.gate.page)
        chosen = _chosen(info)
        row.update(describe(info, licence, chosen))
        self._decide(info, engine, chosen)
        host = licences.source_host(task.url, info)
        if refusal := licences.refusal(self.config, licence, host):
            raise refusal
        return self._take(engine, files, row, info, chosen)

    def _take(
        self,
        engine: Engine,
        files: ItemFiles,
        row: dict[str, Any],
        info: dict[str, Any],
        chosen: list[dict[str, Any]],
    ) -> Outcome:
        self.gate.open_media(files.partial_bytes())
        taker = Taker(engine, files, self.config)
        row["files"] = taker.formats(info, chosen)
        self._measure(row)
        row["subtitles"] = taker.subtitles(info)
        row["files"] += taker.descriptions(info)
        notes = taker.notes + [refused.message for refused in self.gate.refusals[:3]]
        return Outcome(message="; ".join(dict.fromkeys(notes)) or None)

    def _measure(self, row: dict[str, Any]) -> None:
        """Looks into the files for the height, whatever was stated, and holds it to the limit."""
        paths = [self.root / file["path"] for file in row["files"] if file["role"] != "audio"]
        sizes = [size for path in paths if (size := picture_size(path))]
        if not sizes:
            return
        row["width"], row["height"] = width, height = max(sizes, key=lambda size: size[1])
        if height > self.config.max_height:
            raise Refused("platform.resolution", f"{width}x{height} is over max_height")

    def _decide(self, info: dict[str, Any], engine: Engine, chosen: list[dict[str, Any]]) -> None:
        """Raises `Refused` for an item that may not, or need not, be taken."""
        if info.get("is_live") or info.get("live_status") in _NOT_RECORDED:
            raise Refused("platform.live", f"live_status {info.get('live_status')}")
        if info.get("availability") in _CLOSED:
            raise Refused("platform.login", f"availability {info['availability']}")
        if info.get("_has_drm") and not chosen:
            raise Refused("platform.drm", "every format is DRM-protected")
        duration = info.get("duration")
        limit = self.config.max_duration_seconds
        if isinstance(duration, int | float) and not duration <= limit:
            raise Refused("platform.too_long", f"{duration:g} s, over {limit:g} s")
        if not chosen:
            raise self._no_format(info, engine)
        for one in chosen:
            height = one.get("height")
            if isinstance(height, int | float) and height > self.config.max_height:
                raise Refused("platform.resolution", f"{height:g}p is over max_height")
        size = sum(one.get("filesize") or 0 for one in chosen)
        if size > self.config.max_item_bytes:
            message = f"{size} bytes stated, more than max_item_bytes {self.config.max_item_bytes}"
            raise Refused("platform.too_large", message)

    def _no_format(self, info: dict[str, Any], engine: Engine) -> Refused:
        for said in engine.messages.warnings:
            if found := refused_in_words(said):
                return found
        if self.gate.refusals:
            return self.gate.refusals[0]
        offered = [f for f in info.get("formats") or [] if f.get("url")]
        if not offered:
            return Refused("platform.no_media", "no video or audio was found")
        heights = sorted({f["height"] for f in offered if f.get("height")})
        protocols = sorted({str(f.get("protocol")) for f in offered})
        return Refused(
            "platform.no_format",
            f"none up to {self.config.max_height}p by a protocol that needs no program; offered: "
            f"heights {heights[:20]}, protocols {protocols[:20]}",
        )

    def _pick(self, task: Task, info: dict[str, Any]) -> dict[str, Any] | Listing:
        """The entry that the task names, or all entries as tasks of their own."""
        entries = [one for one in info.get("entries") or [] if isinstance(one, dict)]
        if task.entry is not None:
            if task.entry > len(entries) or entries[task.entry - 1].get("_type") == "url":
                raise Refused("platform.gone", f"the page has no medium {task.entry} any more")
            return {**entries[task.entry - 1], "webpage_url": task.url}
        if len(entries) == 1 and entries[0].get("_type") not in ("url", "url_transparent"):
            return entries[0]
        if task.depth >= self.config.max_depth:
            raise Refused("platform.depth", f"lists nested deeper than {self.config.max_depth}")
        if not entries:
            raise Refused("platform.no_media", "the list is empty")
        return Listing(tuple(_children(task, entries)))

    def _close(
        self,
        task: Task,
        files: ItemFiles,
        key: str,
        row: dict[str, Any],
        outcome: Outcome,
    ) -> dict[str, Any]:
        """The finished row. Of a refused item no file stays; of a fault the parts stay."""
        end = empty_row(task, self.source, self.config_hash, outcome)
        for name in ("uri_id", "verdict", "rule", "error_class", "message"):
            row[name] = end[name]
        if outcome.rule == "platform.robots":
            row["robots"] = "denied"
        elif self.gate.asked:
            row["robots"] = "allowed"
        row["opt_outs"] = list(opt_outs(self.gate.opt_outs))
        if outcome.verdict != "kept":
            row["files"], row["subtitles"] = [], []
            if outcome.verdict == "rejected" and outcome.rule not in _KEEP_PARTS:
                files.clear()
        row["bytes"] = sum(file["bytes"] for file in (*row["files"], *row["subtitles"]))
        if outcome.verdict == "kept":
            files.write_record(key, row)
        return row


def _children(task: Task, entries: list[dict[str, Any]]) -> Iterator[Task]:
    for number, entry in enumerate(entries, 1):
        url = entry.get("webpage_url") or entry.get("url")
        if entry.get("_type") in ("url", "url_transparent") and isinstance(url, str):
            yield Task(url=url, listed_in=task.url, depth=task.depth + 1)
        else:
            yield dataclasses.replace(
                task, entry=number, depth=task.depth + 1, listed_in=task.listed_in or task.url
            )


def _chosen(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The formats that yt-dlp selected, each with a URL; empty when none fits."""
    formats = info.get("requested_formats") or [info]
    return [one for one in formats if one.get("url")]
