"""The office's page in a real browser: for two people at once, by keyboard, without scripts, for everybody."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from autoresponder.items import ItemState, Word
from connectors.errors import ConnectFailed
from store.queue import Queue
from tests.service.web.chromium import HOST, PATIENCE, chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.office_pages import (
    COLE,
    LEE,
    REED,
    RIVERA,
    OfficePages,
    busy_morning,
    come_in,
    office_pages,
    paths_of,
)

pytestmark = pytest.mark.server("chromium")

URL = f"https://{HOST}"


@pytest.fixture(scope="module")
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


@pytest.fixture(scope="module")
def port(pages: OfficePages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(pages.app, tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="module")
def chrome(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(port, tmp_path_factory.mktemp("chrome")) as started:
        yield started


@pytest.fixture
def lee(chrome: Any, pages: OfficePages) -> Any:
    """Sam Lee's browser."""
    come_in(chrome, pages, LEE)
    chrome.get_log("browser")  # what it said before is another test's
    return chrome


def until(browser: Any, found: Callable[[], object]) -> None:
    WebDriverWait(browser, PATIENCE).until(lambda _: found())


def renew(browser: Any) -> None:
    """What else happens every five seconds."""
    browser.execute_script("htmx.trigger('#queue', 'every')")


def tab_to(browser: Any, what: str) -> Any:
    """Presses the tabulator until what has the focus shows these words."""
    for _ in range(40):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        if focused.text == what:
            return focused
    raise AssertionError(f"no way to {what!r} by keyboard")


def complaints(browser: Any) -> list[str]:
    """What the browser's console says of policies and scripts that fail."""
    said = [str(entry["message"]) for entry in browser.get_log("browser")]
    return [each for each in said if "Content Security Policy" in each or "Uncaught" in each]


def test_the_whole_way_by_keyboard(pages: OfficePages, lee: Any) -> None:
    reference, browser = pages.comes("urgent custody", "kim@family.example", body="Only I may collect Jun."), lee
    with next_page(browser):
        tab_to(browser, "The office").send_keys(Keys.ENTER)
    with next_page(browser):
        browser.find_element(By.ID, f"open-{reference}").send_keys(Keys.ENTER)
    with next_page(browser):
        tab_to(browser, "I'll take it").send_keys(Keys.ENTER)
    assert pages.item(reference).item.holder == LEE
    with next_page(browser):
        tab_to(browser, "Read the message").send_keys(Keys.ENTER)
    assert "Only I may collect Jun." in browser.find_element(By.CSS_SELECTOR, ".text").text
    with next_page(browser):
        tab_to(browser, "Done").send_keys(Keys.ENTER)
    assert pages.item(reference).item.state is ItemState.DONE
    with next_page(browser):
        tab_to(browser, "Back to the queue").send_keys(Keys.ENTER)
    assert complaints(browser) == []


def test_a_reader_without_scripts_lacks_nothing_but_the_renewing(pages: OfficePages, port: int, tmp_path: Path) -> None:
    reference = pages.comes("urgent custody", "lin@family.example", body="Only I may collect Bao.")
    with chromium(port, tmp_path, scripts=False) as browser:
        come_in(browser, pages, LEE)
        browser.get(f"{URL}/items")
        assert not browser.find_element(By.ID, "renews").is_displayed()
        assert browser.find_element(By.LINK_TEXT, "Load it again").is_displayed()
        with next_page(browser):
            browser.find_element(By.ID, f"act-{reference}").click()
        assert "Taken by you" in browser.find_element(By.TAG_NAME, "main").text
        with next_page(browser):
            browser.find_element(By.LINK_TEXT, "Read the message").click()
        assert "Only I may collect Bao." in browser.find_element(By.CSS_SELECTOR, ".text").text
        with next_page(browser):
            browser.find_element(By.CSS_SELECTOR, f'form[action="/items/{reference}"] button').click()
        assert pages.item(reference).item.state is ItemState.DONE


