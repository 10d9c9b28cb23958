"""A school's lists of contacts and incidents are carried over whole or not at all, the same list twice is once, and
nothing in a cell is guessed."""

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlmodel import Session, SQLModel, col

from autoresponder.contacts import ContactKind, ContactTone
from config import ConfigError
from scorecard.contact_list import ContactList, read_contacts
from scorecard.csv_package import Row
from scorecard.incident_list import IncidentList, read_incidents
from scorecard.list_cells import Cells, Refused
from scorecard.list_import import Carried, import_contacts, import_incidents, pupils_of
from store.contact_tables import Contact, ContactSource, Incident
from store.contacts import Contacts
from store.database import Database
from store.roster_tables import RosterPerson
from store.scorecard_tables import Mark, MarkKind
from tests.service.maple import OKAFOR, RIVERA
from tests.service.roster_of_maple import MAYA, NICO, NORA, THEO, Pupil, fill_roster

ZONE = ZoneInfo("America/Chicago")
NOW = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
TODAY = date(2026, 3, 4)
LATER = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> Database:
    return Database.in_memory()


@pytest.fixture
def database(made: Database) -> Database:
    """An emptied database: making the tables takes longer than most tests."""
    with made.write() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
    fill_roster(made)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def is_staff(address: str) -> bool:
    return address.endswith("@maple.example")


def contact_list(database: Database, file: Path, text: str | bytes, *, teacher: str = RIVERA) -> ContactList:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_contacts(file, pupils_of(database, TODAY), teacher=teacher, is_staff=is_staff, today=TODAY)


def incident_list(database: Database, file: Path, text: str) -> IncidentList:
    file.write_text(text, encoding="utf-8")
    return read_incidents(file, pupils_of(database, TODAY), today=TODAY)


def carry(database: Database, file: Path, text: str, *, now: datetime = NOW, dry_run: bool = False) -> Carried:
    """Contacts."""
    read = contact_list(database, file, text)
    assert read.rejected == []
    return import_contacts(database, read.rows, now=now, zone=ZONE, dry_run=dry_run)


def carry_incidents(
    database: Database, file: Path, text: str, *, now: datetime = NOW, dry_run: bool = False
) -> Carried:
    read = incident_list(database, file, text)
    assert read.rejected == []
    return import_incidents(database, read.rows, now=now, dry_run=dry_run)


def contacts(database: Database) -> list[Contact]:
    return sorted(Contacts(database).listing(), key=lambda each: each.id or 0)


def incidents(database: Database) -> list[Incident]:
    with Session(database.engine) as session:
        found = list(session.execute(select(Incident).order_by(col(Incident.id))).scalars())
        session.expunge_all()
    return found


def marked(database: Database) -> list[str]:
    with database.write() as connection:
        keys = select(col(Mark.key)).where(col(Mark.kind) == MarkKind.STUDENT).order_by(col(Mark.id))
        found = list(connection.execute(keys).scalars())
        connection.execute(Mark.__table__.delete())  # type: ignore[attr-defined]
    return found


def why(read: ContactList | IncidentList) -> str:
    """The only rejected row, as it is told."""
    (rejected,) = read.rejected
    return str(rejected)


