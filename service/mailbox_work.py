"""Working on one mailbox: read what is new, deliver, look after what is due. Whoever holds a mailbox, a thread of
`alliance run` or a worker of a district, does it by this one way."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from random import Random
from typing import TYPE_CHECKING

from config.said import said
from config.settings import MailboxSettings, Stage
from connectors.errors import Throttled
from connectors.mailbox import Mailbox
from service.delivery import Delivered
from service.digest import MorningMail
from service.escalation import escalate
from service.following import follow
from service.glow_writer import GlowWriter
from service.parking import Attendant, needs_a_person
from service.reminding import remind
from service.steps import OnStep
from service.watcher import Watcher
from store.agenda import Agenda, Agendas

if TYPE_CHECKING:
    from service.assembly import Assembly

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
PAUSE_FOR_A_PERSON = 900.0
"""Seconds until a refused password or certificate is tried again: only a person can mend it, and a server locks an
account that keeps knocking."""
DELIVERING_AT_MOST = 20.0
"""Seconds after which a mailbox with much to deliver looks for new mail again: some of it may be urgent."""
_AGENDA_HOLDS = timedelta(seconds=5)
"""How old an agenda may be when a turn begins: after a longer wait for a thread it is asked for again."""


@dataclass(frozen=True, slots=True)
class Slice:
    """How much of a mailbox's work is done in one go, so that others have their turn."""

    reading: float = inf
    """Seconds after which no further page is read. The page in hand is finished, and what it planned is delivered."""
    delivering: float = inf
    """Seconds after which nothing more is delivered until the next page, or the next turn."""


