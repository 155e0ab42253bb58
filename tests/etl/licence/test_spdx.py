"""Links and phrases as SPDX ids."""

from __future__ import annotations

import pytest

from etl.licence.spdx import (
    alternatives,
    is_spdx,
    normalised,
    restrictiveness,
    spdx_from_text,
    spdx_from_url,
)


@pytest.mark.parametrize(
    ("url", "spdx"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0/deed.de", "CC-BY-SA-4.0"),
        ("//creativecommons.org/licenses/by-nc-nd/4.0", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/licenses/by-nc/3.0/de/", "CC-BY-NC-3.0-DE"),
        ("https://creativecommons.org/licenses/by/3.0/fr/", "CC-BY-3.0"),
        ("https://creativecommons.org/licenses/by/", "LicenseRef-CC-BY"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://www.gnu.org/licenses/fdl-1.3.html", "GFDL-1.3-or-later"),
        (
            "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
            "OGL-UK-3.0",
        ),
        ("https://creativecommons.org/about/", None),
        ("https://example.org/licenses/by/4.0/", None),
    ],
)
def test_urls(url: str, spdx: str | None) -> None:
    assert spdx_from_url(url) == spdx


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("Text: CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("published under CC0", "CC0-1.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", "CC-BY-NC-ND-4.0"),
        ("© 2026 X. All Rights Reserved.", "LicenseRef-all-rights-reserved"),
        ("版权所有，未经许可不得转载", "LicenseRef-all-rights-reserved"),
        ("© 2026 X", None),
        ("CC your colleagues by noon", None),
    ],
)
def test_phrases(text: str, spdx: str | None) -> None:
    assert spdx_from_text(text) == spdx


def test_stricter_terms_rank_higher() -> None:
    order = ["unknown", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0",
             "LicenseRef-all-rights-reserved"]  # fmt: skip
    ranks = [restrictiveness(spdx) for spdx in order]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize(
    ("field", "licence", "listed"),
    [
        ("cc-by-sa-4.0", "CC-BY-SA-4.0", True),
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0", True),
        ("MIT License", "MIT", True),
        ("GPL-2.0+", "GPL-2.0-or-later", True),
        ("mit or (apache-2.0 and cc0-1.0)", "MIT OR (Apache-2.0 AND CC0-1.0)", True),
        ("Apache License 2.0", "Apache-2.0", True),
        ("odc-by", "ODC-By-1.0", True),
        ("Creative Commons Attribution licence (reuse allowed)", "LicenseRef-CC-BY", False),
        ("LicenseRef-contract-17", "LicenseRef-contract-17", False),
        ("Our own terms!", "LicenseRef-Our-own-terms", False),
        ("MIT AND", "LicenseRef-MIT-AND", False),
        ("(" * 5000, "LicenseRef-other", False),
        (" OR ".join(["MIT"] * 5000), "MIT", True),
        ("  ", "unknown", False),
        ("NOASSERTION", "unknown", False),
        (None, "unknown", False),
    ],
)
def test_fields(field: str | None, licence: str, listed: bool) -> None:
    found = normalised(field)
    assert set(found.split(" OR ")) == set(licence.split(" OR "))
    assert is_spdx(found) == listed


def test_choices() -> None:
    assert alternatives("MIT AND (Apache-2.0 OR GPL-2.0-only WITH Classpath-exception-2.0)") == [
        ["MIT", "Apache-2.0"], ["MIT", "GPL-2.0-only"],
    ]  # fmt: skip
    assert alternatives("no expression at (all") == [["no expression at (all"]]
    wide = " AND ".join(["(MIT OR ISC)"] * 12)
    assert len(alternatives(wide)) <= 32
