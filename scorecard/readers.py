"""Who reads the scorecard, and so whose figures they see. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from config.settings import Role, Settings
from scorecard.report import Group
from store.scorecard_tables import Grouping


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads figures. Everybody sees those of everybody and of their own school; the rest is as below."""

    mailbox: str | None = None
    """A teacher's own: they see themselves and their team."""
    leads: frozenset[str] | None = None
    """The teams that a leader sees, with their teachers; empty for the whole school, with every school, grade, team and
    teacher. None for who leads nobody."""

    @property
    def leads_everybody(self) -> bool:
        """Whether they see every group."""
        return self.leads is not None and not self.leads

    def may_see_teacher(self, mailbox: str, team: str) -> bool:
        """Whether a teacher's figures are for them: their own, or those of somebody whom they lead. `team` is the
        teacher's, "" for none."""
        return mailbox == self.mailbox or self.leads_everybody or bool(self.leads and team in self.leads)


@dataclass(frozen=True, slots=True)
class Colleague:
    """A teacher, as far as it matters to who may see whose figures."""

    mailbox: str
    team: str
    """"" for none."""
    schools: frozenset[str]
    """On the roster."""
    families: int


LEADER = Reader(leads=frozenset())
"""A principal, and whoever runs the command line: every group."""


def reader_of(settings: Settings, address: str) -> Reader:
    """What the settings say of the person with this address, in whatever roles they are named there."""
    address = address.strip().lower()
    mine = [member for member in settings.staff if member.address == address and member.role is Role.LEADER]
    leads = None
    if mine:
        # Who is named once without teams leads the whole school.
        everywhere = any(not member.leads for member in mine)
        leads = frozenset() if everywhere else frozenset(team for member in mine for team in member.leads)
    boxes = {box.address for box in settings.mailboxes}
    return Reader(address if address in boxes else None, leads)


def visible_to(
    groups: Sequence[Group], reader: Reader, colleagues: Collection[Colleague], threshold: int
) -> frozenset[Group]:
    """The groups whose figures are for somebody, of those that are shown at all. `colleagues` are all teachers that
    there are figures of.

    No teacher's figures are for another: so neither is a group that, less what the reader sees of single teachers and
    of other groups, is one teacher's, or that of a few families.
    """
    if reader.leads_everybody:
        return frozenset(groups)
    own = next((each for each in colleagues if each.mailbox == reader.mailbox), None)
    unknown = [each for each in colleagues if not reader.may_see_teacher(each.mailbox, each.team)]
    teams = set(reader.leads or ()) | ({own.team} if own and own.team else set())
    teams = {team for team in teams if _tells_of_nobody([each for each in unknown if each.team == team], threshold)}
    with_them = {team for team in teams if any(each.team == team for each in unknown)}
    if not _tells_of_nobody([each for each in unknown if each.team not in teams], threshold):
        teams -= with_them
    outside = [each for each in unknown if each.team not in teams]
    schools = {
        school
        for school in (own.schools if own else ())
        if _tells_of_nobody([each for each in outside if school in each.schools], threshold)
        and _tells_of_nobody([each for each in outside if school not in each.schools], threshold)
    }
    everybody = _tells_of_nobody(outside, threshold)
    return frozenset(
        group
        for group in groups
        if (group.grouping is Grouping.ALL and everybody)
        or (group.grouping is Grouping.SCHOOL and group.key in schools)
        or (group.grouping is Grouping.TEAM and group.key in teams)
        or (group.grouping is Grouping.TEACHER and reader.may_see_teacher(group.key, _team_of(group, colleagues)))
    )


def _tells_of_nobody(unknown: Iterable[Colleague], threshold: int) -> bool:
    """Whether a sum over these teachers is nobody's own figure, and not that of a few families."""
    families = [each.families for each in unknown]
    placed = [number for number in families if number]
    return len(families) != 1 and len(placed) != 1 and (not placed or sum(placed) >= threshold)


def _team_of(group: Group, colleagues: Iterable[Colleague]) -> str:
    return next((each.team for each in colleagues if each.mailbox == group.key), "")
