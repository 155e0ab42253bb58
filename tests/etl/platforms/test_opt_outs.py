from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from etl.platforms.config import PlatformConfig
from tests.etl.platforms.site import Site, mp4

Visit = Callable[..., Any]
TDMREP = "/.well-known/tdmrep.json"


@pytest.fixture
def film(site: Site, draw: random.Random) -> Site:
    site.add("/m/a.mp4", mp4(draw, 1_000), "video/mp4")
    site.video_page("/p/a", "/m/a.mp4", "A film")
    return site


def reserve(site: Site, where: str) -> None:
    """Puts one reservation on the site."""
    page, media = site.resources["/p/a"], site.resources["/m/a.mp4"]
    if where == "page header":
        page.headers["X-Robots-Tag"] = "otherbot: noindex, TokenFoundry: noai"
    elif where == "tdm header":
        page.headers["TDM-Reservation"] = "1"
    elif where == "media header":
        media.headers["X-Robots-Tag"] = "noai, noimageai"
    elif where == "meta":
        page.body = page.body.replace(b"<head>", b'<head><meta name="robots" content="NOAI">')
    else:
        rules = [{"location": "/", "tdm-reservation": 0}, {"location": "/m/", "tdm-reservation": 1}]
        site.add(TDMREP, json.dumps(rules), "application/json")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("page header", "noai"),
        ("tdm header", "tdm-reservation"),
        ("media header", "noai"),
        ("meta", "noai"),
        ("tdmrep.json", "tdm-reservation"),
    ],
)
def test_a_reservation_ends_the_item_and_is_recorded(
    film: Site, visit: Visit, where: str, found: str
) -> None:
    reserve(film, where)
    row = visit(film.url("/p/a"))
    assert (row["verdict"], row["rule"]) == ("rejected", "platform.opted_out"), row["message"]
    assert found in row["opt_outs"]
    assert row["files"] == []
    if where != "media header":  # which is not known before its answer
        assert not film.asked("/m/a.mp4")


@pytest.mark.parametrize("where", ["page header", "meta", "media header", "tdmrep.json"])
def test_one_that_the_profile_does_not_obey_is_recorded_all_the_same(
    film: Site, visit: Visit, where: str
) -> None:
    reserve(film, where)
    row = visit(film.url("/p/a"), obey_opt_outs=())
    assert row["verdict"] == "kept", row["message"]
    assert set(row["opt_outs"]) & {"noai", "tdm-reservation"}


def test_what_reserves_nothing_of_ours_lets_the_item_pass(film: Site, visit: Visit) -> None:
    film.resources["/p/a"].headers["X-Robots-Tag"] = "otherbot: noai"
    film.resources["/p/a"].headers["TDM-Reservation"] = "0"
    film.add(TDMREP, b"[" * 100_000, "application/json")
    row = visit(film.url("/p/a"))
    assert (row["verdict"], row["opt_outs"]) == ("kept", []), row["message"]


def test_a_host_that_fails_on_its_tdmrep_reserves_nothing_by_it(film: Site, visit: Visit) -> None:
    film.add(TDMREP, "broken", "text/plain", status=500)
    assert visit(film.url("/p/a"))["verdict"] == "kept"
    assert len(film.asked(TDMREP)) == 1


def test_an_opt_out_that_does_not_exist_is_a_bad_setting() -> None:
    with pytest.raises(ValueError, match=r"obey_opt_outs has 'noia'; choose from noai"):
        PlatformConfig(obey_opt_outs=("noia",))
