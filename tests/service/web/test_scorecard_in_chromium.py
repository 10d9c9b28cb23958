"""The scorecard's page in a real browser: for everybody, by keyboard, without scripts, and on one sheet of paper."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from autoresponder.wording import OFFICE, wording
from scorecard.weekly_mail import week_of, weekly_note
from service.web.cookies import SESSION
from service.web.rendering import asset
from service.web.scorecard_file import scorecard_as_file
from store.access import new_secret
from store.scorecard_tables import Grouping
from tests.autoresponder.test_answers_in_chromium import found_by_axe
from tests.scorecard.sample_report import AS_OF, RIVERA, sample_report
from tests.service.web.chromium import chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.office_pages import REED
from tests.service.web.school_pages import URL
from tests.service.web.scorecard_pages import Scores, score_pages

pytestmark = pytest.mark.server("chromium")

A4, LETTER = (8.27, 11.69), (8.5, 11)
"""Inches."""


@pytest.fixture(scope="module")
def scores() -> Iterator[Scores]:
    with score_pages() as made:
        yield made


@pytest.fixture(scope="module")
def port(scores: Scores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(scores.pages.app, tmp_path_factory.mktemp("served")) as listening:
        yield listening


@pytest.fixture(scope="module", params=[False, True], ids=["light", "dark"])
def browser(request: pytest.FixtureRequest, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser, by day and by night: starting one takes longer than most tests."""
    with chromium(port, tmp_path_factory.mktemp("browser"), dark=request.param) as started:
        started.dark = request.param
        yield started


def come_in(browser: Any, scores: Scores, address: str) -> None:
    """Somebody is signed in with a real browser."""
    link, session = new_secret(), new_secret()
    access = scores.pages.site.access
    access.ask(link, address, destination="/", attempts=(), now=AS_OF, valid=timedelta(minutes=5))
    assert access.redeem(link, session, now=AS_OF, lasting=timedelta(hours=12)) is not None
    browser.delete_all_cookies()
    browser.get(f"{URL}{asset('mark.svg')}")
    browser.add_cookie({"name": SESSION, "value": session, "secure": True, "path": "/"})


def complaints(browser: Any) -> list[str]:
    """What the browser says that it refused, or could not do."""
    said = [each["message"] for each in browser.get_log("browser") if each["level"] in {"SEVERE", "WARNING"}]
    return [each for each in said if "/favicon.ico" not in each]  # which it asks for beside a picture that it was shown


def on_screen(browser: Any, scores: Scores, path: str = "/scorecard?lang=en", who: str = REED) -> None:
    """Somebody looks at a page on a desktop."""
    size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    come_in(browser, scores, who)
    browser.get(URL + path)


