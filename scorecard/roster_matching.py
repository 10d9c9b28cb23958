"""Senders of family mail whom the roster does not know, and what the school says of them. Nobody is guessed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from secrets import token_hex

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import col

from autoresponder.family import person as address_key
from connectors.mailbox import Direction
from scorecard.family_keys import file_again, file_apart
from scorecard.school_lists import PersonKind
from store.audit import append
from store.audit_names import called
from store.database import Database
from store.installation import secret_of
from store.marks import mark
from store.roster_tables import RosterAddress, RosterCare, RosterMatch, RosterPerson
from store.scorecard_tables import MarkKind
from store.tables import MessageRecord
from store.turns import alone


class NoMatch(Exception):
    """An address cannot be matched, or taken back. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An address that wrote family mail to a teacher, and that no list names."""

    address: str
    mailbox: str
    """The teacher's."""
    messages: int
    last_at: datetime


def unknown_senders(database: Database, since: datetime) -> Sequence[Unknown]:
    """Those who wrote since the aware time `since`, by teacher, who wrote most first."""
    message = MessageRecord
    wrote = (
        select(
            col(message.sender),
            col(message.mailbox),
            func.count().label("n"),
            func.max(col(message.received_at)).label("last_at"),
        )
        .where(
            col(message.direction) == Direction.RECEIVED,
            col(message.tag).is_not(None),
            col(message.sender).is_not(None),
            col(message.received_at) >= since,
        )
        .group_by(col(message.sender), col(message.mailbox))
    )
    counted: dict[tuple[str, str], list[tuple[int, datetime]]] = defaultdict(list)
    with database.read() as connection:
        known = set(connection.execute(select(col(RosterAddress.address)).distinct()).scalars())
        for row in connection.execute(wrote):
            address = address_key(row.sender)
            if address not in known:
                counted[address, row.mailbox].append((row.n, row.last_at))
    found = [
        Unknown(address, mailbox, sum(n for n, _ in of), max(at for _, at in of))
        for (address, mailbox), of in counted.items()
    ]
    return sorted(found, key=lambda each: (-each.messages, each.address, each.mailbox))


def match(database: Database, address: str, person: str, *, now: datetime, today: date, by: str | None) -> None:
    """From now on mail from `address` is of the guardian with the identifier `person`, or of a guardian of the student
    with it; what came before is, too. Later imports leave it so. `by` is who says so, None for the command line.

    Raises `NoMatch` where there is nobody with the identifier, or the address is somebody's already.
    """
    address = address_key(address)
    with database.write() as connection:
        key = secret_of(connection)
        alone(connection)
        named = connection.execute(
            select(col(RosterPerson.kinds), col(RosterPerson.until)).where(col(RosterPerson.id) == person)
        ).first()
        if named is None or named.until is not None:
            raise NoMatch(f"Nobody on the roster now has the identifier {person}.")
        guardian = _guardian(connection, address, person, named.kinds.split(","), today)
        connection.execute(insert(RosterMatch).values(address=address, person=person, matched_at=now))
        append(
            connection,
            at=now,
            person=by,
            act="matched an address",
            about=f"{called(connection, address)} to {called(connection, person)}",
        )
        mark(connection, MarkKind.STUDENT, [guardian, person])
        file_again(connection, key)


def unmatch(database: Database, address: str, *, now: datetime, by: str | None) -> None:
    """Takes back what `match` said of `address`, as if it had not been said. Raises `NoMatch` where nothing was."""
    address = address_key(address)
    holds = (col(RosterMatch.address) == address, col(RosterMatch.unmatched_at).is_(None))
    with database.write() as connection:
        key = secret_of(connection)
        alone(connection)
        people = list(connection.execute(select(col(RosterMatch.person)).where(*holds)).scalars())
        if not people:
            raise NoMatch(f"The school matched {address} with nobody.")
        of_address = (col(RosterAddress.address) == address, col(RosterAddress.matched).is_(True))
        owners = list(connection.execute(select(col(RosterAddress.person)).where(*of_address)).scalars())
        mark(connection, MarkKind.STUDENT, dict.fromkeys((*people, *owners)))
        mark(connection, MarkKind.ADDRESS, [address])
        connection.execute(delete(RosterAddress).where(*of_address))
        added = select(col(RosterPerson.id)).where(
            col(RosterPerson.id).in_(owners), col(RosterPerson.matched).is_(True)
        )
        connection.execute(delete(RosterCare).where(col(RosterCare.guardian).in_(added)))
        connection.execute(
            delete(RosterPerson).where(col(RosterPerson.id).in_(owners), col(RosterPerson.matched).is_(True))
        )
        connection.execute(update(RosterMatch).where(*holds).values(unmatched_at=now))
        append(connection, at=now, person=by, act="took back whose an address is", about=called(connection, address))
        file_apart(connection, key, address)


def _guardian(connection: Connection, address: str, person: str, kinds: Sequence[str], today: date) -> str:
    """Writes down whose address it is, and returns who has it."""
    rows = connection.execute(
        select(col(RosterAddress.person), col(RosterAddress.matched), col(RosterAddress.until)).where(
            col(RosterAddress.address) == address
        )
    ).all()
    if any(row.until is None and not row.matched for row in rows):
        raise NoMatch(f"{address} is on the roster already: correct it in the student system, which knows best.")
    matched = next((row.person for row in rows if row.matched), None)
    since = today if any(not row.matched for row in rows) else None
    if PersonKind.STUDENT not in kinds:
        if matched is not None:
            raise NoMatch(f"{address} is matched already: `alliance roster unmatch {address}` takes that back.")
        if PersonKind.GUARDIAN not in kinds:
            raise NoMatch(f"{person} is neither a student nor a guardian.")
        connection.execute(insert(RosterAddress).values(address=address, person=person, matched=True, since=since))
        return person
    if matched is None:
        matched = f"matched-{token_hex(8)}"
        new = RosterPerson(id=matched, kinds=PersonKind.GUARDIAN, given_name="", family_name="", matched=True)
        connection.execute(insert(RosterPerson).values(new.model_dump()))
        connection.execute(insert(RosterAddress).values(address=address, person=matched, matched=True, since=since))
    pair = (col(RosterCare.guardian) == matched, col(RosterCare.student) == person)
    if connection.execute(select(col(RosterCare.id)).where(*pair)).first() is not None:
        raise NoMatch(f"{address} is matched with {person} already.")
    by_list = select(col(RosterPerson.id)).where(col(RosterPerson.id) == matched, col(RosterPerson.matched).is_(False))
    if connection.execute(by_list).first() is not None:
        raise NoMatch(
            f"{address} is matched with {matched} already: `alliance roster unmatch {address}` takes that back."
        )
    connection.execute(insert(RosterCare).values(student=person, guardian=matched, by_guardian=False))
    return matched
