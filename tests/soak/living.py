"""One run: town and service live through the year side by side, and every day is judged."""

import time as machine_time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from autoresponder.items import Word
from classifier import Classifier
from service.sample.envelopes import DOMAIN
from service.sample.history.course import Course
from service.steps import OnStep, no_step
from tests.soak import growth, memory, records
from tests.soak.growth import Table
from tests.soak.records import Known, Records
from tests.soak.service_year import Service
from tests.soak.town import Town
from tests.soak.year import FALL, MOVED, Year, calendar_of, is_school_day, local

_LOOKS = ((7, 15), (12, 45), (22, 30))
_LOOKS_WITHOUT_SCHOOL = ((7, 15), (22, 30))
"""Also on holidays in the hour in which morning mails go out on other days."""
_AFTER_URGENT = timedelta(minutes=1)
_LISTS_EVERY = 20
"""School days from one list of calls and incidents to the next."""


@dataclass(frozen=True)
class Week:
    """What is printed of a week."""

    number: int
    until: date
    school_days: int
    messages: int
    violations: int
    memory: memory.Sample
    size: int
    """Bytes of the database."""
    computed: int | None
    """What the formula says; None once something was erased for its age."""
    seconds: float
    """So long the machine took for it."""


@dataclass
class Result:
    """What came of a run."""

    year: Year
    weeks: list[Week] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    tables: Mapping[str, Table] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    slopes: Sequence[memory.Slope] = ()
    more_of: Counter[str] = field(default_factory=Counter)
    """How many more objects of a type there are at the end than after the weeks that do not count."""
    oracle_asked: int = 0
    model: str = ""
    """What came of learning, the last time."""
    database: str = "sqlite"


@dataclass
class Hooks:
    """What a test does on purpose, so that it can be noticed."""

    on_day: Callable[["Life", date], None] = lambda _life, _day: None
    on_week: Callable[[Week], None] = lambda _week: None
    on_step: OnStep = no_step


