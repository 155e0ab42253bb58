from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.crawl.schedule import Schedule, Visit

GRAPH = {
    f"http://h{i % 3}.org/{i}": [f"http://h{(i * 7 + k) % 3}.org/{i * 2 + k}" for k in (1, 2)]
    for i in range(200)
}
START = "http://h0.org/0"


def crawl(path: Path, order: Random, max_pages: int = 1_000, max_depth: int = 50) -> dict[str, int]:
    """Visits the graph; answers come in an order that `order` draws. Returns URL -> depth."""
    schedule = Schedule(path, max_pages=max_pages, max_depth=max_depth, per_host=3)
    schedule.add((START,), 0)
    flying: list[Visit] = []
    found: dict[str, int] = {}
    while True:
        while (visit := schedule.next()) is not None:
            flying.append(visit)
            assert sum(v.host == visit.host for v in flying) <= 3
        if not flying:
            break
        done = flying.pop(order.randrange(len(flying)))
        assert done.url not in found
        found[done.url] = done.depth
        schedule.decide(done.url)
        schedule.add(GRAPH.get(done.url, ()), done.depth + 1)
    assert schedule.decided == len(found)
    schedule.close()
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.integers(), st.integers(1, 120), st.integers(0, 6))
def test_the_set_does_not_depend_on_timing(
    tmp_path: Path, seed: int, max_pages: int, max_depth: int
) -> None:
    first = crawl(tmp_path / "a", Random(1), max_pages, max_depth)
    second = crawl(tmp_path / "b", Random(seed), max_pages, max_depth)
    assert first == second
    assert len(first) <= max_pages
    assert max(first.values()) <= max_depth


def test_depth_is_the_least_number_of_links(tmp_path: Path) -> None:
    found = crawl(tmp_path / "a", Random(3))
    for url, depth in found.items():
        for target in GRAPH.get(url, ()):
            assert found[target] <= depth + 1


def test_known_urls_rest_until_they_are_linked(tmp_path: Path) -> None:
    schedule = Schedule(tmp_path / "s", max_pages=10, max_depth=5, per_host=2)
    tired = Visit("http://a.org/tired", "a.org", 4, etag='"t"')
    schedule.know([Visit("http://a.org/", "a.org", 0, etag='"e"', sha256="ab")], due=True)
    schedule.know([tired], due=False)
    schedule.add(("http://a.org/",), 0)
    visit = schedule.next()
    assert visit == Visit("http://a.org/", "a.org", 0, 0, '"e"', None, "ab")
    assert schedule.next() is None
    schedule.add(("http://a.org/tired",), 1)
    schedule.decide("http://a.org/")
    again = schedule.next()
    assert again is not None
    assert (again.url, again.depth, again.etag) == ("http://a.org/tired", 1, '"t"')
    schedule.add(("http://a.org/tired", "http://a.org/"), 1)
    schedule.decide(again.url)
    assert schedule.next() is None
    assert (schedule.decided, schedule.waiting(), schedule.flying) == (2, 0, 0)


def test_redirects_are_a_level_of_their_own(tmp_path: Path) -> None:
    schedule = Schedule(tmp_path / "s", max_pages=10, max_depth=0, per_host=9)
    schedule.add(("http://a.org/1", "http://a.org/2"), 0)
    first = schedule.next()
    assert first is not None
    schedule.add(("http://a.org/target",), 0, 1)
    schedule.decide(first.url)
    second = schedule.next()
    assert second is not None
    assert second.hops == 0
    assert schedule.next() is None
    schedule.decide(second.url)
    third = schedule.next()
    assert third is not None
    assert (third.url, third.hops) == ("http://a.org/target", 1)
