"""The figures of one term's groups, before what is withheld is taken out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from config import SchoolCalendar
from scorecard.guarding import few
from scorecard.places import EVERYBODY, GroupKey
from scorecard.report import Group, GroupFigures, SchoolTerm
from scorecard.tallied import Weeks, figures
from scorecard.tally_rows import GroupNumbers
from store.scorecard_tables import Measure


@dataclass(frozen=True, slots=True)
class Term:
    """A term's groups, and what is known of them."""

    term: SchoolTerm
    numbers: Mapping[GroupKey, GroupNumbers]
    today: date
    calendar: SchoolCalendar
    threshold: int
    group: Callable[[GroupKey], Group]
    """Gives a group its title."""
    teams: Mapping[str, str]
    """The team of each mailbox, "" for none."""
    groups: Mapping[GroupKey, Group] = field(init=False)
    """All that were read and that anything was counted of, with everybody."""
    weeks: Weeks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", {key: self.group(key) for key in (EVERYBODY, *self.numbers)})
        object.__setattr__(self, "weeks", Weeks.of(self.term, self.today, self.calendar))

    def families(self, key: GroupKey) -> int:
        """How many families a group's figures stand for."""
        return families_of(self.numbers.get(key, {}), self.threshold)

    def figures(self, key: GroupKey) -> GroupFigures:
        """All figures of a group: nothing is withheld yet."""
        return figures(self.groups[key], self.numbers.get(key, {}), self.weeks)


def families_of(numbers: GroupNumbers, threshold: int) -> int:
    """How many families these numbers stand for."""
    enrolled, written = (sum(numbers.get(each, {}).values()) for each in (Measure.ENROLLED, Measure.WRITTEN))
    return few(enrolled, written, threshold)
