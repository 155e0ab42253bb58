"""Crawled text that would like to be markup, shown by the Dagster UI in headless Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.metadata import markdown_table
from tests.browsing import free_port, headless_chromium, shown_text, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def webserver(tmp_path: Path) -> Iterator[str]:
    """The UI over a history of one materialisation, whose sample is hostile."""
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    hostile = [("<img src=x onerror=document.title=1>", "[a](javascript:document.title=1)")]
    sample = dg.MetadataValue.md(markdown_table(("title", "text"), hostile))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("snapshot", ["2026-01-01"])
        instance.report_runless_asset_event(
            dg.AssetMaterialization("corpus", metadata={"sample": sample}, partition="2026-01-01")
        )
    port = free_port()
    program = Path(sys.executable).with_name("dagster-webserver")
    with subprocess.Popen(
        [program, "-m", "orchestration.definitions", "-h", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"DAGSTER_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(
                lambda: urllib.request.urlopen(f"{url}/server_info", timeout=5).status == 200
            )
            yield url
        finally:
            process.terminate()


def test_hostile_rows_are_text(webserver: str) -> None:
    with headless_chromium() as browser:
        browser.get(f"{webserver}/assets/corpus?view=events")
        wait_until(lambda: "onerror=document.title" in shown_text(browser))
        assert not browser.find_elements("css selector", "img[onerror], a[href^='javascript']")
        assert browser.title != "1"
