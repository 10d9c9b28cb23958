"""The scorecard's figures by an independent, slow and obvious method: docs/scorecard.md, sentence by sentence.

Written from that page and not from the code. Everything is read whole from the tables that record what happened, and
for every figure all of it is gone through again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel

from autoresponder.hours import reply_by
from config import SchoolCalendar
from config.settings import Settings
from store.case_tables import CaseMail, ConflictCase
from store.contact_tables import Contact, Incident, Judgement, LetterRecipient
from store.database import Database
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterMembership,
    RosterTerm,
)
from store.scorecard_tables import TeamRecord
from store.tables import Correction, Delivery, Item, ItemEvent, MailboxState, MessageRecord

DAY = timedelta(days=1)
STEP = timedelta(minutes=5)
"""Every time in these histories, and every hour of an office, is a whole number of such steps."""
SAID = ("taken", "done", "not urgent", "returned")
"""What somebody at the office says of an item that they have looked at."""


@dataclass(frozen=True)
class Term:
    id: str
    first: date
    last: date
    early_until: date


@dataclass
class Figures:
    """What the scorecard should have on record."""

    families: set[tuple] = field(default_factory=set)
    """Term, grouping, key, family, enrolled, positive, written and answered day."""
    cases: set[tuple] = field(default_factory=set)
    incidents: set[tuple] = field(default_factory=set)
    tallies: Counter = field(default_factory=Counter)
    of_terms: Counter = field(default_factory=Counter)
    """What is counted of a term as a whole: by term, group, measure, and what that is counted by."""
    """By term, grouping, key, Monday and measure."""


def remembered(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same question has the same answer: it is asked often."""

    def answer(self: "Oracle", *question: Any) -> Any:
        answers = self.answers.setdefault(method.__name__, {})
        if question not in answers:
            answers[question] = method(self, *question)
        return answers[question]

    return answer


def monday(day: date) -> date:
    while day.strftime("%a") != "Mon":
        day -= DAY
    return day


