from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl.crawl.pace import Pace, retry_after_seconds


def test_a_busy_host_is_asked_less_often_until_it_recovers() -> None:
    pace = Pace(floor=0.0, ceiling=60.0)
    assert pace.answered(200, 0.01) == 0
    assert pace.answered(503, 0.01) == 1
    assert pace.answered(429, 0.01) == 2
    assert pace.answered(429, 0.01, "30") == 30
    assert pace.answered(429, 0.01, "3600") == 60
    for _ in range(60):
        pace.answered(200, 0.01)
    assert pace.delay == 0


def test_slow_answers_make_room() -> None:
    pace = Pace(floor=0.1, ceiling=60.0)
    for _ in range(5):
        assert pace.answered(200, 0.05) == 0.1
    for _ in range(20):
        pace.answered(200, 4.0)
    assert pace.delay > 3


@given(st.lists(st.tuples(st.sampled_from([200, 304, 404, 429, 500, 503]), st.floats(0, 100))))
def test_a_delay_lies_between_floor_and_ceiling(answers: list[tuple[int, float]]) -> None:
    pace = Pace(floor=0.5, ceiling=5.0)
    for status, latency in answers:
        assert 0.5 <= pace.answered(status, latency) <= 5.0


def test_retry_after() -> None:
    assert retry_after_seconds("120") == 120
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT", now=1445412470) == 10
    for value in (None, "", "soon", "-5", "Wed, 99 Oct", "9" * 400):
        found = retry_after_seconds(value)
        assert found is None or found == 999_999_999
