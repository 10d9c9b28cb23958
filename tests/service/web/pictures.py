"""Pictures of the office's page for the documentation: `python -m tests.service.web.pictures docs/images`.

A made-up morning at Maple Street School. Needs Chromium and a font for text (on Debian: fonts-noto-core).
"""

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.service.web import scorecard_pictures
from tests.service.web.chromium import HOST, chromium, served
from tests.service.web.office_pages import LEE, REED, OfficePages, busy_morning, come_in, office_pages, paths_of

DESKTOP, PHONE = (1180, 800), (390, 844)
PICTURES = {
    "office-queue": ("queue", LEE, DESKTOP, False),
    "office-message": ("message", LEE, DESKTOP, False),
    "office-queue-dark": ("queue", LEE, DESKTOP, True),
    "office-queue-phone": ("queue", LEE, PHONE, False),
    "office-message-phone-dark": ("message", LEE, PHONE, True),
    "office-numbers": ("queue", REED, DESKTOP, False),
}
"""Each picture's name: which page, who looks at it, on what screen, and whether it is dark."""


def take(folder: Path) -> None:
    """Writes every picture into `folder`."""
    with tempfile.TemporaryDirectory() as scratch, office_pages() as pages:
        paths = paths_of(pages, busy_morning(pages))
        with served(pages.app, Path(scratch)) as port:
            for dark in (False, True):
                with chromium(port, Path(scratch) / str(dark), dark=dark) as browser:
                    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                    for name, (page, who, screen, _) in PICTURES.items():
                        if PICTURES[name][-1] is dark:
                            _show(browser, pages, paths[page], who, screen)
                            (folder / f"{name}.png").write_bytes(_whole(browser, screen))


def _show(browser: Any, pages: OfficePages, path: str, who: str, screen: tuple[int, int]) -> None:
    size = {"width": screen[0], "height": screen[1], "deviceScaleFactor": 1, "mobile": screen is PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    come_in(browser, pages, who)
    browser.get(f"https://{HOST}{path}")


def _whole(browser: Any, screen: tuple[int, int]) -> bytes:
    """All of the page, also what one would scroll to; the footer with the languages is left out."""
    height = browser.execute_script("return Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)")
    clip = {"x": 0, "y": 0, "width": screen[0], "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    take(Path(sys.argv[1]))
    scorecard_pictures.take(Path(sys.argv[1]))
