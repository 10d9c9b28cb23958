"""The roster of Maple Street School: who is in whose class, and who looks after whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert

from store.database import Database
from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterMembership, RosterPerson
from tests.service.maple import ANA, BO, OKAFOR, RIVERA


@dataclass(frozen=True)
class Pupil:
    """A student, and a guardian who has an address."""

    id: str
    given: str
    family_name: str
    address: str
    guardian: tuple[str, str] = ("Maria", "Guardian")
    classes: tuple[str, ...] = ("class-rivera",)
    family: str = ""


MAYA = Pupil("s-maya", "Maya", "Lopez", ANA, ("Ana", "Lopez"))
LEO = Pupil("s-leo", "Leo", "Lopez", ANA, ("Ana", "Lopez"), family="f-s-maya")
THEO = Pupil("s-theo", "Theo", "Brandt", BO, ("Bo", "Brandt"))
NICO = Pupil("s-nico", "Nico", "Díaz", "diaz@family.example", ("Rosa", "Díaz"))
NORA = Pupil("s-nora", "Nora", "Diaz", "other-diaz@family.example", ("Luis", "Diaz"))
MINA = Pupil("s-mina", "Mina", "Cho", "cho@family.example", ("Jin", "Cho"), classes=("class-okafor",))
PUPILS = (MAYA, LEO, THEO, NICO, NORA, MINA)
TEACHERS = {RIVERA: "class-rivera", OKAFOR: "class-okafor"}


def fill_roster(
    database: Database, pupils: Sequence[Pupil] = PUPILS, *, classes: bool = True, teachers: bool = True
) -> None:
    """Puts the school on record; without `classes`, nobody has any, without `teachers`, there are none."""
    rows: list[object] = []
    for pupil in pupils:
        guardian = f"g-{pupil.address}"
        rows.append(RosterPerson(id=pupil.id, kinds="student", given_name=pupil.given, family_name=pupil.family_name))
        if not any(isinstance(row, RosterPerson) and row.id == guardian for row in rows):
            given, family = pupil.guardian
            rows.append(RosterPerson(id=guardian, kinds="guardian", given_name=given, family_name=family))
            rows.append(RosterAddress(address=pupil.address, person=guardian))
        rows.append(RosterCare(student=pupil.id, guardian=guardian))
        rows.append(RosterFamily(student=pupil.id, family=pupil.family or f"f-{pupil.id}"))
        if classes:
            rows += [_place(pupil.id, school_class) for school_class in pupil.classes]
    for address, school_class in TEACHERS.items() if teachers else ():
        teacher = f"t-{address}"
        rows.append(RosterPerson(id=teacher, kinds="teacher", given_name="Ms.", family_name=address.partition("@")[0]))
        rows.append(RosterAddress(address=address, person=teacher))
        if classes:
            rows.append(_place(teacher, school_class))
    with database.write() as connection:
        # People first: the others name them.
        for row in sorted(rows, key=lambda each: not isinstance(each, RosterPerson)):
            values = row.model_dump(exclude={"number"} | ({"id"} if row.id is None else set()))  # type: ignore[attr-defined]
            connection.execute(insert(type(row)).values(values))


def _place(person: str, school_class: str) -> RosterMembership:
    return RosterMembership(id=f"{person} {school_class}", person=person, school_class=school_class)
