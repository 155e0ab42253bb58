"""The rule for conflicting evidence, whatever its order."""

from __future__ import annotations

from itertools import permutations

import pytest

from etl.licence.evidence import Evidence, resolve


def piece(kind: str, licence: str, ignored: str | None = None) -> Evidence:
    return Evidence(kind, licence, f"said {licence}", "somewhere", ignored)


@pytest.mark.parametrize(
    ("found", "spdx"),
    [
        ([], "unknown"),
        ([("link", "CC-BY-4.0"), ("rel_license", "CC0-1.0")], "CC0-1.0"),
        ([("rel_license", "CC0-1.0"), ("schema_org", "CC-BY-4.0")], "CC-BY-4.0"),
        ([("meta", "CC-BY-SA-4.0"), ("schema_org", "CC-BY-NC-4.0")], "CC-BY-NC-4.0"),
        ([("meta", "LicenseRef-CC-BY"), ("rel_license", "CC-BY-4.0")], "CC-BY-4.0"),
        ([("field", "LicenseRef-odd"), ("meta", "CC-BY-NC-ND-4.0")], "LicenseRef-odd"),
        ([("text", "LicenseRef-all-rights-reserved"), ("link", "CC-BY-4.0")], "CC-BY-4.0"),
        ([("dataset_card", "ODC-By-1.0"), ("field", "MIT")], "MIT"),
        ([("site", "CC-BY-4.0"), ("text", "LicenseRef-all-rights-reserved")],
         "LicenseRef-all-rights-reserved"),
    ],
)  # fmt: skip
def test_specific_then_strict(found: list[tuple[str, str]], spdx: str) -> None:
    for order in permutations(found):
        licence = resolve(piece(*one) for one in order)
        assert licence.spdx == spdx
        assert len(licence.found) == len(found)  # the conflict is shown
        assert (licence.evidence is None) == (spdx == "unknown")


def test_what_does_not_count_is_kept_and_never_decides() -> None:
    mentions = [piece("rel_license", f"CC-BY-{n}.0", "picture") for n in range(40)]
    licence = resolve([*mentions, piece("site", "CC0-1.0")])
    assert (licence.spdx, licence.evidence) == ("CC0-1.0", "site: said CC0-1.0")
    assert licence.found[0].ignored is None
    assert len(licence.found) == 24
    assert resolve(mentions).spdx == "unknown"


def test_what_decides_is_kept_among_many() -> None:
    many = [piece("text", f"CC-BY-{n}.0") for n in range(40)]
    licence = resolve([*many, piece("field", "MIT")])
    assert licence.spdx == "MIT"
    assert "MIT" in {one.licence for one in licence.found}


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'rumour' is none of field"):
        piece("rumour", "MIT")
