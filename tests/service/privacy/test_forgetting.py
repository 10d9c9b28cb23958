"""Forgetting a family: nothing of it is left, the others keep everything, and it does not come back by itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlmodel import SQLModel, col

from config import SchoolCalendar
from connectors.labels import Label
from scorecard.household import NotOneFamily, household_of
from scorecard.roster import Roster
from scorecard.roster_import import import_lists
from scorecard.school_lists import Care, Listed, Person, PersonKind, SchoolLists
from service.privacy import forgetting
from service.privacy.forgetting import FORGOT, Forgotten, StillAtWork, forget, let_return
from service.privacy.receipts import places_with, receipts, scrub
from store import audit
from store.audit_names import called
from store.contact_tables import Contact, ContactKind, ContactSource, ContactTone, Incident, LetterRecipient
from store.database import Database
from store.roster_tables import RosterAddress, RosterCare, RosterPerson
from store.tables import MailboxState, MessageRecord
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple
from tests.service.roster_of_maple import LEO, MAYA, THEO, fill_roster

FAMILY = "f-s-maya"


@pytest.fixture
def maple(tmp_path: Path) -> Iterator[Maple]:
    database = Database.open(str(tmp_path / "alliance.db"))
    fill_roster(database)
    maple = Maple(database=database, settings={"keep_subjects": True})
    maple.roster = Roster.of(database)
    maple.round()
    maple.clock.forward(minutes=5)
    yield maple
    database.close()


def calendar(maple: Maple) -> SchoolCalendar:
    return SchoolCalendar.of(maple.settings.school, maple.settings.office)


def forgets(maple: Maple, who: str = ANA, *, anyway: bool = False) -> Forgotten:
    done = forget(maple.database, maple.settings, calendar(maple), who, maple.clock(), anyway=anyway)
    maple.roster.refresh()
    return done


def left(maple: Maple, *names: str) -> list[str]:
    """Where any of these still stands, once the bytes were overwritten."""
    assert scrub(maple.database, maple.clock())
    return places_with(maple.database, names)


def rows(maple: Maple) -> dict[str, int]:
    with maple.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in SQLModel.metadata.sorted_tables
        }


def a_school_day(maple: Maple) -> None:
    """Both families write, are answered, and get letters; one writes under a tag of their own."""
    for family in (ANA, BO):
        maple.write("routine", sender=family)
        maple.write("urgent", sender=family, to=(OKAFOR,))
        maple.write("conflict", sender=family)
    maple.write("routine", sender=ANA.replace("@", "+School@").replace("ana", "Ana"))
    maple.teacher_writes("Well done!", ANA)
    maple.teacher_writes("Well done, both!", ANA, BO)
    maple.rounds(8, minutes=2)
    with maple.database.write() as connection:
        for number, student in enumerate((MAYA.id, THEO.id)):
            connection.execute(
                insert(Contact).values(
                    reference=f"c{number}",
                    mailbox=RIVERA,
                    student=student,
                    on_day=maple.clock().date(),
                    kind=ContactKind.CALL,
                    tone=ContactTone.GOOD_NEWS,
                    reached=True,
                    source=ContactSource.PAGE,
                    logged_at=maple.clock(),
                )
            )
            now = maple.clock()
            incident = {"reference": f"i{number}", "student": student, "on_day": now.date(), "kind": "late"}
            connection.execute(insert(Incident).values(**incident, imported_at=now, changed_at=now))
        audit.append(connection, at=maple.clock(), person=RIVERA, act="x", about=called(connection, ANA))


OF_ANA = (ANA, "Ana+School@family.example", MAYA.id, LEO.id, FAMILY, f"g-{ANA}", "Lopez", "Maya")


def test_no_byte_of_a_family_is_left_and_the_others_keep_everything(maple: Maple) -> None:
    a_school_day(maple)
    with maple.database.read() as connection:
        of_bo = household_of_bo(maple)
        before = {row.id for row in connection.execute(select(MessageRecord.__table__)) if row.sender == BO}
        names = {row.rfc_message_id for row in connection.execute(select(MessageRecord.__table__)) if row.sender == ANA}
    assert places_with(maple.database, [ANA])
    forgets(maple, anyway=True)
    assert {name: left(maple, name) for name in (*OF_ANA, *names) if name and left(maple, name)} == {}
    assert household_of_bo(maple) == of_bo
    with maple.database.read() as connection:
        assert {row.id for row in connection.execute(select(MessageRecord.__table__)) if row.sender == BO} == before
        # The letter to both says that it went to one, and to somebody.
        addresses = connection.execute(select(col(LetterRecipient.address))).scalars().all()
        assert sorted(address.partition(":")[0] for address in addresses) == [BO, "gone"]
    assert audit.check(maple.database).broken_at is None


def household_of_bo(maple: Maple) -> object:
    with maple.database.write() as connection:
        return household_of(connection, BO)


def test_a_receipt_says_how_much_went_and_that_its_bytes_did(maple: Maple) -> None:
    a_school_day(maple)
    before = rows(maple)
    done = forgets(maple, anyway=True)
    after = rows(maple)
    for table, number in done.receipt.rows.items():
        assert before[table] - after[table] == number, table
    lost = {table for table in before if after[table] < before[table]}
    assert lost <= done.receipt.rows.keys()
    [receipt] = receipts(maple.database)
    assert (receipt.reference, receipt.scrubbed_at) == (done.receipt.reference, None)
    assert scrub(maple.database, maple.clock())
    assert receipts(maple.database)[0].scrubbed_at == maple.clock()
    newest = list(audit.entries(maple.database))[-1]
    assert (newest.act, newest.about) == (FORGOT, f"receipt {receipt.reference}")


def test_mail_that_still_lies_in_the_mailbox_is_not_put_on_record_again(maple: Maple) -> None:
    a_school_day(maple)
    answered = len(maple.answers(ANA))
    assert answered
    routed = len(maple.to_office())
    forgets(maple, anyway=True)
    stays = {record.id for record in maple.records()}
    with maple.database.write() as connection:
        connection.execute(MailboxState.__table__.update().values(cursor=None))  # type: ignore[attr-defined]
    maple.rounds(8, minutes=2)
    assert {record.id for record in maple.records()} == stays
    assert left(maple, ANA) == []
    assert (len(maple.answers(ANA)), len(maple.to_office())) == (answered, routed)


def test_a_forgotten_family_that_writes_again_is_heard_and_not_answered_twice(maple: Maple) -> None:
    maple.write("routine", sender=ANA)
    maple.rounds(4, minutes=2)
    assert len(maple.answers(ANA)) == 1
    forgets(maple)
    maple.clock.forward(hours=1)
    maple.write("routine", sender=ANA)
    maple.write("urgent", sender=ANA)
    maple.rounds(6, minutes=2)
    assert [record.tag for record in maple.records() if record.sender == ANA]
    tags = [mail["Subject"] for mail in maple.answers(ANA)]
    assert len(tags) == 2, "the note for the urgent message, and no second one for the routine one"
    assert len(maple.routed()) == 1


def people(*homes: tuple[Person, str]) -> SchoolLists:
    students = [Person(student, frozenset({PersonKind.STUDENT}), student, "X") for _, student in homes]
    guardians = list({person.id: person for person, _ in homes}.values())
    cares = [Care(student, person.id) for person, student in homes]
    return SchoolLists(complete=frozenset(Listed), people=[*students, *guardians], cares=cares)


def test_the_next_list_does_not_bring_a_forgotten_family_back_and_says_so(maple: Maple) -> None:
    ana = Person(f"g-{ANA}", frozenset({PersonKind.GUARDIAN}), "Ana", "Lopez", (ANA,))
    bo = Person(f"g-{BO}", frozenset({PersonKind.GUARDIAN}), "Bo", "Brandt", (BO,))
    lists = people((ana, MAYA.id), (ana, LEO.id), (bo, THEO.id))
    forgets(maple)
    now = maple.clock()

    def brought() -> list[str]:
        done = import_lists(maple.database, lists, digest="1", now=now, today=now.date(), allow_many=True)
        return [str(each) for each in done.rejected]

    [left_out] = brought()
    assert "3 people" in left_out
    assert ANA not in left_out
    assert left(maple, ANA, MAYA.id, "Lopez") == []
    with maple.database.read() as connection:
        held = set(connection.execute(select(col(RosterPerson.id)).where(col(RosterPerson.until).is_(None))).scalars())
    assert held == {THEO.id, bo.id}
    assert let_return(maple.database, [ANA, f"g-{ANA}", MAYA.id, LEO.id, "nobody"], now) == 4
    assert brought() == []
    maple.roster.refresh()
    assert maple.roster.students_of(ANA)


def test_nothing_is_forgotten_while_an_urgent_message_is_on_its_way(maple: Maple) -> None:
    maple.write("urgent", sender=ANA)
    maple.sweep()
    with pytest.raises(StillAtWork, match="on its way"):
        forgets(maple)
    maple.rounds(4, minutes=2)
    with pytest.raises(StillAtWork, match="nobody has taken"):
        forgets(maple)
    assert places_with(maple.database, [ANA])
    forgets(maple, anyway=True)
    assert left(maple, ANA) == []


def test_a_guardian_of_two_families_stays_with_the_other(maple: Maple) -> None:
    shared = "shared@family.example"
    with maple.database.write() as connection:
        person = RosterPerson(id="g-shared", kinds="guardian", given_name="Sam", family_name="Both")
        connection.execute(insert(RosterPerson).values(person.model_dump()))
        connection.execute(insert(RosterAddress).values(address=shared, person="g-shared"))
        for student in (MAYA.id, THEO.id):
            connection.execute(insert(RosterCare).values(student=student, guardian="g-shared"))
    maple.roster.refresh()
    maple.write("conflict", sender=shared)
    maple.rounds(4, minutes=2)
    with pytest.raises(NotOneFamily, match="2 families"):
        forgets(maple, shared)
    forgets(maple, FAMILY)
    assert {record.sender for record in maple.records()} - {RIVERA, OKAFOR} == {shared}
    assert maple.roster.students_of(shared) == ("Theo Brandt",)
    assert left(maple, ANA, MAYA.id, FAMILY) == []


def test_who_works_at_the_school_is_no_family(maple: Maple) -> None:
    with pytest.raises(NotOneFamily, match="works at the school"):
        forgets(maple, RIVERA)
    with pytest.raises(NotOneFamily, match="no identifier"):
        forgets(maple, "s-nobody")


def test_somebody_whom_the_roster_does_not_know_can_be_forgotten(maple: Maple) -> None:
    maple.write("routine", sender="aunt@family.example")
    maple.rounds(4, minutes=2)
    forgets(maple, "Aunt@family.example")
    assert left(maple, "aunt@family.example") == []


@pytest.mark.parametrize("after", ["keep_away", "erase_messages", "write_receipt", "append"])
def test_a_kill_in_the_middle_leaves_everything_as_it_was(
    maple: Maple, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    a_school_day(maple)
    before = rows(maple)
    where = forgetting.audit if after == "append" else forgetting
    real = getattr(where, after)

    def dies(*args: object, **more: object) -> None:
        real(*args, **more)
        raise Killed

    monkeypatch.setattr(where, after, dies)
    with pytest.raises(Killed):
        forgets(maple, anyway=True)
    assert rows(maple) == before
    monkeypatch.undo()
    forgets(maple, anyway=True)
    assert left(maple, ANA) == []


def test_a_label_that_a_teacher_moves_on_a_forgotten_message_does_nothing(maple: Maple) -> None:
    message = maple.write("routine", sender=ANA)
    maple.rounds(4, minutes=2)
    forgets(maple)
    maple.clock.forward(minutes=5)
    maple.relabel(message, Label.URGENT)
    maple.rounds(4, minutes=2)
    assert maple.routed() == []
    assert left(maple, ANA) == []


def test_bytes_that_a_reader_keeps_for_now_go_the_next_time(maple: Maple) -> None:
    a_school_day(maple)
    forgets(maple, anyway=True)
    maple.clock.forward(minutes=1)
    assert scrub(maple.database, maple.clock())
    assert all(receipt.scrubbed_at for receipt in receipts(maple.database))
    assert timedelta(0) <= maple.clock() - receipts(maple.database)[0].at
