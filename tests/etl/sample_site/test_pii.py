from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.sample_site.pii import cn_id_valid, imitate, invent, luhn_valid


@pytest.mark.parametrize(
    ("number", "valid"),
    [("79927398713", True), ("79927398710", False), ("4539578763621486", True)],
)
def test_luhn_of_known_numbers(number: str, valid: bool) -> None:
    assert luhn_valid(number) is valid


def test_identity_number_of_the_standard() -> None:
    assert cn_id_valid("11010519491231002X")  # the example of GB 11643-1999
    assert not cn_id_valid("110105194912310021")


@given(st.integers(), st.sampled_from(("email", "phone", "cn_phone", "cn_id", "card", "ip")))
def test_invented_data_is_well_formed(seed: int, kind: str) -> None:
    entity, value = invent(kind, Random(seed))
    compact = value.replace(" ", "")
    match entity:
        case "CREDIT_CARD":
            assert luhn_valid(compact)
        case "CN_ID_CARD":
            assert cn_id_valid(value)
        case "EMAIL_ADDRESS":
            assert value.count("@") == 1
        case "IP_ADDRESS":
            assert all(0 < int(part) < 256 or part == "0" for part in value.split("."))
        case _:
            assert compact.lstrip("+").replace("-", "").isdigit()
    assert invent(kind, Random(seed)) == (entity, value)


@given(st.integers())
def test_imitations_fail_the_checks(seed: int) -> None:
    assert not luhn_valid(imitate("order", Random(seed))[1])
    assert not cn_id_valid(imitate("not_id", Random(seed))[1])
    assert int(imitate("not_ip", Random(seed))[1].split(".")[2]) > 255


def test_unknown_kinds_are_errors() -> None:
    with pytest.raises(ValueError, match="nothing"):
        invent("nothing", Random(1))
    with pytest.raises(ValueError, match="nothing"):
        imitate("nothing", Random(1))
