"""Maple Street School with its web pages: families write, the service reads, and the staff look at the queue."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autoresponder.items import Word
from classifier.verdict import Reason
from config.settings import Desk, MailboxSettings, Role, Service, Staff, Stage, Web
from connectors.mailbox import Mailbox
from connectors.message import Message
from service.web.app import create_app
from service.web.cookies import SESSION
from service.web.rendering import asset
from store.access import new_secret
from store.database import Database
from store.queue import Queue, Queued
from store.tables import MessageRecord
from tests.service.maple import ANA, BO, OFFICE, OKAFOR, RIVERA, Maple
from tests.service.web.school_pages import ALLIANCE, LEE, PARK, URL, Browser, SchoolPages, empty_database

COLE, NURSE, VEGA, REED = "cole@maple.example", "nurse@maple.example", "vega@maple.example", "reed@maple.example"
"""A second person at the office, the nurse, the counselor, the head of the school."""
DESKS = (
    Desk(name="nurse", recipients=(NURSE,), topics=("health",), minutes=15),
    Desk(name="counselor", recipients=(VEGA,), topics=("safety", "wellbeing"), office_too=False),
)
STAFF = (
    Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
    Staff(address=COLE, name="Jo Cole", role=Role.OFFICE),
    Staff(address=NURSE, name="Nurse Hale", role=Role.OFFICE),
    Staff(address=VEGA, name="Mr. Vega", role=Role.OFFICE),
    Staff(address=REED, name="Dr. Reed", role=Role.LEADER),
    Staff(address=PARK, name="Kim Park", role=Role.ADMINISTRATOR),
)
CHO, DIAZ, WEST = "cho@family.example", "diaz@family.example", "west@family.example"
ROSTER = f"""student,guardian_email,language
Maya Lopez,{ANA},es
Leo Lopez,{ANA},es
Theo Brandt,{BO},en
Mina Cho,{CHO},ko
Nico Diaz,{DIAZ},es
Ivy West,{WEST},en
"""


def why(message: Message) -> Sequence[Reason]:
    """Stands in for the classifier's reasons."""
    sentences = re.split(r"(?<=[.?!])\s+|\n\n", message.newest)
    found = next((each for each in sentences if "today" in each or "?" in each), sentences[0])
    return (Reason("needs somebody today", " ".join(found.split())),)


class OfficePages(SchoolPages):
    """The pages of one worker process, and the service that fills them."""

    def __init__(self, folder: Path, *, beside: "OfficePages | None" = None) -> None:
        self.folder = folder
        if beside is None:
            (folder / "alliance.db").write_bytes(empty_database())
            (folder / "roster.csv").write_text(ROSTER)
        self.database = Database.open("alliance.db", folder=folder)
        self.maple = beside.maple if beside else _maple(self.database, folder)
        self.settings, self.system, self.clock = self.maple.settings, self.maple.system, self.maple.clock  # type: ignore[assignment]
        self.app = create_app(self.settings, self.database, open_box=self._open, clock=self.clock, explain=why)

    def _open(self, box: MailboxSettings) -> Mailbox:
        return self.system.open(box.address)

    @contextmanager
    def another_worker(self, settings: object = None) -> Iterator["OfficePages"]:
        other = OfficePages(self.folder, beside=self)
        try:
            yield other
        finally:
            other.close()

    def comes(self, subject: str, sender: str = ANA, **more: Any) -> str:
        """A family writes, and the service reads it. Returns the item's reference."""
        message_id = self.maple.write(subject, sender, **{"body": f"Thank you, {len(self.items())}.", **more})
        self.maple.round()
        return self.item_of(message_id).item.reference

    def items(self) -> list[Queued]:
        """All items, oldest first."""
        return Queue(self.database).listing(self.clock.now.replace(year=2000))

    def item_of(self, message_id: str) -> Queued:
        """The item that a message belongs to."""
        return next(each for each in self.items() if any(m.rfc_message_id == message_id for m in each.messages))

    def item(self, reference: str) -> Queued:
        """The item with a reference."""
        return next(each for each in self.items() if each.item.reference == reference)

    def last_message(self, reference: str) -> MessageRecord:
        """An item's last message."""
        return self.item(reference).messages[-1]

    def session_of(self, address: str) -> str:
        """What stands in the cookie of somebody who came in by a link."""
        link, session, now = new_secret(), new_secret(), self.clock()
        access = self.site.access
        access.ask(link, address, destination="/", attempts=(), now=now, valid=timedelta(minutes=5))
        assert access.redeem(link, session, now=now, lasting=timedelta(hours=12)) is not None
        return session

    def signed_in(self, address: str) -> Browser:
        """Somebody's browser."""
        browser = self.browser()
        browser.http.cookies.set(SESSION, self.session_of(address), domain=URL.removeprefix("https://"), path="/")
        return browser

    def says(self, browser: Browser, reference: str, word: str, shown_at: str = "") -> Any:
        """Presses a button on an item's page, or on the page `shown_at`."""
        path = f"/items/{reference}"
        return browser.send(shown_at or path, path, word=word)


