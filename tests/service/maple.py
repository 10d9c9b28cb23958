"""Maple Street School on a mail system in memory: the real core, real guards, real words; the subject says the tag."""

import email
import email.policy
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from itertools import count

from sqlmodel import Session, SQLModel, col, select

from classifier.corpus_check import TOPICS
from classifier.verdict import Letter, Verdict
from config import SchoolCalendar
from config.settings import Desk, MailboxSettings, Norm, Office, School, Settings, Stage
from config.settings import Service as ServiceSettings
from connectors.errors import MailboxError
from connectors.labels import Label, Tag
from connectors.mailbox import Mailbox
from scorecard.roster import Roster
from service.assembly import Assembly
from service.delivery import Delivered, Deliverer
from service.escalation import escalate
from service.following import follow
from service.pipeline import Pipeline, Swept
from service.reminding import remind
from service.sent_letters import GoodNewsReader
from service.steps import OnStep, no_step
from store import audit
from store.database import Database
from store.pages import Page, Pages
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord
from tests.service.mailbox_in_memory import MailSystem, MemoryMailbox

RIVERA, OKAFOR, OFFICE = "rivera@maple.example", "okafor@maple.example", "office@maple.example"
ANA, BO = "ana@family.example", "bo@family.example"
SCHOOL_TOML = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"

[office]
address = "office@maple.example"
phone = "555 0100"
"""
"""Where the configuration files of its tests begin."""
TUESDAY = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
"""Ten in the morning in Chicago, on a school day."""


_SPARE: list[Database] = []
"""Databases that no test uses any more: an engine that has compiled its statements is five times as fast."""


def _empty_database() -> Database:
    if not _SPARE:
        return Database.in_memory()
    database = _SPARE.pop()
    if next(audit.entries(database), None) is not None:  # nobody can empty the audit log
        with closing(sqlite3.connect(":memory:")) as fresh, closing(database.engine.raw_connection()) as connection:
            fresh.deserialize(_as_made())
            fresh.backup(connection.driver_connection)  # type: ignore[arg-type]
        return database
    with database.write() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
    return database


@cache
def _as_made() -> bytes:
    """A database whose tables have just been made."""
    database = Database.in_memory()
    with closing(database.engine.raw_connection()) as connection:
        made: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    database.close()
    return made


class SubjectSays:
    """Stands in for the classifier: the subject's first word is the tag, routine where it is none; "unsure" in the
    subject means that, and a topic's name that topic; what says "quarrel" is a conflict where it is not urgent. Chokes
    on what says so."""

    version = "the subject says"

    def read(self, letters: Iterable[Letter], *, explain: bool = True) -> Iterator[Verdict]:
        for letter in letters:
            if "choke" in letter.subject:
                raise RuntimeError(f"a model that quotes what it chokes on: {letter.body}")
            first = letter.subject.partition(" ")[0]
            tag = Tag(first) if first in set(Tag) else Tag.ROUTINE
            urgent, conflict = float(tag is Tag.URGENT), float(tag is Tag.CONFLICT)
            topic = next((word for word in letter.subject.split() if word in TOPICS), "other")
            otherwise = Tag.CONFLICT if "quarrel" in letter.subject else Tag.ROUTINE
            unsure = "unsure" in letter.subject
            yield Verdict(urgent, conflict, tag, unsure=unsure, language="en", topic=topic, otherwise=otherwise)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = TUESDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Time passes."""
        self.now += timedelta(**amount)


