from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.crawl.schedule import Budgets, Schedule, Visit

GRAPH = {
    f"http://h{i % 3}.org/{i}": [f"http://h{(i * 7 + k) % 3}.org/{i * 2 + k}" for k in (1, 2)]
    for i in range(200)
}
START = "http://h0.org/0"


def crawl(path: Path, order: Random, max_pages: int = 1_000, max_depth: int = 50) -> dict[str, int]:
    """Visits the graph; answers come in an order that `order` draws. Returns URL -> depth."""
    schedule = Schedule(path, budgets=Budgets(max_pages=max_pages), max_depth=max_depth, per_host=3)
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
    schedule = Schedule(tmp_path / "s", budgets=Budgets(max_pages=10), max_depth=5, per_host=2)
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
    schedule = Schedule(tmp_path / "s", budgets=Budgets(max_pages=10), max_depth=0, per_host=9)
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


def drained(schedule: Schedule) -> list[str]:
    """Visits all that waits, one at a time."""
    found = []
    while (visit := schedule.next()) is not None:
        found.append(visit.url)
        schedule.decide(visit.url)
    return found


def test_budgets_of_a_host_and_of_a_pattern_cut_the_last_in_order(tmp_path: Path) -> None:
    calendar = [f"http://a.org/day/{n}?month={n % 12}" for n in range(50)]
    pages = [f"http://a.org/page-{word}" for word in ("one", "two", "three", "four")]
    other = [f"http://b.org/{word}" for word in ("x", "y")]
    budgets = Budgets(max_pages=100, max_per_host=9, max_per_pattern=6)
    schedule = Schedule(tmp_path / "s", budgets=budgets, max_depth=5, per_host=9)
    schedule.know([Visit(url, "a.org", 0, priority=0.2) for url in calendar], due=True)
    schedule.add([*pages, *other], 0)
    first = drained(schedule)
    assert set(first) >= {*pages, *other}
    assert sum(url in calendar for url in first) == 9 - len(pages)
    assert schedule.waiting() == len(calendar) - 5
    # Another level has what the first has left of the budgets: nothing.
    schedule.add(["http://a.org/late", "http://b.org/late"], 1)
    assert drained(schedule) == ["http://b.org/late"]


def test_what_is_not_due_is_left_alone_whoever_links_to_it(tmp_path: Path) -> None:
    schedule = Schedule(tmp_path / "s", budgets=Budgets(max_pages=9), max_depth=5, per_host=9)
    schedule.skip([Visit("http://a.org/early", "a.org", 0)])
    schedule.add(("http://a.org/early", "http://a.org/"), 0)
    assert drained(schedule) == ["http://a.org/"]
    assert (schedule.skipped(), schedule.waiting(), schedule.decided) == (1, 0, 1)


def test_the_likelier_news_come_first(tmp_path: Path) -> None:
    schedule = Schedule(tmp_path / "s", budgets=Budgets(max_pages=2), max_depth=5, per_host=9)
    chances = {"http://a.org/1": 0.1, "http://a.org/2": 0.9, "http://a.org/3": 0.5}
    schedule.know([Visit(u, "a.org", 0, priority=p) for u, p in chances.items()], due=True)
    assert drained(schedule) == ["http://a.org/2", "http://a.org/3"]
