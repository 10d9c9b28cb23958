"""A school's standings as the scorecard keeps them, written straight into its tables: two terms, families in grades,
teams and with teachers, so many as a test wants."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from config import SchoolCalendar
from config.settings import MailboxSettings, Office, School, Scorecard, Settings, Term
from scorecard.outcomes import recovered_by, students_counted
from scorecard.packing import groups_in, packed_groups, packed_standings
from scorecard.places import GroupKey
from scorecard.readers import LEADER, Reader
from scorecard.reading import WHOLE, Scope, read_report
from scorecard.report import Report, SchoolTerm
from scorecard.standings import Stands, counted
from scorecard.writing import add_to_tallies
from store.case_tables import ConflictCase
from store.contact_tables import Incident
from store.database import Database
from store.pages import Pages
from store.roster_tables import RosterAddress, RosterPerson, RosterSchool
from store.scorecard_tables import (
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Measure,
    ScorecardState,
    TeamRecord,
)

SPRING = SchoolTerm("settings:Spring", "Spring", date(2026, 1, 12), date(2026, 5, 29), date(2026, 2, 8))
FALL = SchoolTerm("settings:Fall", "Fall", date(2026, 8, 31), date(2026, 12, 18), date(2026, 9, 27))
NOW = datetime(2026, 11, 9, 15, 0, tzinfo=UTC)
RIVERA, OKAFOR, CHEN, DIAZ = (f"{name}@maple.example" for name in ("rivera", "okafor", "chen", "diaz"))
TEAMS = {RIVERA: "Comets", OKAFOR: "Comets", CHEN: "Foxes", DIAZ: "Foxes"}


def settings_of(threshold: int = 10) -> Settings:
    """The school's settings. Thresholds below what the settings allow keep tests small."""
    return Settings(
        school=School(name="Maple Street School", timezone="America/Chicago"),
        office=Office(address="office@maple.example", phone="555 0100"),
        terms=tuple(Term(title=term.title, first=term.first, last=term.last) for term in (SPRING, FALL)),
        mailboxes=tuple(
            MailboxSettings(address=box, teacher=f"Ms. {box.partition('@')[0].title()}", team=team, connector="maildir")
            for box, team in TEAMS.items()
        ),
        scorecard=Scorecard.model_construct(smallest_group=threshold),
    )


