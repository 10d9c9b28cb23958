"""What the scorecard says of every group in one term, as a page, a mail, a table or a machine reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from store.scorecard_tables import Grouping


class Indicator(StrEnum):
    """The four numbers that tell whether the alliance of families and school works (docs/scorecard.md)."""

    FIRST_CONTACT = "first_contact"
    TWO_WAY = "two_way"
    RESOLUTION = "resolution"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Whom figures are about."""

    grouping: Grouping
    key: str
    """As `Grouping` says."""
    title: str = field(compare=False, default="")
    """What people call it."""
    within: tuple[Grouping, str] | None = field(compare=False, default=None)
    """The group that it is a part of: everybody for schools and teams, its school for a grade, its team for a
    teacher (everybody where they have none); None for everybody."""


@dataclass(frozen=True, slots=True)
class SchoolTerm:
    """A term, as figures are computed for it."""

    id: str
    title: str
    first: date
    last: date
    fourth_week_ends: date
    """The Sunday of its fourth week with school: until then a first contact counts."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many `of` so many."""

    met: int
    of: int
    pending: int = 0
    """How many are not among `of` yet, since their time still runs."""

    @property
    def value(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.met / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How long minor conflicts took from the first message to the agreed plan, in school days."""

    resolved: int
    open: int
    mean: float | None = None
    """Of the resolved; None of none."""
    median: float | None = None
    """Of the resolved."""
    censored_median: float | None = None
    """Kaplan-Meier's, with the open ones as censored; None while fewer than half are resolved by any day."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The service's own counts."""

    urgent: int = 0
    conflict: int = 0
    routine: int = 0
    unsure: int = 0
    """Of those three, how many the teacher was asked to check."""
    answered: int = 0
    """Automatic answers that left."""
    routed: int = 0
    """Messages that the office has."""
    corrected: int = 0
    """Messages whose tag somebody corrected."""
    norm_kept: int = 0
    """Conversations that the teacher answered within the norm."""
    norm_missed: int = 0
    norm_open: int = 0
    """Conversations whose norm still runs."""
    claimed: int = 0
    """Items that somebody at the office took."""
    claim_minutes: int = 0
    """Minutes until they did, in sum: those in which the office was open."""
    claimed_soon: int = 0
    """Those taken within thirty such minutes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The shares of families as they stood at the end of a week of the term, its beginning counted in."""

    monday: date
    first_contact: Share
    two_way: Share


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Every figure of one group in one term. Where `hidden`, all of them are empty: the group, or what could be
    computed from it, is too small to be shown."""

    group: Group
    families: int = 0
    """Families that belong to it."""
    first_contact: Share = Share(0, 0)
    two_way: Share = Share(0, 0)
    resolution: Resolution = Resolution(0, 0)
    recovery: Share = Share(0, 0)
    counts: Counts = Counts()
    weeks: Sequence[Standing] = ()
    """Week by week, the first first."""
    by_week: Mapping[date, Counts] = field(default_factory=dict)
    """The service's own counts by the week's Monday."""
    hidden: frozenset[Indicator] = frozenset()
    """Indicators that are withheld; those figures are empty."""
    counts_withheld: bool = False
    """True where the service's own counts are, in sum and by week; those are empty."""
    withheld: bool = False
    """True where the group as a whole is: no figure of it is shown, nor how many families it has."""


@dataclass(frozen=True, slots=True)
class Restated:
    """A figure that late data has changed since a weekly mail told it."""

    group: Group
    indicator: Indicator
    monday: date
    """Of the week it was told for."""
    told: float
    now: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The scorecard of one term."""

    school: str
    """The school's name."""
    term: SchoolTerm
    as_of: datetime
    """When the figures were last brought up to date; aware."""
    groups: Sequence[GroupFigures]
    """Everybody first; then schools, grades, teams, teachers, each by title."""
    before: SchoolTerm | None = None
    """The term that it is compared with: the one before."""
    groups_before: Sequence[GroupFigures] = ()
    restated: Sequence[Restated] = ()
    threshold: int = 10
    """Groups of fewer families are withheld."""

    def of(self, grouping: Grouping, key: str = "") -> GroupFigures | None:
        """The figures of one group; None where there is none."""
        return next((each for each in self.groups if (each.group.grouping, each.group.key) == (grouping, key)), None)

    def before_of(self, group: Group) -> GroupFigures | None:
        """A group's figures of the term before; None where there are none."""
        return next((each for each in self.groups_before if each.group == group), None)
