"""What can be broken on purpose, so that one sees it noticed: `python -m tests.soak --plant NAME`, and the tests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING
from unittest.mock import patch

from config.calendar import SchoolCalendar
from config.settings import Settings
from config.wallclock import instant
from service import digest, pipeline
from service.digest import Before

if TYPE_CHECKING:
    from tests.soak.living import Hooks, Life

_LEAK_BYTES, _LEAK_OBJECTS = 400_000, 200
"""That much stays behind each day: 2.8 MB and 1,400 objects a week."""


@contextmanager
def leak(hooks: "Hooks") -> Iterator[None]:
    """Something is kept each day that nobody needs."""
    kept: list[object] = []

    def keep(life: "Life", day: date) -> None:
        before(life, day)
        kept.append(bytearray(b"x" * _LEAK_BYTES))
        kept.append([[each] for each in range(_LEAK_OBJECTS)])

    before, hooks.on_day = hooks.on_day, keep
    yield


@contextmanager
def answer(hooks: "Hooks") -> Iterator[None]:
    """Each Monday the last automatic answer leaves once more."""

    def double(life: "Life", day: date) -> None:
        before(life, day)
        if day.weekday() == 0:
            life.town.doubles_an_answer()

    before, hooks.on_day = hooks.on_day, double
    yield


@contextmanager
def holiday(hooks: "Hooks") -> Iterator[None]:
    """The morning mail does not ask whether there is school."""
    del hooks

    def every_day(day: date, settings: Settings, calendar: SchoolCalendar) -> Before:
        del settings
        begins, ends = (datetime.combine(day, calendar.opens.replace(hour=hour)) for hour in (7, 8))
        return Before(instant(begins, calendar.zone), instant(ends, calendar.zone))

    with patch.object(digest, "before_school", every_day):
        yield


@contextmanager
def move(hooks: "Hooks") -> Iterator[None]:
    """After a move no message is recognised under its new id."""
    del hooks
    with patch.object(pipeline, "recognised", lambda _background, _page: {}):
        yield


PLANTS: Mapping[str, Callable[["Hooks"], AbstractContextManager[None]]] = {
    each.__name__: each for each in (leak, answer, holiday, move)
}
"""By name."""
