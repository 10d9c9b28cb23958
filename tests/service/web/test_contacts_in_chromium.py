"""The page of contacts in a real browser: three clicks, without scripts, by keyboard, and for everybody."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from autoresponder.contacts import ContactKind, ContactTone
from store.contacts import Contacts
from tests.service.roster_of_maple import MAYA, NICO, THEO, fill_roster
from tests.service.web.chromium import chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.office_pages import RIVERA, OfficePages, office_pages
from tests.service.web.test_contacts_page import notes
from tests.service.web.test_office_in_chromium import URL, come_in

pytestmark = pytest.mark.server("chromium")


def a_week_of_calls(pages: OfficePages) -> None:
    """Three contacts, one of them taken back."""
    browser = pages.signed_in(RIVERA)
    notes(browser)
    notes(browser, student=THEO.id, kind="meeting", tone="concern")
    notes(browser, student=NICO.id, tone="neutral", kind="left a message")
    browser.send("/contacts", "/contacts/2/withdraw")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_page(tmp_path: Path, dark: bool) -> None:
    with (
        office_pages() as pages,
        served(pages.app, tmp_path / "served") as port,
        chromium(port, tmp_path / "browser", dark=dark) as browser,
    ):
        come_in(browser, pages, RIVERA)
        browser.get(f"{URL}/contacts")
        look(browser, "contacts-before", dark)
        fill_roster(pages.database)
        a_week_of_calls(pages)
        for name, path in (("list", "/contacts?noted=1&lang=en"), ("spanish", "/contacts?lang=es")):
            browser.get(URL + path)
            look(browser, f"contacts-{name}", dark)


def test_three_clicks_without_scripts_note_a_contact_and_one_takes_it_back(tmp_path: Path) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        fill_roster(pages.database)
        with chromium(port, tmp_path / "browser", scripts=False) as browser:
            come_in(browser, pages, RIVERA)
            browser.get(f"{URL}/contacts")
            Select(browser.find_element(By.ID, "student")).select_by_value(MAYA.id)
            browser.find_element(By.XPATH, "//label[contains(., 'Good news')]").click()
            with next_page(browser):
                browser.find_element(By.XPATH, "//button[normalize-space()='Note it']").click()
            (contact,) = Contacts(pages.database).listing()
            assert (contact.student, contact.kind) == (MAYA.id, ContactKind.CALL)
            assert (contact.tone, contact.reached) == (ContactTone.GOOD_NEWS, True)
            assert "Noted." in browser.find_element(By.CSS_SELECTOR, "[role=status]").text
            with next_page(browser):
                browser.find_element(By.XPATH, "//button[normalize-space()='Take back']").click()
            (contact,) = Contacts(pages.database).listing()
            assert contact.withdrawn_at is not None


def test_the_keyboard_alone_notes_a_contact_and_enter_guesses_nothing(tmp_path: Path) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        fill_roster(pages.database)
        with chromium(port, tmp_path / "browser") as browser:
            come_in(browser, pages, RIVERA)
            browser.get(f"{URL}/contacts")
            student = browser.find_element(By.ID, "student")
            student.send_keys("Brandt")
            browser.find_element(By.ID, "day").send_keys(Keys.ENTER)
            assert Contacts(pages.database).listing() == []
            browser.find_element(By.CSS_SELECTOR, "input[name=tone][value=concern]").send_keys(Keys.SPACE)
            button = browser.find_element(By.XPATH, "//button[normalize-space()='Note it']")
            with next_page(browser):
                button.send_keys(Keys.ENTER)
            (contact,) = Contacts(pages.database).listing()
            assert (contact.student, contact.tone) == (THEO.id, ContactTone.CONCERN)


def test_the_printed_page_is_the_list_alone(tmp_path: Path) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        fill_roster(pages.database)
        a_week_of_calls(pages)
        with chromium(port, tmp_path / "browser") as browser:
            come_in(browser, pages, RIVERA)
            browser.get(f"{URL}/contacts")
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
            assert not browser.find_element(By.ID, "student").is_displayed()
            assert not [each for each in browser.find_elements(By.TAG_NAME, "button") if each.is_displayed()]
            assert "Family of Maya Lopez" in browser.find_element(By.TAG_NAME, "main").text
