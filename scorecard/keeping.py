"""Keeps the scorecard's figures up to date: works off what is marked, so much at a time.

Each step reads a batch of marks and what they are about, computes, and then in one short transaction writes the
differences, takes exactly those marks away, and steps the version on over the one that it began with. So a kill at any
moment loses nothing and doubles nothing, two that work at once never add a difference twice, and mail never waits for
the computing. What changes meanwhile brings marks of its own, which the step has not read and leaves.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlmodel import col

from config import SchoolCalendar
from config.settings import Settings
from scorecard.computing import Computing
from scorecard.differences import Differences
from scorecard.foundations import Foundations, changes, foundations_of
from scorecard.judging import Judge, record
from scorecard.mailbox_weeks import WeekKey
from scorecard.report import SchoolTerm
from scorecard.roster_slice import AnyRow, Mailboxes, Query, read_mailboxes, teams_in_terms
from scorecard.turning import Turning, record_teams
from scorecard.work import Resolver, Work
from scorecard.writing import write
from store.database import Database, dialect_of
from store.marks import mark
from store.scorecard_tables import Mark, MarkKind, ScorecardState, WeekStanding

_BATCH = 400
"""How much is worked off in one step, a family being one."""
_COSTS = {MarkKind.STUDENT: 2, MarkKind.CLASS: 20, MarkKind.MAILBOX: 20, MarkKind.EVERYTHING: _BATCH}
_TOO_MUCH = 2 * _BATCH
"""Where marks turn out to be about more than this, they are split up first."""
_OF_ONE_THING = (MarkKind.FAMILY, MarkKind.WEEK, MarkKind.MAILBOX, MarkKind.CASE, MarkKind.INCIDENTS)
"""Marks that split into nothing smaller."""
_NORMS_AT_ONCE = 100
_MANY_MAILBOXES = 200
"""Where more are other than before, everything is looked at again, which then is less work."""
_CLOCKS_DIFFER = timedelta(minutes=2)
"""Workers do not read their clocks at one moment; further back, a clock was set back."""
_NOTED_EVERY = timedelta(seconds=30)
"""How often it is put on record that nothing has changed."""


@dataclass(frozen=True, slots=True)
class Brought:
    """How far the figures are."""

    complete: bool
    """Whether everything that was on record when this began is in them."""
    steps: int
    """How many steps it took."""
    rows: int = 0
    """How many rows of figures it wrote or took away."""


class _Overtaken(Exception):
    """Somebody else has stepped on meanwhile; nothing was written."""


@dataclass(slots=True)
class Known:
    """What changes at most once a day, for whoever looks again and again: a district has thousands of mailboxes. One
    belongs to one thread."""

    foundations: tuple[Foundations, list[SchoolTerm]] | None = None
    mailboxes: Mailboxes | None = None
    _of: tuple[str, date] | None = None

    def mailboxes_of(self, connection: Connection, settings: Settings, basis: "_Basis") -> Mailboxes:
        """The mailboxes, which go by the settings and the day that the figures on record rest on."""
        resting_on = (basis.digest, basis.today)
        if self.mailboxes is None or self._of != resting_on:
            self.mailboxes, self._of = read_mailboxes(connection, settings), resting_on
        return self.mailboxes


def _at_once(_seconds: float) -> bool:
    return True


def bring_up_to_date(
    database: Database,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    limit: int | None = None,
    *,
    rest: Callable[[float], bool] = _at_once,
    known: Known | None = None,
) -> Brought:
    """Works off what was marked when this began, in `limit` steps at most (all of it where left out). `now` is aware.
    Between two steps `rest` is told how many seconds the last one took, and says whether to go on. `known` is what the
    last look of the same settings and database left.

    Any number of workers may do so at once, and each may be killed at any moment.
    """
    keeper = _Keeper(database, settings, calendar, now, known or Known())
    steps = 0
    while limit is None or steps < limit:
        began = time.monotonic()
        steps += 1
        with suppress(_Overtaken):
            if keeper.step():
                return Brought(complete=True, steps=steps, rows=sum(keeper.rows))
        if not rest(time.monotonic() - began):
            break
    return Brought(complete=False, steps=steps, rows=sum(keeper.rows))


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a step goes by."""

    state: AnyRow | None
    foundations: Foundations
    digest: str
    terms: Sequence[SchoolTerm]
    today: date

    @property
    def holds(self) -> bool:
        """Whether the figures on record rest on the same."""
        return self.state is not None and (self.state.settings, self.state.day) == (self.digest, self.today)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a step works off."""

    taken: Sequence[AnyRow]
    """The marks."""
    work: Work
    differences: Differences | None
    """What is to be written; None where the work is too much for one step and only split up."""
    everything: bool


@dataclass(frozen=True, slots=True)
class _Keeper:
    database: Database
    settings: Settings
    calendar: SchoolCalendar
    now: datetime
    known: Known
    rows: list[int] = field(default_factory=list)
    """How many rows each step wrote."""
    _left: list[int] = field(default_factory=list)
    """How many marks this keeper still works off, once that is known, the oldest first: where mail comes in without a
    pause there are always newer ones, and what is withheld would never be decided."""

    def step(self) -> bool:
        """One step. True where nothing is left to do. Raises _Overtaken."""
        with self.database.read() as connection:
            if not self._left:
                self._left.append(connection.execute(select(func.count()).select_from(Mark)).scalar_one())
            basis = self._basis(connection)
            batch = self._batch(connection, basis) if basis.holds and not self._is_set_back(basis) else None
        if batch is None:
            self._turn(basis)
            return False
        if not batch.taken and not batch.work.weeks:
            return self._judged(basis) and self._noted(basis)
        with self.database.write() as connection:
            self._step_on(connection, basis, {})
            if batch.everything:
                Turning(connection, self.calendar.zone).everything()
            if batch.differences is not None:
                write(connection, batch.differences)
            else:
                for kind, keys in batch.work.marks():
                    mark(connection, kind, keys)
            _take_away(connection, [row.id for row in batch.taken])
        if batch.differences is None:
            self._left.clear()  # what they are split into is marked anew
        else:
            self._left[0] -= len(batch.taken)
        self.rows.append(batch.differences.rows if batch.differences is not None else 0)
        return False

    def _batch(self, connection: Connection, basis: _Basis) -> _Batch:
        """What the next marks ask for, and what comes of it."""
        marks = connection.execute(_marks().limit(max(0, min(_BATCH, self._left[0])))).all()
        taken = _affordable(marks)
        work = Resolver(connection, self.calendar.zone, basis.terms).resolve((row.kind, row.key) for row in taken)
        due = self._due(connection)
        work.weeks |= due
        everything = any(row.kind is MarkKind.EVERYTHING for row in taken)
        splits = any(row.kind not in _OF_ONE_THING for row in taken)
        if everything or (splits and work.size > _TOO_MUCH):
            return _Batch(taken, work, None, everything=everything)
        return _Batch(taken, work, self._computing(connection, basis).differences(work), everything=False)

    def _computing(self, connection: Connection, basis: _Basis) -> Computing:
        mailboxes = self.known.mailboxes_of(connection, self.settings, basis)
        return Computing(connection, self.settings, self.calendar, basis.terms, basis.today, self.now, mailboxes)

    def _basis(self, connection: Connection) -> _Basis:
        of = ScorecardState
        state = connection.execute(
            select(col(of.version), col(of.looked_at), col(of.day), col(of.settings)).where(col(of.id) == 1)
        ).first()
        today = self.now.astimezone(self.calendar.zone).date()
        found = foundations_of(connection, self.settings, self.calendar, today, self.known.foundations)
        self.known.foundations = found
        foundations, terms = found
        return _Basis(state, foundations, foundations.digest, terms, today)

    def _is_set_back(self, basis: _Basis) -> bool:
        """Whether the clock was: what it made of norms that ran out has to be taken back."""
        looked_at = None if basis.state is None else basis.state.looked_at
        return looked_at is not None and looked_at > self.now + _CLOCKS_DIFFER

    def _turn(self, basis: _Basis) -> None:
        """Another day, other settings, or a clock that was set back: marks what that asks for."""
        self._left.clear()
        with self.database.write() as connection:
            if basis.state is None:
                begin = dialect_of(connection).insert(ScorecardState).values(id=1, version=0, settings="", rests_on="")
                connection.execute(begin.on_conflict_do_nothing())
            self._step_on(connection, basis, {"looked_at": None} if self._is_set_back(basis) else {})
            record_teams(connection, {box.address: box.team for box in self.settings.mailboxes}, basis.today)
            turning = Turning(connection, self.calendar.zone)
            rested_on = connection.execute(select(col(ScorecardState.rests_on))).scalar_one()
            if not rested_on:
                turning.everything()
            else:
                self._turn_from(turning, Foundations.model_validate_json(rested_on), basis)
            state = {"settings": basis.digest, "rests_on": basis.foundations.model_dump_json(), "day": basis.today}
            connection.execute(update(ScorecardState).values(state))

    def _turn_from(self, turning: Turning, was: Foundations, basis: _Basis) -> None:
        changed = changes(was, basis.foundations, basis.today)
        if changed.calendar:
            turning.everything()
        turning.terms(changed)
        turning.class_terms(changed.class_terms)
        both = (was.mailboxes, basis.foundations.mailboxes)
        if len(changed.mailboxes) > _MANY_MAILBOXES:
            turning.everything()
        else:
            turning.mailboxes({box: [each[box] for each in both if box in each] for box in changed.mailboxes})
        if basis.state is not None and basis.state.day is not None and basis.state.day != basis.today:
            turning.day(basis.state.day, basis.today, basis.foundations, basis.terms)
        if self._is_set_back(basis):
            turning.clock_set_back(self.now)

    def _step_on(self, connection: Connection, basis: _Basis, values: Mapping[str, object]) -> None:
        """Nobody else has stepped on since `basis` was read, nor will while this transaction lasts. Raises
        _Overtaken."""
        of = ScorecardState
        version = 0 if basis.state is None else basis.state.version
        ours = update(of).where(col(of.id) == 1, col(of.version) == version)
        if connection.execute(ours.values(version=version + 1, **values)).rowcount != 1:
            raise _Overtaken

    def _judged(self, basis: _Basis) -> bool:
        """Whether what is withheld is decided on the figures as they are; else decides it for one term. Raises
        _Overtaken."""
        with self.database.read() as connection:
            teams = teams_in_terms(connection, basis.terms, basis.today)
            judge = Judge(connection, self.settings.scorecard.smallest_group)
            undecided = judge.undecided(teams)
            decision = judge.decision(undecided[-1], teams[undecided[-1]]) if undecided else None
        if decision is not None:
            with self.database.write() as connection:
                self._step_on(connection, basis, {})
                record(connection, [decision])
        return not undecided

    def _noted(self, basis: _Basis) -> bool:
        """Nothing is left to do: that is put on record, now and then. Raises _Overtaken."""
        looked_at = None if basis.state is None else basis.state.looked_at
        if looked_at is None or self.now - looked_at >= _NOTED_EVERY:
            with self.database.write() as connection:
                self._step_on(connection, basis, {"looked_at": self.now})
        return True

    def _due(self, connection: Connection) -> set[WeekKey]:
        """Weeks in which a norm has run out since they were counted."""
        of = WeekStanding
        query = select(col(of.mailbox), col(of.monday)).where(col(of.due_at) < self.now)
        rows = connection.execute(query.order_by(col(of.due_at)).limit(_NORMS_AT_ONCE))
        return {(row.mailbox, row.monday) for row in rows}


def _marks() -> Query:
    query: Query = select(col(Mark.id), col(Mark.kind), col(Mark.key)).order_by(col(Mark.id))
    return query


def _affordable(marks: Iterable[AnyRow]) -> list[AnyRow]:
    """The first of these marks, as many as one step can work off: one, at least."""
    taken: list[AnyRow] = []
    cost = 0
    for row in marks:
        cost += _COSTS.get(row.kind, 1)
        if taken and cost > _BATCH:
            break
        taken.append(row)
    return taken


def _take_away(connection: Connection, numbers: Collection[int]) -> None:
    if numbers:
        connection.execute(delete(Mark).where(col(Mark.id).in_(numbers)))
