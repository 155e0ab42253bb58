from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import sha256_hex
from tests.etl.platforms.site import CC_BY, CC_BY_NC, Site, mp4, transport_stream, vtt, webm

Visit = Callable[..., Any]


def media_file(row: dict[str, Any], root: Path) -> bytes:
    return (root / "media" / row["files"][0]["path"]).read_bytes()


def test_an_allowed_page_comes_with_its_media_subtitles_and_metadata(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    film = mp4(draw, 80_000)
    site.add("/m/a.mp4", film, "video/mp4")
    site.add("/s/en.vtt", vtt("hello"), "text/vtt")
    track = '<track kind="subtitles" src="/s/en.vtt" srclang="en">'
    site.video_page("/p/a", "/m/a.mp4", "A film", tracks=track)

    row = visit(site.url("/p/a"))

    assert row["verdict"] == "kept", row["message"]
    assert media_file(row, tmp_path) == film
    assert row["files"][0]["sha256"] == sha256_hex(film)
    assert (row["title"], row["description"]) == ("A film", "About A film")
    assert (row["duration"], row["uploaded"]) == (12.0, "20260301")
    assert (row["width"], row["height"]) == (640, 360)
    assert (row["licence"], row["robots"]) == ("CC-BY-4.0", "allowed")
    [subtitle] = row["subtitles"]
    assert (subtitle["language"], subtitle["kind"]) == ("en", "own")
    assert (tmp_path / "media" / subtitle["path"]).read_text() == vtt("hello")


def test_every_request_bears_our_name_and_nobody_elses(
    site: Site, visit: Visit, draw: random.Random
) -> None:
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4", headers={"Set-Cookie": "a=b"})
    site.video_page("/p/a", "/m/a.mp4", "A film").headers["Set-Cookie"] = "session=1; Path=/"
    assert visit(site.url("/p/a"))["verdict"] == "kept"
    assert len(site.log) >= 3
    for one in site.log:
        assert one.headers["User-Agent"] == "TokenFoundry/0.1 (+https://example.org/bot)"
        assert not {"Cookie", "Authorization", "X-Forwarded-For", "Sec-Fetch-Mode"} & set(
            one.headers
        )


@pytest.mark.parametrize(
    ("licence", "rule"),
    [
        (CC_BY_NC, "platform.licence"),
        ("All rights reserved", "platform.licence"),
        ("", "platform.licence_unknown"),
        ("Our own terms", "platform.licence_unknown"),
    ],
)
def test_media_under_any_other_licence_are_never_requested(
    site: Site, visit: Visit, draw: random.Random, licence: str, rule: str
) -> None:
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    site.add("/m/a.m3u8", "#EXTM3U\n", "application/vnd.apple.mpegurl")
    site.video_page("/p/a", "/m/a.mp4", "A film", licence)
    site.video_page("/p/hls", "/m/a.m3u8", "A film", licence)
    for path in ("/p/a", "/p/hls"):
        row = visit(site.url(path))
        assert (row["verdict"], row["rule"]) == ("rejected", rule)
        assert row["message"]
    assert not [one for one in site.log if one.path.startswith("/m/")]


def test_a_media_file_without_a_page_is_refused_unasked(
    site: Site, visit: Visit, draw: random.Random
) -> None:
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    assert visit(site.url("/m/a.mp4"))["rule"] == "platform.licence_unknown"
    assert not site.asked("/m/a.mp4")
    assert visit(site.url("/m/a.mp4"), allow_unknown_from=("127.0.0.1",))["verdict"] == "kept"


def test_robots_txt_binds_the_page_and_the_media_apart(
    site: Site, visit: Visit, draw: random.Random
) -> None:
    site.add("/closed/m.mp4", mp4(draw, 1_000), "video/mp4")
    site.video_page("/closed/p", "/m/a.mp4", "Closed page")
    site.video_page("/p/a", "/closed/m.mp4", "Closed media")
    for path in ("/closed/p", "/p/a"):
        row = visit(site.url(path))
        assert (row["rule"], row["robots"]) == ("platform.robots", "denied")
        assert "disallowed by robots.txt" in row["message"]
    assert not [one for one in site.log if one.path.startswith("/closed/")]


def test_a_redirect_is_gated_too(site: Site, visit: Visit) -> None:
    site.add("/p/out", b"", status=302, headers={"Location": "http://127.0.0.2/secret"})
    site.add("/p/closed", b"", status=302, headers={"Location": "/closed/p"})
    site.add("/p/file", b"", status=302, headers={"Location": "file:///etc/passwd"})
    site.add("/p/loop", b"", status=302, headers={"Location": "/p/loop"})
    assert visit(site.url("/p/out"))["rule"] == "platform.private_address"
    assert visit(site.url("/p/closed"))["rule"] == "platform.robots"
    assert visit(site.url("/p/file"))["rule"] == "platform.url"
    assert visit(site.url("/p/loop"))["verdict"] == "quarantined"
    assert not site.asked("/closed/p")
    assert len(site.asked("/p/loop")) == 6


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://10.0.0.1/v", "platform.private_address"),
        ("http://169.254.169.254/latest/meta-data", "platform.private_address"),
        ("http://[::1]/v", "platform.private_address"),
        ("http://localhost/v", "platform.private_address"),
        ("ftp://example.org/v.mp4", "platform.url"),
        ("ytsearch10:cats", "platform.url"),
        ("file:///etc/passwd", "platform.url"),
        ("http://user:secret@example.org/v", "platform.url"),
    ],
)
def test_addresses_that_are_nobodys_business(visit: Visit, url: str, rule: str) -> None:
    assert visit(url)["rule"] == rule