class Maple:
    """The school: its mail system, its clock, its database, and the core working on them as one worker of many."""

    def __init__(
        self,
        *,
        stage: Stage = Stage.REPLY,
        atomic_send: bool = False,
        database: Database | None = None,
        settings: Mapping[str, object] | None = None,
        teachers: Sequence[str] = (RIVERA, OKAFOR),
        office: Mapping[str, object] | None = None,
        desks: Sequence[Desk] = (),
        norm: Norm | None = None,
        roster: Roster | None = None,
        away: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`away` are the days that a teacher's settings name, by address."""
        self.clock = Clock()
        self.system = MailSystem(self.clock, atomic_send)
        self.database = database or _empty_database()
        if database is None:
            weakref.finalize(self, _SPARE.append, self.database)
        self.settings = Settings(
            school=School(name="Maple Street School", timezone="America/Chicago"),
            office=Office(**{"address": OFFICE, "phone": "555 0100", **(office or {})}),
            desks=tuple(desks),
            norm=norm or Norm(),
            service=ServiceSettings(**(settings or {})),
            mailboxes=tuple(
                MailboxSettings(
                    address=address,
                    teacher=f"Ms. {address.partition('@')[0].title()}",
                    stage=stage,
                    away=tuple((away or {}).get(address, ())),
                )
                for address in teachers
            ),
        )
        self.roster = roster or Roster()
        self.judge: GoodNewsReader | None = None
        """Who tells good news; nobody until a test says so."""
        self._letters = count(1)

    def box(self, address: str = RIVERA, *, stage: Stage | None = None) -> MailboxSettings:
        """A mailbox's settings."""
        box = self.settings.mailbox(address)
        return box if stage is None else box.model_copy(update={"stage": stage})

    def assembly(self, on_step: OnStep = no_step) -> Assembly:
        """The parts of the service, with mailboxes that open on the mail system. `on_step` is told of commits, too."""
        system = self.system

        class InMemory(Assembly):
            __slots__ = ()

            def open(self, box: MailboxSettings, environ: Mapping[str, str] | None = None) -> Mailbox:
                return system.open(box.address)

        class InSteps(Pages):
            def commit(self, page: Page) -> None:
                on_step("page planned", 0)
                super().commit(page)
                on_step("page recorded", 0)

        calendar = SchoolCalendar.of(self.settings.school, self.settings.office)
        pages, model, roster = InSteps(self.database), SubjectSays(), self.roster
        return InMemory(
            settings=self.settings,
            calendar=calendar,
            database=self.database,
            pages=pages,
            classifier=model,  # type: ignore[arg-type]
            roster=roster,
            clock=self.clock,
            pipeline=Pipeline(self.settings, calendar, pages, model, roster, self.clock, self.judge),
        )

    def mailbox(self, address: str = RIVERA) -> MemoryMailbox:
        """A fresh connection to a mailbox."""
        return self.system.open(address)

    def sweep(self, address: str = RIVERA, *, stage: Stage | None = None, on_step: OnStep = no_step) -> list[Swept]:
        """Reads what is new in a mailbox."""
        return list(self.assembly(on_step).pipeline.sweep(self.box(address, stage=stage), self.mailbox(address)))

    def deliver(self, address: str = RIVERA, *, stage: Stage | None = None, on_step: OnStep = no_step) -> Delivered:
        """Carries out what is due in a mailbox."""
        assembly = self.assembly()
        box = self.box(address, stage=stage)
        follow(box, self.mailbox(address), assembly)
        escalate(box, assembly.items(), self.settings, assembly.calendar, self.clock())
        remind(box, assembly.cases(), self.settings, assembly.calendar, self.clock())
        deliverer: Deliverer = assembly.deliverer(on_step=on_step)
        return deliverer.deliver(self.box(address, stage=stage), self.mailbox(address))

    def round(self, *, on_step: OnStep = no_step) -> None:
        """One round over every mailbox; a mailbox that fails waits for the next, as in the runner."""
        for box in self.settings.mailboxes:
            with suppress(MailboxError):
                self.sweep(box.address, on_step=on_step)
                self.deliver(box.address, on_step=on_step)

    def rounds(self, number: int = 6, **apart: float) -> None:
        """Several rounds, some time apart: half an hour unless told otherwise."""
        for _ in range(number):
            self.round()
            self.clock.forward(**(apart or {"minutes": 30}))

    def write(
        self,
        subject: str = "routine question",
        sender: str = ANA,
        *,
        to: Sequence[str] = (RIVERA,),
        body: str = "Thank you for your help.",
        at: datetime | None = None,
        **headers: str | None,
    ) -> str:
        """A family writes to teachers. Returns the Message-ID without brackets; None for a header leaves it out."""
        mail = letter(next(self._letters), subject, sender, to, body, self.clock(), headers)
        self.system.deliver(mail.as_bytes(policy=email.policy.SMTP), *to, at=at)
        return str(mail["Message-ID"] or "").strip("<>")

    def teacher_answers(self, message_id: str, address: str = RIVERA) -> None:
        """The teacher answers in their own mail program."""
        mail = letter(next(self._letters), "Re: question", address, [ANA], "I call you.", self.clock(), {})
        mail["In-Reply-To"] = mail["References"] = f"<{message_id}>"
        self.system.put(self.system.account(address), "sent", mail.as_bytes(policy=email.policy.SMTP))

    def teacher_writes(
        self,
        body: str = "Well done, Mia!",
        *to: str,
        subject: str = "Hello",
        address: str = RIVERA,
        **headers: str | None,
    ) -> str:
        """The teacher writes to a family in their own mail program. Returns the Message-ID without brackets."""
        mail = letter(next(self._letters), subject, address, to or (ANA,), body, self.clock(), headers)
        self.system.put(self.system.account(address), "sent", mail.as_bytes(policy=email.policy.SMTP))
        return str(mail["Message-ID"]).strip("<>")

    def relabel(self, message_id: str, *labels: Label, address: str = RIVERA) -> None:
        """The teacher makes these the message's labels."""
        account = self.system.account(address)
        self.system.label(account, self.system.id_of(account, message_id), frozenset(labels))

    def delete(self, message_id: str, address: str = RIVERA) -> None:
        """The teacher deletes a message."""
        account = self.system.account(address)
        self.system.remove(account, self.system.id_of(account, message_id))

    def labels(self, message_id: str, address: str = RIVERA) -> set[Label]:
        """The labels that a message shows in the teacher's mail program."""
        account = self.system.account(address)
        shown = account.inbox | account.sent
        return set(shown[self.system.id_of(account, message_id)].labels)

    def answers(self, family: str = ANA) -> list[EmailMessage]:
        """The automatic answers that really left for a family."""
        return [mail for mail in self._departed() if mail["To"] == family and mail["Auto-Submitted"] == "auto-replied"]

    def routed(self) -> list[str]:
        """Subjects of the originals that really left for the office, once for each time."""
        attached = (part for mail in self.to_office() for part in mail.iter_attachments())
        return [part.get_payload(0)["Subject"] for part in attached]  # type: ignore[index]

    def to_office(self) -> list[EmailMessage]:
        """Everything that really left for the office."""
        return [mail for mail in self._departed() if mail["To"] == OFFICE]

    def drafts(self, address: str = RIVERA) -> list[bytes]:
        """What lies in Drafts."""
        return [stored.raw for stored in self.system.account(address).drafts.values()]

    def unsent(self, address: str = RIVERA) -> list[bytes]:
        """What lies in Drafts and is the service's to send; a draft of the teacher's answer is the teacher's."""
        return [raw for raw in self.drafts(address) if b"Message-ID: <alliance.draft." not in raw]

    def deliveries(self, kind: DeliveryKind | None = None) -> list[Delivery]:
        """The outbox, oldest first."""
        query = select(Delivery).order_by(col(Delivery.id))
        with Session(self.database.engine) as session:
            found = list(session.exec(query if kind is None else query.where(col(Delivery.kind) == kind)))
            session.expunge_all()
        return found

    def states(self, kind: DeliveryKind) -> list[DeliveryState]:
        """Where the deliveries of a kind stand, oldest first."""
        return [delivery.state for delivery in self.deliveries(kind)]

    def records(self) -> list[MessageRecord]:
        """The messages on record, in order."""
        with Session(self.database.engine) as session:
            found = list(session.exec(select(MessageRecord).order_by(col(MessageRecord.id))))
            session.expunge_all()
        return found

    def _departed(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
            for _, raw in self.system.departed
        ]


def letter(
    number: int,
    subject: str,
    sender: str,
    to: Sequence[str],
    body: str,
    at: datetime,
    headers: Mapping[str, str | None],
) -> EmailMessage:
    """A letter as a mail program writes it."""
    mail = EmailMessage()
    fields: dict[str, str | None] = {
        "From": sender,
        "To": ", ".join(to),
        "Subject": subject,
        "Date": format_datetime(at),
        "Message-ID": f"<letter-{number}@{sender.partition('@')[2]}>",
    }
    for name, value in (fields | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        if value is not None:
            mail[name] = value
    mail.set_content(body)
    return mail