class MailboxWork:
    """Works on mailboxes, for whoever holds them. Threads share it, each with a mailbox of its own."""

    def __init__(
        self,
        assembly: "Assembly",
        attendant: Attendant,
        watcher: Watcher,
        stopping: Callable[[], bool],
        *,
        on_step: OnStep | None = None,
    ) -> None:
        """`stopping` says that what is in hand is finished and nothing more is begun; `watcher` raises nothing."""
        self._assembly = assembly
        self._attendant = attendant
        self._watcher = watcher
        self._stopping = stopping
        self._on_step = on_step
        self._morning_mail = MorningMail(assembly, on_step=on_step)
        self._glow_writer = GlowWriter(assembly, on_step=on_step)
        self._agendas = Agendas(assembly.database)
        self._jitter = Random()  # noqa: S311 - spreads retries, guards no secret

    def agendas(self, mailboxes: Sequence[str]) -> Mapping[str, Agenda]:
        """What waits in each of them, by address, for whoever begins many turns at once."""
        return self._agendas.of_all(mailboxes, self._assembly.clock())

    def turn(self, box: MailboxSettings, mailbox: Mailbox, most: Slice = Slice(), agenda: Agenda | None = None) -> bool:
        """Reads what is new, page by page, and delivers in between: urgent mail waits neither for old mail nor for a
        long line of replies. `agenda` spares a question, where it was asked for since this turn was taken. True where
        there was more to read than `most` allows. Raises what the mailbox and the database raise; what was committed
        stays."""
        delivered: list[Delivered] = []
        until = time.monotonic() + most.reading
        delivered_after_last_page = False
        more = False
        if agenda is None or not self._holds(agenda):
            agenda = self._ask(box)
        with closing(self._assembly.pipeline.sweep(box, mailbox, lambda: self._is_due(box), agenda)) as pages:
            for swept in pages:
                self._watcher.swept(swept)
                if swept.plans:
                    agenda = self._ask_again(box, agenda)
                delivered_after_last_page = swept.free
                if swept.free:
                    delivered.append(self.tend(box, mailbox, most.delivering, agenda))
                if self._stopping():
                    return True
                more = swept.more
                if more and time.monotonic() > until:
                    break
        if not delivered_after_last_page:
            delivered.append(self.tend(box, mailbox, most.delivering, agenda))
        if agenda.good_news:
            self._glow_writer.look_after(box, mailbox)
        if self._morning_mail.wants(box, agenda):
            self._morning_mail.look_after(box, mailbox)
        self._note(box, agenda, delivered)
        return more

    def tend(
        self, box: MailboxSettings, mailbox: Mailbox, at_most: float = inf, agenda: Agenda | None = None
    ) -> Delivered:
        """Plans what corrections, items and cases ask for by now, and delivers what is due, for `at_most` so many
        seconds. `agenda` says where to look, as far as it was asked for already. Raises as `turn`."""
        assembly = self._assembly
        waits = agenda or self._ask(box)
        if not waits.due:
            return Delivered()
        if waits.follow_ups:
            follow(box, mailbox, assembly, careful=waits.careful)
        if waits.items:
            escalate(box, assembly.items(), assembly.settings, assembly.calendar, assembly.clock())
        if waits.cases:
            remind(box, assembly.cases(), assembly.settings, assembly.calendar, assembly.clock())
        until = time.monotonic() + at_most
        deliverer = assembly.deliverer(on_step=self._on_step)
        done = deliverer.deliver(
            box, mailbox, lambda: self._stopping() or time.monotonic() > until, careful=waits.careful
        )
        self._watcher.delivered(box.address, done)
        return done

    def next_at(self, box: MailboxSettings) -> datetime | None:
        """When there is something to do next that no change in the mailbox would announce; None where nothing is."""
        agenda = self._ask(box)
        due = (_steps_at(box, agenda), self._morning_mail.next_at(box, agenda), agenda.good_news_at)
        return min(filter(None, due), default=None)

    def failed(self, box: MailboxSettings, error: Exception, failures: int) -> float:
        """Records that a mailbox could not be worked on, `failures` times in a row by now, and returns the seconds
        until it is tried again. Raises nothing."""
        self._attendant.refused(box.address, error)
        pause = self._pause(error, failures)
        self._watcher.failed(box.address, said(error), pause)
        return pause

    def _ask(self, box: MailboxSettings) -> Agenda:
        return self._agendas.of(box.address, self._assembly.clock())

    def _ask_again(self, box: MailboxSettings, before: Agenda) -> Agenda:
        """In the middle of a turn: with care to its end, though reading has come beyond where a process died."""
        agenda = self._ask(box)
        return replace(agenda, careful=True) if before.careful else agenda

    def _holds(self, agenda: Agenda) -> bool:
        return timedelta(0) <= self._assembly.clock() - agenda.at <= _AGENDA_HOLDS

    def _note(self, box: MailboxSettings, agenda: Agenda, delivered: Sequence[Delivered]) -> None:
        """The mailbox could be read; what came of sending says whether it works altogether."""
        refused = next((done.refused for done in delivered if done.refused is not None), None)
        if refused is not None:
            self._attendant.refused(box.address, refused, sending=True)
        elif agenda.parked:
            self._attendant.works(box.address, sent=any(done.routes or done.replies for done in delivered))

    def _is_due(self, box: MailboxSettings) -> bool:
        due_at = _steps_at(box, self._ask(box))
        return due_at is not None and due_at <= self._assembly.clock()

    def _pause(self, error: Exception, failures: int) -> float:
        if needs_a_person(error):
            return PAUSE_FOR_A_PERSON
        if isinstance(error, Throttled) and error.retry_after is not None:
            return error.retry_after * self._jitter.uniform(1, 1.25)
        pause = min(FIRST_PAUSE * float(2 ** min(failures - 1, 10)), LONGEST_PAUSE)
        return pause * self._jitter.uniform(0.75, 1.25)


def _steps_at(box: MailboxSettings, agenda: Agenda) -> datetime | None:
    """When the next delivery of a mailbox is due, an item that nobody takes goes on, or a case is looked at."""
    steps = (agenda.delivery_at, None if box.stage is Stage.OBSERVE else agenda.step_at)
    return min(filter(None, steps), default=None)
