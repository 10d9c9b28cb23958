"""Signing in with a school account, and the audit page, in a real browser: light and dark, with and without scripts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from config.secrets import Secrets
from config.settings import OpenId, Role, Staff, Web
from service.connecting.keepsakes import OPENID_SECRET
from service.web.openid import BACK
from store import audit
from tests.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, openid_provider
from tests.service.web.chromium import chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.school_pages import LEE, PARK, RIVERA, URL, SchoolPages, school_pages, settings_of

ACCOUNTS = {
    "park": {"email": PARK, "email_verified": True},
    "rivera": {"email": "Rivera@maple.example", "email_verified": True},
    "outsider": {"email": "somebody@elsewhere.example", "email_verified": True},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    with openid_provider(ACCOUNTS, URL + BACK, tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(provider: OpenIdProvider) -> Iterator[SchoolPages]:
    openid = OpenId(issuer=provider.issuer, client_id=CLIENT_ID, name="Maple Accounts", ca_file=provider.authority)
    staff = (
        Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
        Staff(address=PARK, name="Kim Park", role=Role.ADMINISTRATOR),
    )
    settings = settings_of(web=Web(url=URL, openid=openid), staff=staff)
    with school_pages(settings, secrets=Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})) as made:
        made.clock.now = datetime.now(UTC)
        yield made


@pytest.fixture(scope="module")
def port(pages: SchoolPages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(pages.app, tmp_path_factory.mktemp("served")) as found:
        yield found


def click(browser: Any, selector: str) -> None:
    with next_page(browser):
        browser.find_element(By.CSS_SELECTOR, selector).click()


def sign_in_at_the_provider(pages: SchoolPages, browser: Any, account: str) -> None:
    """The two pages of the provider: who somebody is, and whether these pages may know it."""
    pages.clock.now = datetime.now(UTC)  # it stands still: a token that is a minute ahead is refused
    browser.find_element(By.NAME, "login").send_keys(account)
    browser.find_element(By.NAME, "password").send_keys("any")
    click(browser, "button[type=submit], .login-submit")
    if browser.current_url.startswith("https://127.0.0.1"):
        click(browser, "button[type=submit], .login-submit")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_signs_in_with_a_school_account_and_out_again(
    pages: SchoolPages, port: int, provider: OpenIdProvider, tmp_path: Path, scripts: bool
) -> None:
    with chromium(port, tmp_path, scripts=scripts) as browser:
        browser.get(f"{URL}/how-to-reach-me?language=vi")
        click(browser, "a[href^='/sign-in/openid']")
        assert browser.current_url.startswith(provider.issuer)
        sign_in_at_the_provider(pages, browser, "rivera")
        assert browser.current_url == f"{URL}/how-to-reach-me?language=vi"
        cookies = {cookie["name"]: cookie for cookie in browser.get_cookies()}
        assert cookies["__Host-session"]["httpOnly"]
        assert cookies["__Host-session"]["secure"]
        browser.get(URL)
        assert "Ms. Rivera" in browser.find_element(By.TAG_NAME, "h1").text
        click(browser, 'form[action="/sign-out"] button')
        assert "Maple Accounts" in browser.find_element(By.TAG_NAME, "main").text
        browser.get(f"{URL}/how-to-reach-me")
        assert "/sign-in" in browser.current_url


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_these_pages(
    pages: SchoolPages, port: int, provider: OpenIdProvider, tmp_path: Path, dark: bool
) -> None:
    for number in range(3):
        with pages.database.write() as connection:
            about = f"item {number}, message {number} in {RIVERA}"
            audit.append(connection, at=pages.clock.now, person=LEE, act="opened a message", about=about)
    with chromium(port, tmp_path, dark=dark) as browser:
        browser.get(f"{URL}/sign-in?lang=en")
        look(browser, "openid-sign-in", dark)
        browser.get(f"{URL}{BACK}?state=x&code=x")
        look(browser, "openid-strayed", dark)
        click(browser, "a[href^='/sign-in/openid']")
        sign_in_at_the_provider(pages, browser, "outsider")
        assert "We do not know this account" in browser.find_element(By.TAG_NAME, "h1").text
        look(browser, "openid-not-known", dark)
        click(browser, "a[href^='/sign-in/openid']")  # the provider is to ask again, though it knows who is there
        sign_in_at_the_provider(pages, browser, "park")
        for name, path in (
            ("audit", "/audit"),
            ("audit-es", "/audit?lang=es"),
            ("audit-none", "/audit?lang=en&last=2020-01-01"),
        ):
            browser.get(URL + path)
            look(browser, name, dark)
        click(browser, 'form[action="/sign-out"] button')
        look(browser, "openid-signed-out", dark)


def test_the_audit_page_is_filtered_without_scripts_and_printed_without_its_form(
    pages: SchoolPages, port: int, tmp_path: Path
) -> None:
    with chromium(port, tmp_path, scripts=False) as browser:
        browser.get(f"{URL}/sign-in?lang=en")
        click(browser, "a[href^='/sign-in/openid']")
        sign_in_at_the_provider(pages, browser, "park")
        browser.get(f"{URL}/audit")
        browser.find_element(By.CSS_SELECTOR, f"#person option[value='{PARK}']").click()
        click(browser, "form.choose button")
        assert f"person={PARK.replace('@', '%40')}" in browser.current_url
        actors = {each.text for each in browser.find_elements(By.CSS_SELECTOR, ".log .actor")}
        assert actors == {"Kim Park"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert not browser.find_element(By.CSS_SELECTOR, "form.choose").is_displayed()
        assert browser.find_element(By.CSS_SELECTOR, ".chain").is_displayed()
        assert browser.find_element(By.CSS_SELECTOR, ".log li").is_displayed()