def test_of_two_browsers_one_gets_the_item_and_the_other_is_told_who_has_it(
    pages: OfficePages, lee: Any, port: int, tmp_path: Path
) -> None:
    reference = pages.comes("urgent custody", "roy@family.example")
    with chromium(port, tmp_path) as cole:
        come_in(cole, pages, COLE)
        for browser in (lee, cole):
            browser.get(f"{URL}/items?live=off")
        with next_page(lee), next_page(cole):
            for browser in (lee, cole):
                browser.execute_script(f"document.getElementById('act-{reference}').click()")
        holder = str(pages.item(reference).item.holder)
        won, lost, name = (lee, cole, "Sam Lee") if holder == LEE else (cole, lee, "Jo Cole")
        assert "Taken by you" in won.find_element(By.TAG_NAME, "main").text
        told = lost.find_element(By.CSS_SELECTOR, "[role=alert]").text
        assert f"{name} was faster" in told


class TestWhileThePageStandsOpen:
    def test_the_focus_stays_where_it_was_and_what_came_is_read_out(self, pages: OfficePages, lee: Any) -> None:
        first = pages.comes("urgent custody", "one@family.example")
        browser = lee
        browser.get(f"{URL}/items")
        before = browser.execute_script(
            "document.getElementById(arguments[0]).focus();"
            "window.read = document.getElementById('standing');"
            "return window.read.textContent",
            f"act-{first}",
        )
        pages.clock.forward(minutes=2)
        second = pages.comes("urgent custody", "two@family.example")
        renew(browser)
        until(browser, lambda: browser.find_elements(By.ID, f"row-{second}"))
        assert browser.switch_to.active_element.get_attribute("id") == f"act-{first}"
        # The same element with other words: what screen readers read out.
        same, now = browser.execute_script(
            "return [window.read === document.getElementById('standing'), window.read.textContent]"
        )
        assert (same, now != before) == (True, True)
        assert browser.title.startswith("(")
        assert "2 minutes" in browser.find_element(By.ID, f"row-{first}").text
        queued = pages.item(first)
        Queue(pages.database).say(queued, Word.TAKEN, COLE, pages.clock(), shown=queued.version)
        renew(browser)
        until(browser, lambda: not browser.find_elements(By.ID, f"act-{first}"))
        # The button that had the focus is gone: the row it stood in has it.
        assert browser.switch_to.active_element.get_attribute("id") == f"open-{first}"
        assert "Taken by Jo Cole" in browser.find_element(By.ID, f"row-{first}").text
        assert complaints(browser) == []

    def test_it_says_when_it_cannot_be_renewed(self, lee: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        browser = lee
        browser.get(f"{URL}/items")
        away = browser.find_element(By.ID, "away")
        assert not away.is_displayed()
        shown = browser.find_element(By.ID, "queue").text
        with monkeypatch.context() as broken:
            broken.setattr(Queue, "listing", _fails)
            renew(browser)
            until(browser, away.is_displayed)
            assert browser.find_element(By.ID, "queue").text == shown  # old, and said to be
        renew(browser)
        until(browser, lambda: not away.is_displayed())

    def test_who_is_signed_out_meanwhile_leaves_no_names_on_the_screen(self, pages: OfficePages, lee: Any) -> None:
        browser = lee
        browser.get(f"{URL}/items")
        began = pages.clock.now
        with next_page(browser):
            pages.clock.forward(minutes=61)
            renew(browser)
        pages.clock.now = began
        assert browser.current_url == f"{URL}/sign-in?next=%2Fitems"
        assert "family.example" not in browser.page_source


def _fails(*_args: object) -> object:
    raise OSError("the database's disk is full")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_queue_and_its_items(tmp_path: Path, dark: bool) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        references = busy_morning(pages)
        with chromium(port, tmp_path / "browser", dark=dark) as browser:
            come_in(browser, pages, LEE)
            for name, path in paths_of(pages, references).items():
                browser.get(URL + path)
                look(browser, f"office-{name}", dark)
            pages.system.fail("fetch", ConnectFailed("imap.maple.example does not answer"))
            browser.get(URL + paths_of(pages, references)["message"])
            look(browser, "office-message-away", dark)
            browser.get(f"{URL}/items?live=off")
            queued = pages.item(references["pickup_transport"])
            Queue(pages.database).say(queued, Word.TAKEN, COLE, pages.clock(), shown=queued.version)
            with next_page(browser):
                browser.find_element(By.ID, f"act-{references['pickup_transport']}").click()
            look(browser, "office-refused", dark)
            for who, name in ((RIVERA, "teacher"), (REED, "numbers")):
                come_in(browser, pages, who)
                browser.get(f"{URL}/items")
                look(browser, f"office-{name}", dark)
