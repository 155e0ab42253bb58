"""Train a byte-level BPE on a bounded, deterministic sample, or adopt a given tokenizer.json.

Pre-tokenisation is Qwen2's pattern, normalisation NFC, no lower-casing and no prefix space: for
text in NFC, decode(encode(x)) == x. Special tokens lie behind the text ids, as in Qwen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError
from schemas.manifest import TokenizerManifest
from schemas.vocabulary import VLA_SPECIAL_TOKENS
from tokenizers_mm.indexed.files import write_atomically
from tokenizers_mm.text.config import TokenizerConfig
from tokenizers_mm.text.vocabulary import (
    MANIFEST_FILE,
    TOKENIZER_FILE,
    describe_tokenizer,
    read_tokenizer_json,
    tokenizer_file,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Qwen2's split pattern (Qwen/Qwen2-7B, tokenizer.json): contractions, words, digits, symbols.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_HASH_SPAN = 1 << 32  # the first 8 hexadecimal digits of a SHA-256


def train_tokenizer(
    frame: DataFrame | None,
    out: Path,
    config: TokenizerConfig,
    *,
    id_column: str = "doc_id",
    sources: dict[str, int] | None = None,
) -> TokenizerManifest:
    """Writes `out`/tokenizer.json and `out`/tokenizer.manifest.json, the manifest last.

    `frame` has the columns `id_column` and `text`; it is not read when `config.path` names a
    tokenizer. `sources` (table -> Delta version) goes into the manifest. The same rows and config
    give the same bytes. Raises `InputError` when there is nothing to train on.
    """
    if config.path:
        return _write(_adopt(config), out, config, {})
    if frame is None:
        raise InputError("tokenizer: no corpus to train on and no tokenizer.path; give one of them")
    texts = sample_texts(frame, config, id_column=id_column)
    return train_on_texts(texts, out, config, sources=sources)


def train_on_texts(
    texts: Iterable[str],
    out: Path,
    config: TokenizerConfig,
    *,
    sources: dict[str, int] | None = None,
) -> TokenizerManifest:
    """As `train_tokenizer`, on these texts: no sample is drawn. Their order has no effect."""
    return _write(_train(texts, config), out, config, sources or {})


def _write(
    trained: bytes, out: Path, config: TokenizerConfig, sources: dict[str, int]
) -> TokenizerManifest:
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST_FILE).unlink(missing_ok=True)
    write_atomically(out / TOKENIZER_FILE, trained)
    manifest = describe_tokenizer(
        out,
        name=config.name,
        end_of_document=config.end_of_document,
        trained_on=sources,
    )
    write_atomically(out / MANIFEST_FILE, manifest.to_text().encode())
    return manifest


def sample_texts(
    frame: DataFrame, config: TokenizerConfig, *, id_column: str = "doc_id"
) -> Iterator[str]:
    """Texts of about `sample_bytes` in all, chosen and ordered by a hash of their ids.

    Which documents are taken depends on the ids, the seed and the corpus' size, not on the
    partitioning. One linear pass counts, one filters; only the sample is sorted.
    """
    from pyspark.sql import functions as F

    rows = frame.where(F.col("text").isNotNull()).select(
        F.col(id_column).cast("string").alias("id"),
        F.substring("text", 1, config.sample_document_characters).alias("text"),
    )
    first = rows.agg(F.sum(F.octet_length("text"))).first()
    total = (first[0] if first else None) or 0
    if not total:
        raise InputError("tokenizer: the corpus holds no text to train on; run the steps before it")
    key = F.sha2(F.concat_ws("\n", F.lit("sample"), F.lit(str(config.seed)), "id"), 256)
    rows = rows.withColumn("key", key)
    # A tenth more than the budget asks, since hashes only share out evenly on average.
    share = min(1.0, 1.1 * config.sample_bytes / total)
    below = F.conv(F.substring("key", 1, 8), 16, 10).cast("long") < int(share * _HASH_SPAN)
    chosen = (rows.where(below) if share < 1 else rows).orderBy("key", "text").select("text")
    spent = 0
    for row in chosen.toLocalIterator():
        if spent >= config.sample_bytes:
            return
        spent += len(row["text"].encode())
        yield row["text"]


def _train(texts: Iterable[str], config: TokenizerConfig) -> bytes:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size - len(VLA_SPECIAL_TOKENS),
        min_frequency=config.min_frequency,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _with_specials(json.loads(tokenizer.to_str()), VLA_SPECIAL_TOKENS)


def _adopt(config: TokenizerConfig) -> bytes:
    path = tokenizer_file(config.path)
    data, parsed = read_tokenizer_json(path)
    known = {str(token.get("content")) for token in parsed.get("added_tokens") or []}
    missing = [token for token in VLA_SPECIAL_TOKENS if token not in known]
    if not config.add_special_tokens or not missing:
        return data
    return _with_specials(parsed, missing)


def _with_specials(parsed: dict[str, Any], tokens: tuple[str, ...] | list[str]) -> bytes:
    """The tokenizer.json with `tokens` as special tokens, ids behind the last one used."""
    added = list(parsed.get("added_tokens") or [])
    vocabulary = parsed["model"]["vocab"]
    following = max([*vocabulary.values(), *(int(t["id"]) for t in added)], default=-1) + 1
    for content in tokens:
        index = vocabulary.get(content)
        if index is None:
            index, following = following, following + 1
        added.append(
            {"id": index, "content": content, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
        )  # fmt: skip
    whole = parsed | {"added_tokens": sorted(added, key=lambda token: int(token["id"]))}
    return (json.dumps(whole, ensure_ascii=False, indent=1) + "\n").encode()
