"""The office's page in a real browser: live, for two people at once, by keyboard, without scripts, for everybody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from connectors.errors import ConnectFailed
from tests.service.web.chromium import HOST, chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.office_pages import LEE, REED, RIVERA, OfficePages, busy_morning, office_pages

pytestmark = pytest.mark.server("chromium")

URL = f"https://{HOST}"


@pytest.fixture(scope="module")
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


@pytest.fixture(scope="module")
def references(pages: OfficePages) -> dict[str, str]:
    return busy_morning(pages)


@pytest.fixture(scope="module")
def port(pages: OfficePages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(pages.app, tmp_path_factory.mktemp("served")) as found:
        yield found


def sign_in(browser: Any, pages: OfficePages, address: str) -> None:
    """By link, with the keyboard's Enter and one click."""
    browser.delete_all_cookies()
    browser.get(f"{URL}/sign-in?lang=en")
    field = browser.find_element(By.ID, "address")
    field.send_keys(address)
    with next_page(browser):
        field.submit()
    browser.get(URL + pages.link_for(address))
    with next_page(browser):
        browser.find_element(By.CSS_SELECTOR, 'form[action="/sign-in/link"] button').click()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_queue_and_its_items(
    pages: OfficePages, references: dict[str, str], port: int, tmp_path: Path, dark: bool
) -> None:
    with chromium(port, tmp_path, dark=dark) as browser:
        sign_in(browser, pages, LEE)
        browser.get(f"{URL}/items?lang=en")
        look(browser, "office-queue", dark)
        for topic in ("health", "whereabouts", "attendance", "technology"):
            browser.get(f"{URL}/items/{references[topic]}")
            look(browser, f"office-item-{topic}", dark)
        message = pages.last_message(references["pickup_transport"])
        browser.get(f"{URL}/items/{references['pickup_transport']}/messages/{message.id}")
        look(browser, "office-message", dark)
        pages.system.fail("fetch", ConnectFailed("imap.maple.example does not answer"))
        browser.refresh()
        look(browser, "office-message-away", dark)
        pages.system.heal()
        sign_in(browser, pages, RIVERA)
        browser.get(f"{URL}/items")
        look(browser, "office-teacher", dark)
        sign_in(browser, pages, REED)
        browser.get(f"{URL}/items")
        look(browser, "office-numbers", dark)
