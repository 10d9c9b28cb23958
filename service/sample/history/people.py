"""Who is at the sample school: its teachers, its classes term by term, the children in them and their families."""

import csv
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import count
from random import Random

from pydantic import BaseModel, ConfigDict

_PROVIDERS = ("kite.example", "inbox.example", "fastpost.example", "hometown.example")
_SIBLINGS = 0.2
"""So many of the children have a brother or a sister in another class."""
_TWO_GUARDIANS = 0.6
_TWO_HOUSEHOLDS = 0.2
_TWO_ADDRESSES = 0.12
_PLUS_TAG = 0.08


class Habit(BaseModel):
    """How a teacher goes about families; `school.toml` explains the numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    good_news: float
    by_phone: float
    answers: float
    days_to_plan: float


class Teacher(BaseModel):
    """A teacher. `mailbox` is the local part of the address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mailbox: str
    given_name: str
    family_name: str
    title: str
    grade: str
    team: str
    spanish: bool = False
    joins_late: bool = False
    """Whether the mailbox is connected only on the first of the nine days."""
    habit: Habit

    @property
    def name(self) -> str:
        """As mail programs write it."""
        return f"{self.given_name} {self.family_name}"

    @property
    def called(self) -> str:
        """As families say it."""
        return f"{self.title} {self.family_name}"


class Term(BaseModel):
    """A term; `letters_a_week` is how many a teacher gets, beside answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    first: date
    last: date
    letters_a_week: float


class Names(BaseModel):
    """Names of families that write one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str
    weight: int
    family: tuple[str, ...]
    child: tuple[str, ...]
    parent: tuple[str, ...]


class SchoolPlan(BaseModel):
    """`school.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    class_size: int
    terms: tuple[Term, Term]
    """The term before, and the one in which the nine days lie."""
    teachers: tuple[Teacher, ...]
    classes_of_the_nine_days: Mapping[str, tuple[str, ...]]
    names: tuple[Names, ...]

    @classmethod
    def load(cls) -> "SchoolPlan":
        """The plan that comes with the package."""
        text = (files("service.sample.history") / "school.toml").read_text(encoding="utf-8")
        return cls.model_validate(tomllib.loads(text))


@dataclass(frozen=True, slots=True)
class Guardian:
    """Somebody who looks after children."""

    given_name: str
    family_name: str
    addresses: tuple[str, ...]
    """As they stand on the school's list."""
    writes_from: tuple[str, ...]
    """As their mail programs have them: some with a plus tag."""
    language: str

    @property
    def called(self) -> str:
        """As the teacher begins a letter; of some families the sample's list knows only the name."""
        return self.given_name or f"{self.family_name} family"


@dataclass(frozen=True, slots=True)
class Child:
    """A student; children with the same guardians are one family."""

    id: str
    given_name: str
    family_name: str
    guardians: tuple[Guardian, ...]

    @property
    def name(self) -> str:
        """In full."""
        return f"{self.given_name} {self.family_name}"

    @property
    def family_called(self) -> str:
        """As the teacher begins a letter to all who look after the child."""
        return " and ".join(dict.fromkeys(guardian.called for guardian in self.guardians))


@dataclass(frozen=True, slots=True)
class Room:
    """A teacher's class in one term."""

    id: str
    term: Term
    teacher: Teacher
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class School:
    """Everybody. `before` and `now` are the classes of the two terms."""

    plan: SchoolPlan
    before: Sequence[Room]
    now: Sequence[Room]


def gather(plan: SchoolPlan) -> School:
    """The school as the plan's seed makes it: the same one every time."""
    return _Gathering(plan).school()


