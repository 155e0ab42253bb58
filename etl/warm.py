"""`python -m etl.warm`: compiles the numba kernels into the cache, so that no first run waits."""

from __future__ import annotations

import pyarrow as pa


def warm() -> None:
    """Runs each kernel once on a few texts of several scripts."""
    from etl.dedup.config import DedupConfig
    from etl.dedup.signatures import sign_texts
    from etl.filter.config import FilterConfig
    from etl.filter.judge import judge

    texts = ["One short text, and then another one.", "一段短文。", ""]
    judge(texts, ["eng", "cmn_Hans", None], FilterConfig())
    sign_texts(pa.array(texts), DedupConfig().layout())


if __name__ == "__main__":
    warm()
