"""The morning mail on a phone, in a real browser. With ALLIANCE_SCREENSHOTS set, pictures of it go to that folder."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoresponder.digest import DigestFacts, Family, Handled, Promised, Waiting, digest_note
from autoresponder.items import ItemState
from autoresponder.plan import Span
from config.settings import Settings
from tests.autoresponder.sample import SETTINGS
from tests.autoresponder.test_answers_in_chromium import AXE, found_by_axe
from tests.autoresponder.test_digest import FULL, HOSTILE, SPANISH, waiting
from tests.servers.required import lacking
from tests.service.web.chromium import chromium

pytestmark = pytest.mark.server("chromium")

_WIDTHS = (390, 320)
_SCREENSHOTS = os.environ.get("ALLIANCE_SCREENSHOTS")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in March, as Chicago's clocks show it in winter."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) + timedelta(hours=6)


def _waits(address: str, *students: str, by: datetime, hours: float, **more: object) -> Waiting:
    return Waiting(Family(address, students), received_at=by, reply_by=by, hours=hours, **more)  # type: ignore[arg-type]


BUSY = DigestFacts(
    teacher="Ms. Rivera",
    today=datetime(2026, 3, 4, tzinfo=UTC).date(),
    since=datetime(2026, 2, 18, tzinfo=UTC).date(),
    waiting=(
        _waits("d.okonkwo@family.example", "Chidi Okonkwo", by=at(3, 15), hours=53.2),
        _waits("ana.torres@family.example", "Lucía Torres", "Mateo Torres", by=at(4, 10), hours=45.1, messages=2),
        _waits("jpark@family.example", "Finn Park", by=at(5, 9), hours=22.4, office=ItemState.RETURNED),
        _waits("new.parent@family.example", by=at(6, 8), hours=3),
    ),
    to_call=(_waits("sato@family.example", "Hana Sato", by=at(5, 14), hours=16.5),),
    call_times=(Span(begins=at(4, 12, 10), ends=at(4, 12, 40)),),
    follow_ups=(Promised(Family("eve.bell@family.example", ("Jo Bell",))),),
    handled=(
        Handled(Family("ida@family.example", ("Nia Brooks",)), ItemState.DONE, "Sam Lee", at(3, 14, 20)),
        Handled(Family("m.chen@family.example", ("Ray Chen",)), ItemState.CLAIMED, "nurse", at(4, 6, 50)),
    ),
    page="https://inbox.maple.example/cases",
)
"""A busy morning, as the documentation shows it."""
MAILS: dict[str, tuple[DigestFacts, Settings]] = {
    "morning": (BUSY, SETTINGS),
    "morning-es": (BUSY, SPANISH),
    "all-parts": (FULL, SETTINGS),
    "hostile": (replace(FULL, waiting=(waiting(HOSTILE),) * 9), SETTINGS),
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_it_whole_and_axe_finds_nothing_wrong(tmp_path: Path, dark: bool) -> None:
    if not AXE.exists():
        lacking("axe-core is not installed: make test fetches it, or npm ci in tests/servers/emulators")
    with chromium(0, tmp_path / "profile", dark=dark) as browser:
        for name, (facts, settings) in MAILS.items():
            page = tmp_path / f"{name}.html"
            page.write_text(digest_note(facts, settings).html(), encoding="utf-8")
            for width in _WIDTHS:
                size = {"width": width, "height": 844, "deviceScaleFactor": 2, "mobile": True}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                browser.get(page.as_uri())
                assert browser.execute_script("return document.documentElement.scrollWidth") <= width, name
                if width == _WIDTHS[0] and _SCREENSHOTS:
                    height = browser.execute_script("return document.documentElement.scrollHeight")
                    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "height": height})
                    Path(_SCREENSHOTS).mkdir(parents=True, exist_ok=True)
                    browser.save_screenshot(str(Path(_SCREENSHOTS) / f"{name}{'-dark' if dark else ''}.png"))
            assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") is dark
            assert browser.execute_script("return document.images.length + document.scripts.length") == 0
            assert found_by_axe(browser) == [], name