class _Gathering:
    """The school while it is made up."""

    def __init__(self, plan: SchoolPlan) -> None:
        self._plan = plan
        self._random = Random(f"people {plan.seed}")  # noqa: S311 - makes up a school, guards no secret
        self._taken: set[str] = set()
        self._numbers = count(200318)
        self._known = {child.name: child for child in children_of_the_nine_days()}
        self._taken |= {child.name for child in self._known.values()}
        self._families: list[Child] = []

    def school(self) -> School:
        before, now = self._plan.terms
        early = [teacher for teacher in self._plan.teachers if not teacher.joins_late]
        rooms_before = [self._room(before, teacher, ()) for teacher in early]
        moved_up = {room.teacher.grade: room.children for room in rooms_before if room.teacher.grade == "7"}
        rooms_now = []
        for teacher in self._plan.teachers:
            there = tuple(self._known[name] for name in self._plan.classes_of_the_nine_days.get(teacher.mailbox, ()))
            if teacher.grade == "8" and not teacher.joins_late:
                there = moved_up["7"]
            rooms_now.append(self._room(now, teacher, there))
        return School(self._plan, rooms_before, rooms_now)

    def _room(self, term: Term, teacher: Teacher, there: tuple[Child, ...]) -> Room:
        new = [self._child() for _ in range(self._plan.class_size - len(there))]
        self._families += new
        return Room(f"{term.id}-{teacher.mailbox}", term, teacher, (*there, *new))

    def _child(self) -> Child:
        """A new child: of a family that is there already, or of one that is made up for it. Children of one class are
        no brothers and sisters of each other."""
        if self._families and self._random.random() < _SIBLINGS:
            sibling = self._random.choice(self._families)
            names = self._names(sibling.guardians[0].language)
            if self._free(names, sibling.family_name):
                return self._named(names, sibling.family_name, sibling.guardians)
        while True:
            names = self._random.choices(self._plan.names, [each.weight for each in self._plan.names])[0]
            family_name = self._random.choice(names.family)
            if self._free(names, family_name):
                return self._named(names, family_name, tuple(self._guardians(names, family_name)))

    def _free(self, names: Names, family_name: str) -> list[str]:
        """First names that make a name which nobody has yet."""
        return [each for each in names.child if f"{each} {family_name}" not in self._taken]

    def _names(self, language: str) -> Names:
        return next(each for each in self._plan.names if each.language == language)

    def _named(self, names: Names, family_name: str, guardians: tuple[Guardian, ...]) -> Child:
        given_name = self._random.choice(self._free(names, family_name))
        self._taken.add(f"{given_name} {family_name}")
        return Child(str(next(self._numbers)), given_name, family_name, guardians)

    def _guardians(self, names: Names, family_name: str) -> Iterator[Guardian]:
        count = 2 if self._random.random() < _TWO_GUARDIANS else 1
        apart = count == 2 and self._random.random() < _TWO_HOUSEHOLDS
        for number in range(count):
            family = self._random.choice(names.family) if apart and number else family_name
            yield self._guardian(names, family)

    def _guardian(self, names: Names, family_name: str) -> Guardian:
        while True:
            given_name, provider = self._random.choice(names.parent), self._random.choice(_PROVIDERS)
            local = f"{_plain(given_name)}.{_plain(family_name)}"
            if f"{local}@{provider}" not in self._taken:
                break
        addresses = [f"{local}@{provider}"]
        self._taken.add(addresses[0])
        if self._random.random() < _TWO_ADDRESSES:
            second = f"{_plain(given_name)[0]}{_plain(family_name)}@{self._random.choice(_PROVIDERS)}"
            if second not in self._taken:
                addresses.append(second)
                self._taken.add(second)
        writes_from = list(addresses)
        if self._random.random() < _PLUS_TAG:
            writes_from[0] = addresses[0].replace("@", "+school@")
        return Guardian(
            given_name=given_name,
            family_name=family_name,
            addresses=tuple(addresses),
            writes_from=tuple(writes_from),
            language=names.language,
        )


def children_of_the_nine_days() -> list[Child]:
    """The children of the nine days, from the sample's own list."""
    text = (files("service.sample") / "roster.csv").read_text(encoding="utf-8")
    guardians: dict[str, list[Guardian]] = {}
    for row in csv.DictReader(text.splitlines()):
        address, family_name = row["guardian_email"], row["student"].rpartition(" ")[2]
        guardian = Guardian("", family_name, (address,), (address,), row["language"])
        guardians.setdefault(row["student"], []).append(guardian)
    return [
        Child(str(number), name.rpartition(" ")[0], name.rpartition(" ")[2], tuple(of))
        for number, (name, of) in enumerate(guardians.items(), start=200101)
    ]


def _plain(name: str) -> str:
    """In small letters without accents, as addresses have names."""
    decomposed = unicodedata.normalize("NFKD", name.lower().replace("đ", "d"))
    return "".join(letter for letter in decomposed if letter.isascii() and (letter.isalnum() or letter == " "))
