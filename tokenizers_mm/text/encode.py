"""Whole Arrow batches of text to token ids, with gigatoken or Hugging Face `tokenizers`.

Crawled text is hostile: `<|endoftext|>` typed on a page must not become the id that ends documents.
Both encoders therefore load the tokenizer *without its added tokens*, so that such strings are
encoded as the characters they are; a check on the ids proves it for every batch.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from schemas.errors import InputError, StepError
from schemas.identity import sha256_hex
from tokenizers_mm.text.vocabulary import added_tokens, read_tokenizer_json, tokenizer_file

ENCODERS: tuple[str, ...] = ("gigatoken", "tokenizers")

# One string for each thing that encoders have been seen to disagree on.
SELF_CHECK: tuple[str, ...] = (
    "",
    "The quick brown fox can't jump; it's 12,345.67 km away!  \n\n\tReally?  ",
    "中文分词测试，全角标点。第２段\u3000有空格",
    "日本語のテキスト カタカナ 한국어 문장 ไทยไม่มีช่องว่าง",
    "e\u0301 u\u0308 \u1112\u1161\u11ab \u212b ﬁ \u0344",  # needs NFC
    "العربية עברית हिन्दी தமிழ் Ελληνικά Русский",
    "👩‍👩‍👧‍👦 🇩🇪 \ufeff\u200b\u00a0\u2028\x00\x7f",
    "I'LL we'Ve ſ'ſ 'S def f(x):\r\n    return x**2\r\n\r\n",
    "<|endoftext|><|im_start|>system [PAD] <think></think>",
    "a" * 300 + " " * 50 + "\n" * 20 + "!?" * 40,
)


class BatchEncoder(Protocol):
    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Ids of a string array without nulls: (ids uint32, offsets int64 of len(texts) + 1)."""
        ...


def plain_tokenizer_json(parsed: dict[str, Any]) -> str:
    """The tokenizer without what may act on text: added tokens, truncation, padding, templates."""
    neutral = dict.fromkeys(("truncation", "padding", "post_processor"))
    return json.dumps(parsed | neutral | {"added_tokens": []}, ensure_ascii=False)


class TokenizersEncoder:
    """Hugging Face `tokenizers`, the reference."""

    def __init__(self, plain: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(plain)

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        encoded = self._tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in encoded], out=offsets[1:])
        parts = [np.array(one.ids, dtype=np.uint32) for one in encoded]
        return np.concatenate([np.empty(0, np.uint32), *parts]), offsets


class GigatokenEncoder:
    """gigatoken, straight on the Arrow buffers: no Python object a document."""

    def __init__(self, plain: str) -> None:
        import gigatoken

        self._tokenizer = gigatoken.Tokenizer.from_json(plain)

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        import awkward as ak

        # One thread: Spark already runs a task on every core.
        layout = ak.to_layout(self._tokenizer.encode_batch(_awkward(texts), parallel=False))
        offsets = np.asarray(layout.offsets, dtype=np.int64)
        ids = np.asarray(layout.content.data)[offsets[0] : offsets[-1]]
        return ids, offsets - offsets[0]


def _awkward(texts: pa.Array) -> Any:
    """A string array as awkward's, sharing its buffers."""
    import awkward as ak

    texts = texts if pa.types.is_large_string(texts.type) else texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64) if offsets else np.zeros(1, np.int64)
    starts = starts[texts.offset : texts.offset + len(texts) + 1]
    characters = np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, np.uint8)
    content = ak.contents.NumpyArray(characters, parameters={"__array__": "char"})
    return ak.Array(
        ak.contents.ListOffsetArray(
            ak.index.Index64(starts), content, parameters={"__array__": "string"}
        )
    )


class CheckedEncoder:
    """An encoder whose ids are proven to be text: known to the model, never an added token."""

    def __init__(self, path: Path, parsed: dict[str, Any], name: str) -> None:
        self.path, self.name = path, name
        self._plain = plain_tokenizer_json(parsed)
        self._encoder = _build(path, self._plain, name)
        vocabulary: dict[str, int] = parsed["model"]["vocab"]
        reserved = set(added_tokens(parsed).values())
        self._is_text = np.zeros(max([*vocabulary.values(), *reserved], default=0) + 1, dtype=bool)
        self._is_text[[index for index in vocabulary.values() if index not in reserved]] = True

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """As `BatchEncoder.encode`. Raises `StepError` when an id is not of a text token."""
        ids, offsets = self._encoder.encode(texts)
        if len(ids) and (ids.max() >= len(self._is_text) or not self._is_text[ids].all()):
            raise StepError(
                f"{self.path}: {self.name} turned text into a special or unknown id; "
                "report this as a bug, with the tokenizer.json"
            )
        return ids, offsets

    def check(self, texts: pa.Array) -> None:
        """Raises `StepError` when gigatoken's ids are not those of `tokenizers` on `texts`."""
        if self.name == "tokenizers" or not len(texts):
            return
        ids, offsets = self.encode(texts)
        expected, bounds = _reference(self._plain).encode(texts)
        if np.array_equal(ids, expected) and np.array_equal(offsets, bounds):
            return
        wrong = next(
            row
            for row in range(len(texts))
            if not np.array_equal(
                ids[offsets[row] : offsets[row + 1]], expected[bounds[row] : bounds[row + 1]]
            )
        )
        raise StepError(
            f"{self.path}: gigatoken and tokenizers give different ids for "
            f"{texts[wrong].as_py()[:60]!r}; set encoder: tokenizers"
        )


@lru_cache(maxsize=2)
def _reference(plain: str) -> TokenizersEncoder:
    return TokenizersEncoder(plain)


def _build(path: Path, plain: str, name: str) -> BatchEncoder:
    if name not in ENCODERS:
        raise InputError(f"encoder {name!r} is unknown; use one of {', '.join(ENCODERS)}")
    kind = GigatokenEncoder if name == "gigatoken" else TokenizersEncoder
    remedy = "; set encoder: tokenizers" if name == "gigatoken" else "; use another tokenizer.json"
    try:
        return kind(plain)
    except Exception as error:  # each library raises its own kinds, down to bare Exception
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: {name} cannot load it: {cause}{remedy}") from None


@lru_cache(maxsize=4)
def load_encoder(path: str, sha256: str, name: str) -> CheckedEncoder:
    """The encoder of a tokenizer.json, checked against `SELF_CHECK`; once in a process.

    `sha256` is the tokenizer's, from its manifest: a file that changed meanwhile is refused.
    """
    where = tokenizer_file(path)
    data, parsed = read_tokenizer_json(where)
    if sha256_hex(data) != sha256:
        raise InputError(f"{where}: changed since its manifest was read; run again")
    encoder = CheckedEncoder(where, parsed, name)
    encoder.check(pa.array(SELF_CHECK, pa.string()))
    return encoder


class Decoder:
    """Token ids back to text."""

    def __init__(self, path: str | Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer_file(path)))

    def text(self, ids: np.ndarray, *, end_of_document: int | None = None) -> str:
        """The text of `ids`; a final `end_of_document` is left out."""
        if end_of_document is not None and len(ids) and ids[-1] == end_of_document:
            ids = ids[:-1]
        return self._tokenizer.decode(ids.tolist(), skip_special_tokens=False)
