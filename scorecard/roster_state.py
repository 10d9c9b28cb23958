"""How the roster in the database stands."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from scorecard.school_lists import PersonKind
from store.database import Database
from store.roster_tables import RosterAddress, RosterClass, RosterFamily, RosterImport, RosterPerson, RosterTerm


@dataclass(frozen=True, slots=True)
class RosterState:
    """What the roster holds now."""

    counts: Mapping[str, int]
    """How many students, families, guardians, teachers, classes, terms; by these words."""
    imported_at: datetime | None
    """When lists were last read, also where they said nothing new; None where they never were."""
    rejected: int
    """Rows of theirs that were left out."""
    matched: int
    """Addresses of which the school said whose they are."""
    from_settings: str | None
    """Checksum of the file that the settings name, as it was last imported; None where it never was."""


def roster_state(database: Database) -> RosterState:
    """How it stands."""
    person, family = RosterPerson, RosterFamily
    with database.read() as connection:
        kinds = Counter(
            kind
            for (of,) in connection.execute(select(col(person.kinds)).where(col(person.until).is_(None)))
            for kind in of.split(",")
        )
        families = select(func.count(func.distinct(col(family.family)))).where(col(family.until).is_(None))
        counts = {
            "students": kinds[PersonKind.STUDENT],
            "families": connection.execute(families).scalar_one(),
            "guardians": kinds[PersonKind.GUARDIAN],
            "teachers": kinds[PersonKind.TEACHER],
        }
        for name, table in (("classes", RosterClass), ("terms", RosterTerm)):
            there = select(func.count()).select_from(table).where(col(table.until).is_(None))
            counts[name] = connection.execute(there).scalar_one()
        last = connection.execute(select(RosterImport).order_by(col(RosterImport.id).desc()).limit(1)).first()
        matched = select(func.count(func.distinct(col(RosterAddress.address))))
        number = connection.execute(matched.where(col(RosterAddress.matched).is_(True))).scalar_one()
        own = select(col(RosterImport.digest)).where(col(RosterImport.from_settings).is_(True))
        digest = connection.execute(own.order_by(col(RosterImport.id).desc()).limit(1)).scalar()
    return RosterState(counts, last.at if last else None, last.rejected if last else 0, number, digest)