class Oracle:
    def __init__(self, database: Database, settings: Settings, calendar: SchoolCalendar, now: datetime) -> None:
        self.settings, self.calendar, self.now = settings, calendar, now
        self.today = self.day_of(now)
        self.answers: dict[str, dict[tuple, Any]] = {}
        with database.read() as connection:

            def rows(table: type[SQLModel]) -> list[Any]:
                return list(connection.execute(select(table.__table__)).all())  # type: ignore[attr-defined]

            self.messages = rows(MessageRecord)
            self.recipients = rows(LetterRecipient)
            self.judgements = rows(Judgement)
            self.contacts = rows(Contact)
            self.incidents = rows(Incident)
            self.cases = rows(ConflictCase)
            self.case_mails = rows(CaseMail)
            self.items = rows(Item)
            self.item_events = rows(ItemEvent)
            self.deliveries = rows(Delivery)
            self.corrections = rows(Correction)
            self.mailboxes = rows(MailboxState)
            self.family_rows = rows(RosterFamily)
            self.grade_rows = rows(RosterGrade)
            self.address_rows = rows(RosterAddress)
            self.care_rows = rows(RosterCare)
            self.class_rows = {row.id: row for row in rows(RosterClass)}
            self.places = rows(RosterMembership)
            self.term_rows = rows(RosterTerm)
            self.team_rows = rows(TeamRecord)
        self.students = sorted({row.student for row in self.family_rows})
        self.terms = self.all_terms()

    # Days, terms and weeks

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.calendar.zone).date()

    def all_terms(self) -> list[Term]:
        listed = [
            (row.id, row.begins, row.ends)
            for row in self.term_rows
            if not row.is_year and row.begins <= row.ends and (row.until is None or row.until > row.ends)
        ]
        own = [(f"settings:{term.title}", term.first, term.last) for term in self.settings.terms]
        years = [(f"year:{y}", date(y, 8, 1), date(y + 1, 7, 31)) for y in range(2000, 2050)]
        connected = min((self.day_of(row.connected_at) for row in self.mailboxes), default=self.today)
        first_counted = min(connected, self.today)
        return [
            Term(name, first, last, self.early_weeks_end(first, last))
            for name, first, last in listed or own or years
            if first <= self.today and last >= first_counted
        ]

    @remembered
    def early_weeks_end(self, first: date, last: date) -> date:
        mondays: list[date] = []
        day = first
        while day <= last:
            if self.calendar.is_school_day(day) and monday(day) not in mondays:
                mondays.append(monday(day))
            day += DAY
        if not mondays:
            return last
        return min(mondays[:4][-1] + 6 * DAY, last)

    def terms_with(self, day: date) -> list[Term]:
        return [term for term in self.terms if term.first <= day <= term.last]

    # Who counts where

    @staticmethod
    def holds(row: Any, day: date) -> bool:
        return (row.since is None or row.since <= day) and (row.until is None or row.until > day)

    @remembered
    def goes_to_school(self, student: str, day: date) -> bool:
        return any(row.student == student and self.holds(row, day) for row in self.family_rows)

    @remembered
    def family_of(self, student: str, term: Term) -> str | None:
        """The family of the term's last day, or today; who has left, the last one that they had in the term."""
        day = min(term.last, self.today)
        while day >= term.first:
            held = [row for row in self.family_rows if row.student == student and self.holds(row, day)]
            if held:
                return max(held, key=lambda row: (row.since or date.min, row.id)).family
            day -= DAY
        return None

    @staticmethod
    def known_as(address: str) -> str:
        name, _, domain = address.lower().rpartition("@")
        return name.split("+")[0] + "@" + domain

    @remembered
    def children_of(self, address: str, day: date) -> set[str]:
        owners = {row.person for row in self.address_rows if row.address == address and self.holds(row, day)}
        return {row.student for row in self.care_rows if row.guardian in owners and self.holds(row, day)}

    @remembered
    def in_class(self, person: str, day: date) -> set[str]:
        found = set()
        for row in self.places:
            listed = (row.begins is None or row.begins <= day) and (row.ends is None or day <= row.ends)
            if row.person == person and listed and self.holds(row, day) and row.school_class in self.class_rows:
                terms = self.class_rows[row.school_class].terms.split(",")
                days = [(each.begins, each.ends) for each in self.term_rows if each.id in terms]
                if not days or any(begins <= day <= ends for begins, ends in days):
                    found.add(row.school_class)
        return found

    @remembered
    def mailbox_of(self, address: str) -> str | None:
        for box in self.settings.mailboxes:
            if self.known_as(address) in {self.known_as(each) for each in (box.address, *box.aliases)}:
                return box.address
        for row in self.team_rows:
            if self.known_as(row.mailbox) == self.known_as(address):
                return row.mailbox
        return None

    @remembered
    def teachers_of(self, student: str, day: date) -> set[str]:
        """Mailboxes of whoever has a place in a class of the student's."""
        classes = self.in_class(student, day)
        found = set()
        for row in self.address_rows:
            mailbox = self.mailbox_of(row.address)
            if mailbox and row.person != student and self.holds(row, day) and classes & self.in_class(row.person, day):
                found.add(mailbox)
        return found

    @remembered
    def team_on(self, mailbox: str, day: date) -> str | None:
        """None where it was not connected."""
        return next((row.team for row in self.team_rows if row.mailbox == mailbox and self.holds(row, day)), None)

    @remembered
    def schools_and_grades(self, student: str, day: date) -> set[tuple[str, str]]:
        found = set()
        of_classes = {self.class_rows[each].school for each in self.in_class(student, day)} - {""}
        rows = [row for row in self.grade_rows if row.student == student and self.holds(row, day)]
        any_named = {school for row in rows for school in row.schools.split(",") if school}
        for school in any_named or of_classes:
            found.add(("school", school))
        for row in rows:
            schools = set(filter(None, row.schools.split(","))) or any_named or of_classes or {""}
            if row.grade:
                found |= {("grade", f"{school}/{row.grade}") for school in schools}
        return found

    @remembered
    def groups_of(self, student: str, day: date) -> set[tuple[str, str]]:
        if not self.goes_to_school(student, day):
            return set()
        found = {("all", "")} | self.schools_and_grades(student, day)
        for mailbox in self.teachers_of(student, day):
            team = self.team_on(mailbox, day)
            if team is not None:
                found.add(("teacher", mailbox))
                if team:
                    found.add(("team", team))
        return found

    # Families

    def events(self, term: Term) -> list[tuple[str, date, str, bool, bool, bool]]:
        """Family, day, mailbox; whether it was written to, positive, and from the family."""
        families = {student: self.family_of(student, term) for student in self.students}
        found = []

        def add(students: set[str], day: date, mailbox: str, *, to: bool, positive: bool, wrote: bool) -> None:
            if term.first <= day <= term.last:
                concerned = {families.get(student) for student in students} - {None}
                found.extend((family, day, mailbox, to, positive, wrote) for family in concerned)

        for message in self.messages:
            day = self.day_of(message.received_at)
            if message.direction == "received" and message.tag is not None and message.sender:
                children = self.children_of(self.known_as(message.sender), day)
                add(children, day, message.mailbox, to=False, positive=False, wrote=True)
            if message.direction == "sent" and not message.own:
                addresses = [row.address for row in self.recipients if row.message_id == message.id]
                judged = any(row.positive for row in self.judgements if row.message_id == message.id)
                for address in addresses:
                    positive = judged and len(addresses) <= 3
                    children = self.children_of(address, day)
                    add(children, day, message.mailbox, to=True, positive=positive, wrote=False)
        for contact in self.contacts:
            if contact.withdrawn_at is None:
                good = contact.tone == "good news"
                mailbox = self.mailbox_of(contact.mailbox) or contact.mailbox
                add({contact.student}, contact.on_day, mailbox, to=True, positive=good, wrote=contact.reached)
        return found

    def family_figures(self, figures: Figures) -> None:
        connected = {row.mailbox for row in self.team_rows}
        for term in self.terms:
            deciding = min(self.today, term.early_until)
            families: dict[str, set[str]] = defaultdict(set)
            for student in self.students:
                family = self.family_of(student, term)
                if family is not None:
                    families[family].add(student)
            events = self.events(term)
            groups = {("all", "")} | {("teacher", each) for each in connected}
            groups |= {("team", row.team) for row in self.team_rows if row.team}
            for student in self.students:
                groups |= self.schools_and_grades(student, deciding)
                for _, day, *_ in events:
                    groups |= self.schools_and_grades(student, day)
            for family, students in families.items():
                belongs = {group for student in students for group in self.groups_of(student, deciding)}
                mine = [event[1:] for event in events if event[0] == family]
                for group in groups:
                    self.family_in_group(figures, term, group, family, students, group in belongs, mine)

    def family_in_group(
        self,
        figures: Figures,
        term: Term,
        group: tuple[str, str],
        family: str,
        students: set[str],
        enrolled: bool,
        events: list[tuple],
    ) -> None:
        theirs = [event for event in events if self.is_of(group, event[1], event[0])]
        positive = [day for day, _, _, good, _ in theirs if good]
        written = [day for day, _, to, _, _ in theirs if to and self.is_placed(students, group, day)]
        wrote = [day for day, _, _, _, from_family in theirs if from_family]
        if not enrolled and not written:
            return
        both = [max(min(written), min(wrote))] if written and wrote else []
        first = [min(each) if each else None for each in (positive, written, both)]
        figures.families.add((term.id, *group, family, enrolled, *first))
        in_time = enrolled and bool(positive) and min(positive) <= term.early_until
        for counts, day, measure in (
            (enrolled, term.first, "enrolled"),
            (in_time, min(positive, default=None), "positive"),
            (bool(written), min(written, default=None), "written"),
            (bool(both), min(both, default=None), "two_way"),
        ):
            if counts and day is not None:
                figures.tallies[term.id, *group, monday(day), measure] += 1

    def is_of(self, group: tuple[str, str], mailbox: str, day: date) -> bool:
        """Whether it was that teacher, or somebody of that team; of other groups it is anybody."""
        if group[0] == "teacher":
            return mailbox == group[1]
        return group[0] != "team" or self.team_on(mailbox, day) == group[1]

    def is_placed(self, students: set[str], group: tuple[str, str], day: date) -> bool:
        """Whether one of the students was at that school, in that grade; other groups ask nothing of the kind."""
        if group[0] not in ("school", "grade"):
            return True
        return any(
            self.goes_to_school(student, day) and group in self.schools_and_grades(student, day) for student in students
        )

    # Cases and incidents

    def case_figures(self, figures: Figures) -> None:
        for case in self.cases:
            if case.state == "no conflict":
                continue
            day = self.day_of(case.opened_at)
            agreed = None if case.agreed_at is None else self.day_of(case.agreed_at)
            groups = {("all", ""), ("teacher", case.mailbox)}
            team = self.team_on(case.mailbox, day)
            if team:
                groups.add(("team", team))
            numbers = {row.message_id for row in self.case_mails if row.case_id == case.id}
            writers = {row.sender for row in self.messages if row.id in numbers and row.sender}
            children = {child for each in writers for child in self.children_of(self.known_as(each), day)}
            taught = {child for child in children if case.mailbox in self.teachers_of(child, day)}
            for child in taught or children:
                if self.goes_to_school(child, day):
                    groups |= self.schools_and_grades(child, day)
            for term in self.terms_with(day):
                figures.cases |= {(term.id, *group, case.id, day, agreed) for group in groups}

    def incident_figures(self, figures: Figures) -> None:
        stand = [row for row in self.incidents if row.withdrawn_at is None]
        for row in stand:
            again = min((o.on_day for o in stand if o.student == row.student and o.on_day > row.on_day), default=None)
            groups = self.groups_of(row.student, row.on_day) | {("all", "")}
            for term in self.terms_with(row.on_day):
                figures.incidents |= {
                    (term.id, *group, row.id, row.student, row.on_day, row.baseline_day, again) for group in groups
                }

    # The service's own counts

    def count(self, figures: Figures, mailbox: str, at: datetime, measure: str, n: int = 1) -> None:
        day = self.day_of(at)
        groups = {("all", ""), ("teacher", mailbox)}
        team = self.team_on(mailbox, day)
        if team:
            groups.add(("team", team))
        for term in self.terms_with(day):
            for group in groups:
                figures.tallies[term.id, *group, monday(day), measure] += n

    def own_figures(self, figures: Figures) -> None:
        count = partial(self.count, figures)
        family_mail = [m for m in self.messages if m.direction == "received" and m.tag is not None and not m.backfill]
        for message in family_mail:
            count(message.mailbox, message.received_at, message.tag)
            count(message.mailbox, message.received_at, "unsure", int(message.unsure))
        for message in self.messages:
            for row in self.deliveries:
                if row.message_id == message.id and row.state == "done" and row.kind in ("reply", "route"):
                    measure = {"reply": "answered", "route": "routed"}[row.kind]
                    count(message.mailbox, message.received_at, measure)
            corrected = any(row.message_id == message.id for row in self.corrections)
            count(message.mailbox, message.received_at, "corrected", int(corrected))
        for mailbox, thread in {(message.mailbox, message.thread) for message in family_mail}:
            in_it = [m for m in self.messages if (m.mailbox, m.thread) == (mailbox, thread)]
            opening = [m.received_at for m in family_mail if m in in_it and m.guard != "reaction"]
            if opening:
                self.norm(count, mailbox, min(opening), in_it)
        for item in self.items:
            said = [row for row in self.item_events if row.item_id == item.id and row.kind in SAID]
            if item.tag == "urgent" and said:
                minutes = self.open_minutes(item.opened_at, min(said, key=lambda row: row.id).at)
                count(item.mailbox, item.opened_at, "claimed")
                count(item.mailbox, item.opened_at, "claim_minutes", minutes)
                count(item.mailbox, item.opened_at, "claimed_soon", int(minutes <= 30))

    def norm(self, count: Any, mailbox: str, opened: datetime, in_it: list[Any]) -> None:
        deadline = reply_by(opened, self.settings.norm.reply_within_hours[1], self.calendar)
        answers = [m.received_at for m in in_it if m.direction == "sent" and not m.own and m.received_at >= opened]
        if any(at.timestamp() <= deadline.timestamp() for at in answers):
            count(mailbox, opened, "norm_kept")
        elif self.now.timestamp() > deadline.timestamp():
            count(mailbox, opened, "norm_missed")
        else:
            count(mailbox, opened, "norm_open")

    def open_minutes(self, start: datetime, end: datetime) -> int:
        steps = 0
        at = start.astimezone(UTC)
        while at < end:
            steps += self.calendar.office_is_open(at)
            at += STEP
        return 5 * steps

    def figures(self) -> Figures:
        found = Figures()
        self.family_figures(found)
        self.case_figures(found)
        self.incident_figures(found)
        self.own_figures(found)
        found.tallies = Counter({key: n for key, n in found.tallies.items() if n})
        self.of_terms(found)
        return found

    # What is counted of a term as a whole

    def of_terms(self, figures: Figures) -> None:
        counts = figures.of_terms
        for *group, family, enrolled, positive, _written, _answered in figures.families:
            counts[*group, "heard", ""] += int(enrolled and positive is not None)
            term, grouping, _key = group
            teams = {row[2] for row in figures.families if (row[0], row[1], row[3]) == (term, "team", family)}
            for team in teams if grouping == "school" else ():
                counts[*group, "team", team] += 1
        for *group, _case, opened, agreed in figures.cases:
            if agreed is None:
                counts[*group, "open", opened.isoformat()] += 1
            else:
                days = [opened + timedelta(days=ahead) for ahead in range(1, (agreed - opened).days + 1)]
                counts[*group, "resolved", str(sum(map(self.calendar.is_school_day, days)))] += 1
        by_student = defaultdict(list)
        for *group, _incident, student, day, baseline, again in figures.incidents:
            by_student[(*group, student)].append((day, baseline, again))
        for (*group, _student), rows in by_student.items():
            over = [row for row in rows if (self.today - row[0]).days > 14]
            latest = max((row[0] for row in over), default=None)
            calm = [day if again is None or (again - day).days > 14 else None for day, _baseline, again in over]
            ends = [
                baseline or quiet for (day, baseline, _again), quiet in zip(over, calm, strict=True) if day == latest
            ]
            counts[*group, "pending", ""] += int(not over)
            counts[*group, "judged", ""] += int(bool(over))
            counts[*group, "recovered", ""] += int(
                latest is not None and all(end is not None and (end - latest).days <= 14 for end in ends)
            )
        figures.of_terms = Counter({key: n for key, n in counts.items() if n})
