"""Gathers everything that is on record about a family, or about one guardian and the students in their care, for who
asks for it (FERPA 34 CFR 99.10, GDPR Art. 15). Other families' records are never in it.

An address stands for that guardian alone: parents may live apart, and what one of them wrote is not the other's to
read. The text of letters is in the mailboxes; the list says in which, and `letters_of` fetches them.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select
from sqlmodel import col

from autoresponder.family import person
from config.secrets import Secrets
from config.settings import Settings
from connectors.errors import MailboxError, MessageGone
from connectors.registry import open_mailbox
from scorecard.household import Household, household_of
from service.privacy.copies import Copy
from service.privacy.records import RecordReader
from store import audit
from store.database import Database
from store.roster_tables import RosterAddress

EXPORTED = "made a copy of a family's records"


def copy_for(database: Database, settings: Settings, who: str, now: datetime, *, whole_family: bool = False) -> Copy:
    """The copy, and an entry in the audit log that it was made. An address stands for that guardian alone unless
    `whole_family` is said. Raises `scorecard.household.NotOneFamily`."""
    with database.write() as connection:
        household = household_of(connection, who)
        if "@" in who and not whole_family:
            household = _one_guardian(connection, household, who)
        reader = RecordReader(connection, household, settings.school.zone)
        letters = reader.letters()
        made = Copy(
            school=settings.school.name,
            about=tuple(sorted(household.addresses | household.people)),
            made_at=now.astimezone(settings.school.zone),
            sections=[each for each in reader.sections() if each.rows],
            letters=letters,
        )
        audit.append(connection, at=now, person=None, act=EXPORTED, about=f"{len(letters)} letters")
    return made


def letters_of(copy: Copy, settings: Settings, environ: Mapping[str, str], folder: Path) -> tuple[int, Sequence[str]]:
    """Fetches the letters that are still there from the mailboxes into `folder`, one file each (RFC 5322). Returns how
    many, and which mailboxes could not be read."""
    folder.mkdir(parents=True, exist_ok=True)
    boxes = {box.address: box for box in settings.mailboxes}
    fetched, failed = 0, []
    for address in sorted({mailbox for mailbox, _ in copy.letters}):
        try:
            with closing(open_mailbox(boxes[address], settings, Secrets.of(settings, environ))) as mailbox:
                for _, number in (each for each in copy.letters if each[0] == address):
                    try:
                        raw = mailbox.fetch(number).raw
                    except MessageGone:  # deleted since: the other letters are the family's all the same
                        continue
                    fetched += 1
                    (folder / f"{fetched:04}.eml").write_bytes(raw)
        except (MailboxError, KeyError):
            failed.append(address)
    return fetched, failed


def _one_guardian(connection: Connection, household: Household, who: str) -> Household:
    """The household without the other guardians."""
    address = person(who)
    of = RosterAddress
    owned = connection.execute(select(col(of.person)).where(col(of.address) == address)).scalars()
    mine = household.guardians & set(owned)
    held = {
        row.address
        for row in connection.execute(select(col(of.address), col(of.person)))
        if row.person in mine and row.address in household.addresses
    } | {address}
    return replace(
        household,
        guardians=frozenset(mine),
        addresses=frozenset(held),
        spelled=frozenset(each for each in household.spelled if person(each) in held),
    )