@dataclass
class Figures:
    """Writes what happened."""

    database: Database
    settings: Settings = field(default_factory=settings_of)
    _families: int = 0

    def __post_init__(self) -> None:
        Pages(self.database).connect(RIVERA, datetime(2026, 1, 1, tzinfo=UTC))
        with self.database.write() as connection:
            connection.execute(insert(ScorecardState).values(id=1, looked_at=NOW, day=NOW.date()))
            for mailbox, team in TEAMS.items():
                connection.execute(insert(TeamRecord).values(mailbox=mailbox, team=team))

    @property
    def calendar(self) -> SchoolCalendar:
        return SchoolCalendar.of(self.settings.school, self.settings.office)

    def school(self, key: str, name: str) -> None:
        """A school of the roster."""
        with self.database.write() as connection:
            connection.execute(insert(RosterSchool).values(id=key, name=name))

    def teaches_at(self, mailbox: str, *schools: str) -> None:
        """The roster knows a teacher."""
        with self.database.write() as connection:
            person = {"id": mailbox, "kinds": "teacher", "given_name": "A", "family_name": "B"}
            connection.execute(insert(RosterPerson).values(**person, schools=",".join(schools)))
            connection.execute(insert(RosterAddress).values(address=mailbox, person=mailbox))

    def families(
        self,
        number: int,
        *groups: GroupKey,
        term: SchoolTerm = FALL,
        introduced: int = 0,
        written: int = 0,
        answered: int = 0,
        day: date | None = None,
    ) -> None:
        """So many families in these groups, and among everybody; so many of them had good news, and so on, on `day`."""
        day = day or term.first + timedelta(days=8)
        rows: list[dict[str, object]] = []
        tallies: Counter[tuple[GroupKey, Measure, str]] = Counter()
        everybody = ((Grouping.ALL, ""), *groups)
        for place in range(number):
            self._families += 1
            stands = Stands(
                True,
                day if place < introduced else None,
                day if place < written else None,
                day + timedelta(days=3) if place < answered else None,
            )
            family = f"{self._families * 7919 % 100_003:06}"
            standings = packed_standings(dict.fromkeys(everybody, stands))
            rows.append({"term": term.id, "family": family, "standings": standings})
            for group in everybody:
                for measure, by in counted(stands, term):
                    tallies[group, measure, by] += 1
                if group[0] is Grouping.SCHOOL:
                    tallies.update((group, Measure.TEAM, key) for grouping, key in groups if grouping is Grouping.TEAM)
        with self.database.write() as connection:
            connection.execute(insert(FamilyStanding), rows)
        for (group, measure, by), n in tallies.items():
            self.tally(group, measure, by, n, term=term)

    def tally(self, group: GroupKey, measure: Measure, by: str, n: int, *, term: SchoolTerm = FALL) -> None:
        """So many more of a group's."""
        with self.database.write() as connection:
            add_to_tallies(connection, {(term.id, *group, measure, by): n})

    def mail(self, mailbox: str, monday: date, *, term: SchoolTerm = FALL, **counts: int) -> None:
        """Own counts of a mailbox's week."""
        groups = [(Grouping.ALL, ""), (Grouping.TEAM, TEAMS[mailbox]), (Grouping.TEACHER, mailbox)]
        for group in groups:
            for measure, n in counts.items():
                self.tally(group, Measure(measure), monday.isoformat(), n, term=term)

    def case(self, opened: date, agreed: date | None, *groups: GroupKey, term: SchoolTerm = FALL) -> int:
        """A conflict."""
        at = datetime.combine(opened, datetime.min.time(), UTC)
        case = {"mailbox": RIVERA, "reference": f"{self._families}-{opened}-{agreed}-{groups}", "family": "f"}
        with self.database.write() as connection:
            times = dict.fromkeys(("opened_at", "last_mail_at", "takes_until", "changed_at", "looked_at"), at)
            number = connection.execute(insert(ConflictCase).values(**case, **times)).inserted_primary_key[0]
            days = None if agreed is None else self.calendar.school_days_between(opened, agreed)
            packed = packed_groups({(Grouping.ALL, ""), *groups})
            row = {"case_id": number, "term": term.id, "opened_on": opened, "agreed_on": agreed, "school_days": days}
            connection.execute(insert(CaseStanding).values(**row, groups=packed))
        counts = (Measure.OPEN, opened.isoformat()) if days is None else (Measure.RESOLVED, str(days))
        for group in {(Grouping.ALL, ""), *groups}:
            self.tally(group, *counts, 1, term=term)
        return int(number)

    def incident(self, student: str, day: date, baseline: date | None, *groups: GroupKey) -> None:
        """An incident, the student's only one."""
        one = {"student": student, "on_day": day, "baseline_day": baseline}
        with self.database.write() as connection:
            made = insert(Incident).values(
                **one, reference=f"{student} {day}", kind="other", imported_at=NOW, changed_at=NOW
            )
            number = connection.execute(made).inserted_primary_key[0]
            recovered = recovered_by(day, baseline, None, NOW.date())
            row = {"incident_id": number, "term": FALL.id, "recovered": recovered, "again_on": None, **one}
            standing = IncidentStanding(**row, groups=packed_groups({(Grouping.ALL, ""), *groups}))
            connection.execute(insert(IncidentStanding).values(standing.model_dump()))
        for group, measures in students_counted([standing]).items():
            for measure in measures:
                self.tally(group, measure, "", 1)

    def standing(self, connection: Connection, term: SchoolTerm = FALL) -> list[tuple[str, frozenset[GroupKey]]]:
        """The families of a term, each with its groups."""
        of = FamilyStanding
        rows = connection.execute(select(col(of.family), col(of.standings)).where(col(of.term) == term.id))
        return [(row.family, groups_in(row.standings)) for row in rows]

    def report(self, reader: Reader = LEADER, scope: Scope = WHOLE, term: str | None = None) -> Report:
        """The scorecard."""
        with self.database.read() as connection:
            report = read_report(connection, self.settings, self.calendar, NOW, reader, term=term, scope=scope)
        assert report is not None
        return report


def grade(name: str, school: str = "") -> GroupKey:
    return Grouping.GRADE, f"{school}/{name}"


def school(name: str) -> GroupKey:
    return Grouping.SCHOOL, name


def with_(mailbox: str) -> Sequence[GroupKey]:
    """A teacher and their team."""
    return (Grouping.TEACHER, mailbox), (Grouping.TEAM, TEAMS[mailbox])
