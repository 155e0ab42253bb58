"""The text verbs on small files: reports, layouts, formats, bad rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from orchestration.cli.main import main
from orchestration.cli.output import MARKER

pytestmark = pytest.mark.spark

PROSE = (
    "The harbour wakes before the town does, and the first boats are out while the lamps still "
    "burn along the quay. An old man mends his nets there with the patience of someone who has "
    "done so for fifty years, and he tells the children of the storms that he has seen. They "
    "listen, because the stories change a little every time, and because it is warm behind the "
    "wall. When the bell rings they run to school, and the man goes on with his work as before."
)


@pytest.fixture(autouse=True)
def _session(spark: SparkSession) -> None:
    """The verbs find and share the session of the tests."""


def _documents(tmp_path: Path) -> Path:
    rows: list[Any] = [
        {"id": "good", "text": PROSE, "topic": "sea"},
        {"id": "copy", "text": PROSE, "topic": "sea"},
        {"id": "thin", "text": "Too short.", "topic": "none"},
        {"id": "mail", "text": f"{PROSE} Write to nobody.here@example.org for more."},
    ]
    lines = [json.dumps(row) for row in rows] + ["{not json", json.dumps({"id": "no text"})]
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def _run(argv: list[str], capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*argv, "--json"]) == 0
    captured = capfd.readouterr()
    assert captured.out.count("\n") == 1, captured.out
    report: dict[str, Any] = json.loads(captured.out)
    placed = report["kept"] + sum(report["rejected"].values()) + report["quarantined"]
    assert report["in"] == placed
    assert {"verb", "bytes_in", "seconds", "outputs"} <= report.keys()
    return report


def _rows(path: str | Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: str(row.get("id")))


def test_filter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    argv = ["filter", str(_documents(tmp_path)), str(out), "--format", "parquet"]
    report = _run(argv, capfd)
    assert (report["verb"], report["in"], report["kept"], report["quarantined"]) == (
        "filter", 6, 3, 2,
    )  # fmt: skip
    assert report["bytes_in"] == (tmp_path / "in.jsonl.gz").stat().st_size
    kept = _rows(out / "kept")
    assert [row["id"] for row in kept] == ["copy", "good", "mail"]
    assert kept[1]["topic"] == "sea"  # other fields are carried through
    [dropped] = _rows(out / "rejected")
    assert dropped.keys() == {"id", "rule", "score", "threshold"}
    assert report["rejected"] == {dropped["rule"]: 1}
    assert {row["error_class"] for row in _rows(out / "quarantined")}
    assert report["outputs"]["kept"] == str(out / "kept")


def test_dedup_and_against(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = _documents(tmp_path), tmp_path / "out"
    report = _run(["dedup", str(source), str(out), "--format", "parquet"], capfd)
    assert sum(report["rejected"].values()) >= 1
    clusters = {row["id"]: row for row in _rows(out / "clusters")}
    assert {"good", "copy"} <= clusters.keys()
    assert {"id", "cluster_id", "survivor", "similarity"} <= clusters["good"].keys()
    kept = [row["id"] for row in _rows(out / "kept")]
    assert len({"good", "copy"} & set(kept)) <= 1
    again = tmp_path / "again"
    argv = ["dedup", str(source), str(again), "--against", str(out / "kept"), "--format", "parquet"]
    assert _run(argv, capfd)["kept"] == 0


def test_scrub_says_what_was_where_and_never_the_value(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    source = _documents(tmp_path)
    report = _run(["scrub", str(source), str(out), "--format", "parquet"], capfd)
    assert report["kept"] == 4
    text = {row["id"]: row["text"] for row in _rows(out / "kept")}
    assert "nobody.here" not in text["mail"]
    assert text["good"] == PROSE
    [finding] = _rows(out / "findings")
    assert finding.keys() == {"id", "entity", "start", "end", "score"}
    assert finding["id"] == "mail"


def test_extract_and_ingest_write_one_table(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    body = "".join(f"<p>{part}.</p>" for part in PROSE.split(". "))
    (pages / "a.html").write_text(
        f"<html lang=en><head><title>Harbour</title></head><body><main>{body}</main></body></html>"
    )
    (pages / "empty.html").write_bytes(b"")
    out = tmp_path / "out"
    report = _run(["extract", str(pages), str(out), "--format", "parquet"], capfd)
    assert (report["kept"], report["quarantined"]) == (1, 1)
    [row] = _rows(out)
    wanted = {"id", "url", "text", "title", "language", "language_score", "licence"}
    assert wanted <= row.keys()
    assert (row["title"], row["language"]) == ("Harbour", "eng")
    assert "fifty years" in row["text"]
    raw = tmp_path / "raw"
    assert _run(["ingest", str(_documents(tmp_path)), str(raw)], capfd)["kept"] == 4
    assert (raw / "_delta_log").is_dir()


def test_a_rerun_gives_the_same_and_a_stranger_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = _documents(tmp_path), tmp_path / "out"
    argv = ["filter", str(source), str(out), "--format", "parquet", "--profile", "none"]
    _run(argv, capfd)
    first = _rows(out / "kept")
    _run(argv, capfd)
    assert _rows(out / "kept") == first
    (out / MARKER).unlink()
    assert main(argv) == 2
    assert "name another folder" in capfd.readouterr().err
    assert _rows(out / "kept") == first


def test_a_failure_part_way_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.cli.output import Writer

    def full(self: Writer, *arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writer, "write", full)
    source = _documents(tmp_path)
    assert main(["filter", str(source), str(tmp_path / "out")]) == 1
    captured = capfd.readouterr()
    assert "foundry: error: no space left on device" in captured.err
    assert "Traceback" not in captured.err
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
