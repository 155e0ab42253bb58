"""The Dagster UI in headless Chromium: the graph, a materialisation with its plots, the checks.

Screenshots are left in the temporary folder of the test, to be looked at.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from orchestration.metadata import definition_metadata, markdown_table, report_metadata
from orchestration.plots import loss_plot
from schemas.report import JobReport
from schemas.tables import CORPUS

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser
_SECONDS = 90


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _record_history(home: Path) -> None:
    """A materialisation and a check of each kind that the UI has to show."""
    report = JobReport(verb="scrub", rows_in=9, kept=6, rejected={"gopher.words": 3})
    curve = [{"iteration": n, "loss": 7 - n / 10, "validation_loss": 7 - n / 12} for n in range(20)]
    hostile = [("<img src=x onerror=document.title=1>", "[a](javascript:document.title=1)")]
    shown = report_metadata(report, "0123456789abcdef") | definition_metadata(CORPUS)
    shown["sample"] = dg.MetadataValue.md(markdown_table(("title", "text"), hostile))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("snapshot", ["2026-01-01"])
        instance.report_runless_asset_event(
            dg.AssetMaterialization("corpus", metadata=shown, partition="2026-01-01")
        )
        loss = dg.MetadataValue.md(loss_plot(curve, entropy=6.5))
        instance.report_runless_asset_event(
            dg.AssetMaterialization("training_run", metadata={"loss_curve": loss})
        )
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("corpus"),
                check_name="great_expectations",
                passed=True,
                metadata={"expectations": 30},
            )
        )


@pytest.fixture(scope="module")
def webserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    _record_history(home)
    port = _free_port()
    program = Path(sys.executable).with_name("dagster-webserver")
    with subprocess.Popen(
        [program, "-m", "orchestration.definitions", "-h", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"DAGSTER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(lambda: urllib.request.urlopen(f"{url}/server_info", timeout=5).status == 200)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed: apt-get install chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1400"):
        options.add_argument(flag)
    with Chrome(options=options, service=ChromeService(driver)) as chrome:
        yield chrome


def _wait(ready: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _SECONDS
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except Exception as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"not ready after {_SECONDS} s") from last


def _text(browser: Chrome) -> str:
    return str(browser.execute_script("return document.body.innerText"))  # type: ignore[no-untyped-call]


def _click(browser: Chrome, label: str) -> bool:
    """Clicks the first element that shows `label`; False while there is none."""
    for element in browser.find_elements("xpath", f"//a[contains(text(), '{label}')]"):
        element.click()
        return True
    return False


def _images(browser: Chrome) -> int:
    """Embedded plots that the page has really decoded."""
    script = (
        "return [...document.images].filter(i => i.src.startsWith('data:image/png')"
        " && i.naturalWidth > 100).length"
    )
    return int(browser.execute_script(script))  # type: ignore[no-untyped-call]


def test_the_graph(webserver: str, browser: Chrome, tmp_path: Path) -> None:
    lineage = "view=lineage&lineageScope=upstream&lineageDepth=10"
    browser.get(f"{webserver}/assets/training_run?{lineage}")
    wanted = ("crawl", "documents", "filtered", "clusters", "corpus", "tokenizer", "text_tokens")
    _wait(lambda: all(name in _text(browser) for name in wanted))
    assert browser.save_screenshot(str(tmp_path / "graph.png"))


def test_a_materialisation_with_plots_and_schema(
    webserver: str, browser: Chrome, tmp_path: Path
) -> None:
    browser.get(f"{webserver}/assets/corpus?view=overview")
    columns = ("uri_id", "licence_evidence", "pii_masked")
    _wait(lambda: all(name in _text(browser) for name in columns))
    assert browser.save_screenshot(str(tmp_path / "schema.png"))
    browser.get(f"{webserver}/assets/training_run?view=events")
    _wait(lambda: _click(browser, "Show Markdown"))
    _wait(lambda: _images(browser) == 1)
    assert browser.save_screenshot(str(tmp_path / "materialisation.png"))


def test_the_checks(webserver: str, browser: Chrome, tmp_path: Path) -> None:
    browser.get(f"{webserver}/assets/corpus?view=checks")
    wanted = ("great_expectations", "no_duplicate_keys", "language_and_licence_known")
    _wait(lambda: all(name in _text(browser) for name in wanted))
    assert browser.save_screenshot(str(tmp_path / "checks.png"))


def test_hostile_rows_are_text(webserver: str, browser: Chrome, tmp_path: Path) -> None:
    browser.get(f"{webserver}/assets/corpus?view=events")
    _wait(lambda: "onerror=document.title" in _text(browser))
    assert browser.save_screenshot(str(tmp_path / "sample.png"))
    assert not browser.find_elements("css selector", "img[onerror], a[href^='javascript']")
    assert browser.title != "1"
