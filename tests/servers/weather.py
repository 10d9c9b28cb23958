"""What may happen on a network, and when: nothing, by order, or at random by a seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from random import Random
from typing import Literal

Speaks = Literal["http", "imap", "smtp"]
_SHARE: Mapping[Speaks, float] = {"http": 0.25, "imap": 0.1, "smtp": 0.1}
"""How many exchanges of a storm meet a fault. What takes one request of HTTP takes many commands."""


class Fault(StrEnum):
    """What may happen to an exchange."""

    NONE = "nothing"
    DRIBBLE = "the answer comes in crumbs"
    CUT_BEFORE = "cut before the request reached the server"
    CUT_AMID = "done, and cut in the middle of the answer"
    CUT_AFTER = "done, and cut before the answer"
    TRUNCATE = "the answer's end lacks, and its length is as if it did not"
    REFUSE = "refused on the way"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one exchange."""

    fault: Fault = Fault.NONE
    status: int = 503
    """Of what is refused over HTTP; IMAP and SMTP have their own words for it."""
    retry_after: str | None = None
    part: float = 0.5
    """How much of a cut answer still comes."""
    reset: bool = False
    """Whether a cut is a reset of the connection, or looks like its orderly end."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a client asks for."""

    number: int
    """Counted from 1, over all connections."""
    speaks: Speaks
    request: str
    """The first line."""


Weather = Callable[[Exchange], Fate]


def calm(exchange: Exchange) -> Fate:
    """Nothing happens."""
    del exchange
    return Fate()


class Storm:
    """Faults at random, the same for the same seed. At most `in_a_row` come one after the other, so that whoever tries
    again gets through in the end."""

    def __init__(self, seed: int, *, in_a_row: int = 3) -> None:
        """The same `seed` and the same exchanges: the same faults."""
        self._random = Random(seed)
        self._in_a_row = in_a_row
        self._run = 0

    def __call__(self, exchange: Exchange) -> Fate:
        """The fate of the next exchange."""
        draw = self._random
        if self._run >= self._in_a_row or draw.random() >= _SHARE[exchange.speaks]:
            self._run = 0
            return Fate(Fault.DRIBBLE) if draw.random() < 0.1 else Fate()
        self._run += 1
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
        return Fate(
            draw.choice([fault for fault in Fault if fault is not Fault.NONE]),
            draw.choice((429, 500, 502, 503, 504)),
            draw.choice((None, "0", "7", soon)),
            draw.uniform(0.05, 0.95),
            reset=draw.random() < 0.5,
        )
