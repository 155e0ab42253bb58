from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.platforms.config import PlatformConfig
from etl.platforms.engine import Engine, format_selection
from etl.platforms.files import ItemFiles
from etl.platforms.gate import Gate
from etl.platforms.take import Taker
from tests.etl.platforms.site import Site, vtt

Settings = Callable[..., PlatformConfig]


@pytest.fixture
def taker(settings: Settings, tmp_path: Path) -> Callable[..., Taker]:
    def make(**changed: Any) -> Taker:
        config = settings(**changed)
        gate = Gate(config)
        gate.begin(page_decides=False, licence=lambda: None)
        gate.open_media()
        return Taker(Engine(config, gate), ItemFiles(tmp_path, "a" * 32), config)

    return make


def test_subtitles_of_the_uploader_and_of_a_machine_are_told_apart(
    site: Site, taker: Callable[..., Taker], tmp_path: Path
) -> None:
    for name in ("own", "orig", "translated"):
        site.add(f"/{name}.vtt", vtt(name), "text/vtt")
        site.add(f"/{name}.json3", "{}", "application/json")

    def offer(name: str) -> list[dict[str, str]]:
        return [{"url": site.url(f"/{name}.{ext}"), "ext": ext} for ext in ("json3", "vtt")]

    one = taker()
    found = one.subtitles(
        {
            "subtitles": {"en": offer("own"), "live_chat": offer("own"), "xx": offer("missing")},
            "automatic_captions": {"en-orig": offer("orig"), "fr": offer("translated")},
        }
    )
    assert [(s["language"], s["kind"], s["format"]) for s in found] == [
        ("en", "own", "vtt"),
        ("en-orig", "automatic", "vtt"),
    ]
    assert [(tmp_path / s["path"]).read_text() for s in found] == [vtt("own"), vtt("orig")]
    assert len(one.notes) == 1
    assert "own subtitle xx" in one.notes[0]
    assert not site.asked("/translated.vtt")


def test_names_that_a_server_chose_stay_in_their_folder(
    site: Site, taker: Callable[..., Taker], tmp_path: Path
) -> None:
    site.add("/a.vtt", vtt("x"), "text/vtt")
    offer = [{"url": site.url("/a.vtt"), "ext": "../../x.py"}]
    [found] = taker().subtitles({"subtitles": {"../../../etc/cron.d/x": offer}})
    assert found["path"].startswith("aa/" + "a" * 32 + ".subtitle.own.")
    assert found["path"].endswith(".bin")
    assert (tmp_path / found["path"]).is_file()


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([("sd", 360, "a", "v"), ("hd", 720, "a", "v"), ("full", 1080, "a", "v")], ["hd"]),
        ([("v7", 720, "none", "v"), ("v10", 1080, "none", "v"), ("a", None, "a", "none")],
         ["v7", "a"]),
        ([("both", 360, "a", "v"), ("v", 720, "none", "v"), ("a", None, "a", "none")],
         ["v", "a"]),
        ([("a", None, "a", "none")], ["a"]),
        ([("full", 1080, "a", "v")], []),
        ([("unknown", None, None, None)], ["unknown"]),
    ],
)  # fmt: skip
def test_the_format_string_selects_at_most_720p(
    settings: Settings, offered: list[Any], taken: list[str]
) -> None:
    formats = [
        {"format_id": name, "height": height, "acodec": audio, "vcodec": video, "ext": "mp4",
         "url": f"http://example.org/{name}", "protocol": "https"}
        for name, height, audio, video in offered
    ]  # fmt: skip
    assert selected(settings, formats) == taken


@pytest.mark.parametrize("protocol", ["rtmp", "m3u8", "websocket_frag", "mms", "ism"])
def test_protocols_that_need_a_program_are_not_selected(settings: Settings, protocol: str) -> None:
    one = {"format_id": "x", "url": "x://example.org/", "protocol": protocol, "ext": "mp4"}
    assert selected(settings, [one]) == []


def selected(settings: Settings, formats: list[dict[str, Any]]) -> list[str]:
    config = settings()
    engine = Engine(config, Gate(config))
    selector = engine.build_format_selector(format_selection(720))
    found = list(
        selector({"formats": formats, "has_merged_format": True, "incomplete_formats": False})
    )
    return [f["format_id"] for one in found for f in one.get("requested_formats", [one])]


def test_the_engine_has_our_handler_only_and_nothing_of_the_environment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    config = settings()
    engine = Engine(config, Gate(config))
    assert list(engine._request_director.handlers) == ["Gated"]
    assert not list(engine.cookiejar)
    assert engine.is_generic("http://127.0.0.1/x")
    assert not engine.is_generic("https://www.youtube.com/watch?v=abcdefghijk")
    for switch in ("cachedir", "usenetrc", "geo_bypass", "enable_file_urls", "check_formats"):
        assert engine.params[switch] is False
