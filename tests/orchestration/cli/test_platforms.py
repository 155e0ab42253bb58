from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from orchestration.cli.main import main
from tests.etl.platforms.site import CC_BY_NC, Site, mp4, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as running:
        yield running


@pytest.fixture
def profile(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "name": "test",
        "source": "films",
        "crawl": {"config": {"contact": "https://example.org/bot"}},
        "platforms": {"delay_seconds": 0, "private_hosts": [site.host]},
    }
    path = tmp_path / "profile.yaml"
    path.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("TOKENFOUNDRY_PROFILE", str(path))


@pytest.mark.usefixtures("profile")
def test_a_list_of_urls_into_a_folder(
    site: Site, spark: SparkSession, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("/m/a.mp4", mp4(random.Random(seed), 2_000), "video/mp4")
    site.video_page("/p/a", "/m/a.mp4", "A")
    site.video_page("/p/nc", "/m/a.mp4", "NC", CC_BY_NC)
    listed = tmp_path / "urls.txt"
    listed.write_text(f"# films\n{site.url('/p/nc')}\n")
    out = tmp_path / "out"

    assert main(["platforms", site.url("/p/a"), str(out), "--list", str(listed), "--json"]) == 0

    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["in"], report["kept"], report["quarantined"]) == (2, 1, 0)
    assert report["rejected"] == {"platform.licence": 1}
    rows = spark.read.format("delta").load(report["outputs"]["media"]).collect()
    assert {row["verdict"] for row in rows} == {"kept", "rejected"}
    assert (out / "media" / rows[0]["uri_id"][:2]).is_dir()


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--search TERM"),
        (["--list", "nowhere.txt"], "nowhere.txt"),
        (["--search", "rain"], "YOUTUBE_API_KEY"),
        (["http://x.example/", "--max-items", "0"], "--max-items"),
    ],
)
def test_bad_usage_writes_nothing(
    arguments: list[str],
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY", raising=False)
    out = tmp_path / "out"
    urls = [one for one in arguments if one.startswith("http")]
    rest = [one for one in arguments if one not in urls]
    assert main(["platforms", *urls, str(out), *rest]) == 2
    assert word in capsys.readouterr().err
    assert not out.exists()
