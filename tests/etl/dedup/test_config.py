from __future__ import annotations

import pytest
from datasketch import MinHashLSH

from etl.dedup.config import DedupConfig, optimal_bands


def test_the_default_layout_is_what_datasketch_lays_out() -> None:
    layout = DedupConfig().layout()
    assert (layout.bands, layout.rows) == optimal_bands(layout.threshold, layout.permutations)


def test_another_threshold_is_laid_out_by_datasketch() -> None:
    layout = DedupConfig(threshold=0.85, permutations=256).layout()
    lsh = MinHashLSH(threshold=0.85, num_perm=256, weights=(0.1, 0.9))
    assert (layout.bands, layout.rows) == (lsh.b, lsh.r)


def test_profile_datatrove_has_its_layout() -> None:
    layout = DedupConfig(profile="datatrove").layout()
    assert (layout.bands, layout.rows, layout.permutations, layout.ngram) == (14, 8, 112, 5)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"profile": "nemo"}, "dedup.profile"),
        ({"threshold": 1.5}, "dedup.threshold"),
        ({"permutations": -1}, "dedup.permutations"),
        ({"ngram": 65}, "dedup.ngram"),
        ({"bands": 4}, "dedup.rows"),
        ({"bands": 20, "rows": 20}, "dedup.bands"),
        ({"seed": -1}, "dedup.seed"),
        ({"pairs_per_bucket": 1}, "dedup.pairs_per_bucket"),
        ({"edges_per_task": -1}, "dedup.edges_per_task"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DedupConfig(**settings)


def test_the_signature_hash_follows_what_changes_a_signature_and_nothing_else() -> None:
    base = DedupConfig().signature_hash()
    assert DedupConfig(threshold=0.9, edges_per_task=3).signature_hash() == base
    changed = [DedupConfig(seed=2), DedupConfig(ngram=3), DedupConfig(permutations=64)]
    assert base not in {config.signature_hash() for config in changed}
