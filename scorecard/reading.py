"""Reads the scorecard of one term, as far as it may be shown and is for who reads it.

There is no other way to figures: what is withheld, or is not for this reader, is not in what comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select
from sqlmodel import col

from autoresponder.wording import OFFICE, Wording, wording
from config import SchoolCalendar
from config.settings import Settings
from scorecard.group_names import GroupNames, grade_order
from scorecard.guarding import Kept
from scorecard.judging import Judge
from scorecard.places import GroupKey
from scorecard.readers import Colleague, Reader, visible_to
from scorecard.report import Group, GroupFigures, Report, SchoolTerm
from scorecard.restating import restated
from scorecard.roster_slice import read_mailboxes, rows_in, teams_in_terms
from scorecard.tally_rows import TallyRows, Wanted, teams_at
from scorecard.term_figures import Term
from scorecard.terms import before, running, terms_of
from store.roster_tables import RosterAddress, RosterPerson, RosterSchool
from store.scorecard_tables import Grouping, ScorecardState


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for beside everybody and the schools. It says what is read, and never what is withheld: that is
    decided on all groups alike (`scorecard.judging`)."""

    school: str | None = None
    """The grades of one school, and the teams with families there; "" for a roster without schools."""
    team: str | None = None
    """One team and its teachers; "" for the teachers without one."""
    overview: bool = False
    """Grades and teams where the roster has one school or none; nothing more where it has several."""
    group: GroupKey | None = None
    """One group."""


WHOLE = Scope()
"""Everything: every school, grade, team and teacher."""
OVERVIEW = Scope(overview=True)
"""What a district's first page shows."""
_SMALL_SCHOOL = 80
"""Mailboxes up to which everything stands on one page."""


def first_look(settings: Settings) -> Scope:
    """What a first page and the mail of the week show."""
    return WHOLE if len(settings.mailboxes) <= _SMALL_SCHOOL else OVERVIEW


@dataclass(frozen=True, slots=True)
class Opened:
    """The figures of a term and of the one before, before anything is taken out: for this module and
    `scorecard.events`, which take it out."""

    judge: Judge
    as_of: datetime
    this: SchoolTerm
    earlier: SchoolTerm | None
    terms: Mapping[str, Term]
    """By identifier."""
    shown: Wanted
    reader: Reader
    roster_schools: Mapping[str, frozenset[str]] | None
    """The schools of each teacher; None for a reader who sees every group."""

    def kept(self, term: SchoolTerm) -> Kept:
        """What of a term is withheld."""
        return self.judge.kept(term.id, self.terms[term.id].teams)

    def figures(self, term: SchoolTerm) -> tuple[GroupFigures, ...]:
        """A term's figures for the reader, without what is withheld."""
        return _for_reader(self.terms[term.id], self.kept(term), self.shown, self.reader, self.roster_schools)


def read_report(
    connection: Connection,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    reader: Reader,
    *,
    term: str | None = None,
    scope: Scope = WHOLE,
    words: Wording | None = None,
) -> Report | None:
    """The scorecard of a term by its identifier, else of the one that people ask for today. None where the figures were
    never brought up to date, or there is no such term. `words` are the staff's; English where left out. A fixed number
    of queries, however many groups there are."""
    opened = open_term(connection, settings, calendar, now, reader, term=term, scope=scope, words=words)
    if opened is None:
        return None
    groups = opened.figures(opened.this)
    told = TallyRows(connection, [opened.this.id]).told(opened.this.id, opened.shown)
    return Report(
        school=settings.school.name,
        term=opened.this,
        as_of=opened.as_of.astimezone(calendar.zone),
        groups=groups,
        before=opened.earlier,
        groups_before=opened.figures(opened.earlier) if opened.earlier is not None else (),
        restated=restated(told, groups),
        threshold=settings.scorecard.smallest_group,
    )


