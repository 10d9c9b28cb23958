"""Erases what is on record about a family, and keeps it from coming back by itself.

Everything happens in one transaction with its receipt and its entry in the audit log: a kill leaves all of it or
nothing. The bytes go afterwards; where that was broken off, the next `alliance forget` or `alliance purge` does it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlmodel import col

from autoresponder.family import family_key, person
from autoresponder.items import ItemState
from config import SchoolCalendar
from config.settings import Settings
from scorecard.erased_figures import ErasedFigures, Leaving
from scorecard.household import Household, household_of, matches_of
from scorecard.roster_reading import homes
from service.privacy.receipts import Receipt, write_receipt
from store import audit
from store.answer_tables import AnswerLetOut
from store.case_tables import CaseMail, ConflictCase, TeacherLetter
from store.chunks import chunks
from store.contact_tables import Contact, Incident
from store.database import Database
from store.erasing import (
    Erased,
    Mail,
    erase_messages,
    keep_away,
    mail_of,
    under_way,
    without_recipients,
    without_thread_names,
)
from store.erasure_tables import AuditName
from store.glow_tables import GlowDraft, HomeHelper
from store.installation import secret_of
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterFamily,
    RosterGrade,
    RosterMatch,
    RosterMembership,
    RosterPerson,
)
from store.scorecard_tables import AddressSpelling, Mark
from store.tables import Item, ItemMail, MessageRecord
from store.tombstones import What, bury, digest_of, raise_up
from store.turns import alone

FORGOT = "forgot a family"
TOOK_BACK = "lets a family be on record again"


class StillAtWork(Exception):
    """Something about the family is on its way. Nothing was erased. The text says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased."""

    receipt: Receipt
    household: Household
    """Held in memory only: to show that nothing of it is left."""


def forget(
    database: Database,
    settings: Settings,
    calendar: SchoolCalendar,
    who: str,
    now: datetime,
    *,
    anyway: bool = False,
) -> Forgotten:
    """Erases a family by an address, or by an identifier of the roster. `anyway`: also where nobody at the office has
    taken what they wrote. Raises `NotOneFamily`, `StillAtWork`."""
    with database.write() as connection:
        key = secret_of(connection)
        alone(connection)
        figures = ErasedFigures(connection, settings, calendar, now)
        household = household_of(connection, who)
        mail = mail_of(connection, household.spelled, household.addresses, household.keys)
        _nothing_under_way(connection, mail, anyway=anyway)
        incidents = _numbers_of(connection, Incident, household)
        figures.erasing(
            Leaving(
                messages=mail.messages,
                items=mail.items,
                cases=mail.cases,
                families=household.families,
                addresses=household.addresses,
                students=household.students,
                incidents=incidents,
            )
        )
        erased = Erased()
        keep_away(connection, mail.messages, now)
        _keep_from_lists(connection, household, now)
        _erase_mail(connection, mail, household, erased, key)
        _erase_lists(connection, household, erased)
        _file_rest_again(connection, household, key)
        figures.settle()
        erased.delete_behind(connection, ConflictCase, mail.cases)
        erased.delete_behind(connection, Incident, incidents)
        reference = write_receipt(connection, "forget", erased, now)
        audit.append(connection, at=now, person=None, act=FORGOT, about=f"receipt {reference}")
    return Forgotten(Receipt(reference, "forget", now, dict(erased.rows), None), household)


def let_return(database: Database, names: list[str], now: datetime) -> int:
    """Lets addresses, and identifiers of the school's lists, that were forgotten be imported again. Returns how many
    of them were kept away."""
    wanted = [(What.PERSON, name) for name in names] + [(What.ADDRESS, person(name)) for name in names if "@" in name]
    with database.write() as connection:
        raised = raise_up(connection, wanted)
        if raised:
            audit.append(connection, at=now, person=None, act=TOOK_BACK, about=f"{raised} names")
    return raised


def _nothing_under_way(connection: Connection, mail: Mail, *, anyway: bool) -> None:
    if under_way(connection, mail.messages) and not anyway:
        raise StillAtWork(
            "Mail about this family is on its way, or waits to be sent: an urgent message must reach the office first. "
            "Nothing was erased. Try again in a few minutes; `alliance outbox` shows what waits."
        )
    for some in chunks(sorted(mail.items)):
        still_open = select(func.count()).select_from(Item).where(col(Item.id).in_(some))
        if connection.execute(still_open.where(col(Item.state) == ItemState.OPEN)).scalar_one() and not anyway:
            raise StillAtWork(
                "The office has an item of this family that nobody has taken. Nothing was erased. Have it closed first "
                "(`alliance items`), or say --anyway."
            )


def _numbers_of(connection: Connection, table: type[Incident], household: Household) -> frozenset[int]:
    found: set[int] = set()
    for some in chunks(sorted(household.students)):
        found |= {
            each
            for each in connection.execute(select(col(table.id)).where(col(table.student).in_(some))).scalars()
            if each
        }
    return frozenset(found)


def _keep_from_lists(connection: Connection, household: Household, now: datetime) -> None:
    bury(connection, [(What.ADDRESS, address) for address in household.addresses], now)
    bury(connection, [(What.PERSON, each) for each in household.people], now)


def _erase_mail(connection: Connection, mail: Mail, household: Household, erased: Erased, key: bytes) -> None:
    erase_messages(connection, mail.messages, erased)
    erased.delete_behind(connection, Item, mail.items)
    letters = sorted(mail.letters_to_others)
    for some in chunks(letters):
        without_recipients(connection, some, household.addresses)
        erased.delete(
            connection,
            TeacherLetter,
            col(TeacherLetter.message_id).in_(some),
            col(TeacherLetter.family).in_(household.keys),
        )
    without_thread_names(connection, mail.threads, lambda thread: f"gone:{digest_of(What.PROVIDER_ID, thread, key)}")
    erased.delete_in(connection, AnswerLetOut, AnswerLetOut.person, household.addresses | household.spelled)
    erased.delete_in(connection, AddressSpelling, AddressSpelling.address, household.addresses)
    marks = household.names | {f"{family} " for family in household.families}
    erased.delete_in(connection, Mark, Mark.key, marks)
    for family in household.families:
        erased.delete(connection, Mark, col(Mark.key).startswith(f"{family} ", autoescape=True))
    threads = [f"{mailbox} {thread}" for mailbox, thread in mail.threads]
    erased.delete_in(connection, Mark, Mark.key, threads)


def _erase_lists(connection: Connection, household: Household, erased: Erased) -> None:
    """The roster, and what hangs on it. Incidents go last: figures refer to them."""
    students, people, families = household.students, household.people, household.families
    erased.delete_in(connection, Contact, Contact.student, students)
    erased.delete_in(connection, GlowDraft, GlowDraft.family, families)
    erased.delete_in(connection, HomeHelper, HomeHelper.family, families)
    erased.delete_in(connection, RosterMatch, RosterMatch.id, matches_of(connection, household))
    erased.delete_in(connection, RosterAddress, RosterAddress.person, people)
    erased.delete_in(connection, RosterAddress, RosterAddress.address, household.addresses)
    erased.delete_in(connection, RosterCare, RosterCare.student, students)
    erased.delete_in(connection, RosterCare, RosterCare.guardian, household.guardians)
    erased.delete_in(connection, RosterGrade, RosterGrade.student, students)
    erased.delete_in(connection, RosterFamily, RosterFamily.student, students)
    erased.delete_in(connection, RosterFamily, RosterFamily.family, families)
    erased.delete_in(connection, RosterMembership, RosterMembership.person, people)
    erased.delete_in(connection, RosterPerson, RosterPerson.id, people)
    erased.delete_in(connection, AuditName, AuditName.name, household.names)


def _file_rest_again(connection: Connection, household: Household, key: bytes) -> None:
    """What a guardian of two families wrote was filed under this one, too: from now on it is the other one's."""
    known = homes(connection)
    message, new = MessageRecord, {}
    for some in chunks(sorted(household.keys)):
        rows = connection.execute(
            select(col(message.id), col(message.sender)).where(col(message.family).in_(some))
        ).all()
        for row in rows:
            address = person(row.sender or "")
            home = known.get(address)
            new[row.id] = family_key(home.families[0] if home and home.families else None, address, key)
    for number, family in new.items():
        connection.execute(update(message).where(col(message.id) == number).values(family=family))
    for table, link, whole in ((Item, ItemMail, ItemMail.item_id), (ConflictCase, CaseMail, CaseMail.case_id)):
        for some in chunks(sorted(household.keys)):
            held = connection.execute(select(col(table.id)).where(col(table.family).in_(some))).scalars().all()
            for number in held:
                mails = select(func.min(col(link.message_id))).where(col(whole) == number)
                first = connection.execute(mails).scalar()
                if first in new:
                    connection.execute(update(table).where(col(table.id) == number).values(family=new[first]))


__all__ = ["FORGOT", "TOOK_BACK", "Forgotten", "StillAtWork", "forget", "let_return"]
