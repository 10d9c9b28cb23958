"""Pictures of the scorecard's page and of the mail of the week, for the documentation: half a term at Maple Street
School. `tests.service.web.pictures` takes them with the others."""

import base64
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from autoresponder.wording import OFFICE, wording
from scorecard.weekly_mail import week_of, weekly_note
from tests.scorecard.sample_report import sample_report
from tests.service.web.chromium import chromium, served
from tests.service.web.office_pages import REED
from tests.service.web.school_pages import URL
from tests.service.web.scorecard_pages import score_pages
from tests.service.web.test_scorecard_in_chromium import come_in

DESKTOP, PHONE, SHEET, MAIL = (1180, 1.0), (390, 1.5), (718, 1.5), (430, 1.5)
"""How wide, and how many pixels there are to one of the page."""


def take(folder: Path) -> None:
    """Writes every picture into `folder`."""
    with tempfile.TemporaryDirectory() as scratch, score_pages() as scores:
        mail = Path(scratch) / "mail.html"
        week = week_of(sample_report(), date(2026, 11, 9))
        if week is None:
            raise ValueError("the sample tells nothing")
        note = weekly_note(week, "Dr. Reed", f"{URL}/scorecard", wording("en", OFFICE))
        mail.write_text(note.html(), encoding="utf-8")
        with served(scores.pages.app, Path(scratch)) as port:
            for dark in (False, True):
                with chromium(port, Path(scratch) / str(dark), dark=dark) as browser:
                    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                    come_in(browser, scores, REED)
                    for name, path, screen, high in _wanted(dark):
                        _size(browser, screen)
                        browser.get(mail.as_uri() if path == "mail" else URL + path)
                        (folder / f"{name}.png").write_bytes(_taken(browser, screen, high))
                    if not dark:
                        _size(browser, SHEET)
                        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
                        browser.get(f"{URL}/scorecard")
                        (folder / "scorecard-print.png").write_bytes(_taken(browser, SHEET, 0))


def _wanted(dark: bool) -> list[tuple[str, str, tuple[int, float], int]]:
    """Name, page, screen, and how much of it where not all."""
    if dark:
        return [("scorecard-dark", "/scorecard?lang=en", DESKTOP, 1010)]
    return [
        ("scorecard", "/scorecard?lang=en", DESKTOP, 2190),
        ("scorecard-phone", "/scorecard?lang=en", PHONE, 1450),
        ("scorecard-team", "/scorecard/team?of=Blue+team", DESKTOP, 1400),
        ("weekly-mail", "mail", MAIL, 0),
    ]


def _size(browser: Any, screen: tuple[int, float]) -> None:
    wide, scale = screen
    size = {"width": wide, "height": 900, "deviceScaleFactor": scale, "mobile": wide < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _taken(browser: Any, screen: tuple[int, float], high: int) -> bytes:
    main = "return Math.ceil(document.querySelector('main, [role=main]').getBoundingClientRect().bottom) + 12"
    height = high or browser.execute_script(main)
    clip = {"x": 0, "y": 0, "width": screen[0], "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(taken["data"])