def test_axe_finds_nothing_wrong_and_the_browser_refuses_nothing(browser: Any, scores: Scores, tmp_path: Path) -> None:
    come_in(browser, scores, REED)
    pages = {"whole": "/scorecard?lang=en", "events": "/scorecard/events/first_contact/grade?of=%2F03"}
    by_day = {"team": "/scorecard/team?of=Blue+team", "spanish": "/scorecard?lang=es"}
    for name, path in (pages if browser.dark else pages | by_day).items():
        browser.get(URL + path)
        for details in browser.find_elements(By.CSS_SELECTOR, "details.figures summary"):
            details.click()
        look(browser, f"scorecard-{name}", browser.dark)
        for chart in browser.find_elements(By.CSS_SELECTOR, "svg.chart"):
            assert chart.size["width"] > 100
    come_in(browser, scores, RIVERA.key)
    browser.get(f"{URL}/scorecard?lang=en")
    look(browser, "scorecard-teacher", browser.dark)
    page = tmp_path / "scorecard.html"
    report = sample_report()
    few = [each for each in report.groups if each.group.grouping in {Grouping.ALL, Grouping.TEAM}]
    page.write_text(scorecard_as_file(replace(report, groups=few)), encoding="utf-8")
    browser.get(page.as_uri())
    look(browser, "scorecard-file", browser.dark)
    browser.find_element(By.LINK_TEXT, "Blue team").click()
    assert browser.current_url.endswith("#team-426c7565207465616d")
    assert complaints(browser) == []
    week = week_of(report, AS_OF.date())
    assert week is not None
    page.write_text(weekly_note(week, "Dr. Reed", URL, wording("en", OFFICE)).html(), encoding="utf-8")
    browser.get(page.as_uri())
    assert found_by_axe(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script("return [...document.images].every(each => each.naturalWidth > 600)")


def test_a_chart_has_other_colours_on_paper_and_a_definition_shows_on_hover_and_on_focus(
    browser: Any, scores: Scores
) -> None:
    on_screen(browser, scores)
    mark = browser.find_element(By.CSS_SELECTOR, ".figure.two-way a.what")
    tip = browser.find_element(By.ID, mark.get_attribute("aria-describedby"))
    assert not tip.is_displayed()
    ActionChains(browser).move_to_element(mark).perform()
    assert tip.is_displayed()
    ActionChains(browser).move_to_element(tip).perform()  # the pointer may go onto it (WCAG 1.4.13)
    assert tip.is_displayed()
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()
    ActionChains(browser).move_to_element(browser.find_element(By.TAG_NAME, "h1")).perform()
    mark.send_keys(Keys.NULL)
    assert tip.is_displayed()
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#all-means-two_way")
    line = "return getComputedStyle(document.querySelector('.chart path[stroke=\"#1d4f91\"]')).stroke"
    on_this_screen = browser.execute_script(line)
    assert on_this_screen == ("rgb(156, 195, 245)" if browser.dark else "rgb(29, 79, 145)")
    with printed(browser):
        assert browser.execute_script(line) == "rgb(0, 0, 0)"


def test_a_principal_takes_one_sheet_along(browser: Any, scores: Scores) -> None:
    for language in ("en", "es"):
        on_screen(browser, scores, f"/scorecard?lang={language}")
        for name, (wide, high) in {"A4": A4, "Letter": LETTER}.items():
            wanted = {"paperWidth": wide, "paperHeight": high, "printBackground": False, "preferCSSPageSize": False}
            pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", wanted)["data"])
            assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, (language, name)
        with printed(browser):
            shown = browser.find_element(By.TAG_NAME, "main").text
        for figure in ("80", "62", "79", "91", "66"):
            assert re.search(rf"\b{figure}\s?%", shown), figure
        assert "41" in shown


def test_all_of_it_works_by_keyboard(browser: Any, scores: Scores) -> None:
    by_keyboard(browser, scores)


def test_and_without_scripts(scores: Scores, port: int, tmp_path: Path) -> None:
    with chromium(port, tmp_path / "browser", scripts=False) as browser:
        by_keyboard(browser, scores)


def by_keyboard(browser: Any, scores: Scores) -> None:
    """A definition, the numbers of a chart, a grade, another term: nothing but keys."""
    on_screen(browser, scores)
    mark = browser.find_element(By.CSS_SELECTOR, ".figure.recovery a.what")
    mark.send_keys(Keys.NULL)
    assert browser.find_element(By.ID, mark.get_attribute("aria-describedby")).is_displayed()
    browser.find_element(By.CSS_SELECTOR, ".figure.recovery summary").send_keys(Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ".figure.recovery details table").is_displayed()
    link = browser.find_element(By.LINK_TEXT, "Grade 4")
    with next_page(browser):
        link.send_keys(Keys.ENTER)
    assert browser.find_element(By.TAG_NAME, "h1").text == "Grade 4"
    browser.find_element(By.ID, "term").send_keys("Spring")
    with next_page(browser):
        browser.find_element(By.CSS_SELECTOR, ".terms button").send_keys(Keys.ENTER)
    assert "Spring 2026" in browser.find_element(By.CSS_SELECTOR, ".greeting p:last-child").text
    assert browser.find_element(By.TAG_NAME, "h1").text == "Grade 4"


@contextmanager
def printed(browser: Any) -> Iterator[None]:
    """The page as paper shows it."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    yield
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if browser.dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": scheme})
