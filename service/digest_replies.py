"""Hears what a teacher answers to the morning mail: with which families they were in touch, or that a note was wrong.

The morning mail goes from the teacher's mailbox to itself, and so does the answer. It counts where it goes to nobody
else, answers a morning mail of this very mailbox, and comes from its address as far as the mailbox's own headers vouch
for it. Its Message-ID follows from mailbox and day: a record that was lost is no loss here.
"""

from datetime import date, datetime, timedelta
from itertools import chain

import structlog
from sqlalchemy.exc import SQLAlchemyError

from autoresponder.contact_lines import ContactLine, DraftsLine, Line, UnclearLine, UndoLine, lines_of
from autoresponder.digest import digest_message_id
from autoresponder.family import person
from autoresponder.guards import Case, automatic, senders
from autoresponder.identifiers import is_own_message_id, thread_id
from autoresponder.naming import Nobody, Student, meant
from autoresponder.plan import History
from config.settings import MailboxSettings, Settings
from connectors.mailbox import Direction
from connectors.message import Message
from service.entries import Candidate
from service.logs import place
from store.contact_record import NewContact, over_at
from store.contact_replies import ReplyHeard
from store.contact_tables import ContactSource
from store.database import Database
from store.own_students import own_students

log = structlog.get_logger()

_ANSWERED_WITHIN = 60
"""Days after its morning mail in which an answer is still heard."""
_MOST_CONTACTS = 40


class DigestReplies:
    """Understands answers to morning mails. One instance serves all threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """`database` holds the roster."""
        self._settings = settings
        self._database = database

    def heard(self, candidate: Candidate, box: MailboxSettings, now: datetime) -> ReplyHeard | None:
        """What a message says, where it is a teacher's answer to their morning mail; else None. `now` is aware."""
        message, zone = candidate.message, self._settings.school.zone
        if message is None or candidate.raw.backfill or not _is_to_oneself(message, box):
            return None
        at = min(candidate.raw.received_at, now)
        today = at.astimezone(zone).date()
        morning = _morning(candidate, box, today)
        if morning is None or not _is_vouched_for(candidate, message, self._settings, now):
            return None
        try:
            lines = lines_of(message.newest, today)
            contacts, doubts = self._placed(lines, candidate, box, at)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox; the teacher is told
            log.error("an answer to a morning mail could not be read", mailbox=box.address, error=place(error))
            lines, contacts, doubts = (), [], [f"1 {Nobody.UNCLEAR}"]
        undo = next((line for line in lines if isinstance(line, UndoLine)), None)
        return ReplyHeard(
            mailbox=box.address,
            fingerprint=candidate.identity.fingerprint,
            on_day=today,
            at=now,
            contacts=tuple(contacts[:_MOST_CONTACTS]),
            undo=None if undo is None else undo.which,
            undo_line=0 if undo is None else undo.number,
            morning=morning,
            drafts=any(isinstance(line, DraftsLine) for line in lines),
            doubts=tuple(doubts),
        )

    def _placed(
        self, lines: tuple[Line, ...], candidate: Candidate, box: MailboxSettings, at: datetime
    ) -> tuple[list[NewContact], list[str]]:
        """The contacts that lines tell of, and what nothing could be made of, by line and reason."""
        doubts = [f"{line.number} {Nobody.UNCLEAR}" for line in lines if isinstance(line, UnclearLine)]
        told = [line for line in lines if isinstance(line, ContactLine)]
        if not told:
            return [], doubts
        zone = self._settings.school.zone
        with self._database.read() as connection:
            students = own_students(connection, box.address, at.astimezone(zone).date())
        contacts: list[NewContact] = []
        for line in told:
            found = _whom(line, students)
            if isinstance(found, Nobody):
                doubts.append(f"{line.number} {found}")
                continue
            contacts += [
                NewContact(
                    reference=f"reply:{box.address}:{candidate.identity.fingerprint}:{line.number}:{student.id}",
                    mailbox=box.address,
                    student=student.id,
                    on_day=line.on,
                    kind=line.kind,
                    tone=line.tone,
                    reached=line.reached,
                    source=ContactSource.REPLY,
                    over_at=over_at(line.on, at, zone),
                    logged_by=box.address,
                )
                for student in found
            ]
        return contacts, sorted(doubts, key=_line_number)


def _whom(line: ContactLine, students: list[Student]) -> list[Student] | Nobody:
    """The students whose families a line names, one of each; or why nobody can tell."""
    first = meant(line.name, students, with_family=line.with_family)
    if isinstance(first, Nobody):
        return first
    found = {first.family: first}
    for name in line.perhaps:
        further = meant(name, students, with_family=line.with_family)
        if isinstance(further, Student):
            if name.kin or name.titled or len(name.words) > 1:
                found.setdefault(further.family, further)
        elif further is Nobody.SEVERAL:
            return further
    return list(found.values())


def _is_to_oneself(message: Message, box: MailboxSettings) -> bool:
    """Whether it goes from the mailbox to itself and to nobody else."""
    author = message.sender.email if message.sender else ""
    recipients = {person(each.email) for each in chain(message.to, message.cc, message.bcc) if each.email}
    return person(author) == person(box.address) and recipients == {person(box.address)}


def _morning(candidate: Candidate, box: MailboxSettings, today: date) -> date | None:
    """The day of the mailbox's morning mail that a message answers: the nearest that it names, by Message-ID, or by
    what References carry on where the server gave our mail another."""
    named = [each for each in candidate.identity.references if is_own_message_id(each)]
    if not named:
        return None
    days = {
        name: day
        for day in (today - timedelta(days=back) for back in range(_ANSWERED_WITHIN + 1))
        for name in (digest_message_id(box.address, day), thread_id(digest_message_id(box.address, day)))
    }
    return next((days[each] for each in named if each in days), None)


def _is_vouched_for(candidate: Candidate, message: Message, settings: Settings, now: datetime) -> bool:
    """Whether a person wrote it who may: what lies in Sent the teacher sent; what came in has to be from where it says,
    and from no program."""
    case = Case(message=message, history=History(connected_at=now), norm=settings.norm, now=now)
    guards = [automatic.auto_submitted, automatic.own_mail]
    if candidate.raw.direction is Direction.RECEIVED:
        guards.append(senders.spoofed)
    return all(guard(case) is None for guard in guards)


def _line_number(doubt: str) -> int:
    return int(doubt.partition(" ")[0])
