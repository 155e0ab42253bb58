"""Licences of source files: the tag in the file, REUSE, then the nearest LICENSE."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identify.vendor.licenses import LICENSES

from etl.licence.source import SourceLicences, is_licence_file, licence_of_text, spdx_tag

_TEXTS = dict(LICENSES)


def _licences(files: dict[str, str]) -> SourceLicences:
    known = SourceLicences()
    for path, text in files.items():
        known.take(path, text)
    return known


@pytest.mark.parametrize(
    ("head", "spdx"),
    [
        ("# SPDX-License-Identifier: MIT\n", "MIT"),
        (
            "/* SPDX-License-Identifier: (GPL-2.0 OR BSD-3-Clause) */",
            "GPL-2.0-only OR BSD-3-Clause",
        ),
        ("<!-- SPDX-License-Identifier: Apache-2.0 -->", "Apache-2.0"),
        ("// SPDX-License-Identifier: MIT\n// SPDX-License-Identifier: ISC\n", "MIT AND ISC"),
        ("-- SPDX-License-Identifier: LicenseRef-Own\n", "LicenseRef-Own"),
    ],
)
def test_tags(head: str, spdx: str) -> None:
    licence = spdx_tag(head, "a.c")
    assert licence is not None
    assert licence.spdx == spdx
    assert (licence.found[0].kind, licence.found[0].place) == ("spdx_tag", "a.c")


def test_no_tag() -> None:
    assert spdx_tag("the SPDX licence identifier", "a") is None
    assert spdx_tag("SPDX-License-Identifier: NONE", "a") is None
    assert spdx_tag("x" * 9000 + "SPDX-License-Identifier: MIT", "a") is None


@pytest.mark.parametrize("spdx", ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC",
                                  "GPL-3.0", "LGPL-3.0", "MPL-2.0", "Unlicense"])  # fmt: skip
def test_texts_are_recognised_whatever_the_name_and_layout(spdx: str) -> None:
    text = (
        _TEXTS[spdx].replace("[year] [fullname]", "2020-2024 Some Body").replace("[year]", "1999")
    )
    wrapped = "\r\n".join(text.upper().split("\n"))
    for one in (text, wrapped, "\n\n  " + text.replace("\n", "\n   ")):
        assert licence_of_text(one).removesuffix("-only") == spdx


def test_texts_that_are_no_licence_or_more_than_one() -> None:
    assert licence_of_text("") == "unknown"
    assert licence_of_text("All rights reserved. Do not copy. " * 50) == "unknown"
    assert licence_of_text(_TEXTS["MIT"] + "\n" + _TEXTS["Apache-2.0"][:6000]) == "unknown"
    extra = " However, use by anybody for any purpose without a written contract is forbidden."
    assert licence_of_text(_TEXTS["ISC"] + extra * 3) == "unknown"


def test_the_nearest_file_decides() -> None:
    known = _licences({
        "LICENSE": _TEXTS["MIT"],
        "lib/COPYING": _TEXTS["GPL-3.0"],
        "own/LICENSE.txt": "Secret.",
        "both/LICENSE-MIT": _TEXTS["MIT"],
        "both/LICENSE-APACHE": _TEXTS["Apache-2.0"],
        "lesser/COPYING": _TEXTS["GPL-3.0"],
        "lesser/COPYING.LESSER": _TEXTS["LGPL-3.0"],
    })  # fmt: skip
    assert known.of("a.py", "").spdx == "MIT"
    assert known.of("src/deep/a.py", "").spdx == "MIT"
    assert known.of("lib/x/a.py", "").spdx == "GPL-3.0-only"
    assert known.of("library/a.py", "").spdx == "MIT"
    assert known.of("own/a.py", "").spdx == "unknown"
    assert known.of("both/a.rs", "").spdx == "Apache-2.0 AND MIT"
    assert known.of("lesser/a.c", "").spdx == "LGPL-3.0-only"
    found = known.of("lib/x/a.py", "").found[0]
    assert (found.kind, found.place) == ("licence_file", "lib/COPYING")
    assert known.of("lib/a.c", "// SPDX-License-Identifier: MIT").spdx == "MIT"


def test_reuse() -> None:
    known = _licences({
        "LICENSE": _TEXTS["MIT"],
        "REUSE.toml": 'version = 1\n[[annotations]]\npath = ["img/**", "*.json"]\n'
        'SPDX-License-Identifier = "CC0-1.0"\n[[annotations]]\npath = "forced/**"\n'
        'precedence = "override"\nSPDX-License-Identifier = ["MIT", "ISC"]\n',
        "img/b.svg.license": "SPDX-License-Identifier: CC-BY-4.0\n",
    })  # fmt: skip
    assert known.of("img/x/a.svg", "").spdx == "CC0-1.0"
    assert known.of("img/b.svg", "").spdx == "CC-BY-4.0"
    assert known.of("a.json", "").spdx == "CC0-1.0"
    assert known.of("a.py", "").spdx == "MIT"
    assert known.of("img/c.py", "# SPDX-License-Identifier: BSD-2-Clause").spdx == "BSD-2-Clause"
    forced = known.of("forced/a.c", "# SPDX-License-Identifier: BSD-2-Clause")
    assert (forced.spdx, forced.found[0].kind) == ("MIT AND ISC", "reuse")


@pytest.mark.parametrize(
    "toml",
    ["[[annotations]", "annotations = 1", "[[annotations]]\npath = 1\nSPDX-License-Identifier = 2",
     "a" + ".a" * 5000 + " = 1", "x = " + "[" * 5000],
)  # fmt: skip
def test_reuse_that_is_broken_says_nothing(toml: str) -> None:
    assert _licences({"REUSE.toml": toml}).of("a", "").spdx == "unknown"


@pytest.mark.parametrize(
    ("name", "found"),
    [("LICENSE", True), ("licence.md", True), ("COPYING.LESSER", True), ("LICENSE-MIT", True),
     ("UNLICENSE", True), ("license.py", False), ("licenses", False), ("my_license", False)],
)  # fmt: skip
def test_names_of_licence_files(name: str, found: bool) -> None:
    assert is_licence_file(name) == found


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text: str) -> None:
    assert licence_of_text(text) == "unknown" or len(text) > 50
