"""How much memory the service's process holds, week by week, and whether that grows.

The slope is Theil's and Sen's: the median of the slopes between all pairs of weeks, so that one week with a backlog or
one that gives memory back does not decide. The first weeks do not count: caches fill, and the model's words come up.

Two things fill up over months and are full then, and would look like growth all the while: the phrases of a language,
which are made ready when the first mail in it comes, and the statements that SQLAlchemy has compiled, of which it keeps
750 at most. The former are made ready before anything is counted, the latter let go before each count.
"""

import gc
import os
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from classifier import Classifier
from classifier.decision import SUPPORTED
from classifier.phrase_book import book, spelled
from classifier.verdict import Letter
from store.database import Database

WARM_UP_WEEKS = 4
BYTES_A_WEEK = 1_000_000
"""So much resident memory may come to a week: 40 MB in a school year, a tenth of what the service holds."""
OBJECTS_A_WEEK = 1_000
"""So many objects that Python's collector knows of may come to a week."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """The process at the end of a week."""

    resident: int
    """Bytes."""
    objects: int
    traced: int | None
    """Bytes that Python allocated, where tracemalloc runs."""
    restarts: int = 0
    """How often the service was started again before: a school's would be in a new process then."""


@dataclass(frozen=True)
class Slope:
    """How a series grows."""

    what: str
    a_week: float
    bound: float
    weeks: int

    @property
    def is_flat(self) -> bool:
        """Whether it grows by no more than its bound allows."""
        return self.a_week <= self.bound


def hear_every_language(model: Classifier) -> None:
    """Has the model read alarms in each language that it knows."""
    for language in SUPPORTED:
        source = book(language)
        assert source is not None
        alarms = [example for examples in source.found.values() for example in examples]
        if language == "vi":
            alarms += [spelled(each, language, plain=True) for each in alarms]
        verdicts = list(model.read([Letter("", each) for each in alarms], explain=False))
        assert any(verdict.language == language for verdict in verdicts), language


def sample(restarts: int = 0, database: Database | None = None) -> Sample:
    """Takes one, after a collection; without the statements that are compiled for the database."""
    if database is not None:
        database.engine.clear_compiled_cache()
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    traced = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None
    return Sample(resident, len(gc.get_objects()), traced, restarts)


def slopes(samples: Sequence[Sample], *, warm_up: int = WARM_UP_WEEKS) -> list[Slope]:
    """The slopes of what was sampled week by week, `warm_up` weeks left out; none where too few are left."""
    steady = samples[warm_up:]
    if len(steady) < 3:
        return []
    series = [
        ("resident bytes", [each.resident for each in steady], BYTES_A_WEEK),
        ("objects", [each.objects for each in steady], OBJECTS_A_WEEK),
    ]
    traced = [each.traced for each in steady if each.traced is not None]
    if len(traced) == len(steady):
        series.append(("bytes that Python allocated", traced, BYTES_A_WEEK))
    starts = [each.restarts for each in steady]
    return [Slope(what, theil_sen(values, starts), bound, len(values)) for what, values, bound in series]


def theil_sen(values: Sequence[float], starts: Sequence[int]) -> float:
    """The median slope between all pairs of the same start, for values one step apart; 0 where there is no pair."""
    pairs = combinations(zip(range(len(values)), values, starts, strict=True), 2)
    between = [(later - earlier) / (j - i) for (i, earlier, one), (j, later, other) in pairs if one == other]
    return median(between) if between else 0.0


def kinds() -> Counter[str]:
    """How many objects of each type there are."""
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