def test_pages_of_one_name_do_not_collide(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    first, second = mp4(draw, 5_000), mp4(draw, 6_000)
    site.add("/a/clip.mp4", first, "video/mp4")
    site.add("/b/clip.mp4", second, "video/mp4")
    site.video_page("/a/watch", "/a/clip.mp4", "Same title")
    site.video_page("/b/watch", "/b/clip.mp4", "Same title")
    rows = [visit(site.url("/a/watch")), visit(site.url("/b/watch"))]
    assert [media_file(row, tmp_path) for row in rows] == [first, second]
    assert len({row["uri_id"] for row in rows}) == 2


def test_what_was_taken_is_not_asked_for_again(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/m/a.mp4", mp4(draw, 5_000), "video/mp4")
    site.video_page("/p/a", "/m/a.mp4", "A film")
    row = visit(site.url("/p/a"))
    asked = len(site.log)
    assert visit(site.url("/p/a")) == row
    assert len(site.log) == asked
    (tmp_path / "media" / row["files"][0]["path"]).unlink()
    assert visit(site.url("/p/a"))["files"] == row["files"]
    assert len(site.asked("/m/a.mp4")) == 2


def test_a_page_of_several_media_becomes_several_items(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    films = {f"/m/{n}.mp4": mp4(draw, 1_000 + n) for n in (1, 2)}
    for path, film in films.items():
        site.add(path, film, "video/mp4")
    videos = "".join(f'<video src="{path}"></video>' for path in films)
    site.add("/p/two", f'<html><body>{videos}<a rel="license" href="{CC_BY}">CC</a></body></html>')
    children = visit(site.url("/p/two"))
    assert [child.entry for child in children] == [1, 2]
    rows = [visit(child.url, entry=child.entry) for child in children]
    assert [media_file(row, tmp_path) for row in rows] == list(films.values())
    assert [row["url"][-8:] for row in rows] == ["#media-1", "#media-2"]


def test_hls_and_webm(site: Site, visit: Visit, draw: random.Random, tmp_path: Path) -> None:
    parts = [transport_stream(draw, 50) for _ in range(3)]
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
    for number, part in enumerate(parts):
        site.add(f"/h/{number}.ts", part, "video/mp2t")
        playlist += f"#EXTINF:4,\n{number}.ts\n"
    site.add("/h/low.m3u8", playlist + "#EXT-X-ENDLIST\n", "application/vnd.apple.mpegurl")
    site.add(
        "/h/main.m3u8",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nlow.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1920x1080\nhigh.m3u8\n",
        "application/vnd.apple.mpegurl",
    )
    site.video_page("/p/hls", "/h/main.m3u8", "Stream")
    row = visit(site.url("/p/hls"))
    assert (row["verdict"], row["height"]) == ("kept", 360), row["message"]
    assert media_file(row, tmp_path) == b"".join(parts)
    assert {f["height"] for f in row["formats"]} == {360, 1080}
    assert not site.asked("/h/high.m3u8")

    film = webm(draw, 4_000)
    site.add("/m/a.webm", film, "video/webm")
    site.video_page("/p/webm", "/m/a.webm", "WebM")
    row = visit(site.url("/p/webm"))
    assert (row["height"], media_file(row, tmp_path)) == (360, film)


@pytest.mark.parametrize("make", [mp4, webm])
def test_a_picture_that_is_larger_than_it_may_be(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path, make: Callable[..., bytes]
) -> None:
    name = f"/m/a.{make.__name__}"
    site.add(name, make(draw, 1_000, 1920, 1080), f"video/{make.__name__}")
    site.video_page("/p/a", name, "Large")
    row = visit(site.url("/p/a"))
    assert (row["rule"], row["height"]) == ("platform.resolution", 1080)
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_limits_of_size_and_length(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/m/big.mp4", mp4(draw, 1_000) + bytes(50_000_000), "video/mp4")
    site.add("/m/endless.mp4", mp4(draw, 100_000), "video/mp4", endless=True)
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    site.video_page("/p/big", "/m/big.mp4", "Big")
    site.video_page("/p/endless", "/m/endless.mp4", "Endless")
    site.video_page("/p/long", "/m/a.mp4", "Long", duration="PT9H")
    site.add("/p/page", b"<html>" + b"x" * 100_000, endless=True)
    limits: dict[str, Any] = {"max_item_bytes": 1_000_000, "max_page_bytes": 300_000}
    assert visit(site.url("/p/big"), **limits)["rule"] == "platform.too_large"
    assert visit(site.url("/p/endless"), **limits)["rule"] == "platform.too_large"
    assert visit(site.url("/p/long"))["rule"] == "platform.too_long"
    row = visit(site.url("/p/page"), **limits)
    assert row["verdict"] == "quarantined"
    assert "max_page_bytes" in row["message"]
    assert not site.asked("/m/a.mp4")
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        (401, "platform.login"),
        (403, "platform.forbidden"),
        (404, "platform.gone"),
        (451, "platform.geo"),
    ],
)
def test_a_wall_is_a_reason_to_refuse(site: Site, visit: Visit, status: int, rule: str) -> None:
    site.add("/p/wall", "no", status=status)
    row = visit(site.url("/p/wall"))
    assert (row["verdict"], row["rule"]) == ("rejected", rule)
    assert len(site.asked("/p/wall")) == 1


def test_faults_are_quarantined_with_their_class(
    site: Site, visit: Visit, draw: random.Random
) -> None:
    site.add("/p/down", "oops", status=503)
    site.add("/p/short", "<html>", headers={"Content-Length": "5000"})
    site.add("/m/html.mp4", "<!doctype html><html>please enable scripts</html>", "video/mp4")
    site.video_page("/p/html", "/m/html.mp4", "Not media")
    site.add("/p/silent", "x" * 100, pause=1.0, piece=1)
    found = {
        path: visit(site.url(path), timeout_seconds=0.3)
        for path in ("/p/down", "/p/short", "/p/html", "/p/silent")
    }
    assert {row["verdict"] for row in found.values()} == {"quarantined"}
    assert found["/p/down"]["error_class"] == "http_error"
    assert found["/p/short"]["error_class"] == "network_error"
    assert found["/p/html"]["error_class"] == "not_media"
    assert found["/p/silent"]["error_class"] == "timeout"


def test_a_page_without_media_and_a_bomb(site: Site, visit: Visit) -> None:
    import gzip

    site.add("/p/none", "<html><body>Only words.</body></html>")
    assert visit(site.url("/p/none"))["rule"] == "platform.no_media"
    bomb = gzip.compress(bytes(200_000_000), 9)
    site.add("/p/bomb", bomb, headers={"Content-Encoding": "gzip"})
    row = visit(site.url("/p/bomb"), max_page_bytes=1_000_000)
    assert (row["verdict"], "max_page_bytes" in row["message"]) == ("quarantined", True)


def test_the_info_file_holds_no_secret(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path
) -> None:
    site.add("/m/a.mp4?sig=SECRET", mp4(draw, 1_000), "video/mp4")
    site.video_page("/p/a", "/m/a.mp4?sig=SECRET", "Signed")
    row = visit(site.url("/p/a"))
    info = next(file for file in row["files"] if file["role"] == "info")
    text = (tmp_path / "media" / info["path"]).read_text()
    assert json.loads(text)["title"].startswith("Signed")
    assert "SECRET" not in text + json.dumps(row)
    assert "User-Agent" not in text


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="og:video" content="{url}"><meta property="og:title" content="T">',
        '<script type="application/ld+json">{{"@context": "https://schema.org", "@type": '
        '"VideoObject", "name": "T", "contentUrl": "{url}"}}</script>',
    ],
)
def test_pages_without_a_video_element(
    site: Site, visit: Visit, draw: random.Random, tmp_path: Path, head: str
) -> None:
    film = mp4(draw, 3_000)
    site.add("/m/a.mp4", film, "video/mp4")
    filled = head.format(url=site.url("/m/a.mp4"))
    for path, licence in (("/p/by", CC_BY), ("/p/nc", CC_BY_NC)):
        link = f'<a rel="license" href="{licence}">licence</a>'
        site.add(path, f"<html><head><title>T</title>{filled}</head><body>{link}</body></html>")
    assert visit(site.url("/p/nc"))["rule"] == "platform.licence"
    assert not site.asked("/m/a.mp4")
    row = visit(site.url("/p/by"))
    assert row["verdict"] == "kept", row["message"]
    assert media_file(row, tmp_path) == film