@dataclass(frozen=True)
class Letter:
    """What a family writes in the morning that the pictures show; the first words are for the classifier's stand-in."""

    minutes: int
    """After half past eight."""
    sender: str
    says: str
    subject: str
    body: str
    to: str = RIVERA


MORNING = (
    Letter(6, CHO, "urgent attendance", "Absent today", "Good morning, Mina has a cold and stays home today."),
    Letter(31, DIAZ, "urgent whereabouts", "Did Nico arrive?", "The bus was late. Please tell me that he is there."),
    Letter(60, BO, "urgent health", "Theo's inhaler", "Theo left his inhaler at home, and he has PE at eleven.\n\nI "
           "can bring it to the office before then. Could somebody call me?\n\nBo Brandt"),
    Letter(78, ANA, "urgent pickup_transport", "Today's pickup", "Dear Ms. Rivera,\n\nplease let Maya out at 12:30 "
           "today, she has a doctor's appointment. Her aunt Carmen picks her up at the front office, not the bus.\n\n"
           "Thank you,\nAna Lopez"),
    Letter(84, WEST, "routine technology", "Lost password", "Ivy cannot sign in at home.", OKAFOR),
)  # fmt: skip


def busy_morning(pages: OfficePages) -> dict[str, str]:
    """Half a morning at the office, up to 10:08. Returns the items' references by topic."""
    begins = pages.clock.now.replace(hour=14, minute=30)  # 8:30 in Chicago
    pages.clock.now = begins
    references = {}
    store = Queue(pages.database)
    for letter in MORNING:
        pages.clock.now = begins + timedelta(minutes=letter.minutes)
        references[letter.says.split()[1]] = pages.comes(letter.says, letter.sender, to=[letter.to], body=letter.body)
        for topic, minute, word in (("attendance", 31, Word.DONE), ("whereabouts", 60, Word.TAKEN)):
            if letter.minutes == minute:
                queued = pages.item(references[topic])
                store.say(queued, word, COLE, pages.clock.now, shown=queued.version)
        _as_written(pages, letter)
    pages.clock.now = begins + timedelta(minutes=98)
    pages.maple.round()
    return references


def paths_of(pages: OfficePages, references: dict[str, str]) -> dict[str, str]:
    """A page of each kind."""
    items = {topic: f"/items/{references[topic]}" for topic in ("health", "whereabouts", "attendance")}
    pickup = references["pickup_transport"]
    return {
        "queue": "/items?lang=en",
        **{f"item-{topic}": path for topic, path in items.items()},
        "message": f"/items/{pickup}/messages/{pages.last_message(pickup).id}",
    }


def come_in(browser: Any, pages: OfficePages, address: str) -> None:
    """Somebody is signed in with a real browser."""
    browser.delete_all_cookies()
    browser.get(f"{URL}{asset('mark.svg')}")
    browser.add_cookie({"name": SESSION, "value": pages.session_of(address), "secure": True, "path": "/"})
    browser.get(URL)


def _as_written(pages: OfficePages, letter: Letter) -> None:
    """The subject in the mailbox is the family's own."""
    inbox = pages.system.account(letter.to).inbox
    for number, stored in inbox.items():
        raw = stored.raw.replace(f"Subject: {letter.says}".encode(), f"Subject: {letter.subject}".encode())
        inbox[number] = replace(stored, raw=raw)


def _maple(database: Database, folder: Path) -> Maple:
    maple = Maple(
        database=database,
        desks=DESKS,
        office={"minutes": 30, "members": (LEE, COLE), "routine_topics": ("technology",)},
    )
    school = maple.settings.school.model_copy(update={"roster": folder / "roster.csv"})
    alliance = MailboxSettings(address=ALLIANCE, teacher="Alliance Inbox", connector="memory", stage=Stage.OBSERVE)
    changes = {
        "school": school,
        "service": Service(database="sqlite://", notices_from=ALLIANCE),
        "web": Web(url=URL),
        "staff": STAFF,
        "mailboxes": (*maple.settings.mailboxes, alliance),
    }
    maple.settings = maple.settings.model_copy(update=changes)
    maple.round()
    return maple


@contextmanager
def office_pages() -> Iterator[OfficePages]:
    with TemporaryDirectory() as folder:
        pages = OfficePages(Path(folder))
        try:
            yield pages
        finally:
            pages.close()


__all__ = ["ALLIANCE", "ANA", "BO", "COLE", "LEE", "NURSE", "OFFICE", "OKAFOR", "PARK", "REED", "RIVERA", "VEGA"]
