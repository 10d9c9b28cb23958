"""Pictures of the scorecard's page and of the mail of the week, for the documentation: the school year of `make demo`,
as its own pages show it to the principal. `tests.service.web.pictures` takes them with the others."""

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from rich.console import Console

from config import load
from config.settings import MailboxSettings, Role, Staff, Web
from connectors.mailbox import Mailbox
from service.sample.demo import show
from service.sample.front_office import PRINCIPAL
from service.sample.school import WEEKLY_PAGE, SampleSchool
from service.web.app import create_app
from service.web.cookies import SESSION
from service.web.rendering import asset
from service.web.site import Site
from store.access import new_secret
from store.database import Database
from tests.service.mailbox_in_memory import MailSystem
from tests.service.web.chromium import chromium, served
from tests.service.web.school_pages import URL

DESKTOP, PHONE, SHEET, MAIL = (1180, 1.0), (390, 1.5), (718, 1.5), (430, 1.5)
"""How wide, and how many pixels there are to one of the page."""


def take(folder: Path) -> None:
    """Writes every picture into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        school = SampleSchool(Path(scratch) / "school")
        if failures := show(school.folder, Console(file=StringIO(), width=80)):
            raise RuntimeError(f"the demo failed: {failures}")
        with _pages(school) as app, served(app, Path(scratch)) as port:
            for dark in (False, True):
                with chromium(port, Path(scratch) / str(dark), dark=dark) as browser:
                    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                    _come_in(browser, app.state.site, school)
                    for name, path, screen, high in _wanted(dark):
                        _size(browser, screen)
                        browser.get((school.folder / WEEKLY_PAGE).as_uri() if path == "mail" else URL + path)
                        (folder / f"{name}.png").write_bytes(_taken(browser, screen, high))
                    if not dark:
                        _size(browser, SHEET)
                        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
                        browser.get(f"{URL}/scorecard")
                        (folder / "scorecard-print.png").write_bytes(_taken(browser, SHEET, 0))


@contextmanager
def _pages(school: SampleSchool) -> Iterator[FastAPI]:
    """The pages of the demo's school, at the time of its own clock."""
    settings = load(school.config, environ={})
    principal = Staff(address=PRINCIPAL, name="Dr. Quintana", role=Role.LEADER)
    staff = (*(each for each in settings.staff if each.address != PRINCIPAL), principal)
    service = settings.service.model_copy(update={"notices_from": settings.mailboxes[0].address})
    settings = settings.model_copy(update={"web": Web(url=URL), "staff": staff, "service": service})
    system = MailSystem()  # nothing is sent, and the scorecard shows no message

    def open_box(box: MailboxSettings) -> Mailbox:
        return system.open(box.address)

    database = Database.open(settings.service.database)
    try:
        yield create_app(settings, database, open_box=open_box, clock=school.clock)
    finally:
        database.close()


def _come_in(browser: Any, site: Site, school: SampleSchool) -> None:
    link, session, now = new_secret(), new_secret(), school.clock()
    site.access.ask(link, PRINCIPAL, destination="/", attempts=(), now=now, valid=timedelta(minutes=5))
    if site.access.redeem(link, session, now=now, lasting=timedelta(hours=12)) is None:
        raise RuntimeError("the principal is not let in")
    browser.get(f"{URL}{asset('mark.svg')}")
    browser.add_cookie({"name": SESSION, "value": session, "secure": True, "path": "/"})


def _wanted(dark: bool) -> list[tuple[str, str, tuple[int, float], int]]:
    """Name, page, screen, and how much of it where not all."""
    if dark:
        return [("scorecard-dark", "/scorecard?lang=en", DESKTOP, 1010)]
    return [
        ("scorecard", "/scorecard?lang=en", DESKTOP, 2190),
        ("scorecard-phone", "/scorecard?lang=en", PHONE, 1450),
        ("scorecard-team", "/scorecard/team?of=Middle", DESKTOP, 1400),
        ("weekly-mail", "mail", MAIL, 0),
    ]


def _size(browser: Any, screen: tuple[int, float]) -> None:
    wide, scale = screen
    size = {"width": wide, "height": 900, "deviceScaleFactor": scale, "mobile": wide < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _taken(browser: Any, screen: tuple[int, float], high: int) -> bytes:
    main = "return Math.ceil(document.querySelector('main, [role=main], body').getBoundingClientRect().bottom) + 12"
    height = high or browser.execute_script(main)
    clip = {"x": 0, "y": 0, "width": screen[0], "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(taken["data"])
