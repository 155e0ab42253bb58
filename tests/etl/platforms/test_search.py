from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from etl.platforms import PlatformConfig, search_videos
from schemas.errors import InputError, StepError
from tests.etl.platforms.site import Site

KEY = "k-123-secret"


class Api:
    """Plays the Data API: `count` videos, some of which are not what they seem."""

    def __init__(self, site: Site, draw: random.Random, count: int) -> None:
        self.site, self.ids = site, [f"vid{draw.randrange(10**9):09}{n}" for n in range(count)]

    def serve(self, limit: int) -> None:
        for start in range(0, len(self.ids), 50):
            ids = self.ids[start : start + min(50, limit - start)]
            if not ids:
                break
            query: dict[str, Any] = {
                "part": "id", "type": "video", "videoLicense": "creativeCommon", "q": "rain",
                "maxResults": min(50, limit - start),
            }  # fmt: skip
            if start:
                query["pageToken"] = f"t{start}"
            answer: dict[str, Any] = {"items": [{"id": {"videoId": one}} for one in ids]}
            if start + 50 < len(self.ids):
                answer["nextPageToken"] = f"t{start + 50}"
            self.add("search", query, answer)
            query = {"part": "status,contentDetails,snippet", "id": ",".join(ids)}
            self.add("videos", query, {"items": [self.video(one) for one in ids]})

    def add(self, method: str, query: dict[str, Any], answer: dict[str, Any]) -> None:
        path = f"/v3/{method}?{urlencode(query)}"
        self.site.add(path, json.dumps(answer), "application/json")

    def video(self, identifier: str) -> dict[str, Any]:
        number = self.ids.index(identifier)
        return {
            "id": identifier,
            "status": {
                "license": "youtube" if number == 1 else "creativeCommon",
                "privacyStatus": "unlisted" if number == 2 else "public",
            },
            "snippet": {
                "liveBroadcastContent": "live" if number == 3 else "none",
                "publishedAt": "2026-01-02T03:04:05Z",
            },
        }


@pytest.fixture
def config(site: Site, settings: Callable[..., PlatformConfig]) -> PlatformConfig:
    return settings(api_url=site.url("/v3"), watch_url=site.url("/watch?v={id}"), quota_units=250)


def test_search_asks_the_api_and_checks_each_licence(
    site: Site, draw: random.Random, config: PlatformConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    api = Api(site, draw, 70)
    api.serve(60)
    found = search_videos("rain", config, 60)
    good = [one for number, one in enumerate(api.ids[:60]) if number not in (1, 2, 3)]
    assert [task.url for task in found.tasks] == [site.url(f"/watch?v={one}") for one in good]
    assert (found.units, found.cut) == (202, False)
    stated = {(task.statement.value, task.statement.uploaded) for task in found.tasks}
    assert stated == {("creativeCommon", "20260102")}
    for one in site.log:
        assert one.headers["X-Goog-Api-Key"] == KEY
        assert KEY not in one.path
        assert one.status == 200


def test_the_quota_is_never_overspent(
    site: Site, draw: random.Random, config: PlatformConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    Api(site, draw, 200).serve(200)
    found = search_videos("rain", config, 200)
    assert (found.units, found.cut, len(found.tasks)) == (202, True, 97)
    searches = [one for one in site.log if urlsplit(one.path).path == "/v3/search"]
    assert [parse_qs(urlsplit(one.path).query)["videoLicense"] for one in searches] == [
        ["creativeCommon"]
    ] * 2


def test_without_a_key_the_variable_is_named(
    site: Site, config: PlatformConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY", raising=False)
    with pytest.raises(InputError, match="YOUTUBE_API_KEY"):
        search_videos("rain", config, 5)
    assert not site.log


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, '{"error": {"message": "quotaExceeded"}}', InputError),
        (400, '{"error": "odd"}', InputError),
        (500, "oops", StepError),
        (302, "", StepError),
    ],
)
def test_api_failures(
    site: Site, config: PlatformConfig, monkeypatch: pytest.MonkeyPatch, status: int, body: str,
    error: type[Exception],
) -> None:  # fmt: skip
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    query = {
        "part": "id", "type": "video", "videoLicense": "creativeCommon", "q": "rain",
        "maxResults": 5,
    }  # fmt: skip
    more = {"Location": "http://127.0.0.2/"} if status == 302 else {}
    site.add(f"/v3/search?{urlencode(query)}", body, status=status, headers=more)
    with pytest.raises(error) as raised:
        search_videos("rain", config, 5)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("answer", ["[]", "{}", '{"items": [7, {"id": {"videoId": "../x"}}]}'])
def test_odd_answers_find_nothing(
    site: Site, config: PlatformConfig, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    query = {
        "part": "id", "type": "video", "videoLicense": "creativeCommon", "q": "rain",
        "maxResults": 5,
    }  # fmt: skip
    site.add(f"/v3/search?{urlencode(query)}", answer, "application/json")
    assert search_videos("rain", config, 5).tasks == ()
