"""Plays the sample school's nine days: mail arrives, the real service looks, the post office takes what it sends."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.settings import MailboxSettings
from connectors.errors import ConnectFailed
from connectors.mailbox import Mailbox
from connectors.maildir.folder import Folder
from connectors.maildir.mailbox import MaildirMailbox
from service.assembly import Assembly
from service.runner import Runner
from service.sample.front_office import FrontOffice
from service.sample.letters import SampleMail
from service.sample.school import SampleSchool
from service.watcher import Watcher

LOOKS_AFTER = timedelta(minutes=1)
"""How long after a mail's arrival the service looks: the default of `poll_seconds`."""
_LAST_LOOK = timedelta(hours=1)
_TICK = timedelta(seconds=1)
"""The clock moves on at every step, so that the play ends whatever happens."""


@dataclass(frozen=True, slots=True)
class SchoolAssembly(Assembly):
    """The service as it always is, but for its mailboxes, which go by the school's clock too: what arrived before the
    service came is told from what came later by that."""

    def open(self, box: MailboxSettings, environ: Mapping[str, str] | None = None) -> Mailbox:
        """The mailbox's Maildir. Raises ConnectFailed where it is none."""
        del environ
        if box.maildir is None:
            raise ConnectFailed(f"{box.address} has no Maildir. `alliance demo --fresh` makes the sample school anew.")
        outgoing = Folder(box.maildir.outgoing) if box.maildir.outgoing else None
        return MaildirMailbox(
            box.address,
            Folder(box.maildir.path),
            outgoing=outgoing,
            clock=lambda: int(self.clock().timestamp()) * 1_000_000_000,
        )


class Week:
    """The course of the demo. Its clock jumps from event to event: the next mail, or the next delivery that is due."""

    def __init__(self, school: SampleSchool, mails: Sequence[SampleMail]) -> None:
        """`mails` are in the order of arrival."""
        self._school = school
        self._mails = mails
        self._now = school.clock()

    def clock(self) -> datetime:
        """The school's time: give it to the service as its clock."""
        return self._now

    def play(self, assembly: Assembly, watcher: Watcher, after_each: Callable[[], None]) -> dict[str, str]:
        """Plays from where the school's clock stands to the end. Returns what failed last: reason by mailbox.

        First every mailbox is looked at as it is: that connects it, or finishes what an interrupted demo had begun.
        """
        boxes = assembly.settings.mailboxes
        failures = self._look(assembly, watcher, boxes)
        after_each()
        office = FrontOffice(assembly.items(), assembly.calendar)
        dues = _Dues(assembly)
        dues.ask(box.address for box in boxes)
        coming = [mail for mail in self._mails if mail.arrives + LOOKS_AFTER > self._now]
        end = coming[-1].arrives + _LAST_LOOK if coming else self._now  # a finished week is not prolonged
        while True:
            waiting = {address: due for address, due in dues.known.items() if address not in failures}
            said_at = office.next_at() if coming else None  # with the last mail the office goes home
            moments = [*waiting.values(), *(mail.arrives + LOOKS_AFTER for mail in coming[:1]), said_at]
            now = min(filter(None, moments), default=None)
            if now is None or now > end:
                failures |= self._look(assembly, watcher, boxes)  # who is still to be reminded of a case, is now
                after_each()
                return failures
            self._now = max(now, self._now + _TICK)
            if coming:
                office.act(self._now)
                if said_at is not None and said_at <= self._now:
                    dues.ask(box.address for box in boxes)
            arrived = [mail for mail in coming if mail.arrives + LOOKS_AFTER <= self._now]
            coming = coming[len(arrived) :]
            for mail in arrived:
                self._school.receive(mail)
            self._school.set_clock(self._now)
            names = {mail.mailbox for mail in arrived}
            looked = [box for box in boxes if _name(box) in names or waiting.get(box.address, end) <= self._now]
            failures |= self._look(assembly, watcher, looked)
            dues.ask([*(box.address for box in looked), *dues.known])  # what one mailbox does may move another's item
            after_each()

    def _look(self, assembly: Assembly, watcher: Watcher, boxes: Sequence[MailboxSettings]) -> dict[str, str]:
        failures = dict(Runner(assembly, watcher=watcher, boxes=boxes, keeps_figures=False).run_once())
        self._school.post()
        return failures


class _Dues:
    """When each mailbox's next delivery is due, or an item that nobody takes goes on, for those that have one."""

    def __init__(self, assembly: Assembly) -> None:
        self._outbox, self._items = assembly.outbox(), assembly.items()
        self.known: dict[str, datetime] = {}

    def ask(self, addresses: Iterable[str]) -> None:
        """Looks again for these mailboxes."""
        for address in set(addresses):
            dues = (self._outbox.next_due_at(address), self._items.next_due_at(address))
            self.known.pop(address, None)
            if any(dues):
                self.known[address] = min(filter(None, dues))


def _name(box: MailboxSettings) -> str:
    return box.address.partition("@")[0]
