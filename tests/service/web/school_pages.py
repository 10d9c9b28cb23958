"""A school's web pages, with a browser that can be told from others, a mail system in memory and a clock to move."""

import email
import email.policy
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi.testclient import TestClient

from config.secrets import Secrets
from config.settings import MailboxSettings, Office, Role, School, Service, Settings, Staff, Web
from connectors.mailbox import Mailbox
from service.notifications import Receive
from service.web.app import create_app
from service.web.site import Site
from store.database import Database
from tests.service.mailbox_in_memory import MailSystem

RIVERA, LEE, PARK, ALLIANCE = (
    "rivera@maple.example",
    "lee@maple.example",
    "park@maple.example",
    "alliance@maple.example",
)
STRANGER = "somebody@elsewhere.example"
URL = "https://inbox.maple.example"
TUESDAY = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
"""Ten in the morning in Chicago, on a school day."""


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = TUESDAY

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


def settings_of(**changes: Any) -> Settings:
    """Maple Street School: a teacher, somebody at the office, an administrator."""
    whole: dict[str, Any] = {
        "school": School(name="Maple Street School", timezone="America/Chicago"),
        "office": Office(address="office@maple.example", phone="(608) 555-0142"),
        "service": Service(database="sqlite://", notices_from=ALLIANCE),
        "web": Web(url=URL),
        "staff": (
            Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
            Staff(address=PARK, name="Kim Park", role=Role.ADMINISTRATOR),
        ),
        "mailboxes": (
            MailboxSettings(address=RIVERA, teacher="Ms. Rivera", connector="memory"),
            MailboxSettings(address=ALLIANCE, teacher="Alliance Inbox", connector="memory"),
        ),
    }
    return Settings(**(whole | changes))


@cache
def empty_database() -> bytes:
    """A database file whose tables are made: making them takes longer than most tests."""
    with TemporaryDirectory() as folder:
        Database.open("alliance.db", folder=Path(folder)).close()
        return (Path(folder) / "alliance.db").read_bytes()


class SchoolPages:
    """The pages of one worker process. `beside` is another worker's: they share nothing but the database's file, the
    mail system and the time."""

    def __init__(
        self,
        folder: Path,
        settings: Settings | None = None,
        *,
        beside: "SchoolPages | None" = None,
        notified: Receive | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.settings = settings or (beside.settings if beside else settings_of())
        self.folder = folder
        if beside is None:
            (folder / "alliance.db").write_bytes(empty_database())
        self.database = Database.open("alliance.db", folder=folder)
        self.system = beside.system if beside else MailSystem()
        self.clock = beside.clock if beside else Clock()
        self.app = create_app(
            self.settings,
            self.database,
            open_box=self._open,
            clock=self.clock,
            notified=notified,
            secrets=secrets,
        )

    @property
    def site(self) -> Site:
        site: Site = self.app.state.site
        return site

    def _open(self, box: MailboxSettings) -> Mailbox:
        return self.system.open(box.address)

    @contextmanager
    def another_worker(self, settings: Settings | None = None) -> Iterator["SchoolPages"]:
        other = SchoolPages(self.folder, settings, beside=self)
        try:
            yield other
        finally:
            other.close()

    def close(self) -> None:
        self.site.post.close()
        self.database.close()

    def dump(self) -> str:
        """Everything that stands in the database."""
        with closing(sqlite3.connect(self.folder / "alliance.db")) as connection:
            return "\n".join(connection.iterdump())

    def browser(self, *, client: str = "198.51.100.7", **headers: str) -> "Browser":
        return Browser(self, client, headers)

    def mails(self) -> list[EmailMessage]:
        """What really left, oldest first."""
        self.site.post.settle()
        return [
            email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
            for _, raw in self.system.departed
        ]

    def link_for(self, address: str) -> str:
        """The path of the latest link that was sent to an address."""
        (*_, mail) = [mail for mail in self.mails() if mail["To"] == address]
        return link_in(mail)


def link_in(mail: EmailMessage) -> str:
    """The path of the link in a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(rf"^{re.escape(URL)}(/\S+)\s*$", body.get_content(), flags=re.MULTILINE)
    assert found is not None, body.get_content()
    return found[1]


@contextmanager
def school_pages(
    settings: Settings | None = None, *, notified: Receive | None = None, secrets: Secrets | None = None
) -> Iterator[SchoolPages]:
    with TemporaryDirectory() as folder:
        pages = SchoolPages(Path(folder), settings, notified=notified, secrets=secrets)
        try:
            yield pages
        finally:
            pages.close()


class Browser:
    """One browser: its cookies, and forms filled in as they were shown."""

    def __init__(self, pages: SchoolPages, client: str, headers: dict[str, str]) -> None:
        self.pages = pages
        self.http = TestClient(
            pages.app, base_url=URL, follow_redirects=False, raise_server_exceptions=False, client=(client, 50000)
        )
        self.http.headers.update({"Accept-Language": "en", **headers})

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(path, headers=headers)

    def send(self, shown_at: str, action: str, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """Opens a page and sends its form to `action`, with what it holds and `fields`."""
        form = form_at(self.get(shown_at).text, action)
        return self.http.post(action, data={**form, **fields}, headers=headers or {})

    def ask(self, address: str, **fields: str) -> Any:
        return self.send("/sign-in", "/sign-in", address=address, **fields)

    def sign_in(self, address: str) -> Any:
        """The whole way, by mail."""
        assert self.ask(address).status_code == 303
        return self.send(self.pages.link_for(address), "/sign-in/link")


class Forms(HTMLParser):
    """The forms of a page that are posted: where to, and their hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: unescape(value or "") for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self.forms.append((given["action"], {}))
        elif tag == "input" and given.get("type") == "hidden" and self.forms:
            self.forms[-1][1][given["name"]] = given["value"]


def form_at(html: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form that goes to `action`."""
    parser = Forms()
    parser.feed(html)
    return next(fields for goes_to, fields in parser.forms if goes_to == action)
