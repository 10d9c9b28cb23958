"""Computes figures of what is to be looked at again, and how they differ from those on record. Writes nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from config import SchoolCalendar
from config.settings import Settings
from scorecard.carried import unsealed
from scorecard.differences import (
    Differences,
    FamilyKey,
    case_differences,
    family_differences,
    incident_differences,
    week_differences,
)
from scorecard.grouped_lists import Lists
from scorecard.happenings import happened
from scorecard.mailbox_weeks import Weeks
from scorecard.places import GroupKey, Places
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Mailboxes, read_places, students_of_families
from scorecard.standings import Stands, family_standings
from scorecard.work import Work


@dataclass(frozen=True, slots=True)
class Computing:
    """Reads through `connection`. `terms` are those that there are figures of, `today` is the school's day of `now`."""

    connection: Connection
    settings: Settings
    calendar: SchoolCalendar
    terms: Sequence[SchoolTerm]
    today: date
    now: datetime
    mailboxes: Mailboxes

    def differences(self, work: Work) -> Differences:
        """What is to be written so that the figures that `work` names are right."""
        found = Differences()
        countable = unsealed(self.connection, self.terms, self.calendar.zone)
        terms = {term.id: term for term in countable}
        wanted = {term: work.families | work.in_terms.get(term, set()) for term in terms}
        family_differences(self.connection, wanted, self._standings(wanted), terms, found)
        if work.weeks or work.mailboxes:
            counts = self.counting().count(work.weeks, work.mailboxes)
            week_differences(self.connection, work.weeks, work.mailboxes, counts, found)
        lists = Lists(self.connection, countable, self.mailboxes, self.calendar, self.today)
        case_differences(self.connection, work.cases, lists.cases(work.cases), found)
        incident_differences(self.connection, work.incidents, lists.incidents(work.incidents), found)
        return found

    def counting(self) -> Weeks:
        """What counts the weeks of these terms."""
        teams = Places(teams=self.mailboxes.teams)
        hours = self.settings.norm.reply_within_hours[1]
        return Weeks(self.connection, self.calendar, self.terms, teams, hours, self.now)

    def _standings(self, wanted: Mapping[str, set[str]]) -> dict[FamilyKey, dict[GroupKey, Stands]]:
        """How families stand in each term, `wanted` by its identifier."""
        terms = [term for term in self.terms if wanted.get(term.id)]
        if not terms:
            return {}
        students = students_of_families(self.connection, set().union(*wanted.values()))
        places = read_places(self.connection, students, self.mailboxes)
        days = min(term.first for term in terms), max(term.last for term in terms)
        events = happened(self.connection, students, places, days, self.mailboxes.names, self.calendar.zone)
        found: dict[FamilyKey, dict[GroupKey, Stands]] = {}
        for term in terms:
            members: dict[str, list[str]] = defaultdict(list)
            for student in students:
                family = places.family_in(student, term, self.today)
                if family is not None and family in wanted[term.id]:
                    members[family].append(student)
            for family, of_it in members.items():
                mine = [each for one in of_it for each in events.get(one, ()) if term.first <= each.day <= term.last]
                found[family, term.id] = family_standings(of_it, term, self.today, mine, places)
        return found
