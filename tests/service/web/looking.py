"""Looking at a page in a browser: with axe, and where it is wanted with a camera."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from tests.servers.required import lacking
from tests.service.web.chromium import PATIENCE

AXE = Path(__file__).parents[2] / "servers" / "emulators" / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SEEN = os.environ.get("ALLIANCE_SCREENSHOTS")
"""A folder that takes a picture of each page that is looked at; none where it is not set."""


@contextmanager
def next_page(browser: Any) -> Iterator[None]:
    """What happens in the block leads to another page: waits until it is there."""
    this = browser.find_element(By.TAG_NAME, "html")
    yield
    # While one site's page gives way to another site's, Chromium answers with errors of its own.
    waiting = WebDriverWait(browser, PATIENCE, ignored_exceptions=(WebDriverException,))
    waiting.until(staleness_of(this))
    waiting.until(lambda _: browser.execute_script("return document.readyState") == "complete")


def look(browser: Any, name: str, dark: bool) -> None:
    """Asks axe about the page as it stands, on a phone and on a desktop."""
    if not AXE.exists():
        lacking("axe-core is not installed: make test fetches it, or npm ci in tests/servers/emulators")
    for width, height, screen in ((390, 844, "phone"), (1280, 800, "desktop")):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        if SEEN:
            Path(SEEN).mkdir(parents=True, exist_ok=True)
            browser.save_screenshot(str(Path(SEEN) / f"{name}-{screen}-{'dark' if dark else 'light'}.png"))
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is wider than a {screen}"
        assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") is dark
        browser.execute_script(AXE.read_text("utf-8"))
        found = browser.execute_async_script(
            "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then(done, e => done(String(e)))",
            WCAG,
        )
        assert not isinstance(found, str), found
        assert found["passes"], "axe looked at nothing"
        said = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
        assert said == [], f"{name}, {screen}: {json.dumps(said, indent=1)}"
