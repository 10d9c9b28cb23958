"""The school year of a soak, made up from its seed: days, terms, classes, who leaves and joins, and what is written.

Pure. Who lives through it (`town`) and who judges (`judge`) read it from here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from random import Random

from config import SchoolCalendar
from config.settings import Holiday, Office, School
from config.settings import Term as SettingsTerm
from service.sample.envelopes import DOMAIN
from service.sample.history.course import Course, simulate
from service.sample.history.people import Child, Guardian, Room, SchoolPlan, Teacher, Term, gather
from service.sample.history.people import School as Everybody
from service.sample.letters import ZONE

BEGINS = date(2025, 8, 25)
"""Before any machine that runs this: what a server stamps with its own clock is told by being younger than all mail."""
HOLIDAYS = (
    Holiday(first=date(2025, 9, 1), name="Labor Day"),
    Holiday(first=date(2025, 10, 13), name="Indigenous Peoples' Day"),
    Holiday(first=date(2025, 11, 26), last=date(2025, 11, 28), name="Thanksgiving break"),
    Holiday(first=date(2025, 12, 22), last=date(2026, 1, 2), name="winter break"),
    Holiday(first=date(2026, 1, 19), name="Martin Luther King Jr. Day"),
    Holiday(first=date(2026, 2, 16), name="Presidents' Day"),
    Holiday(first=date(2026, 3, 23), last=date(2026, 3, 27), name="spring break"),
    Holiday(first=date(2026, 5, 25), name="Memorial Day"),
)
FALL = SettingsTerm(title="Fall", first=date(2025, 8, 25), last=date(2025, 12, 19))
SPRING = SettingsTerm(title="Spring", first=date(2026, 1, 5), last=date(2026, 6, 30))
ALLIANCE, OFFICE, LEE = f"alliance@{DOMAIN}", f"office@{DOMAIN}", f"lee@{DOMAIN}"
PRINCIPAL, LEADER, ADMINISTRATOR = f"principal@{DOMAIN}", f"reed@{DOMAIN}", f"park@{DOMAIN}"
ON_DOVECOT, MOVED, LEAVER, JOINER = 2, "castellano", "whitaker", "novak"
"""How many mailboxes lie on a Dovecot; who moves from Exchange to Microsoft 365, who leaves, who takes over."""


@dataclass(frozen=True)
class Year:
    """What a soak lives through."""

    seed: int = 1
    first: date = BEGINS
    school_days: int = 180
    letters_a_week: float = 9.0
    """To each teacher, beside answers."""
    class_size: int = 20
    teachers: int = 6

    def __post_init__(self) -> None:
        if self.days[-1] > SPRING.last:
            raise ValueError(f"{self.school_days} school days from {self.first} end after {SPRING.last}")

    @cached_property
    def school(self) -> School:
        """The school as its settings have it; `roster` is for whoever has a folder."""
        return School(
            name="Maple Street School", timezone=str(ZONE), domains=(DOMAIN,), languages=("en", "es"), holidays=HOLIDAYS
        )

    @cached_property
    def days(self) -> Sequence[date]:
        """The days with school."""
        found: list[date] = []
        day = self.first
        while len(found) < self.school_days:
            if is_school_day(day):
                found.append(day)
            day += timedelta(days=1)
        return tuple(found)

    @cached_property
    def every_day(self) -> Sequence[date]:
        """All days from the first to the last with school, and the weekend behind it."""
        count = (self.days[-1] - self.first).days + 3
        return tuple(self.first + timedelta(days=number) for number in range(count))

    @cached_property
    def leaves_on(self) -> date:
        """The last day of who leaves in the middle of a term."""
        return self.days[int(self.school_days * 0.3)]

    @cached_property
    def joins_on(self) -> date:
        """The first day of who takes the class over."""
        return self.days[int(self.school_days * 0.3) + 1]

    @cached_property
    def moves_on(self) -> date:
        """The Saturday on which a mailbox is moved."""
        day = self.days[int(self.school_days * 0.45)]
        return day + timedelta(days=5 - day.weekday())

    @cached_property
    def staff(self) -> Sequence[Teacher]:
        """Who teaches in the beginning."""
        chosen = [each.model_copy(update={"joins_late": False}) for each in SchoolPlan.load().teachers]
        named = [each for each in chosen if each.mailbox in (MOVED, LEAVER)]
        return tuple([*named, *(each for each in chosen if each not in named)][: self.teachers])

    @property
    def on_imap(self) -> Sequence[str]:
        """The addresses of the mailboxes that lie on a Dovecot."""
        return [f"{each.mailbox}@{DOMAIN}" for each in self.staff if each.mailbox != MOVED][:ON_DOVECOT]

    @cached_property
    def joiner(self) -> Teacher:
        """Who takes over the class of who leaves."""
        before = next(each for each in self.staff if each.mailbox == LEAVER)
        names = {"mailbox": JOINER, "given_name": "Eva", "family_name": "Novak", "title": "Ms."}
        return before.model_copy(update=names)

    def teaches(self, day: date) -> Sequence[Teacher]:
        """Whose mailboxes the service looks after on a day: that of who leaves up to the evening of the last one."""
        there = [each for each in self.staff if each.mailbox != LEAVER or day <= self.leaves_on]
        return (*there, self.joiner) if day >= self.joins_on else tuple(there)

    @cached_property
    def classes(self) -> Sequence[Room]:
        """The classes on the first day."""
        return tuple(replace(room, id=f"{self.seed}-{room.id}") for room in self._everybody.before)

    @cached_property
    def newcomers(self) -> Sequence[Child]:
        """Children who come in the course of the year."""
        return tuple(child for room in self._everybody.now for child in room.children)

    @cached_property
    def _plan(self) -> SchoolPlan:
        fall, spring = (
            Term(id=f"{title}-2025", title=title, first=first, last=last, letters_a_week=self.letters_a_week)
            for title, first, last in (
                ("fall", max(self.first, FALL.first), FALL.last),
                ("spring", SPRING.first, SPRING.last),
            )
        )
        changes = {
            "seed": self.seed,
            "class_size": self.class_size,
            "terms": (fall, spring),
            "teachers": self.staff,
            "classes_of_the_nine_days": {},
        }
        return SchoolPlan.load().model_copy(update=changes)

    @cached_property
    def _everybody(self) -> Everybody:
        return gather(self._plan)

    def course(self, calendar: SchoolCalendar) -> Course:
        """What families and teachers write, day by day; a class that is handed over goes on writing to the other."""
        fall, spring = self._plan.terms
        rooms: list[Room] = []
        for room in self.classes:
            for term in (fall, spring):
                rooms += self._in_term(room, term)
        plan = self._plan.model_copy(update={"teachers": (*self.staff, self.joiner)})
        whole = Everybody(plan, rooms, ())
        return simulate(whole, calendar, since=self.first, until=self.every_day[-1])

    def _in_term(self, room: Room, term: Term) -> Iterator[Room]:
        last = min(term.last, self.days[-1])
        parts = [(room.teacher, max(term.first, self.first), last)]
        if room.teacher.mailbox == LEAVER:
            parts = [(room.teacher, parts[0][1], min(last, self.leaves_on))]
            parts.append((self.joiner, max(term.first, self.joins_on), last))
        for teacher, first, until in parts:
            if sum(is_school_day(first + timedelta(days=n)) for n in range((until - first).days + 1)) > _FEWEST_DAYS:
                part = term.model_copy(update={"first": first, "last": until})
                yield Room(f"{room.id}-{term.id}-{teacher.mailbox}", part, teacher, room.children)


_FEWEST_DAYS = 5
"""The sample's course gives a class some days before anything happens in it."""


