"""The figures of one term's groups, with what is withheld taken out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from sqlalchemy import Connection

from config import SchoolCalendar
from scorecard.guarding import Kept, few, kept
from scorecard.outcomes import CaseDays, IncidentDays, recovery
from scorecard.places import GroupKey
from scorecard.report import Group, GroupFigures, SchoolTerm
from scorecard.tallied import Counted, Weeks, figures
from scorecard.tally_rows import TallyRows, Wanted, families_of, schools_of
from store.scorecard_tables import Grouping

_One = TypeVar("_One", CaseDays, IncidentDays)


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read for one term or two."""

    sizes: Mapping[str, Mapping[GroupKey, tuple[int, int]]]
    tallies: Mapping[tuple[str, GroupKey], Sequence[Counted]]
    cases: Mapping[str, Mapping[GroupKey, Sequence[CaseDays]]]
    incidents: Mapping[str, Mapping[GroupKey, Sequence[IncidentDays]]]

    @classmethod
    def read(cls, rows: TallyRows, judged: Wanted, shown: Wanted) -> "Rows":
        """`judged` are the groups that what is withheld is decided on, `shown` those whose figures are asked for."""
        return cls(rows.sizes(judged), rows.tallies(shown), rows.cases(judged), rows.incidents(judged))


@dataclass(frozen=True, slots=True)
class Term:
    """A term's groups, and what is known of them."""

    term: SchoolTerm
    rows: Rows
    today: date
    calendar: SchoolCalendar
    threshold: int
    group: Callable[[GroupKey], Group]
    """Gives a group its title."""
    teams: Mapping[str, str]
    """The team of each mailbox, "" for none."""
    groups: Mapping[GroupKey, Group] = field(init=False)
    """All that anything was counted of, with everybody."""
    weeks: Weeks = field(init=False)

    def __post_init__(self) -> None:
        id_ = self.term.id
        keys = {(Grouping.ALL, ""), *self.rows.sizes[id_], *self.rows.cases[id_], *self.rows.incidents[id_]}
        object.__setattr__(self, "groups", {key: self.group(key) for key in keys})
        object.__setattr__(self, "weeks", Weeks.of(self.term, self.today, self.calendar))

    def families(self, key: GroupKey) -> int:
        """How many families a group's figures stand for."""
        return few(*self.rows.sizes[self.term.id].get(key, (0, 0)), self.threshold)

    def kept(self, connection: Connection) -> Kept:
        """What is not shown. Asks the database who is in which groups only where a group is small."""
        sizes = {group: self.families(key) for key, group in self.groups.items()}
        cases, incidents = self.rows.cases[self.term.id], self.rows.incidents[self.term.id]
        return kept(
            sizes,
            self.threshold,
            self._members(connection),
            self._units(cases, lambda case: case.case_id),
            self._units(incidents, lambda incident: incident.student),
            {self.groups[key]: recovery(of, self.today).of for key, of in incidents.items()},
            self.teams,
        )

    def figures(self, key: GroupKey) -> GroupFigures:
        """All figures of a group: nothing is withheld yet."""
        id_ = self.term.id
        return figures(
            self.groups[key],
            self.rows.tallies.get((id_, key), ()),
            self.rows.cases[id_].get(key, ()),
            self.rows.incidents[id_].get(key, ()),
            self.weeks,
            self.today,
            self.calendar,
        )

    def _members(self, connection: Connection) -> Iterable[frozenset[Group]]:
        small = [key for key in self.groups if 0 < self.families(key) < self.threshold]
        if not small or (Grouping.ALL, "") in small:
            return ()
        has_schools = any(grouping is Grouping.SCHOOL for grouping, _key in self.groups)
        schools = schools_of(connection, self.term.id, small) if has_schools else None
        groupings = {grouping for grouping, _key in self.groups}
        families = families_of(connection, self.term.id, groupings, schools)
        return [frozenset(self.groups[key] for key in of if key in self.groups) for of in families.values()]

    def _units(
        self, by_group: Mapping[GroupKey, Iterable[_One]], unit: Callable[[_One], object]
    ) -> Iterable[frozenset[Group]]:
        found: dict[object, set[Group]] = defaultdict(set)
        for key, each in by_group.items():
            for one in each:
                found[unit(one)].add(self.groups[key])
        return [frozenset(of) for of in found.values()]
