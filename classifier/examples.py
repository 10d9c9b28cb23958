"""Labelled messages: one JSON object a line, as in `classifier/corpus`."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from classifier.errors import ExamplesError
from classifier.verdict import Letter
from connectors.labels import Tag

CORPUS = Path(__file__).parent / "corpus"
"""The corpus that comes with the package."""
HELD_BACK_SHARE, CALIBRATION_SHARE = 0.1, 0.1
_WEEKDAY = re.compile(r"^[A-Za-z]{2,9},? +(?=\d)")


class Part(StrEnum):
    """What an example of the corpus is for."""

    LEARNING = "learning"
    CALIBRATION = "calibration"
    """Probabilities and thresholds are taken from these."""
    HELD_BACK = "held-back"


def parse_received(value: object) -> datetime | None:
    """A local time such as "Tue 2026-01-27 09:19" or ISO 8601; None where empty or missing. Raises ValueError."""
    if value is None:
        return None
    text = _WEEKDAY.sub("", str(value).strip())
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{value}" is no time such as "Tue 2026-01-27 09:19" or 2026-01-27T09:19') from None


def _text(value: object) -> object:
    return "" if value is None else value


class Line(BaseModel):
    """One message as a line of JSON holds it; other keys are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, BeforeValidator(_text)] = ""
    lang: Annotated[str, BeforeValidator(_text)] = ""
    received: Annotated[datetime | None, BeforeValidator(parse_received)] = None
    subject: Annotated[str, BeforeValidator(_text)] = ""
    body: Annotated[str, BeforeValidator(_text)]

    @property
    def letter(self) -> Letter:
        """What the classifier may see of it."""
        return Letter(self.subject, self.body, self.received)


class Example(Line):
    """One labelled message."""

    label: Tag
    topic: Annotated[str, BeforeValidator(_text)] = ""
    pair: str | None = None
    evidence: Annotated[str, BeforeValidator(_text)] = ""
    """The part of the subject or the body that decides, word for word; empty where nobody named one."""

    @property
    def part(self) -> Part:
        """What it is for, by a hash of the pair or the id. So the two messages of a pair are never on different sides,
        and a new message moves no old one."""
        place = share(self.pair or self.id, "v1")
        if place < HELD_BACK_SHARE:
            return Part.HELD_BACK
        return Part.CALIBRATION if place < HELD_BACK_SHARE + CALIBRATION_SHARE else Part.LEARNING

    @property
    def held_back(self) -> bool:
        """True where neither weights nor thresholds were taken from it: the figures are of these."""
        return self.part is Part.HELD_BACK


LineKind = TypeVar("LineKind", bound=Line)


def share(key: str, purpose: str) -> float:
    """A number from 0 to 1 that depends on `key` and `purpose` alone: for dealing messages into parts."""
    return int(sha256(f"{purpose}{key}".encode()).hexdigest(), 16) % 1000 / 1000


def read_examples(path: Path) -> Iterator[Example]:
    """The labelled messages of a .jsonl file, or of all of them in a folder, by name. Raises `ExamplesError`."""
    files: Sequence[Path] = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ExamplesError(f"{path}: holds no .jsonl file")
    for file in files:
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise ExamplesError(f"{file}: cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield parse_line(line, f"{file}:{number}", Example)


def parse_line(line: bytes, where: str, kind: type[LineKind]) -> LineKind:
    """The message in one line of JSON, an `Example` where it must be labelled, a `Line` where not. Raises
    `ExamplesError`, naming `where`."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        wrong = first["msg"].removeprefix("Value error, ")
        raise ExamplesError(f"{where}: {f'{key}: ' if key else ''}{wrong}") from error
