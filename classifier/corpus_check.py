"""What is wrong with a corpus: its form, messages that are there twice, and twins that stand on different sides."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from classifier.decision import SUPPORTED
from classifier.encoder import TOPICS
from classifier.errors import ExamplesError
from classifier.examples import Example
from classifier.twins import find_twins
from connectors.labels import Tag

VALIDATION = "validation"
"""Messages in a folder of this name are never learned from; all others are dealt into parts by `Example.part`."""
_RECEIVED = re.compile(r"([A-Z][a-z]{2}) (\d{4}-\d\d-\d\d \d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it."""

    file: Path
    line: int
    """From 1."""
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.wrong}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it, by file and line."""

    messages: int
    problems: tuple[Problem, ...]


def _local_time(value: object) -> datetime:
    """A time as the corpus writes it, and nothing else: "Tue 2026-01-27 09:19"."""
    found = _RECEIVED.fullmatch(value) if isinstance(value, str) else None
    try:
        time = datetime.fromisoformat(found[2]) if found else None
    except ValueError:
        time = None
    if not found or not time:
        raise ValueError(f'"{value}" is no local time such as "Tue 2026-01-27 09:19"')
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[time.weekday()]
    if found[1] != weekday:
        raise ValueError(f"{found[2]} is a {weekday}, not a {found[1]}")
    return time


class _Entry(Example):
    """A message of the corpus, with all that it must have and nothing that it may not."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(min_length=1)
    lang: str
    received: Annotated[datetime, BeforeValidator(_local_time)]
    subject: str
    body: str
    label: Annotated[Tag, Field(strict=False)]
    topic: str
    pair: Annotated[str | None, Field(min_length=1)] = None
    evidence: str = ""
    flip: str = ""
    """Of a pair: which change flips the tag."""

    @field_validator("lang")
    @classmethod
    def _known_language(cls, lang: str) -> str:
        return _one_of(lang, SUPPORTED)

    @field_validator("topic")
    @classmethod
    def _known_topic(cls, topic: str) -> str:
        return _one_of(topic, TOPICS)

    @model_validator(mode="after")
    def _hangs_together(self) -> "_Entry":
        if not self.subject.strip() and not self.body.strip():
            raise ValueError("the message is empty: neither subject nor body says anything")
        if self.evidence and self.label is Tag.ROUTINE:
            raise ValueError("evidence: a routine message has none; leave it empty")
        if self.evidence not in self.subject and self.evidence not in self.body:
            raise ValueError("evidence: must stand in the subject or the body, word for word")
        if self.flip and not self.pair:
            raise ValueError("flip: says what changes within a pair, and there is no pair")
        return self


def _one_of(value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f'"{value}" is none of {", ".join(known)}')
    return value


@dataclass(frozen=True, slots=True)
class _Placed:
    file: Path
    line: int
    message: _Entry

    @property
    def side(self) -> str:
        return VALIDATION if self.file.resolve().parent.name == VALIDATION else self.message.part.value

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line} ({self.message.id})"

    def problem(self, wrong: str) -> Problem:
        return Problem(self.file, self.line, f"{self.message.id}: {wrong}")


def check(paths: Iterable[Path]) -> Checked:
    """Looks at .jsonl files, and at those in folders, all together. Raises `ExamplesError` where one cannot be read."""
    placed: list[_Placed] = []
    problems: list[Problem] = []
    for file in _files(paths):
        for number, line in enumerate(_read(file).split(b"\n"), start=1):
            if line.strip():
                try:
                    placed.append(_Placed(file, number, _Entry.model_validate_json(line)))
                except ValidationError as error:
                    problems += [Problem(file, number, wrong) for wrong in _wrongs(error)]
    messages = len(placed) + len({(problem.file, problem.line) for problem in problems})
    problems += [*_same_ids(placed), *_broken_pairs(placed), *_twins(placed)]
    return Checked(messages, tuple(sorted(problems, key=lambda one: (str(one.file), one.line))))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for path in paths:
        inside = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        if not inside:
            raise ExamplesError(f"{path}: holds no .jsonl file")
        for file in inside:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ExamplesError(f"{file}: cannot be read: {error.strerror}") from error


def _wrongs(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False):
        key = ".".join(map(str, one["loc"]))
        wrong = one["msg"].removeprefix("Value error, ")
        yield f"{key}: {wrong}" if key else wrong


def _same_ids(placed: Sequence[_Placed]) -> Iterator[Problem]:
    first: dict[str, _Placed] = {}
    for one in placed:
        before = first.setdefault(one.message.id, one)
        if before is not one:
            yield one.problem(f"the id is taken already, {before.file}:{before.line}; give it another")


def _broken_pairs(placed: Sequence[_Placed]) -> Iterator[Problem]:
    pairs: dict[str, list[_Placed]] = defaultdict(list)
    for one in placed:
        if one.message.pair:
            pairs[one.message.pair].append(one)
    for name, members in pairs.items():
        last = members[-1]
        if len(members) != 2:
            yield last.problem(f'pair "{name}" has {len(members)} of two messages')
            continue
        first = members[0]
        this, that = first.message, last.message
        if this.label is that.label:
            yield last.problem(f'pair "{name}": both messages are {this.label}; the tags must differ')
        if first.side != last.side:
            yield last.problem(f'pair "{name}": its other message is on another side, {first.place}')
        if (this.received, this.subject, this.body) == (that.received, that.subject, that.body):
            yield last.problem(f'pair "{name}": nothing differs between its messages; something must flip the tag')


def _twins(placed: Sequence[_Placed]) -> Iterator[Problem]:
    for twins in find_twins([f"{one.message.subject}\n{one.message.body}" for one in placed]):
        one, other = placed[twins.first], placed[twins.second]
        if one.message.pair and one.message.pair == other.message.pair:
            continue
        how = "says the same as" if twins.similarity == 1 else f"is nearly the same ({twins.similarity:.0%}) as"
        if one.side == other.side:
            yield other.problem(f"{how} {one.place}; write one of them anew, or make them a pair")
        else:
            yield other.problem(
                f"{how} {one.place}, and what is {one.side} would leak into what is {other.side}; take one of them out"
            )