def test_protected_streams_are_refused(site: Site, visit: Visit, draw: random.Random) -> None:
    key = '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://k",'
    key += 'KEYFORMAT="com.apple.streamingkeydelivery"'
    stream = "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nlow.m3u8\n"
    kind = "application/vnd.apple.mpegurl"
    site.add("/h/drm.m3u8", f"#EXTM3U\n{key}\n{stream}", kind)
    site.video_page("/p/drm", "/h/drm.m3u8", "Protected")
    assert visit(site.url("/p/drm"))["rule"] == "platform.drm"
    assert not site.asked("/h/low.m3u8")


def test_a_live_stream_is_refused(site: Site, visit: Visit, draw: random.Random) -> None:
    segment = transport_stream(draw, 10)
    site.add("/h/0.ts", segment, "video/mp2t")
    site.add("/h/live.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.ts\n",
             "application/vnd.apple.mpegurl")  # fmt: skip
    site.video_page("/p/live", "/h/live.m3u8", "Live")
    assert visit(site.url("/p/live"))["rule"] == "platform.live"
    assert not site.asked("/h/0.ts")


def test_no_message_holds_a_signature(site: Site, visit: Visit) -> None:
    site.video_page("/p/a", "/closed/m.mp4?sig=SECRET", "Signed")
    row = visit(site.url("/p/a"))
    assert row["rule"] == "platform.robots"
    assert "SECRET" not in json.dumps(row)


def test_a_real_film(site: Site, visit: Visit, sample_data: Path, tmp_path: Path) -> None:
    for path in sorted((sample_data / "video").glob("*.mp4")):
        site.add(f"/m/{path.name}", path.read_bytes(), "video/mp4")
        site.video_page(f"/p/{path.stem}", f"/m/{path.name}", path.stem)
        row = visit(site.url(f"/p/{path.stem}"))
        assert row["height"] > 0
        assert (row["verdict"] == "kept") == (row["height"] <= 720)
        if row["verdict"] == "kept":
            assert media_file(row, tmp_path) == path.read_bytes()
