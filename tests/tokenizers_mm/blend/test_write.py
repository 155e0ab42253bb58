from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError
from schemas.identity import sha256_hex
from schemas.manifest import BlendManifest
from tokenizers_mm.blend.write import data_path, normalised, write_blend


@pytest.fixture
def sets(tmp_path, write_dataset):
    """Three datasets of one tokenizer: (prefix, manifest)."""
    found = []
    for number, counts in enumerate([(5, 3), (20,), (2,)]):
        prefix = tmp_path / "tokens" / f"set{number}"
        found.append((prefix, write_dataset(prefix, counts, seed=number)))
    return found


def test_weights_follow_tokens_unless_given(sets, tmp_path):
    out = tmp_path / "blend.json"
    (first, a), (second, b), _ = sets
    blend = write_blend([first, second], out)
    assert [entry.weight for entry in blend.entries] == pytest.approx(
        [a.tokens / (a.tokens + b.tokens), b.tokens / (a.tokens + b.tokens)]
    )
    blend = write_blend({str(first): 3, str(second): 1}, out)
    assert [entry.weight for entry in blend.entries] == [0.75, 0.25]
    assert BlendManifest.read(out) == blend
    assert blend.tokenizer_sha256 == a.tokenizer_sha256
    assert (blend.vocabulary_size, blend.end_of_document) == (100, 99)


def test_prefixes_below_the_blend_move_with_it(sets, tmp_path):
    blend = write_blend([sets[0][0]], tmp_path / "blend.json")
    assert blend.entries[0].prefix == "tokens/set0"
    blend = write_blend([sets[0][0]], tmp_path / "elsewhere" / "blend.json")
    assert blend.entries[0].prefix == str(sets[0][0].resolve())


def test_entries_carry_the_hash_of_their_manifest_and_validation_is_apart(sets, tmp_path):
    blend = write_blend([sets[0][0]], tmp_path / "b.json", validation=[sets[2][0]])
    assert [entry.prefix for entry in blend.validation] == ["tokens/set2"]
    data = Path(f"{sets[2][0]}.manifest.json").read_bytes()
    assert blend.validation[0].manifest_sha256 == sha256_hex(data)


def test_different_tokenizers_are_not_mixed(sets, tmp_path, write_dataset):
    other = tmp_path / "tokens" / "other"
    write_dataset(other, tokenizer="d" * 64)
    out = tmp_path / "blend.json"
    for training, validation in (([sets[0][0], other], []), ([sets[0][0]], [other])):
        with pytest.raises(InputError, match=r"tokenizer_sha256 is aaaa.*set0 but dddd.*other"):
            write_blend(training, out, validation=validation)
    assert not out.exists()


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_bad_weights_are_refused(sets, tmp_path, weight):
    with pytest.raises(InputError, match="set1; weights are positive"):
        write_blend({str(sets[0][0]): 1, str(sets[1][0]): weight}, tmp_path / "blend.json")


def test_what_cannot_be_trained_on_is_refused(sets, tmp_path, write_dataset):
    out, first = tmp_path / "blend.json", sets[0][0]
    write_dataset(tmp_path / "empty", ())
    with pytest.raises(InputError, match=r"holds no tokens; .*validation_share"):
        write_blend([first], out, validation=[tmp_path / "empty"])
    with pytest.raises(InputError, match="no training dataset"):
        write_blend([], out)
    with pytest.raises(InputError, match="named twice"):
        write_blend([first, first], out)
    with pytest.raises(InputError, match="in training and in validation"):
        write_blend([first], out, validation=[first])
    with pytest.raises(InputError, match="no such manifest"):
        write_blend([tmp_path / "absent"], out)
    assert not out.exists()


def test_the_data_path_lists_every_shard_with_its_share(sets, tmp_path):
    write_blend({str(sets[0][0]): 1, str(sets[1][0]): 3}, tmp_path / "blend.json")
    arguments = data_path(tmp_path / "blend.json")
    weights = [float(weight) for weight in arguments[::2]]
    assert [Path(prefix).name for prefix in arguments[1::2]] == [
        "set0-00000", "set0-00001", "set1-00000"
    ]  # fmt: skip
    assert all(Path(f"{prefix}.bin").exists() for prefix in arguments[1::2])
    assert sum(weights) == pytest.approx(1)
    assert weights[0] + weights[1] == pytest.approx(0.25)
    shards = sets[0][1].shards
    assert weights[0] / weights[1] == pytest.approx(shards[0].tokens / shards[1].tokens)


@given(weights=st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=50))
def test_weights_sum_to_one_and_keep_their_proportions(weights):
    found = normalised(weights, ["x"] * len(weights))
    assert sum(found) == pytest.approx(1)
    assert found[0] * weights[-1] == pytest.approx(found[-1] * weights[0])
