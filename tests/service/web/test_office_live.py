"""The queue fills while mail arrives: families over SMTP, Dovecot behind it, the service and its pages in this process,
and two people who look at them."""

import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from config import load
from service.assembly import Assembly
from service.runner import Runner
from service.web.app import create_app
from store import audit
from store.database import Database
from tests.servers import dovecot, smtp_sink
from tests.service.town import ANA, BO, EVERYBODY, OFFICE, RIVERA, Town
from tests.service.web.chromium import HOST, PATIENCE, chromium, served
from tests.service.web.looking import next_page
from tests.service.web.office_pages import ALLIANCE, COLE, LEE
from tests.service.web.school_pages import link_in

pytestmark = [pytest.mark.server("chromium"), pytest.mark.server("dovecot")]

URL = f"https://{HOST}"
PAGES = f"""
[web]
url = "{URL}"

[[staff]]
address = "{LEE}"
name = "Sam Lee"
role = "office"

[[staff]]
address = "{COLE}"
name = "Jo Cole"
role = "office"

[[mailboxes]]
address = "{ALLIANCE}"
teacher = "Alliance Inbox"
stage = "observe"
password_env = "PASSWORD"
"""
ROSTER = f"student,guardian_email,language\nLeo Reyes,{ANA},en\nTheo Brandt,{BO},en\n"
BUS = "Please do not let Leo get on the bus today. His father may not pick him up, call me before the bell rings."
INHALER = "Theo has an asthma attack coming and his inhaler is at home. Please call me right now, it is urgent."


class School(Town):
    """The town, with the service at work and its pages open."""

    def begin(self) -> None:
        self.configure()
        text = self.config.read_text()
        text = text.replace('phone = "555 0100"', 'phone = "555 0100"\nminutes = 30')
        text = text.replace("[service]", f'[service]\nnotices_from = "{ALLIANCE}"')
        text = text.replace('languages = ["en", "es"]', 'languages = ["en", "es"]\nroster = "roster.csv"')
        self.config.write_text(text + PAGES)
        (self.folder / "roster.csv").write_text(ROSTER)
        environ = {"PASSWORD": self.dovecot.password}
        settings = load(self.config, environ)
        self.assembly = Assembly.build(settings, database=Database.open("alliance.db", folder=self.folder))
        self.app = create_app(
            settings,
            self.assembly.database,
            open_box=lambda box: self.assembly.open(box, environ),
            clock=self.assembly.clock,
            explain=self.assembly.explain,
        )
        self.runner = Runner(self.assembly, environ=environ)
        self.runner.run_once()  # connects the mailboxes: what comes from now on is new
        self.thread = threading.Thread(target=self.runner.run)
        self.thread.start()

    def end(self) -> None:
        self.runner.stop()
        self.thread.join()
        self.app.state.site.post.close()
        self.assembly.close()

    def link_for(self, address: str) -> str:
        """The link in the mail that lies in somebody's own mailbox."""
        self.app.state.site.post.settle()
        mails = [email.message_from_bytes(each.content, _class=EmailMessage, policy=email.policy.default)
                 for each in self.smtp.arrived if address in each.recipients]  # fmt: skip
        return URL + link_in(mails[-1])


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    with (
        dovecot.running(users=(*EVERYBODY, ALLIANCE, LEE, COLE)) as imap,
        smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp,
    ):
        made = School(tmp_path, imap, smtp)
        made.begin()
        yield made
        made.end()


def sign_in(browser: Any, school: School, address: str) -> None:
    """From the link in a mail to the office: to the sign-in page, by link, and back to where the link led."""
    browser.get(f"{URL}/items?lang=en")
    with next_page(browser):
        browser.find_element(By.ID, "address").send_keys(address, Keys.ENTER)
    browser.get(school.link_for(address))
    with next_page(browser):
        browser.find_element(By.CSS_SELECTOR, 'form[action="/sign-in/link"] button').click()
    assert browser.current_url.startswith(f"{URL}/items")


def until(browser: Any, found: Callable[[], Any]) -> Any:
    return WebDriverWait(browser, PATIENCE).until(lambda _: found())


def rows(browser: Any) -> list[str]:
    return [each.get_attribute("id") for each in browser.find_elements(By.CSS_SELECTOR, "li.matter")]


def test_the_queue_fills_while_mail_arrives_and_two_people_share_the_work(school: School, tmp_path: Path) -> None:
    with served(school.app, tmp_path) as port, chromium(port, tmp_path / "lee") as lee:
        sign_in(lee, school, LEE)
        assert rows(lee) == []
        school.write(ANA, RIVERA, "Leo and the bus", BUS)
        (bus,) = until(lee, lambda: rows(lee))  # nobody has touched the page
        assert "Leo Reyes" in lee.find_element(By.ID, bus).text
        assert "Open: 1." in lee.find_element(By.ID, "standing").text
        lee.find_element(By.CSS_SELECTOR, f"#{bus} button").send_keys("")  # has the focus
        school.write(BO, RIVERA, "Theo's inhaler", INHALER)
        until(lee, lambda: len(rows(lee)) == 2)
        assert rows(lee)[0] == bus  # the oldest first
        assert lee.switch_to.active_element.get_attribute("id") == bus.replace("row-", "act-")
        with chromium(port, tmp_path / "cole") as cole:
            sign_in(cole, school, COLE)
            with next_page(lee):
                lee.switch_to.active_element.send_keys(Keys.ENTER)
            until(cole, lambda: "Taken by Sam Lee" in cole.find_element(By.ID, bus).text)
            assert cole.find_elements(By.CSS_SELECTOR, f"#{bus} button") == []
        with next_page(lee):
            lee.find_element(By.LINK_TEXT, "Read the message").click()
        assert BUS in lee.find_element(By.CSS_SELECTOR, ".text").text
        assert BUS.encode() not in (tmp_path / "alliance.db").read_bytes()
        reference = bus.removeprefix("row-")
        routed = school.smtp.wait_for(1)
        assert any(OFFICE in each.recipients and reference.encode() in each.content for each in routed)
    done = [(entry.person, entry.act) for entry in audit.entries(school.assembly.database)]
    assert [each for each in done if each[0] == LEE][-2:] == [(LEE, "took an item"), (LEE, "opened a message")]
