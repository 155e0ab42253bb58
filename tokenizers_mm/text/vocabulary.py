"""What a `tokenizer.json` says about its ids: ranges of text and special tokens, and its hash.

The file format is that of Hugging Face `tokenizers` (model.vocab, added_tokens).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.identity import sha256_hex
from schemas.manifest import TokenizerManifest
from schemas.vocabulary import END_OF_DOCUMENT, IdRange, Vocabulary

TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "tokenizer.manifest.json"
TEXT, SPECIALS, UNUSED = "text", "specials", "unused"
_MAX_BYTES = 256 << 20  # Qwen's is 11 MB


def tokenizer_file(path: str | Path) -> Path:
    """`path`, or the tokenizer.json in the folder `path`."""
    path = Path(path)
    return path / TOKENIZER_FILE if path.is_dir() else path


def read_tokenizer_json(path: str | Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a tokenizer.json and their JSON.

    Raises `InputError` when the file is missing, too large or not a tokenizer.
    """
    path = tokenizer_file(path)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InputError(f"{path}: {size} bytes, over the limit of {_MAX_BYTES}")
        data = path.read_bytes()
        parsed = json.loads(data)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; name a tokenizer.json, or train one first"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON; name a Hugging Face tokenizer.json") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("model"), dict):
        raise InputError(f"{path}: has no 'model'; name a Hugging Face tokenizer.json")
    if not isinstance(parsed["model"].get("vocab"), dict):
        raise InputError(
            f"{path}: model.vocab is not an object of token -> id; use a BPE tokenizer.json"
        )
    return data, parsed


def added_tokens(parsed: dict[str, Any]) -> dict[str, int]:
    """Tokens outside the model: special ones and a user's own. Never produced from crawled text."""
    return {str(t["content"]): int(t["id"]) for t in parsed.get("added_tokens") or []}


def vocabulary_of(parsed: dict[str, Any]) -> Vocabulary:
    """Runs of ids by kind, from 0 without a gap. A hole in the ids becomes a range `unused`.

    The first run of a kind carries its bare name (`text`), later ones a number (`text.1`).
    """
    specials = added_tokens(parsed)
    special_ids = set(specials.values())
    text_ids = set(parsed["model"]["vocab"].values()) - special_ids
    size = max(special_ids | text_ids, default=-1) + 1
    ranges: list[IdRange] = []
    seen: dict[str, int] = {}
    for kind, start, stop in _runs(size, text_ids, special_ids):
        number = seen[kind] = seen.get(kind, -1) + 1
        name = f"{kind}.{number}" if number else kind
        ranges.append(IdRange(name=name, start=start, size=stop - start))
    return Vocabulary(ranges=tuple(ranges), specials=specials)


def _runs(size: int, text: set[int], specials: set[int]) -> Iterator[tuple[str, int, int]]:
    start, kind = 0, ""
    for index in range(size):
        here = SPECIALS if index in specials else TEXT if index in text else UNUSED
        if here != kind:
            if index:
                yield kind, start, index
            start, kind = index, here
    if size:
        yield kind, start, size


def describe_tokenizer(
    path: str | Path,
    *,
    name: str = "",
    end_of_document: str = END_OF_DOCUMENT,
    trained_on: dict[str, int] | None = None,
) -> TokenizerManifest:
    """The manifest of any tokenizer.json. Nothing is written.

    Raises `InputError` when `end_of_document` is not one of its added tokens: a token of the model
    could be typed on a page and would then end a document there.
    """
    path = tokenizer_file(path)
    data, parsed = read_tokenizer_json(path)
    try:
        vocabulary = vocabulary_of(parsed)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: bad vocabulary: {str(error).splitlines()[0]}") from None
    found = vocabulary.specials.get(end_of_document)
    if found is None:
        known = ", ".join(list(vocabulary.specials)[:8]) or "none"
        raise InputError(
            f"{path}: no special token {end_of_document!r} to end a document with; "
            f"set end_of_document to one of its special tokens ({known})"
        )
    return TokenizerManifest(
        name=name or path.parent.name or path.stem,
        sha256=sha256_hex(data),
        vocabulary=vocabulary,
        end_of_document=int(found),
        trained_on=trained_on or {},
    )


def read_tokenizer_manifest(
    path: str | Path, *, end_of_document: str = END_OF_DOCUMENT
) -> TokenizerManifest:
    """The manifest beside a tokenizer.json, or one made from the file when there is none.

    Raises `InputError` when the manifest beside it is of another tokenizer.json.
    """
    path = tokenizer_file(path)
    data, _ = read_tokenizer_json(path)
    beside = path.with_name(MANIFEST_FILE)
    if not beside.exists():
        return describe_tokenizer(path, end_of_document=end_of_document)
    manifest = TokenizerManifest.read(beside)
    if manifest.sha256 != sha256_hex(data):
        raise InputError(
            f"{path}: its hash is not the one in {beside.name}: one of the two was changed; "
            "train or copy the tokenizer again"
        )
    return manifest
