"""Licences that a publisher states for its whole site, by host and by date."""

from __future__ import annotations

import pytest

from etl.licence.sites import stackexchange_licence, wikimedia_licence


@pytest.mark.parametrize(
    ("created", "spdx"),
    [
        ("2008-09-15T00:00:00.000", "CC-BY-SA-2.5"),
        ("2011-04-07T23:59:59.999", "CC-BY-SA-2.5"),
        ("2011-04-08T00:00:00.000", "CC-BY-SA-3.0"),
        ("2018-05-01T23:59:59.999", "CC-BY-SA-3.0"),
        ("2018-05-02T00:00:00.000", "CC-BY-SA-4.0"),
        ("2026-01-01", "CC-BY-SA-4.0"),
        ("2018-13-45", "unknown"),
        ("", "unknown"),
    ],
)
def test_posts_by_their_date(created: str, spdx: str) -> None:
    assert stackexchange_licence("", created).spdx == spdx


def test_what_a_post_states_wins_over_its_date() -> None:
    licence = stackexchange_licence("CC BY-SA 4.0", "2009-01-01")
    assert (licence.spdx, licence.found[0].kind) == ("CC-BY-SA-4.0", "field")
    assert stackexchange_licence("whatever", "2009-01-01").found[0].kind == "site"


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("en.wikipedia.org", True),
        ("WIKIPEDIA.ORG.", True),
        ("fr.wiktionary.org", True),
        ("notwikipedia.org", False),
        ("wikipedia.org.example", False),
        ("commons.wikimedia.org", False),
        ("", False),
    ],
)
def test_projects_by_their_host(host: str, known: bool) -> None:
    licence = wikimedia_licence(host)
    assert (licence is not None) == known
    if licence is not None:
        assert (licence.spdx, licence.found[0].kind) == ("CC-BY-SA-4.0", "site")
