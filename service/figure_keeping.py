"""Keeps the scorecard's figures up to date while the service runs, beside the mail and never in its way."""

import time
from collections.abc import Callable
from datetime import datetime
from math import inf
from threading import Event

import structlog

from config import SchoolCalendar
from config.settings import Settings
from scorecard.keeping import Brought, Known, bring_up_to_date
from service.logs import place
from store.database import Database

log = structlog.get_logger()

_SECONDS_BETWEEN = 60.0
_SHORTEST_PAUSE = 0.05
_RESTS = 0.25
"""So long, of the time that a step took, it rests after it."""
AT_ONCE = 25
"""Steps that somebody who wants to see figures waits for at most; the service does the rest."""


class FigureKeeper:
    """Works off what is marked, a step at a time, and rests between two: SQLite lets one write at a time, and mail
    comes first. Any number of keepers may work at once. One belongs to one thread."""

    def __init__(
        self, settings: Settings, calendar: SchoolCalendar, database: Database, clock: Callable[[], datetime]
    ) -> None:
        """`database` has its tables already."""
        self._settings, self._calendar = settings, calendar
        self._database = database
        self._clock = clock
        self._known = Known()

    def keep(self, stop: Event) -> None:
        """Keeps them so until `stop` is set. Survives every error: figures that cannot be computed stay as they were,
        and say of when they are."""
        while not stop.is_set():
            try:
                self.look(None, stop)
            except Exception as error:  # noqa: BLE001 - the figures' trouble must not end the service
                log.error("the scorecard could not be brought up to date", error=place(error))
            stop.wait(_SECONDS_BETWEEN)

    def look(self, steps: int | None = AT_ONCE, stop: Event | None = None, seconds: float = inf) -> Brought:
        """Brings them up to date, in so many steps at most (None for all that it takes) and about so many seconds.
        Where there is a `stop`, it rests after each step, and ends when that is set."""
        until = time.monotonic() + seconds

        def rest(took: float) -> bool:
            if stop is not None and stop.wait(max(took * _RESTS, _SHORTEST_PAUSE)):
                return False
            return time.monotonic() < until

        return bring_up_to_date(
            self._database, self._settings, self._calendar, self._clock(), steps, rest=rest, known=self._known
        )
