"""Main-text extraction side by side with trafilatura: pages a second and article F1, one core.

`python tests/benchmarks/extract.py [FOLDER]`: FOLDER holds `web/pages/*.html.gz` and
`web/article_ground_truth.json.gz` (default: `$TOKENFOUNDRY_SAMPLE_DATA`). Prints one JSON object.
Both are given the same bytes and are timed in turn, page by page, after a warm-up, so that a busy
machine slows both alike.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl.extract.evaluate import article_score
from etl.extract.html import PageError, extract_page

_WARM_UP = 5


def _ours(page: bytes) -> str:
    try:
        return extract_page(page).text
    except PageError:
        return ""


def _trafilatura(page: bytes) -> str:
    from trafilatura import extract

    return extract(page, fast=True, include_comments=False, include_tables=False) or ""


_PEERS: dict[str, Callable[[bytes], str]] = {"token_foundry": _ours, "trafilatura": _trafilatura}


def _half(name: str) -> int:
    """0: the half on which errors were read while the rules were written; 1: the other."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2


def run(folder: Path, *, limit: int = 0) -> dict[str, Any]:
    """Pages a second over all pages (or the first `limit`), and F1 over those with ground truth."""
    web = folder / "web"
    truth = json.loads(gzip.decompress((web / "article_ground_truth.json.gz").read_bytes()))
    names = sorted({path.name for path in (web / "pages").glob("*.html.gz")})
    timed = names[:limit] if limit else names
    pages = {name: gzip.decompress((web / "pages" / name).read_bytes()) for name in names}
    for name in names[:_WARM_UP]:
        for extract in _PEERS.values():
            extract(pages[name])
    seconds = dict.fromkeys(_PEERS, 0.0)
    texts: dict[str, dict[str, str]] = {peer: {} for peer in _PEERS}
    for name in dict.fromkeys([*timed, *truth]):
        for peer, extract in _PEERS.items():
            started = time.perf_counter()
            texts[peer][name] = extract(pages[name])
            if name in timed:
                seconds[peer] += time.perf_counter() - started
    result: dict[str, Any] = {"pages": len(timed), "pages_with_truth": len(truth)}
    for peer in _PEERS:
        result[peer] = {"pages_per_second": round(len(timed) / seconds[peer], 1)}
        result[peer] |= _scores(truth, texts[peer])
    result["speed_ratio"] = round(seconds["trafilatura"] / seconds["token_foundry"], 2)
    return result


def _scores(truth: dict[str, dict[str, str]], texts: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for label, half in (("f1", None), ("f1_tuned_half", 0), ("f1_other_half", 1)):
        names = [name for name in truth if half is None or _half(name) == half]
        score = article_score((truth[name]["text"], texts[name]) for name in names)
        found[label] = round(score.f1, 4)
        if half is None:
            found |= {"precision": round(score.precision, 4), "recall": round(score.recall, 4)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", default=os.environ.get("TOKENFOUNDRY_SAMPLE_DATA"))
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    folder = parser.parse_args().folder
    if not folder:
        print(
            "name the folder of the sample data, or set TOKENFOUNDRY_SAMPLE_DATA", file=sys.stderr
        )
        return 2
    print(json.dumps(run(Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
