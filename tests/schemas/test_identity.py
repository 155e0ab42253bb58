from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import ID_PATTERN, config_hash, derived_id, doc_id, uri_id


@given(st.text(), st.text(), st.text(), st.text())
def test_ids_are_well_formed_and_tell_source_from_uri(a: str, b: str, c: str, d: str) -> None:
    assert re.fullmatch(ID_PATTERN, uri_id(a, b))
    if "\n" not in a + b + c + d and (a, b) != (c, d):
        assert uri_id(a, b) != uri_id(c, d)


def test_kinds_of_ids_never_meet() -> None:
    assert len({uri_id("a", "b"), doc_id("a", "b"), derived_id("a\nb")}) == 3


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.booleans())))
def test_config_hash_ignores_the_order_of_keys(config: dict[str, object]) -> None:
    assert config_hash(config) == config_hash(dict(reversed(config.items())))


def test_config_hash_sees_every_value() -> None:
    assert config_hash({"a": {"b": 1}}) != config_hash({"a": {"b": 2}})
