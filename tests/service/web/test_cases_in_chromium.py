"""The page of hard conversations in a real browser: one click, without scripts, and for everybody."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from autoresponder.cases import CaseState, CaseWord
from store.cases import Cases
from tests.service.cases_of_maple import teacher_writes
from tests.service.web.chromium import chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.office_pages import ANA, BO, CHO, OKAFOR, REED, RIVERA, WEST, OfficePages, office_pages
from tests.service.web.test_office_in_chromium import URL, come_in

pytestmark = pytest.mark.server("chromium")


def a_hard_week(pages: OfficePages) -> None:
    """One case that is overdue, one with a proposal, one that is closed, and one of another teacher."""
    maple = pages.maple
    maple.write("conflict grades 1", CHO, body="You never listen. My lawyer will hear of this.")
    first = maple.write("conflict grades 2", ANA, body="Maya says that you shouted at her in front of the class.")
    maple.write("conflict behavior 3", WEST, to=(OKAFOR,), body="Shame on you.")
    closed = maple.write("conflict grades 4", BO, body="Theo's grade is not fair.")
    maple.round()
    maple.clock.forward(hours=2)
    teacher_writes(maple, ANA, follows=first)
    maple.round()
    maple.clock.forward(hours=2)
    maple.write("routine yes", ANA, body="That works, see you Thursday.", In_Reply_To=f"<{first}>")
    maple.round()
    number = next(view.id for view in Cases(pages.database).open(RIVERA) if view.first.rfc_message_id == closed)
    Cases(pages.database).say(number, CaseWord.AGREED, RIVERA, pages.clock())
    maple.clock.forward(hours=46)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_page_and_a_case(tmp_path: Path, dark: bool) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        a_hard_week(pages)
        (view, *_) = Cases(pages.database).open(RIVERA)
        with chromium(port, tmp_path / "browser", dark=dark) as browser:
            come_in(browser, pages, RIVERA)
            for name, path in (("list", "/cases"), ("one", f"/cases/{view.id}"), ("spanish", "/cases?lang=es")):
                browser.get(URL + path)
                look(browser, f"cases-{name}", dark)
            browser.get(f"{URL}/cases/{view.id}/messages/{view.first.id}?lang=en")
            look(browser, "cases-message", dark)
            come_in(browser, pages, REED)
            browser.get(f"{URL}/cases")
            look(browser, "cases-leader", dark)


def test_one_click_without_scripts_says_that_a_plan_is_agreed(tmp_path: Path) -> None:
    with office_pages() as pages, served(pages.app, tmp_path / "served") as port:
        a_hard_week(pages)
        number = next(view.id for view in Cases(pages.database).open(RIVERA) if view.proposed_at)
        with chromium(port, tmp_path / "browser", scripts=False) as browser:
            come_in(browser, pages, RIVERA)
            browser.get(f"{URL}/cases")
            button = browser.find_element(By.XPATH, "//button[normalize-space()='Yes, a plan is agreed']")
            with next_page(browser):
                button.click()
        view = Cases(pages.database).numbered(number)
        assert view is not None
        assert view.case.state is CaseState.AGREED