class TestContacts:
    def test_a_row_is_a_contact_with_what_its_cells_say(self, database: Database, file: Path) -> None:
        row = "2026-03-02,Okafor@maple.example,s-theo,Meeting,Good News,YES,7"
        text = f"date,teacher,student_id,kind,tone,reached,id\n{row}\n"
        assert carry(database, file, text).added == 1
        (contact,) = contacts(database)
        assert (contact.reference, contact.mailbox, contact.student) == ("file:id:7", OKAFOR, THEO.id)
        assert (contact.on_day, contact.kind) == (date(2026, 3, 2), ContactKind.MEETING)
        assert (contact.tone, contact.reached) == (ContactTone.GOOD_NEWS, True)
        assert (contact.source, contact.logged_by) == (ContactSource.FILE, None)
        assert marked(database) == [THEO.id]

    def test_what_a_row_leaves_out_is_never_the_better(self, database: Database, file: Path) -> None:
        carry(database, file, "date,student,kind\n2026-03-02,Theo Brandt,call\n")
        (contact,) = contacts(database)
        assert (contact.mailbox, contact.tone, contact.reached) == (RIVERA, ContactTone.NEUTRAL, False)

    def test_the_same_list_twice_is_once(self, database: Database, file: Path) -> None:
        text = 'date,student,kind,id\n2026-03-02,Theo Brandt,call,\n2026-03-02,"Lopez, Maya",call,9\n'
        assert carry(database, file, text).added == 2
        marked(database)
        again = carry(database, file, text, now=LATER)
        assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
        assert marked(database) == []
        assert len(contacts(database)) == 2

    def test_a_dry_run_says_what_would_change_and_changes_nothing(self, database: Database, file: Path) -> None:
        text = "date,student,kind\n2026-03-02,Theo Brandt,call\n"
        assert carry(database, file, text, dry_run=True).added == 1
        assert contacts(database) == []
        assert marked(database) == []
        assert carry(database, file, text).added == 1

    def test_a_corrected_row_restates_the_contact_for_both_students(self, database: Database, file: Path) -> None:
        carry(database, file, "date,student,kind,id\n2026-03-02,Theo Brandt,call,9\n")
        marked(database)
        done = carry(database, file, "date,student,kind,id,tone\n2026-03-03,Maya Lopez,meeting,9,concern\n", now=LATER)
        assert (done.added, done.changed) == (0, 1)
        (contact,) = contacts(database)
        assert (contact.student, contact.on_day, contact.tone) == (MAYA.id, date(2026, 3, 3), ContactTone.CONCERN)
        assert marked(database) == [MAYA.id, THEO.id]

    def test_a_row_that_is_withdrawn_counts_nowhere_until_the_list_has_it_again(
        self, database: Database, file: Path
    ) -> None:
        carry(database, file, "date,student,kind,id\n2026-03-02,Theo Brandt,call,9\n")
        gone = "date,student,kind,id,status\n2026-03-02,Theo Brandt,call,9,withdrawn\n"
        assert carry(database, file, gone, now=LATER).withdrawn == 1
        assert carry(database, file, gone, now=LATER).unchanged == 1
        assert [each.withdrawn_at for each in contacts(database)] == [LATER]
        assert carry(database, file, "date,student,kind,id\n2026-03-02,Theo Brandt,call,9\n", now=LATER).changed == 1
        assert [each.withdrawn_at for each in contacts(database)] == [None]

    def test_a_row_that_comes_withdrawn_is_never_put_on_record(self, database: Database, file: Path) -> None:
        carry(database, file, "date,student,kind,status\n2026-03-02,Theo Brandt,call,withdrawn\n")
        assert contacts(database) == []

    def test_what_somebody_took_back_stays_taken_back_whatever_the_list_says(
        self, database: Database, file: Path
    ) -> None:
        text = "date,student,kind,id\n2026-03-02,Theo Brandt,call,9\n"
        carry(database, file, text)
        Contacts(database).withdraw(1, RIVERA, LATER, mailbox=RIVERA)
        assert carry(database, file, text.replace("call", "meeting"), now=LATER).unchanged == 1
        assert [each.withdrawn_by for each in contacts(database)] == [RIVERA]

    def test_a_list_that_no_longer_holds_a_row_takes_nothing_away(self, database: Database, file: Path) -> None:
        carry(database, file, "date,student,kind\n2026-03-02,Theo Brandt,call\n")
        carry(database, file, "date,student,kind\n2026-03-03,Maya Lopez,call\n")
        assert [each.withdrawn_at for each in contacts(database)] == [None, None]

    def test_a_crash_in_the_middle_leaves_nothing(self, database: Database, file: Path) -> None:
        rows = contact_list(database, file, "date,student,kind\n2026-03-02,Theo Brandt,call\n").rows
        with pytest.raises(AttributeError):
            import_contacts(database, [*rows, None], now=NOW, zone=ZONE)  # type: ignore[list-item]
        assert contacts(database) == []
        assert marked(database) == []

    def test_a_student_who_has_left_is_known_by_the_id_alone(self, database: Database, file: Path) -> None:
        with database.write() as connection:
            left = update(RosterPerson).where(col(RosterPerson.id) == THEO.id)
            connection.execute(left.values(until=date(2026, 2, 1)))
        assert "no student's whole name" in why(
            contact_list(database, file, "date,student,kind\n2026-01-02,Theo Brandt,call\n")
        )
        assert carry(database, file, "date,student_id,kind\n2026-01-02,s-theo,call\n").added == 1

    def test_a_name_that_two_students_have_is_rejected(self, database: Database, file: Path) -> None:
        fill_roster(database, [Pupil("s-two", "Theo", "Brandt", "two@family.example")], classes=False, teachers=False)
        read = contact_list(database, file, "date,student,kind\n2026-03-02,Theo Brandt,call\n")
        assert why(read) == "list.csv:2: student: is the name of several students; give the student_id"

    @pytest.mark.parametrize("name", ["Theo", "Brandt", "theo b", "T. Brandt", "Brandt Theo", ""])
    def test_part_of_a_name_is_nobody_s(self, database: Database, file: Path, name: str) -> None:
        read = contact_list(database, file, f"date,student,kind\n2026-03-02,{name},call\n")
        assert why(read).startswith("list.csv:2: student: is ")

    @pytest.mark.parametrize("name", ["theo brandt", "THEO  BRANDT", '"Brandt, Theo"', "nico diaz", "Nico Díaz"])
    def test_a_whole_name_is_known_without_case_and_accents(self, database: Database, file: Path, name: str) -> None:
        read = contact_list(database, file, f"date,student,kind\n2026-03-02,{name},call\n")
        assert read.rejected == []
        assert read.rows[0].student in {THEO.id, NICO.id}

    @pytest.mark.parametrize(
        ("day", "said"),
        [
            ("03/04/2026", "ISO 8601"),
            ("4.3.2026", "ISO 8601"),
            ("20260304", "ISO 8601"),
            ("2026-W10-3", "ISO 8601"),
            ("2026-02-30", "ISO 8601"),
            ("२०२६-०३-०४", "ISO 8601"),
            ("46085", "ISO 8601"),
            ("", "is missing"),
            ("2026-03-05", "lies in the future"),
            ("9999-12-31", "lies in the future"),
            ("1900-01-01", "before the year 2000"),
        ],
    )
    def test_a_date_that_can_be_misread_is_rejected_with_what_is_expected(
        self, database: Database, file: Path, day: str, said: str
    ) -> None:
        read = contact_list(database, file, f"date,student,kind\n{day},Theo Brandt,call\n")
        assert read.rows == []
        assert why(read).startswith("list.csv:2: date: ")
        assert said in why(read)

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            ("2026-03-02,,s-nobody,call,,,", "student_id"),
            ("2026-03-02,,g-ana@family.example,call,,,", "student_id"),
            ("2026-03-02,,s-theo,=1+1,,,", "kind"),
            ("2026-03-02,,s-theo,,,,", "kind"),
            ("2026-03-02,,s-theo,call,great,,", "tone"),
            ("2026-03-02,,s-theo,call,,perhaps,", "reached"),
            ("2026-03-02,,s-theo,call,,,=HYPERLINK(1)", "id"),
            ("2026-03-02,,s-theo,call,,,-5", "id"),
            (f"2026-03-02,,s-theo,call,,,{'x' * 300}", "id"),
            ("2026-03-02,,s-theo,call,,,a\0b", "id"),
            ("2026-03-02,ana@family.example,s-theo,call,,,", "teacher"),
            ("2026-03-02,Ms. Rivera,s-theo,call,,,", "teacher"),
        ],
    )
    def test_a_bad_cell_is_named_by_its_column_and_never_repeated(
        self, database: Database, file: Path, row: str, column: str
    ) -> None:
        text = f"date,teacher,student_id,kind,tone,reached,id\n2026-03-02,,s-maya,call,,,\n{row}\n"
        read = contact_list(database, file, text)
        assert [each.student for each in read.rows] == [MAYA.id]
        assert why(read).startswith(f"list.csv:3: {column}: ")
        assert not [cell for cell in row.split(",") if len(cell) > 4 and cell in why(read)]

    def test_a_status_that_nobody_knows_is_rejected(self, database: Database, file: Path) -> None:
        read = contact_list(database, file, "date,student_id,kind,status\n2026-03-02,s-theo,call,maybe\n")
        assert why(read).startswith("list.csv:2: status: ")

    def test_a_list_without_a_teacher_needs_one_for_the_whole(self, database: Database, file: Path) -> None:
        read = contact_list(database, file, "date,student_id,kind\n2026-03-02,s-theo,call\n", teacher="")
        assert "--teacher" in why(read)

    def test_of_two_rows_that_contradict_each_other_the_second_is_rejected(
        self, database: Database, file: Path
    ) -> None:
        text = "date,student_id,kind,tone\n2026-03-02,s-theo,call,concern\n\n2026-03-02,s-theo,call,concern\n"
        assert len(contact_list(database, file, text).rows) == 1
        read = contact_list(database, file, text + "2026-03-02,s-theo,call,good news\n")
        assert "line 2 has the same" in why(read)
        assert why(read).startswith("list.csv:5: ")


