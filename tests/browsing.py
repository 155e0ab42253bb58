"""Headless Chromium for the tests that look at the UI."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.conftest import missing_part

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_SECONDS = 90


@contextmanager
def headless_chromium() -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing_part("chromium or chromedriver: apt-get install chromium chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(chromium)
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1400",
        "--no-first-run", "--disable-background-networking", "--disable-sync",
    ):  # fmt: skip
        options.add_argument(flag)
    with Chrome(options=options, service=ChromeService(driver)) as chrome:
        yield chrome


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], Any]) -> None:
    """Asks until the answer is true; an error meanwhile counts as a no."""
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


def shown_text(browser: Chrome) -> str:
    return str(browser.execute_script("return document.body.innerText"))  # type: ignore[no-untyped-call]


def click_beside(browser: Chrome, label: str, link: str) -> bool:
    """Clicks the link of the table row that shows `label`; False while there is none."""
    row = f"//tr[td[normalize-space() = '{label}']]//a[contains(text(), '{link}')]"
    for element in browser.find_elements("xpath", row):
        element.click()
        return True
    return False


def plots(browser: Chrome) -> int:
    """Embedded plots that the page has really decoded."""
    script = (
        "return [...document.images].filter(i => i.src.startsWith('data:image/png')"
        " && i.naturalWidth > 100).length"
    )
    return int(browser.execute_script(script))  # type: ignore[no-untyped-call]