class Life:
    """The days of a run, one after the other."""

    def __init__(
        self,
        folder: Path,
        year: Year,
        town: Town,
        *,
        location: str = "",
        model: Classifier | None = None,
        learns: bool = True,
        hooks: Hooks | None = None,
    ) -> None:
        """`town` is there already; `location` is the database; `model` stands in for the shipped one, and then nothing
        is learned."""
        self.year, self.town = year, town
        self.hooks = hooks or Hooks()
        self.service = Service(
            folder,
            year,
            town.systems(),
            now=local(year.first, 5),
            location=location,
            model=model,
            on_step=self.hooks.on_step,
        )
        self.records = Records()
        self.result = Result(year, database=self.service.database.url.get_backend_name())
        self._course: Course = year.course(calendar_of(year))
        self._learns = learns and model is None
        self._listed = year.first
        self._kinds: Counter[str] = Counter()

    def live(self) -> Result:
        """Lives through all of it. Ends the service."""
        began, new = machine_time.monotonic(), 0
        self.town.rooms(self.service.rolls.rooms)
        self.service.look()
        for day in self.year.every_day:
            found = self.day(day)
            new += len(found)
            self.result.violations += [f"{day}: {each}" for each in found]
            if day.weekday() == 6:
                self._week(day, new, machine_time.monotonic() - began)
                began, new = machine_time.monotonic(), 0
        self._end()
        return self.result

    def day(self, day: date) -> list[str]:
        """One day. What was not as promised."""
        found: list[str] = []
        if day == self.year.joins_on:
            self.service.now = local(day, 5)
            self.town.joins()
            self.service.restart()
        if day == self.year.moves_on:
            found += self._move(day)
        self.town.begin(day)
        for at in self._moments(day):
            self._live_until(at)
            last = (at.hour, at.minute) == (22, 30)
            touched = self._advance(at)
            every = at not in self._urgent
            self.service.look(None if every else touched, figures=last)
            self.town.post()
            self._people_at_their_pages(day, at)
        if day == self.year.leaves_on:
            self.town.leaves()
            self.service.now = local(day + timedelta(days=1), 0, 30)
            self.service.restart()
        self._night(day)
        found += self.town.judged(day)
        found += self.records.day(self.service.database, self.service.now)
        found += self.service.failures
        self.service.failures.clear()
        found += self._end_of_term(day)
        self.hooks.on_day(self, day)
        return found

    def _moments(self, day: date) -> list[datetime]:
        looks = _LOOKS if is_school_day(day) else _LOOKS_WITHOUT_SCHOOL
        fixed = {local(day, *each) for each in looks}
        self._urgent = {at + _AFTER_URGENT for at in self.town.urgent_looks() if at.date() == day} - fixed
        return sorted(fixed | self._urgent)

    def _advance(self, at: datetime) -> set[str]:
        self.service.now = at
        return self.town.advance(at)

    def _live_until(self, at: datetime) -> None:
        """What becomes due before the next look: an item that nobody took goes on."""
        for _ in range(200):
            due = self.service.next_due()
            if due is None or due.timestamp() >= at.timestamp():
                return
            now = max(due, self.service.now + timedelta(seconds=1), key=datetime.timestamp)
            if now.timestamp() >= at.timestamp():
                return
            touched = self._advance(now)
            self.service.look(self.service.due() | touched)
            self.town.post()
        self.service.failures.append(f"something is due again and again before {at}")

    def _people_at_their_pages(self, day: date, at: datetime) -> None:
        if not is_school_day(day) or (at.hour, at.minute) != (12, 45):
            return
        staff, random = self.service.staff, Random(f"pages {self.year.seed} {day}")
        staff.office(Word.DONE)
        staff.office(Word.TAKEN)
        if day.weekday() in (1, 3):
            staff.teacher(random.choice(list(self.service.rolls.rooms.values())), random)
        if day.weekday() == 4:
            staff.leader()

    def _night(self, day: date) -> None:
        self.service.purge()
        if self.service.night(day):
            self.town.rooms(self.service.rolls.rooms)
        number = self.year.days.index(day) if day in self.year.days else None
        if number is not None and (number % _LISTS_EVERY == _LISTS_EVERY - 1 or day == self.year.days[-1]):
            self.service.take_lists(self._course, self._listed, day)
            self._listed = day + timedelta(days=1)

    def _move(self, day: date) -> list[str]:
        """A mailbox is moved from Exchange to Microsoft 365 before anybody looks at it again."""
        address = f"{MOVED}@{DOMAIN}"
        self.service.now = local(day, 6)
        self.town.advance(self.service.now)
        before, shown = Known.of(self.service.database, address), self.town.labels(address)
        self.result.counts["messages moved to Microsoft 365"] = self.town.moves()
        self.service.restart(moved=True)
        self.records.moved(address)
        self.service.look({address})
        self.town.post()
        found = list(records.forgotten(before, Known.of(self.service.database, address)))
        now = self.town.labels(address)
        if changed := [each for each, labels in shown.items() if labels and now[each] != labels]:
            found.append(f"the move changed the labels of {len(changed)} messages")
        return found + self.service.out_of_reach(address)

    def _end_of_term(self, day: date) -> list[str]:
        ends = day in (FALL.last, self.year.days[-1])
        if not ends:
            return []
        self.result.oracle_asked += 1
        service = self.service
        found = list(records.figures(service.database, service.settings, service.calendar, service.now))
        if self._learns:
            try:
                outcome = service.learn()
            except Exception as error:  # noqa: BLE001 - a promise broken like others; the year goes on
                return [*found, f"nothing could be learned from corrections: {error!r}"]
            self.result.model = outcome.version or f"kept: {'; '.join(outcome.against) or 'nothing new'}"
            service.restart(learned=outcome.version is not None)
        return found

    def _week(self, day: date, violations: int, seconds: float) -> None:
        tables = growth.tables(self.service.database)
        number = len(self.result.weeks) + 1
        week = Week(
            number=number,
            until=day,
            school_days=sum(each <= day for each in self.year.days),
            messages=tables["message"].rows,
            violations=violations,
            memory=memory.sample(self.service.did["restart"], self.service.database),
            size=growth.total(tables),
            computed=self._computed(number),
            seconds=seconds,
        )
        self.result.weeks.append(week)
        if number == memory.WARM_UP_WEEKS:
            self._kinds = memory.kinds()
        self.hooks.on_week(week)

    def _computed(self, weeks: int) -> int | None:
        erased = self.service.did["rows erased for their age"]
        return None if erased else growth.computed(self.town.counts(), weeks)

    def _end(self) -> None:
        result = self.result
        result.counts += self.town.counts() + self.service.did
        result.tables = growth.tables(self.service.database)
        result.rows = records.counted(self.service.database)
        result.more_of = (memory.kinds() - self._kinds) if self._kinds else Counter()
        result.slopes = memory.slopes([week.memory for week in result.weeks])
        with suppress(Exception):
            self.service.end()