class TestFiles:
    GOOD = "date,student_id,kind\n2026-03-02,s-theo,call\n"

    @pytest.mark.parametrize(
        "raw",
        [
            GOOD.encode("utf-8-sig"),
            GOOD.replace(",", ";").encode(),
            GOOD.replace(",", "\t").encode(),
            GOOD.replace("\n", "\r\n").encode(),
            GOOD.upper().replace("S-THEO", "s-theo").encode(),
        ],
        ids=["byte order mark", "semicolons", "tabs", "CRLF", "capitals"],
    )
    def test_what_spreadsheets_make_of_it_is_read(self, database: Database, file: Path, raw: bytes) -> None:
        assert len(contact_list(database, file, raw).rows) == 1

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (GOOD.encode("utf-16"), "UTF-8"),
            (b"date,student_id,kind\n2026-03-02,s-th\xe9o,call\n", "UTF-8"),
            (b"day,student_id,kind\n", "a column named date"),
            (b"", "a column named date"),
            (b'date,student_id,kind\n2026-03-02,"s-theo,call\n', "comma-separated"),
            (b"date,student_id,kind\n2026-03-02,s-theo," + b"x" * 200_000 + b"\n", "comma-separated"),
        ],
        ids=["UTF-16", "Latin-1", "no date", "empty", "a quote left open", "a huge cell"],
    )
    def test_a_file_that_cannot_be_used_says_so_with_its_name(
        self, database: Database, file: Path, raw: bytes, said: str
    ) -> None:
        with pytest.raises(ConfigError, match=said) as refused:
            contact_list(database, file, raw)
        assert "list.csv" in str(refused.value)
        assert "s-th" not in str(refused.value)

    def test_no_file_at_all(self, database: Database, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nothing\.csv"):
            read_incidents(tmp_path / "nothing.csv", pupils_of(database, TODAY), today=TODAY)

    @given(st.text(), st.sampled_from(("date", "id", "student", "student_id", "status", "kind")))
    def test_whatever_stands_in_a_cell_is_used_or_refused(self, text: str, column: str) -> None:
        cells = Cells(Row(2, {column: text} if text else {}), "list.csv")
        with suppress(Refused):
            assert cells.safe(column) == text
        with suppress(Refused):
            day = cells.day(column, TODAY)
            assert day is None or day.isoformat() == text


class TestIncidents:
    def test_a_row_is_an_incident_with_what_its_cells_say(self, database: Database, file: Path) -> None:
        text = "id,date,student,kind,baseline_date\nA-1,2026-02-02,Theo Brandt,Disruption,2026-02-09\n"
        assert carry_incidents(database, file, text).added == 1
        (incident,) = incidents(database)
        assert (incident.reference, incident.student, incident.kind) == ("id:A-1", THEO.id, "Disruption")
        assert (incident.on_day, incident.baseline_day) == (date(2026, 2, 2), date(2026, 2, 9))
        assert marked(database) == [THEO.id]

    def test_a_baseline_that_comes_late_restates_the_incident(self, database: Database, file: Path) -> None:
        carry_incidents(database, file, "date,student,kind\n2026-02-02,Theo Brandt,Disruption\n")
        marked(database)
        late = "date,student,kind,baseline_date\n2026-02-02,Theo Brandt,disruption,2026-02-09\n"
        assert carry_incidents(database, file, late, now=LATER).changed == 1
        (incident,) = incidents(database)
        assert incident.baseline_day == date(2026, 2, 9)
        assert (incident.imported_at, incident.changed_at) == (NOW, LATER)
        assert marked(database) == [THEO.id]

    def test_the_same_list_twice_is_once_and_leaves_the_time_of_the_change(
        self, database: Database, file: Path
    ) -> None:
        text = "date,student,kind,id\n2026-02-02,Theo Brandt,Disruption,\n2026-02-03,Maya Lopez,Disruption,4\n"
        assert carry_incidents(database, file, text).added == 2
        marked(database)
        assert carry_incidents(database, file, text, now=LATER).unchanged == 2
        assert [each.changed_at for each in incidents(database)] == [NOW, NOW]
        assert marked(database) == []

    def test_a_dry_run_changes_nothing(self, database: Database, file: Path) -> None:
        text = "date,student,kind\n2026-02-02,Theo Brandt,Disruption\n"
        assert carry_incidents(database, file, text, dry_run=True).added == 1
        assert incidents(database) == []

    def test_a_withdrawn_incident_counts_nowhere_and_may_come_back(self, database: Database, file: Path) -> None:
        text = "date,student,kind,status\n2026-02-02,Theo Brandt,Disruption,{}\n"
        carry_incidents(database, file, text.format(""))
        assert carry_incidents(database, file, text.format("withdrawn"), now=LATER).withdrawn == 1
        assert [each.withdrawn_at for each in incidents(database)] == [LATER]
        assert carry_incidents(database, file, text.format("active"), now=LATER).changed == 1
        assert [each.withdrawn_at for each in incidents(database)] == [None]

    def test_an_incident_that_moves_to_another_student_is_counted_again_for_both(
        self, database: Database, file: Path
    ) -> None:
        carry_incidents(database, file, "date,student_id,kind,id\n2026-02-02,s-nico,Disruption,4\n")
        marked(database)
        carry_incidents(database, file, "date,student_id,kind,id\n2026-02-02,s-nora,Disruption,4\n", now=LATER)
        assert marked(database) == [NICO.id, NORA.id]

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            ("2026-02-02,s-theo,Disruption,2026-02-01", "baseline_date"),
            ("2026-02-02,s-theo,Disruption,2026-03-05", "baseline_date"),
            ("2026-02-02,s-theo,Disruption,9 February", "baseline_date"),
            ("2026-02-02,s-theo,,", "kind"),
            ("2026-02-02,s-theo,@SUM(A1),", "kind"),
            (f"2026-02-02,s-theo,{'what happened was ' * 5},", "kind"),
        ],
    )
    def test_a_bad_cell_is_named_by_its_column(self, database: Database, file: Path, row: str, column: str) -> None:
        read = incident_list(database, file, f"date,student_id,kind,baseline_date\n{row}\n")
        assert read.rows == []
        assert why(read).startswith(f"list.csv:2: {column}: ")
