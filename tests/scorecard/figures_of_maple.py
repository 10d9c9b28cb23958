"""A school's standings as the scorecard keeps them, written straight into its tables: two terms, families in grades,
teams and with teachers, so many as a test wants."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import insert

from config import SchoolCalendar
from config.settings import MailboxSettings, Office, School, Scorecard, Settings, Term
from scorecard.places import GroupKey
from scorecard.readers import LEADER, Reader
from scorecard.reading import WHOLE, Scope, read_report
from scorecard.report import Report, SchoolTerm
from scorecard.standings import Stands, counted
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
    Tally,
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
        tallies: Counter[tuple[GroupKey, date, Measure]] = Counter()
        for place in range(number):
            self._families += 1
            stands = Stands(
                True,
                day if place < introduced else None,
                day if place < written else None,
                day + timedelta(days=3) if place < answered else None,
            )
            for group in ((Grouping.ALL, ""), *groups):
                family = f"{self._families * 7919 % 100_003:06}"
                row = {"term": term.id, "grouping": group[0], "key": group[1], "family": family}
                days = {"positive_on": stands.positive_on, "written_on": stands.written_on}
                rows.append(row | days | {"enrolled": True, "answered_on": stands.answered_on})
                for monday, measure in counted(stands, term):
                    tallies[group, monday, measure] += 1
        with self.database.write() as connection:
            connection.execute(insert(FamilyStanding), rows)
        for (group, monday, measure), n in tallies.items():
            self.tally(group, monday, measure, n, term=term)

    def tally(self, group: GroupKey, monday: date, measure: Measure, n: int, *, term: SchoolTerm = FALL) -> None:
        """So many more of a group's week."""
        key = {"term": term.id, "grouping": group[0], "key": group[1], "monday": monday, "measure": measure}
        of = Tally.__table__  # type: ignore[attr-defined]
        this = [of.c[name] == value for name, value in key.items()]
        with self.database.write() as connection:
            if not connection.execute(of.update().where(*this).values(n=of.c.n + n)).rowcount:
                connection.execute(insert(Tally).values(**key, n=n))

    def mail(self, mailbox: str, monday: date, *, term: SchoolTerm = FALL, **counts: int) -> None:
        """Own counts of a mailbox's week."""
        groups = [(Grouping.ALL, ""), (Grouping.TEAM, TEAMS[mailbox]), (Grouping.TEACHER, mailbox)]
        for group in groups:
            for measure, n in counts.items():
                self.tally(group, monday, Measure(measure), n, term=term)

    def case(self, opened: date, agreed: date | None, *groups: GroupKey, term: SchoolTerm = FALL) -> int:
        """A conflict."""
        at = datetime.combine(opened, datetime.min.time(), UTC)
        case = {"mailbox": RIVERA, "reference": f"{self._families}-{opened}-{agreed}-{groups}", "family": "f"}
        with self.database.write() as connection:
            times = dict.fromkeys(("opened_at", "last_mail_at", "takes_until", "changed_at", "looked_at"), at)
            number = connection.execute(insert(ConflictCase).values(**case, **times)).inserted_primary_key[0]
            for grouping, key in ((Grouping.ALL, ""), *groups):
                place = {"term": term.id, "grouping": grouping, "key": key, "case_id": number}
                connection.execute(insert(CaseStanding).values(**place, opened_on=opened, agreed_on=agreed))
        return int(number)

    def incident(self, student: str, day: date, baseline: date | None, *groups: GroupKey) -> None:
        """An incident, the student's only one."""
        one = {"student": student, "on_day": day, "baseline_day": baseline}
        with self.database.write() as connection:
            made = insert(Incident).values(
                **one, reference=f"{student} {day}", kind="other", imported_at=NOW, changed_at=NOW
            )
            number = connection.execute(made).inserted_primary_key[0]
            for grouping, key in ((Grouping.ALL, ""), *groups):
                place = {"term": FALL.id, "grouping": grouping, "key": key, "incident_id": number}
                connection.execute(insert(IncidentStanding).values(**place, **one))

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
