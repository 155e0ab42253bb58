from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.platforms import collect_media
from etl.platforms.config import PlatformConfig
from etl.tables.store import Store
from schemas.errors import InputError
from schemas.tables import MEDIA
from tests.etl.platforms.site import CC_BY_NC, Site, mp4, vtt

Settings = Callable[..., PlatformConfig]

ROOT = Path(__file__).parents[3]


def rows(store: Store) -> dict[str, Any]:
    return {row["url"]: row for row in store.read(MEDIA).collect()}


def feed(site: Site, *links: str) -> str:
    items = "".join(f"<item><title>t</title><link>{site.url(one)}</link></item>" for one in links)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'


def test_a_run_over_a_feed_and_a_list(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/m/a.mp4", mp4(draw, 5_000), "video/mp4")
    site.add("/s/en.vtt", vtt("hello"), "text/vtt")
    site.video_page(
        "/p/a", "/m/a.mp4", "A", tracks='<track kind="captions" src="/s/en.vtt" srclang="en">'
    )
    site.video_page("/p/nc", "/m/a.mp4", "NC", CC_BY_NC)
    site.video_page("/closed/p", "/m/a.mp4", "Closed")
    site.add("/p/down", "oops", status=500)
    site.add("/feed", feed(site, "/p/a", "/p/nc", "/closed/p"), "application/rss+xml")
    urls = [site.url("/feed"), site.url("/p/down"), site.url("/p/a"), "ftp://example.org/x"]

    report = collect_media(store, str(tmp_path / "media"), urls, "web", settings())

    assert (report.rows_in, report.kept, report.quarantined) == (5, 1, 1)
    assert report.rejected == {"platform.licence": 1, "platform.robots": 1, "platform.url": 1}
    found = rows(store)
    kept = found[site.url("/p/a")]
    assert kept["listed_in"] == site.url("/feed")
    assert (kept["licence"], len(kept["subtitles"]), kept["subtitles"][0]["kind"]) == (
        "CC-BY-4.0", 1, "own",
    )  # fmt: skip
    assert "CC-BY-NC-4.0" in found[site.url("/p/nc")]["message"]
    assert found[site.url("/closed/p")]["robots"] == "denied"
    assert found[site.url("/p/down")]["error_class"] == "http_error"

    version, asked = store.version(MEDIA), len(site.asked("/m/a.mp4"))
    again = collect_media(store, str(tmp_path / "media"), urls, "web", settings())
    assert (again.kept, again.rejected) == (report.kept, report.rejected)
    assert len(site.asked("/m/a.mp4")) == asked
    assert store.version(MEDIA) == version


def test_a_killed_download_resumes_in_the_middle_of_the_file(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    film = mp4(draw, 3_000_000)
    site.add("/m/first.mp4", mp4(draw, 1_000), "video/mp4", headers={"ETag": '"f"'})
    slow = site.add(
        "/m/slow.mp4", film, "video/mp4", headers={"ETag": '"v1"'}, pause=0.05, piece=20_000
    )
    site.video_page("/p/first", "/m/first.mp4", "First")
    site.video_page("/p/slow", "/m/slow.mp4", "Slow")
    urls = [site.url("/p/first"), site.url("/p/slow")]
    media = tmp_path / "media"
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import etl.platforms.job as job
from etl.platforms.config import PlatformConfig
job.collect_media(None, {str(media)!r}, {urls!r}, "web", PlatformConfig(
    contact="https://example.org/bot", delay_seconds=0, retries=0, timeout_seconds=5,
    private_hosts=({site.host!r},)))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        part = wait_for_part(media, 200_000)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    held = part.stat().st_size
    assert 0 < held < len(film)
    slow.pause = 0

    report = collect_media(store, str(media), urls, "web", settings())

    assert report.kept == 2
    second = site.asked("/m/slow.mp4")[-1]
    assert second.status == 206
    start = int(second.headers["Range"].removeprefix("bytes=").rstrip("-"))
    assert 0 < start <= len(film)
    assert second.headers["If-Range"] == '"v1"'
    assert len(site.asked("/p/first")) == len(site.asked("/m/first.mp4")) == 1
    path = rows(store)[site.url("/p/slow")]["files"][0]["path"]
    assert (media / path).read_bytes() == film
    assert not list(media.rglob("*.part")) + list(media.rglob("*.validator"))


def wait_for_part(media: Path, size: int) -> Path:
    for _ in range(600):
        for part in media.rglob("*.part"):
            if part.stat().st_size >= size:
                return part
        time.sleep(0.05)
    raise AssertionError("the download did not start")


def test_a_file_that_changed_in_between_is_fetched_whole(
    site: Site, settings: Settings, visit: Callable[..., Any], draw: random.Random, tmp_path: Path
) -> None:
    old, new = mp4(draw, 400_000), mp4(draw, 500_000)
    served = site.add(
        "/m/a.mp4", old, "video/mp4", headers={"ETag": '"old"', "Content-Length": "450000"}
    )
    site.video_page("/p/a", "/m/a.mp4", "Changed")
    assert visit(site.url("/p/a"))["verdict"] == "quarantined"  # broke off
    assert len(list((tmp_path / "media").rglob("*.part"))) == 1
    served.body, served.headers = new, {"ETag": '"new"'}
    row = visit(site.url("/p/a"))
    last = site.asked("/m/a.mp4")[-1]
    assert (last.headers["If-Range"], last.status) == ('"old"', 200)
    assert (tmp_path / "media" / row["files"][0]["path"]).read_bytes() == new


def test_an_item_that_hangs_is_given_up_and_the_run_goes_on(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/p/drip", "<html>" + "x" * 10_000, pause=0.2, piece=1)
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    site.video_page("/p/a", "/m/a.mp4", "A")
    urls = [site.url("/p/drip"), site.url("/p/a")]
    config = settings(item_timeout_seconds=8)
    report = collect_media(store, str(tmp_path / "media"), urls, "web", config)
    assert (report.kept, report.quarantined) == (1, 1)
    assert rows(store)[site.url("/p/drip")]["error_class"] == "timeout"
    assert len(site.asked("/p/drip")) == 1


def test_a_worker_that_dies_takes_one_item_with_it(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/m/slow.mp4", mp4(draw, 3_000_000), "video/mp4", pause=0.1, piece=10_000)
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    site.video_page("/p/slow", "/m/slow.mp4", "Slow")
    site.video_page("/p/a", "/m/a.mp4", "A")
    media = tmp_path / "media"

    def kill_worker() -> None:
        wait_for_part(media, 20_000)
        order = str(media / "web.order.json").encode()
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            if order in line.read_bytes():
                os.kill(int(line.parent.name), signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    urls = [site.url("/p/slow"), site.url("/p/a")]
    report = collect_media(store, str(media), urls, "web", settings())
    killer.join()
    assert (report.kept, report.quarantined) == (1, 1)
    assert rows(store)[site.url("/p/slow")]["error_class"] == "crashed"


def test_the_budget_of_bytes_ends_a_run_and_the_next_goes_on(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    films = [mp4(draw, 300_000) for _ in range(3)]
    for number, film in enumerate(films):
        site.add(f"/m/{number}.mp4", film, "video/mp4", headers={"ETag": f'"{number}"'})
        site.video_page(f"/p/{number}", f"/m/{number}.mp4", f"Film {number}")
    urls = [site.url(f"/p/{number}") for number in range(3)]
    config = settings(max_run_bytes=400_000)
    kept = []
    for _ in range(3):
        report = collect_media(store, str(tmp_path / "media"), urls, "web", config)
        kept.append((report.kept, report.rejected.get("platform.budget", 0)))
        assert report.bytes_in <= 400_000
    assert kept == [(1, 2), (2, 1), (3, 0)]
    # One request learns that the file does not fit; after it none is made in that run.
    assert [len(site.asked(f"/m/{number}.mp4")) for number in range(3)] == [1, 2, 2]


def test_bounds_on_items_and_lists(
    site: Site, store: Store, settings: Settings, draw: random.Random, tmp_path: Path
) -> None:
    links = [f"/p/{number}" for number in range(6)]
    site.add("/feed", feed(site, *links), "application/rss+xml")
    for number, link in enumerate(links):
        site.add(f"/m/{number}.mp4", mp4(draw, 100), "video/mp4")
        site.video_page(link, f"/m/{number}.mp4", f"Film {number}")
    inner = feed(site, "/nest", "/feed")
    site.add("/nest", inner, "application/rss+xml")
    media = str(tmp_path / "media")
    report = collect_media(store, media, [site.url("/feed")], "web", settings(max_items=4))
    assert (report.rows_in, report.extra["left_out"]) == (4, 1)
    report = collect_media(store, media, [site.url("/nest")], "web", settings(max_depth=0))
    assert report.rejected == {"platform.depth": 1}
    report = collect_media(store, media, [site.url("/nest")], "web", settings())
    assert report.rows_in == 6


@pytest.mark.parametrize(
    ("urls", "changed", "word"),
    [([], {}, "no URLs"), (["http://example.org/"], {"contact": ""}, "contact")],
)
def test_bad_arguments(
    store: Store, settings: Settings, tmp_path: Path, urls: list[str], changed: Any, word: str
) -> None:
    with pytest.raises(InputError, match=word):
        collect_media(store, str(tmp_path / "media"), urls, "web", settings(**changed))


def test_no_request_leaves_after_the_parent_has_gone(
    site: Site, settings: Settings, tmp_path: Path, draw: random.Random
) -> None:
    site.add("/m/a.mp4", mp4(draw, 5_000_000), "video/mp4", pause=0.1, piece=10_000)
    site.video_page("/p/a", "/m/a.mp4", "A")
    process = subprocess.Popen(
        [sys.executable, "-c", f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import etl.platforms.job as job
from etl.platforms.config import PlatformConfig
job.collect_media(None, {str(tmp_path / "media")!r}, [{site.url("/p/a")!r}], "web",
    PlatformConfig(contact="https://example.org/bot", delay_seconds=0,
    private_hosts=({site.host!r},)))
"""],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    part = wait_for_part(tmp_path / "media", 20_000)
    process.kill()
    process.wait()
    for _ in range(100):
        size = part.stat().st_size
        time.sleep(0.5)
        if part.stat().st_size == size:
            return
    raise AssertionError("the worker outlived its parent")