@dataclass
class Rolls:
    """Who is in which class, night by night: the office's list, which changes a little on most of them."""

    year: Year
    rooms: dict[str, Room]
    """By the class's id."""

    @classmethod
    def of(cls, year: Year) -> "Rolls":
        """As on the first day."""
        rolls = cls(year, {room.id: room for room in year.classes})
        rolls._coming = list(year.newcomers)
        return rolls

    def __post_init__(self) -> None:
        self._coming: list[Child] = []

    def night(self, day: date) -> bool:
        """What the office entered on a day. Whether anything changed."""
        before = dict(self.rooms)
        random = Random(f"rolls {self.year.seed} {day}")
        if day == self.year.leaves_on:
            for number, room in self.rooms.items():
                if room.teacher.mailbox == LEAVER:
                    self.rooms[number] = replace(room, teacher=self.year.joiner)
        if is_school_day(day):
            for what, share in ((self._comes, 0.12), (self._goes, 0.1), (self._changes_class, 0.05)):
                if random.random() < share:
                    what(random)
            if random.random() < 0.15:
                self._has_another_address(random, day)
        return before != self.rooms

    def _comes(self, random: Random) -> None:
        if self._coming:
            self._seat(random.choice(list(self.rooms)), self._coming.pop(0))

    def _goes(self, random: Random) -> None:
        number = random.choice(list(self.rooms))
        children = self.rooms[number].children
        if len(children) > self.year.class_size // 2:
            self._unseat(number, random.choice(children))

    def _changes_class(self, random: Random) -> None:
        here, there = random.sample(list(self.rooms), 2)
        child = random.choice(self.rooms[here].children)
        self._unseat(here, child)
        self._seat(there, child)

    def _has_another_address(self, random: Random, day: date) -> None:
        number = random.choice(list(self.rooms))
        child = random.choice(self.rooms[number].children)
        guardian = random.choice(child.guardians)
        address = f"{guardian.addresses[0].partition('@')[0]}.{day:%j}@hometown.example"
        other: Guardian = replace(guardian, addresses=(*guardian.addresses[:1], address))
        for each, room in self.rooms.items():
            self.rooms[each] = replace(room, children=tuple(_with(child, guardian, other) for child in room.children))

    def _seat(self, number: str, child: Child) -> None:
        self.rooms[number] = replace(self.rooms[number], children=(*self.rooms[number].children, child))

    def _unseat(self, number: str, child: Child) -> None:
        left = tuple(each for each in self.rooms[number].children if each.id != child.id)
        self.rooms[number] = replace(self.rooms[number], children=left)


def _with(child: Child, guardian: Guardian, other: Guardian) -> Child:
    if guardian not in child.guardians:
        return child
    return replace(child, guardians=tuple(other if each == guardian else each for each in child.guardians))


def is_school_day(day: date) -> bool:
    """Whether there is school: by the list above, not by the service's calendar."""
    return day.weekday() < 5 and not any(each.first <= day <= (each.last or each.first) for each in HOLIDAYS)


def school_days_after(first: date, last: date) -> int:
    """School days from the day after `first` to `last`."""
    return sum(is_school_day(first + timedelta(days=number)) for number in range(1, (last - first).days + 1))


def local(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment by the school's clocks, aware."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


def calendar_of(year: Year) -> SchoolCalendar:
    """The school's calendar as the service has it: for what the sample's course needs of it."""
    return SchoolCalendar.of(year.school, Office(address=OFFICE, phone="(608) 555-0142"))
