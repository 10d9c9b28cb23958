"""What one worker at a time does for all: the staff's mails, the scorecard's figures. Each takes its own leases in the
store, so that two at once do no harm; the queue only sees to it that ten workers do not ask ten times."""

import time
from collections.abc import Mapping
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from service.figure_keeping import FigureKeeper
from service.logs import place
from service.parking import Attendant
from service.privacy.purging import Purge
from service.steps import OnStep
from service.weekly import WeeklyMail
from service.worker.queue import Chore
from store.allowances import Allowances

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_EVERY: Mapping[Chore, float] = MappingProxyType({Chore.NOTICES: 15.0, Chore.FIGURES: 30.0})
"""Seconds, all workers together."""
_FIGURES_FOR = 20.0
"""Seconds after which other chores have their turn; the rest comes the next time."""


class Chores:
    """Does them. Raises nothing: what fails is logged, and done the next time."""

    def __init__(
        self,
        assembly: "Assembly",
        attendant: Attendant,
        stop: Event,
        *,
        environ: Mapping[str, str] | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        """`attendant` tells the administrator; `stop` is set when the worker ends; `environ` holds the passwords."""
        self._attendant = attendant
        self._stop = stop
        self._weekly_mail = WeeklyMail(assembly, environ=environ, on_step=on_step)
        self._figures = FigureKeeper(assembly.settings, assembly.calendar, assembly.database, assembly.clock)
        self._purge = Purge(assembly.database, assembly.settings, assembly.calendar, assembly.clock)
        self._asked: dict[Chore, float] = {}

    def is_time(self, chore: Chore, allowances: Allowances) -> bool:
        """Whether nobody has begun it lately, in the whole district; True is said to one worker."""
        now, every = time.monotonic(), _EVERY[chore]
        if now < self._asked.get(chore, 0.0):
            return False
        wait = allowances.turn(f"chore {chore.value}", every)
        self._asked[chore] = now + (wait or every)
        return wait == 0

    def do(self, chore: Chore) -> None:
        """Does it, in the caller's thread."""
        try:
            if chore is Chore.NOTICES:
                self._attendant.tell()
                self._weekly_mail.tell()
            else:
                self._figures.look(None, self._stop, _FIGURES_FOR)
                self._purge.daily(self._stop.is_set)
        except Exception as error:  # noqa: BLE001 - done the next time
            log.error("a chore failed", chore=chore, error=place(error))
