"""The generator: deterministic, true to its truth, and hard where it should be."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from html import unescape

import pytest

from etl.sample_site import Site, Truth, build_site
from etl.sample_site.draft import FORBIDDEN_LICENCE
from etl.sample_site.pii import cn_id_valid, luhn_valid
from etl.sample_site.prose import UNSPACED


@pytest.fixture(scope="module")
def site(seed: int) -> Site:
    return build_site(seed)


@pytest.fixture(scope="module")
def truths(site: Site) -> list[Truth]:
    return [page.truth for page in site.pages]


def shingles(truth: Truth) -> set[tuple[str, ...]]:
    unspaced = truth.language in UNSPACED
    parts = list(re.sub(r"\s", "", truth.text)) if unspaced else truth.text.split()
    return {tuple(parts[i : i + 5]) for i in range(len(parts) - 4)}


def jaccard(a: Truth, b: Truth) -> float:
    first, second = shingles(a), shingles(b)
    return len(first & second) / len(first | second)


def test_same_arguments_same_bytes(site: Site, seed: int) -> None:
    again = build_site(seed)
    assert [(p.truth, p.body, p.headers) for p in again.pages] == [
        (p.truth, p.body, p.headers) for p in site.pages
    ]
    other = build_site(seed + 1)
    bodies = {p.body for p in site.pages if p.truth.quality == "good"}
    assert not bodies & {p.body for p in other.pages if p.truth.quality == "good"}


def test_the_mix_that_the_issue_asks_for(site: Site, truths: list[Truth]) -> None:
    assert len(truths) >= 640
    assert len({t.url for t in truths}) == len(truths)
    good = Counter(t.language for t in truths if t.quality == "good")
    assert len({language[:3] for language in good}) >= 12
    chinese = good["cmn_Hans"] + good["cmn_Hant"]
    assert chinese + good["eng"] > 0.55 * good.total()
    assert good["cmn_Hant"] > 5
    assert min(good.values()) >= 5
    licences = {t.licence for t in truths}
    assert licences == {"CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", FORBIDDEN_LICENCE, "unknown"}
    qualities = Counter(t.quality for t in truths)
    assert qualities["thin"] >= 20
    assert qualities["spam"] >= 20
    assert {t.markup for t in truths} == {"clean", "broken", "legacy_charset", "wrong_charset"}
    assert Counter(t.expectation for t in truths).keys() == {
        "fetched", "denied_robots", "redirected", "gone", "http_error", "timeout", "too_large",
        "refused",
    }  # fmt: skip
    assert {p.headers.get("ETag") is None for p in site.pages} == {True, False}
    assert len({t.host for t in truths}) == 4


def test_good_pages_have_the_length_and_the_ends_of_prose(truths: list[Truth]) -> None:
    for truth in truths:
        if truth.quality != "good":
            continue
        words = len(truth.text) / 1.6 if truth.language in UNSPACED else len(truth.text.split())
        assert 110 <= words <= 600, truth.url
        lines = truth.text.split("\n")
        assert len(lines) >= 2
        assert all(line.endswith((".", "。", "”", "“", "」", "?", '"', "»")) for line in lines)
        assert len(lines) == len(set(lines))
        assert "{" not in truth.text


def test_duplicates_are_as_near_as_they_say(truths: list[Truth]) -> None:
    by_url = {t.url: t for t in truths}
    copies = [t for t in truths if t.duplicate_of]
    assert sum(t.near for t in copies) >= 40
    assert sum(not t.near for t in copies) >= 25
    for copy in copies:
        original = by_url[copy.duplicate_of or ""]
        assert original.host != copy.host
        if copy.near:
            assert copy.text != original.text
            assert jaccard(copy, original) >= 0.8, copy.url
        else:
            assert copy.text == original.text


def test_other_pages_are_no_duplicates(truths: list[Truth]) -> None:
    singles = [t for t in truths if t.quality == "good" and t.duplicate_of is None]
    sets = {t.url: shingles(t) for t in singles}
    worst = 0.0
    sheets = 0.0
    for a, b in itertools.combinations(singles, 2):
        if a.language != b.language:
            continue
        common = len(sets[a.url] & sets[b.url])
        similarity = common / (len(sets[a.url]) + len(sets[b.url]) - common)
        if a.template and a.template == b.template:
            sheets = max(sheets, similarity)
        else:
            worst = max(worst, similarity)
    assert worst < 0.45  # far below the 0.7 at which pages count as duplicates
    assert 0.3 < sheets < 0.7  # hard negatives: they share much, and are not the same


def test_planted_data_is_in_the_text_and_valid(site: Site, truths: list[Truth]) -> None:
    entities = Counter(entity for t in truths for entity, _ in t.pii)
    expected = {"EMAIL_ADDRESS", "PHONE_NUMBER", "CN_ID_CARD", "CREDIT_CARD", "IP_ADDRESS"}
    assert entities.keys() == expected
    assert entities.total() >= 80
    for page in site.pages:
        for entity, value in page.truth.pii:
            assert value in page.truth.text
            compact = value.replace(" ", "")
            if entity == "CREDIT_CARD":
                assert luhn_valid(compact)
            elif entity == "CN_ID_CARD":
                assert cn_id_valid(value)
        for kind, value in page.truth.hard_negatives:
            assert value in page.truth.text
            if kind == "order":
                assert len(value) == 16
                assert not luhn_valid(value)
            elif kind == "not_id":
                assert not cn_id_valid(value)
                assert not luhn_valid(value)


def test_the_html_holds_the_text(site: Site) -> None:
    charsets = Counter()
    for page in site.pages:
        truth = page.truth
        if truth.quality != "good" or truth.path.startswith("/private/open"):
            continue
        declared = re.search(rb'<meta charset="([\w-]+)">', page.body)
        assert declared is not None
        charset = declared.group(1).decode()
        charsets[charset] += 1
        if truth.markup == "wrong_charset":
            with pytest.raises(UnicodeDecodeError):
                page.body.decode(charset)
            charset = "gb18030"
        html = unescape(page.body.decode(charset))
        assert all(line in html for line in truth.text.split("\n")), truth.url
        if truth.licence != "unknown":
            assert b"creativecommons.org" in page.body
        else:
            assert b"creativecommons.org" not in page.body
    assert len(charsets) >= 4


def test_disallowed_pages_are_linked(site: Site) -> None:
    hidden = [t for t in (p.truth for p in site.pages) if not t.allowed_by_robots]
    assert len(hidden) >= 12
    assert {t.host for t in hidden} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}
    for truth in hidden:
        pages = (p for p in site.pages if p.truth.host == truth.host)
        assert any(f'href="{truth.path}"'.encode() in p.body for p in pages), truth.url


def test_a_day_changes_adds_and_removes_and_leaves_the_rest(site: Site, seed: int) -> None:
    later = build_site(seed, day=1)
    before, after = site.by_url(), later.by_url()
    articles = [u for u, p in before.items() if p.truth.quality not in ("index", "none")]
    gone = [u for u in articles if after[u].truth.expectation == "gone"]
    changed = [u for u in articles if u not in gone and before[u].body != after[u].body]
    added = set(after) - set(before)
    assert set(before) <= set(after)
    assert len(changed) == pytest.approx(0.05 * 640, abs=2)
    assert len(added) == pytest.approx(0.03 * 640, abs=2)
    assert len(gone) == pytest.approx(0.02 * 640, abs=2)
    assert all(after[u].truth.changed_on == 1 for u in [*changed, *gone, *added])
    assert any(after[u].truth.near for u in added)
    touched = {*changed, *gone}
    for url in set(before) - touched:
        if after[url].truth.changed_on == 0:
            assert before[url].body == after[url].body, url
            assert before[url].headers == after[url].headers
    assert build_site(seed, day=2).day == 2


def test_truth_is_json_lines_and_a_small_site_has_every_kind(seed: int) -> None:
    small = build_site(seed, pages=120, port=9)
    lines = [json.loads(line) for line in small.truth().splitlines()]
    assert {line["url"] for line in lines} == set(small.by_url())
    assert all(line["url"].startswith(f"http://{line['host']}:9/") for line in lines)
    assert {"good", "thin", "spam", "index"} <= {line["quality"] for line in lines}
    assert len(small.duplicate_groups()) >= 5
    with pytest.raises(ValueError, match="pages is 10"):
        build_site(seed, pages=10)
