"""Dataset cards, filled in, empty and hostile."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from etl.ingest.card import Card, read_card, required
from schemas.errors import InputError

_BIBTEX = "@misc{a2024,\n  title={{A {nested} title}},\n  author={A. Author}\n}"


def _card(tmp_path: Path, text: str) -> Card:
    path = tmp_path / "README.md"
    path.write_text(text)
    return read_card(path)


def test_a_card_as_the_hub_keeps_it(tmp_path: Path) -> None:
    card = _card(
        tmp_path,
        "---\nlicense: odc-by\npretty_name: A <b>corpus</b>\nconfigs:\n- config_name: default\n"
        "---\n# A corpus\n<script>x</script>\n## Citation Information\n"
        f"```bibtex\n{_BIBTEX}\n```\n## End\n",
    )
    assert (card.licence, card.said, card.name) == ("ODC-By-1.0", "odc-by", "A corpus")
    assert card.citation == _BIBTEX
    assert card.configs == [{"config_name": "default"}]
    data = (tmp_path / "README.md").read_bytes()
    assert card.sha256 == hashlib.sha256(data).hexdigest()
    assert card.evidence.kind == "dataset_card"
    assert card.facts()["card"] == str(tmp_path / "README.md")


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: cc-by-4.0", "CC-BY-4.0"),
        ("license: [mit, apache-2.0]", "MIT AND Apache-2.0"),
        ("license: [mit, other]\nlicense_name: my-terms", "MIT AND LicenseRef-my-terms"),
        ("license: apache-2.0", "Apache-2.0"),
        ("license: other\nlicense_name: my-terms", "LicenseRef-my-terms"),
        ("license: other\nlicense_name: t\nlicense_link: https://creativecommons.org/licenses/by/4.0/",
         "CC-BY-4.0"),
        ("license: other\nlicense_link: https://creativecommons.org/licenses/by-sa/3.0/",
         "CC-BY-SA-3.0"),
        ("license: other", "unknown"),
        ("license: unknown", "unknown"),
        ("language: en", "unknown"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_licences(tmp_path: Path, front: str, licence: str) -> None:
    assert _card(tmp_path, f"---\n{front}\n---\nx").licence == licence


@pytest.mark.parametrize(
    ("body", "citation"),
    [
        (f"text {_BIBTEX} text", _BIBTEX),
        (f"{_BIBTEX}\n\nand\n{_BIBTEX}", f"{_BIBTEX}\n\nand\n{_BIBTEX}"),
        (
            "## How to cite\nPlease <em>cite</em> us (2024).\n## Other\nmore",
            "Please cite us (2024).",
        ),
        ("## Citation\n[More Information Needed]\n", ""),
        ("## Citation\n\n## License\nMIT", ""),
        ("no word of it", ""),
        ("@misc{a,\n title={never closed", ""),
    ],
)
def test_citations(tmp_path: Path, body: str, citation: str) -> None:
    assert _card(tmp_path, f"---\nlicense: mit\n---\n{body}").citation == citation


def test_a_citation_file_beside_the_card(tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_text(
        "cff-version: 1.2.0\ntitle: A corpus\nyear: 2024\ndoi: 10.1/x\nauthors:\n"
        "- {given-names: Ada, family-names: A}\n- {name: A group}\n- 7\n"
    )
    card = _card(tmp_path, "---\nlicense: mit\n---\n")
    assert card.citation == "Ada A, A group. A corpus. 2024. 10.1/x"


def test_licence_and_citation_are_required(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no README.md .*states no licence; .*--licence"):
        required(Card(), "", "")
    card = _card(tmp_path, "---\nlicense: mit\n---\n")
    with pytest.raises(InputError, match=r"card .*has no citation; .*--citation"):
        required(card, "", "")
    whole = required(Card(), "cc-by-4.0", "Someone (2024)")
    assert (whole.licence, whole.citation, whole.evidence.place) == (
        "CC-BY-4.0", "Someone (2024)", "--licence"
    )  # fmt: skip
    assert required(card, "apache-2.0", "x").licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]", "YAML aliases"),
        ("a: " + "[" * 100 + "]" * 100, "nested deeper"),
        ("a: [" + "1," * 210_000 + "]", "nodes"),
        ("a: !!python/object/apply:os.system ['echo']", "not YAML"),
        ("license: {a: b}", "license is neither"),
        ("license: [1]", "license is neither"),
        ("[]", "hold no keys"),
        ("a: 'open", "not YAML"),
        ("a: 2024-99-99", "not YAML"),
    ],
)
def test_hostile_cards_are_refused(tmp_path: Path, front: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _card(tmp_path, f"---\n{front}\n---\n")


def test_cards_that_are_no_cards(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    with pytest.raises(InputError, match="more than 4194304 bytes"):
        read_card(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_card(path)
    with pytest.raises(InputError, match="No such file"):
        read_card(tmp_path / "absent.md")
    assert _card(tmp_path, "---\n" + "-" * 100_000).licence == "unknown"
    assert _card(tmp_path, "# " * 500_000 + "@a{" * 100_000).citation == ""
