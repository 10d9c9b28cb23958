"""The scorecard's page in a real browser: for everybody, by keyboard, without scripts, and on one sheet of paper."""

import base64
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from service.web.cookies import SESSION
from service.web.rendering import asset
from service.web.scorecard_file import scorecard_as_file
from store.access import new_secret
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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_and_the_browser_refuses_nothing(
    scores: Scores, port: int, tmp_path: Path, dark: bool
) -> None:
    with chromium(port, tmp_path / "browser", dark=dark) as browser:
        come_in(browser, scores, REED)
        for name, path in (
            ("whole", "/scorecard?lang=en"),
            ("grade", "/scorecard/grade?of=%2F03"),
            ("team", "/scorecard/team?of=Blue+team"),
            ("spanish", "/scorecard?lang=es"),
        ):
            browser.get(URL + path)
            for details in browser.find_elements(By.CSS_SELECTOR, "details.figures summary"):
                details.click()
            look(browser, f"scorecard-{name}", dark)
            assert complaints(browser) == []
            for chart in browser.find_elements(By.CSS_SELECTOR, "svg.chart"):
                assert chart.size["width"] > 100
        come_in(browser, scores, RIVERA.key)
        browser.get(f"{URL}/scorecard?lang=en")
        look(browser, "scorecard-teacher", dark)


def test_a_chart_has_other_colours_in_the_dark_and_on_paper(scores: Scores, port: int, tmp_path: Path) -> None:
    line = "return getComputedStyle(document.querySelector('.chart path[stroke=\"#1d4f91\"]')).stroke"
    with chromium(port, tmp_path / "browser") as browser:
        come_in(browser, scores, REED)
        browser.get(f"{URL}/scorecard?lang=en")
        seen = [browser.execute_script(line)]
        for features, media in (([{"name": "prefers-color-scheme", "value": "dark"}], ""), ([], "print")):
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": media})
            seen.append(browser.execute_script(line))
    assert len(set(seen)) == 3, seen


def test_a_definition_shows_on_hover_and_on_focus_and_escape_puts_it_away(
    scores: Scores, port: int, tmp_path: Path
) -> None:
    with chromium(port, tmp_path / "browser") as browser:
        come_in(browser, scores, REED)
        browser.get(f"{URL}/scorecard?lang=en")
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


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_all_of_it_works_by_keyboard_and_without_scripts(
    scores: Scores, port: int, tmp_path: Path, scripts: bool
) -> None:
    with chromium(port, tmp_path / "browser", scripts=scripts) as browser:
        come_in(browser, scores, REED)
        browser.get(f"{URL}/scorecard?lang=en")
        mark = browser.find_element(By.CSS_SELECTOR, ".figure.recovery a.what")
        mark.send_keys(Keys.NULL)
        assert browser.find_element(By.ID, mark.get_attribute("aria-describedby")).is_displayed()
        summary = browser.find_element(By.CSS_SELECTOR, ".figure.recovery summary")
        summary.send_keys(Keys.ENTER)
        assert browser.find_element(By.CSS_SELECTOR, ".figure.recovery details table").is_displayed()
        link = browser.find_element(By.LINK_TEXT, "Grade 4")
        with next_page(browser):
            link.send_keys(Keys.ENTER)
        assert browser.find_element(By.TAG_NAME, "h1").text == "Grade 4"
        choose = browser.find_element(By.ID, "term")
        choose.send_keys("Spring")
        with next_page(browser):
            browser.find_element(By.CSS_SELECTOR, ".terms button").send_keys(Keys.ENTER)
        assert "Spring 2026" in browser.find_element(By.CSS_SELECTOR, ".greeting p:last-child").text
        assert browser.find_element(By.TAG_NAME, "h1").text == "Grade 4"


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("paper", [A4, LETTER], ids=["A4", "Letter"])
def test_a_principal_takes_one_sheet_along(
    scores: Scores, port: int, tmp_path: Path, paper: tuple[float, float], language: str
) -> None:
    with chromium(port, tmp_path / "browser") as browser:
        come_in(browser, scores, REED)
        browser.get(f"{URL}/scorecard?lang={language}")
        wide, high = paper
        wanted = {"paperWidth": wide, "paperHeight": high, "printBackground": False, "preferCSSPageSize": False}
        pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", wanted)["data"])
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        shown = browser.find_element(By.TAG_NAME, "main").text
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    for figure in ("80", "62", "79", "91", "66"):
        assert re.search(rf"\b{figure}\s?%", shown), figure
    assert "41" in shown


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_file_that_stands_alone_is_the_same_page(tmp_path: Path, dark: bool) -> None:
    page = tmp_path / "scorecard.html"
    page.write_text(scorecard_as_file(sample_report()), encoding="utf-8")
    with chromium(0, tmp_path / "browser", dark=dark) as browser:
        browser.get(page.as_uri())
        look(browser, "scorecard-file", dark)
        assert complaints(browser) == []
        assert len(browser.find_elements(By.TAG_NAME, "h1")) >= 1
        browser.find_element(By.LINK_TEXT, "Blue team").click()
        assert browser.current_url.endswith("#team-426c7565207465616d")
