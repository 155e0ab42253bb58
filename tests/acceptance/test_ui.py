"""`foundry ui` after the demo, in headless Chromium: what its user sees of the real run.

Screenshots go into the folder `$TOKENFOUNDRY_SCREENSHOTS` when it is set, to be looked at.
"""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance

from tests.acceptance.conftest import Deployment
from tests.browsing import click_beside, free_port, headless_chromium, plots, shown_text, wait_until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ui(demo: tuple[Deployment, dict]) -> Iterator[str]:
    place, port = demo[0], free_port()
    with subprocess.Popen(
        place.command("ui", "--port", str(port)),
        env=place.environment(),
        cwd=place.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(
                lambda: urllib.request.urlopen(f"{url}/server_info", timeout=5).status == 200
            )
            yield url
        finally:
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: it stops its daemon, too
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with headless_chromium() as chrome:
        yield chrome


def look(browser: Chrome, name: str) -> None:
    folder = os.environ.get("TOKENFOUNDRY_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def test_the_graph(ui: str, browser: Chrome) -> None:
    browser.get(f"{ui}/assets/training_run?view=lineage&lineageScope=upstream&lineageDepth=10")
    wanted = ("crawl", "documents", "filtered", "clusters", "corpus", "tokenizer", "text_tokens")
    wait_until(lambda: all(name in shown_text(browser) for name in wanted))
    look(browser, "graph")


def test_a_table_with_its_schema(ui: str, browser: Chrome) -> None:
    browser.get(f"{ui}/assets/corpus?view=overview")
    columns = ("uri_id", "licence_evidence", "pii_masked")
    wait_until(lambda: all(name in shown_text(browser) for name in columns))
    look(browser, "schema")


@pytest.mark.parametrize(
    ("asset", "plot"), [("training_run", "loss_curve"), ("corpus", "funnel_plot")]
)
def test_a_materialisation_with_its_plot(ui: str, browser: Chrome, asset: str, plot: str) -> None:
    browser.get(f"{ui}/assets/{asset}?view=events")
    wait_until(lambda: click_beside(browser, plot, "Show Markdown"))
    wait_until(lambda: plots(browser) >= 1)
    look(browser, f"{asset}-plot")


def test_the_checks_have_passed(ui: str, browser: Chrome) -> None:
    browser.get(f"{ui}/assets/corpus?view=checks")
    wanted = ("great_expectations", "no_duplicate_keys", "language_and_licence_known")
    wait_until(lambda: all(name in shown_text(browser) for name in wanted))
    look(browser, "checks")


def test_the_data_docs_that_a_check_links_to(
    demo: tuple[Deployment, dict], browser: Chrome
) -> None:
    with DagsterInstance.from_config(str(demo[0].home / "dagster")) as instance:
        key = AssetCheckKey(AssetKey("corpus"), "great_expectations")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    page = str(evaluation.metadata["data_docs"].value)
    assert Path(unquote(page).removeprefix("file://")).is_file()
    browser.get(page)
    wait_until(lambda: "Evaluated Expectations" in shown_text(browser))
    look(browser, "data-docs")
