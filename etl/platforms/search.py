"""Search by YouTube's official API (Data API v3); result pages are never scraped.

`search.list` costs 100 units of the daily quota and cannot return more than 50 ids; `videos.list`
costs 1 and says under which licence each video is. Source: developers.google.com/youtube/v3/docs.
The API is asked by its owner's rules, with a key of one's own: robots.txt has no say in it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from etl.platforms import wire
from etl.platforms.config import PlatformConfig
from etl.platforms.licences import Statement
from etl.platforms.row import Task
from schemas.errors import InputError, StepError

SEARCH_UNITS, LOOKUP_UNITS = 100, 1
PAGE = 50
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Found:
    """The videos that a search found, the quota that it spent, and whether it stopped for it."""

    tasks: tuple[Task, ...]
    units: int
    cut: bool


def search_videos(term: str, config: PlatformConfig, limit: int) -> Found:
    """Videos under a Creative Commons licence that match `term`, at most `limit`.

    Each comes with the licence that the API states; one that is not Creative Commons, not public
    or still live is left out. Raises `InputError` without a key, `StepError` when the API fails.
    """
    api = _Api(config, _key(config))
    found: dict[str, Task] = {}
    for ids in api.pages(term, limit):
        for video in api.look_up(ids):
            status = video.get("status") or {}
            if status.get("license") == "creativeCommon" and _is_open(video):
                identifier = str(video["id"])
                found[identifier] = Task(
                    url=config.watch_url.format(id=identifier),
                    statement=Statement(
                        platform="youtube_api",
                        value="creativeCommon",
                        uploaded=_day((video.get("snippet") or {}).get("publishedAt")),
                    ),
                )
    return Found(tuple(found.values())[:limit], api.units, api.cut)


def _day(published: Any) -> str:
    """YYYYMMDD of an RFC 3339 time."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})T", published) if isinstance(published, str) else None
    return "".join(found.groups()) if found else ""


def _is_open(video: dict[str, Any]) -> bool:
    live = (video.get("snippet") or {}).get("liveBroadcastContent", "none")
    return (video.get("status") or {}).get("privacyStatus") == "public" and live == "none"


def _key(config: PlatformConfig) -> str:
    if not config.contact:
        raise InputError("platforms.contact is empty; set a URL or e-mail address")
    key = os.environ.get(config.api_key_variable, "")
    if not key:
        raise InputError(
            f"search needs a key of the YouTube Data API: set the environment variable "
            f"{config.api_key_variable}"
        )
    return key


class _Api:
    def __init__(self, config: PlatformConfig, key: str) -> None:
        self._config, self._key = config, key
        self._last = float("-inf")
        self.units, self.cut = 0, False

    def pages(self, term: str, limit: int) -> Iterator[list[str]]:
        """The ids of each page of results, until there are `limit` or the quota is spent."""
        token, count = "", 0
        while count < limit:
            if not self._may_spend(SEARCH_UNITS + LOOKUP_UNITS):
                return
            answer = self._get(
                "search",
                SEARCH_UNITS,
                part="id", type="video", videoLicense="creativeCommon", q=term,
                maxResults=min(PAGE, limit - count), **({"pageToken": token} if token else {}),
            )  # fmt: skip
            items = [one for one in answer.get("items") or [] if isinstance(one, dict)]
            ids = [str((one.get("id") or {}).get("videoId", "")) for one in items]
            ids = [one for one in ids if _VIDEO_ID.fullmatch(one)]
            if not ids:
                return
            count += len(ids)
            yield ids
            token = str(answer.get("nextPageToken") or "")
            if not token:
                return

    def look_up(self, ids: list[str]) -> list[dict[str, Any]]:
        """Status, details and snippet of videos."""
        answer = self._get(
            "videos", LOOKUP_UNITS, part="status,contentDetails,snippet", id=",".join(ids)
        )
        wanted = set(ids)
        items = [one for one in answer.get("items") or [] if isinstance(one, dict)]
        return [one for one in items if one.get("id") in wanted]

    def _may_spend(self, units: int) -> bool:
        self.cut = self.units + units > self._config.quota_units
        return not self.cut

    def _get(self, method: str, units: int, **query: Any) -> dict[str, Any]:
        config = self._config
        self.units += units
        time.sleep(max(0.0, self._last + config.delay_seconds - time.monotonic()))
        url = f"{config.api_url.rstrip('/')}/{method}?{urlencode(query)}"
        try:
            answer = wire.send(
                url,
                # In a header, not in the URL: URLs end up in logs and messages.
                {"User-Agent": config.header, "X-Goog-Api-Key": self._key,
                 "Accept": "application/json", "Accept-Encoding": "identity"},
                timeout=config.timeout_seconds,
                allow_private=config.may_be_private(url),
            )  # fmt: skip
            body = answer.body.read_some(config.max_page_bytes)
        except (wire.WireError, wire.AddressRefusedError) as error:
            raise StepError(f"{_host(url)}: {error}; check api_url and try again") from None
        finally:
            self._last = time.monotonic()
        value = _json(body)
        if answer.status != 200:
            raise _failure(answer.status, value, config)
        return value


def _failure(status: int, value: dict[str, Any], config: PlatformConfig) -> Exception:
    error = value.get("error")
    said = str(error.get("message", "") if isinstance(error, dict) else "")[:200]
    if status in (400, 401, 403):
        return InputError(
            f"the API answered {status} {said}: check the key in {config.api_key_variable} and "
            "its quota"
        )
    return StepError(f"the API answered {status} {said}; try again later")


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _host(url: str) -> str:
    return urlsplit(url).netloc
