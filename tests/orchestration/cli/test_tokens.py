"""`tokenize` and `verify` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from orchestration.cli.main import main

pytestmark = pytest.mark.spark


@pytest.fixture
def tokenizer(spark: SparkSession, tmp_path: Path) -> Path:
    from tokenizers_mm.text.config import TokenizerConfig
    from tokenizers_mm.text.train import train_tokenizer

    frame = spark.createDataFrame(
        [("a", "one two three two one " * 20)], "doc_id string, text string"
    )
    train_tokenizer(frame, tmp_path / "tokenizer", TokenizerConfig(vocab_size=300))
    return tmp_path / "tokenizer"


def test_tokenize_then_verify(
    tokenizer: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, prefix = tmp_path / "in.jsonl", tmp_path / "tokens" / "mine"
    rows = [json.dumps({"id": f"d{n}", "text": f"one two {n}"}) for n in range(5)]
    source.write_text("\n".join([*rows, "{broken"]) + "\n")
    argv = ["tokenize", str(source), str(prefix), "--tokenizer", str(tokenizer / "tokenizer.json")]
    assert main([*argv, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["in"], report["kept"], report["quarantined"]) == (6, 5, 1)
    assert report["documents"] == 5
    assert report["tokens"] > 5
    assert report["tokens_per_second"] > 0
    suffixes = (".bin", ".idx", ".docs.parquet", ".manifest.json")
    assert all(prefix.with_name(f"mine{suffix}").is_file() for suffix in suffixes)
    assert main(["verify", str(prefix), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["kept"] >= 4

    tokens = prefix.with_name("mine.bin")
    tokens.write_bytes(tokens.read_bytes()[:-1] + b"\xff")
    assert main(["verify", str(prefix), "--json"]) == 1
    captured = capfd.readouterr()
    assert json.loads(captured.out)["rejected"]
    assert "mine.bin" in captured.err
