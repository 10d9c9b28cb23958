"""The pages in a real browser: signing in end to end, without scripts too, and readable for everybody."""

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from config.secrets import Secrets
from config.settings import MailboxSettings, MaildirFolder, Settings, Stage
from connectors.mailbox import Mailbox
from connectors.registry import open_mailbox
from service.web.app import create_app
from store.database import Database
from tests.service.web.chromium import HOST, chromium, served
from tests.service.web.looking import look, next_page
from tests.service.web.school_pages import ALLIANCE, LEE, RIVERA, link_in, settings_of

pytestmark = pytest.mark.server("chromium")

URL = f"https://{HOST}"


def now() -> datetime:
    return datetime.now(UTC)


class School:
    """The pages, served over TLS, with a Maildir that links are sent from."""

    def __init__(self, folder: Path) -> None:
        self.outgoing = folder / "outgoing"
        for name in ("alliance", "outgoing"):
            for part in ("new", "cur", "tmp"):
                (folder / name / part).mkdir(parents=True)
        maildir = MaildirFolder(path=folder / "alliance", outgoing=self.outgoing)
        self.settings: Settings = settings_of(
            mailboxes=(
                MailboxSettings(
                    address=RIVERA, teacher="Ms. Rivera", connector="maildir", maildir=maildir, stage=Stage.REPLY
                ),
                MailboxSettings(address=ALLIANCE, teacher="x", connector="maildir", maildir=maildir),
            )
        )
        self.database = Database.open("alliance.db", folder=folder)
        self.app = create_app(self.settings, self.database, open_box=self._open, clock=now)

    def _open(self, box: MailboxSettings) -> Mailbox:
        return open_mailbox(box, self.settings, Secrets.in_memory())

    def link_for(self, address: str) -> str:
        """The link in the mail that left last for an address."""
        self.app.state.site.post.settle()
        mails = [
            email.message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=email.policy.default)
            for path in sorted((self.outgoing / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        ]
        (*_, mail) = [mail for mail in mails if mail["To"] == address]
        return URL + link_in(mail)

    def close(self) -> None:
        self.app.state.site.post.close()
        self.database.close()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    made = School(tmp_path_factory.mktemp("school"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def port(school: School, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(school.app, tmp_path_factory.mktemp("served")) as found:
        yield found


def type_address(browser: Any, address: str) -> None:
    """Types an address and sends the form with the keyboard alone."""
    with next_page(browser):
        browser.find_element(By.ID, "address").send_keys(address, Keys.ENTER)


def ask(browser: Any, address: str) -> None:
    browser.delete_all_cookies()
    browser.get(f"{URL}/sign-in?lang=en")
    type_address(browser, address)


def press(browser: Any, action: str) -> None:
    with next_page(browser):
        browser.find_element(By.CSS_SELECTOR, f'form[action="{action}"] button').click()


def sign_in(browser: Any, school: School, address: str) -> None:
    ask(browser, address)
    browser.get(school.link_for(address))
    press(browser, "/sign-in/link")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_signs_in_by_link_looks_around_and_signs_out(
    school: School, port: int, tmp_path: Path, scripts: bool
) -> None:
    with chromium(port, tmp_path, scripts=scripts) as browser:
        browser.get(f"{URL}/how-to-reach-me?language=vi")
        assert "/sign-in?next=" in browser.current_url
        type_address(browser, RIVERA)
        assert browser.current_url == f"{URL}/sign-in/sent"
        browser.get(school.link_for(RIVERA))
        assert "Ms. Rivera" in browser.find_element(By.TAG_NAME, "main").text
        press(browser, "/sign-in/link")
        assert browser.current_url == f"{URL}/how-to-reach-me?language=vi"
        assert browser.find_element(By.CSS_SELECTOR, "article[lang=vi]").text
        browser.find_element(By.CSS_SELECTOR, "#language option[value=ar]").click()
        press(browser, "/how-to-reach-me")
        assert browser.find_element(By.CSS_SELECTOR, "article[dir=rtl]").text
        assert browser.find_element(By.ID, "teacher").get_attribute("value") == RIVERA
        browser.get(URL)
        assert "Ms. Rivera" in browser.find_element(By.TAG_NAME, "h1").text
        press(browser, "/sign-out")
        assert browser.current_url == f"{URL}/signed-out"
        browser.get(URL)
        assert browser.current_url == f"{URL}/sign-in"


def test_the_keyboard_gets_everywhere_and_can_skip_the_navigation(school: School, port: int, tmp_path: Path) -> None:
    with chromium(port, tmp_path) as browser:
        sign_in(browser, school, LEE)
        browser.get(URL)
        browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        first = browser.switch_to.active_element
        assert first.get_attribute("class") == "skip"
        assert first.rect["y"] >= 0  # visible once it has the focus
        first.send_keys(Keys.ENTER)
        assert browser.switch_to.active_element.get_attribute("id") == "main"
        reached = set()
        for _ in range(12):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            focused = browser.switch_to.active_element
            if focused.tag_name == "body":
                break  # once around
            reached.add(focused.text)
            assert focused.value_of_css_property("outline-style") == "solid", focused.text
        assert {"How to reach me", "Sign out everywhere", "Español"} <= reached


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(school: School, port: int, tmp_path: Path, dark: bool) -> None:
    with chromium(port, tmp_path, dark=dark) as browser:
        browser.get(f"{URL}/sign-in")
        look(browser, "sign-in", dark)
        browser.execute_script("document.querySelector('main form').noValidate = true")
        type_address(browser, "nobody")
        look(browser, "sign-in-problem", dark)
        ask(browser, LEE)
        look(browser, "sent", dark)
        browser.get(school.link_for(LEE))
        look(browser, "confirm", dark)
        press(browser, "/sign-in/link")
        look(browser, "office", dark)
        sign_in(browser, school, RIVERA)
        for name, path in (
            ("home", "/"),
            ("home-es", "/?lang=es"),
            ("reach-me", "/how-to-reach-me?lang=en"),
            ("reach-me-ar", "/how-to-reach-me?language=ar"),
            ("not-found", "/nowhere"),
            ("used-up", "/sign-in/link/none"),
        ):
            browser.get(URL + path)
            look(browser, name, dark)
        browser.get(URL)
        press(browser, "/sign-out")
        look(browser, "signed-out", dark)
