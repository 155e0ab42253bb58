"""The matrix and the policy: what a line decides, and that nothing is left to a default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from etl.licence.matrix import MATRICES, Matrix, load_matrix
from etl.licence.policy import Decision, LicenceConfig, Policy, load_policy
from schemas.errors import InputError

POLICY = load_policy(LicenceConfig())
STRICTNESS = {"allow": 0, "review": 1, "deny": 2}
LICENCES = (
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0-DE", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "MIT",
    "GPL-3.0-or-later", "LGPL-2.1-only", "LicenseRef-all-rights-reserved", "LicenseRef-x",
    "unknown",
)  # fmt: skip
SIGNALS = ("noai", "noimageai", "tdm-reservation", "noindex", "robots", "made-up")


def content() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((MATRICES / "matrix.yaml").read_text())
    return found


def policy(changes: dict[str, Any] | None = None, **settings: Any) -> Policy:
    return Policy(Matrix.model_validate(content() | (changes or {})), LicenceConfig(**settings))


@pytest.mark.parametrize(
    ("licence", "verdict", "rule"),
    [
        ("CC0-1.0", "allow", "licence.public_domain"),
        ("CC-BY-3.0-IGO", "allow", "licence.attribution"),
        ("CC-BY-SA-2.0-UK", "allow", "licence.share_alike"),
        ("CC-BY-NC-SA-4.0", "deny", "licence.non_commercial"),
        ("CC-BY-NC-ND-3.0-DE", "deny", "licence.no_derivatives"),
        ("LicenseRef-CC-BY-ND", "deny", "licence.no_derivatives"),
        ("mit", "allow", "licence.permissive_software"),
        ("MIT OR GPL-3.0-only", "allow", "licence.permissive_software"),
        ("MIT AND GPL-3.0-only", "deny", "licence.copyleft_software"),
        ("MIT AND (GPL-3.0-only OR CC0-1.0)", "allow", "licence.permissive_software"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "deny", "licence.copyleft_software"),
        ("LicenseRef-all-rights-reserved", "deny", "licence.proprietary"),
        ("LicenseRef-never-seen", "review", "licence.unlisted"),
        ("unknown", "deny", "licence.unknown"),
    ],
)
def test_the_matrix_that_comes_with_it(licence: str, verdict: str, rule: str) -> None:
    decision = POLICY.decide(licence)
    assert (decision.verdict, decision.rule) == (verdict, rule)


def test_conditions_add_up() -> None:
    assert POLICY.decide("CC0-1.0 AND CC-BY-SA-4.0").conditions == ("attribution", "share_alike")
    assert POLICY.decide("CC0-1.0 OR CC-BY-SA-4.0").conditions == ()


def test_the_profile_decides_on_unknown_and_on_the_use() -> None:
    assert policy(unknown="allow").decide("unknown") == Decision("allow", "licence.unknown")
    assert policy(unknown="quarantine").decide("unknown").verdict == "review"
    named = policy(unknown_allowed=("own",))
    assert named.decide("unknown", source="own").verdict == "allow"
    assert named.decide("unknown", source="web").verdict == "deny"
    media = policy(use="train_media")
    assert media.decide("CC-BY-4.0", opt_outs=["noimageai"]).rule == "opt_out.noimageai"
    assert POLICY.decide("CC-BY-4.0", opt_outs=["noimageai"]).verdict == "allow"
    with pytest.raises(ValueError, match="use: 'sell'"):
        policy(use="sell")
    with pytest.raises(ValueError, match="unknown: 'maybe'"):
        policy(unknown="maybe")
    with pytest.raises(ValueError, match="unknown_allowed"):
        policy(unknown_allowed="web")


def test_words_alone_are_not_enough() -> None:
    assert POLICY.decide("CC-BY-4.0", evidence=["text"]) == Decision(
        "review", "evidence.text", ("attribution",)
    )
    assert POLICY.decide("CC-BY-4.0", evidence=["text", "rel_license"]).verdict == "allow"
    assert POLICY.decide("LicenseRef-all-rights-reserved", evidence=["text"]).verdict == "deny"


def test_a_grant_of_a_source_and_an_opt_out_against_it() -> None:
    grant = {
        "source": "partner", "groups": ["proprietary", "unknown"], "reason": "contract 17",
        "uses": {"train_text": "allow", "train_media": "deny", "redistribute": "deny",
                 "quote": "allow"},
    }  # fmt: skip
    own = policy({"overrides": [grant]})
    granted = own.decide("LicenseRef-all-rights-reserved", source="partner")
    assert granted == Decision("allow", "override.partner.proprietary")
    assert own.decide("unknown", source="partner").verdict == "allow"
    assert own.decide("CC-BY-NC-4.0", source="partner").verdict == "deny"
    assert own.decide("LicenseRef-all-rights-reserved", source="other").verdict == "deny"
    reserved = own.decide("unknown", source="partner", opt_outs=["noai"])
    assert (reserved.verdict, reserved.rule) == ("deny", "opt_out.noai")


@given(
    st.lists(st.sampled_from(LICENCES), min_size=1, max_size=3),
    st.sets(st.sampled_from(SIGNALS)),
    st.sampled_from(SIGNALS),
    st.sampled_from(("train_text", "train_media", "redistribute", "quote")),
)
def test_a_policy_is_monotonous(
    licences: list[str], signals: set[str], more: str, use: str
) -> None:
    """AND never loosens, OR never tightens, a reservation more never loosens; order is nothing."""
    own = policy(use=use)

    def strict(expression: str, told: set[str]) -> int:
        return STRICTNESS[own.decide(expression, opt_outs=told).verdict]

    each = [strict(licence, signals) for licence in licences]
    assert strict(" AND ".join(licences), signals) == max(each)
    assert strict(" OR ".join(licences), signals) == min(each)
    assert strict(licences[0], signals | {more}) >= strict(licences[0], signals)
    backwards = own.decide(licences[0], opt_outs=sorted(signals, reverse=True))
    assert backwards == own.decide(licences[0], opt_outs=sorted(signals))


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=4))
def test_whatever_a_page_says_is_decided(licence: str, signals: list[str]) -> None:
    decision = POLICY.decide(licence, source=licence, opt_outs=signals, evidence=signals)
    assert decision.verdict in STRICTNESS
    assert decision.rule


def test_any_line_changes_the_hash(tmp_path: Path) -> None:
    copy = tmp_path / "own.yaml"
    copy.write_text((MATRICES / "matrix.yaml").read_text())
    assert load_policy(LicenceConfig(matrix=str(copy))).hash == POLICY.hash
    copy.write_text(copy.read_text().replace("quote: allow", "quote: review", 1))
    assert load_policy(LicenceConfig(matrix=str(copy))).hash != POLICY.hash
    assert policy(unknown="allow").hash != POLICY.hash


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("unlisted:", "unlistet:", "unlistet"),
        ("conditions: []", "condition: []", "unknown key groups.0.condition"),
        ("train_text: allow", "train_text: maybe", "groups.0.uses.train_text"),
        ("train_text: allow, ", "", "'train_text' is missing"),
        ("train_text: allow", "train_txt: allow, train_text: allow", "'train_txt' is none of"),
        ("  other:", "  others:", "'other' is missing"),
        ("weak_evidence: [text]", "weak_evidence: [words]", "'words' is none of"),
        ("name: attribution", "name: share_alike", "'share_alike' is taken"),
        ('version: "2026-11-21"', "", "version is missing"),
        ("groups:", "groups: [", "is not YAML"),
    ],
)
def test_a_bad_matrix_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    text = (MATRICES / "matrix.yaml").read_text()
    assert old in text
    bad = tmp_path / "bad.yaml"
    bad.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=r"bad\.yaml") as raised:
        load_matrix(str(bad))
    assert named in str(raised.value)


def test_no_matrix_and_no_such_use() -> None:
    with pytest.raises(InputError, match=r"no-such\.yaml.*licences\.matrix"):
        load_matrix("no-such")
    with pytest.raises(InputError, match=r"licences\.use: 'sell'"):
        load_policy(LicenceConfig(use="sell"))