def open_term(
    connection: Connection,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    reader: Reader,
    *,
    term: str | None = None,
    scope: Scope = WHOLE,
    words: Wording | None = None,
) -> Opened | None:
    """What `read_report` is made of. Not to be shown."""
    today = now.astimezone(calendar.zone).date()
    state = connection.execute(select(col(ScorecardState.looked_at))).scalar()
    terms = terms_of(connection, settings, calendar, today)
    this = next((each for each in terms if each.id == term), None) if term else running(terms, today)
    if state is None or this is None:
        return None
    earlier = before(terms, this)
    both = [each for each in (this, earlier) if each is not None]
    listed = connection.execute(select(col(RosterSchool.id), col(RosterSchool.name)))
    schools = {row.id: row.name for row in listed}
    teachers = {box.address: box.teacher for box in settings.mailboxes}
    names = GroupNames(settings.school.name, schools, teachers, {}, words or wording("en", OFFICE))
    teams = teams_in_terms(connection, both, today)
    shown = _wanted(connection, both, scope, teams, several_schools=len(schools) > 1)
    # Whose figures are for somebody who does not lead everybody depends on how many families all teachers have.
    read = shown if reader.leads_everybody else replace(shown, groupings=shown.groupings | {Grouping.TEACHER})
    numbers = TallyRows(connection, [each.id for each in both]).numbers(read)
    threshold = settings.scorecard.smallest_group

    def opened(term: SchoolTerm) -> Term:
        of_term = teams[term.id]
        titled = replace(names, teams=of_term).group
        return Term(term, numbers[term.id], today, calendar, threshold, titled, of_term)

    return Opened(
        Judge(connection, threshold),
        state,
        this,
        earlier,
        {each.id: opened(each) for each in both},
        shown,
        reader,
        None if reader.leads_everybody else _roster_schools(connection, settings),
    )


def _for_reader(
    term: Term, kept: Kept, shown: Wanted, reader: Reader, schools: Mapping[str, frozenset[str]] | None
) -> tuple[GroupFigures, ...]:
    """Everybody first, then schools, grades, teams, teachers, each by title."""
    groups = [group for key, group in term.groups.items() if shown.has(key)]
    if schools is not None:
        colleagues = [
            Colleague(key, term.teams.get(key, ""), schools.get(key, frozenset()), term.families((grouping, key)))
            for grouping, key in term.groups
            if grouping is Grouping.TEACHER
        ]
        theirs = visible_to(groups, reader, colleagues, term.threshold)
        groups = [group for group in groups if group in theirs]
    figures: list[GroupFigures] = []
    for group in sorted(groups, key=_in_order):
        of = term.figures((group.grouping, group.key))
        # A teacher knows their own families: nothing about few of them is news to the one who leads nobody else.
        own = reader.leads is None and (group.grouping, group.key) == (Grouping.TEACHER, reader.mailbox)
        figures.append(of if own else kept.taken_out(of))
    return tuple(figures)


_ORDER = tuple(Grouping)


def _in_order(group: Group) -> tuple[int, str, str]:
    # Grades by their codes, so that kindergarten comes before the first and "10" after "09".
    title = grade_order(group.key) if group.grouping is Grouping.GRADE else group.title.casefold()
    return _ORDER.index(group.grouping), title, group.key


def _roster_schools(connection: Connection, settings: Settings) -> Mapping[str, frozenset[str]]:
    """The schools that the roster names with the owner of each mailbox."""
    names = read_mailboxes(connection, settings).names
    query = select(col(RosterAddress.address), col(RosterPerson.schools)).join(
        RosterPerson, col(RosterPerson.id) == col(RosterAddress.person)
    )
    found: dict[str, frozenset[str]] = {}
    for row in rows_in(connection, query, RosterAddress.address, names):
        schools = frozenset(filter(None, row.schools.split(",")))
        found[names[row.address]] = found.get(names[row.address], frozenset()) | schools
    return found


def _wanted(
    connection: Connection,
    terms: Sequence[SchoolTerm],
    scope: Scope,
    teams: Mapping[str, Mapping[str, str]],
    *,
    several_schools: bool,
) -> Wanted:
    """The groups that are shown."""
    if scope == WHOLE:
        return Wanted(frozenset({Grouping.GRADE, Grouping.TEAM, Grouping.TEACHER}))
    if scope.group is not None:
        return Wanted(frozenset(), frozenset({scope.group}))
    if scope.team is not None:
        own = {(Grouping.TEACHER, box) for of in teams.values() for box, team in of.items() if team == scope.team}
        own |= {(Grouping.TEAM, scope.team)} if scope.team else set()
        return Wanted(frozenset(), frozenset(own))
    if scope.overview:
        return Wanted(frozenset() if several_schools else frozenset({Grouping.GRADE, Grouping.TEAM}))
    if not scope.school:
        return Wanted(frozenset({Grouping.GRADE, Grouping.TEAM}), school=scope.school)
    there = teams_at(connection, [each.id for each in terms], scope.school)
    keys = frozenset((Grouping.TEAM, team) for team in there)
    return Wanted(frozenset({Grouping.GRADE}), keys, scope.school)
