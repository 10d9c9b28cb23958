"""How the installation stands, as far as its metrics, its alerts and `alliance status` are concerned. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from config import SchoolCalendar
from config.settings import Settings
from scorecard.office_time import office_minutes
from store.operating_tables import RunningProcess
from store.vitals import Vitals


@dataclass(frozen=True, slots=True)
class Standing:
    """What was read at one moment, seen with the configuration: mailboxes that are no longer in it are left out. Times
    are aware."""

    at: datetime
    vitals: Vitals | None
    """None where the database did not answer."""
    processes: tuple[RunningProcess, ...] = ()
    looked_at: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """When each mailbox was last read to its end, for those that ever were."""
    parked: tuple[str, ...] = ()
    """Mailboxes that wait for a person, none of whose mail is read."""
    silent: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """Mailboxes that are not parked and were not looked at for longer than `monitoring.silent_minutes`, each since
    when."""
    never_seen: tuple[str, ...] = ()
    """Mailboxes that were never read to their end."""
    longest_unclaimed_minutes: int = 0
    """Minutes of the office's hours for which the oldest urgent item has waited for somebody."""

    @property
    def newest_look(self) -> datetime | None:
        """When any mailbox was last looked at."""
        return max(self.looked_at.values(), default=None)

    @property
    def oldest_look(self) -> datetime | None:
        """When the mailbox that has waited longest was, of those that are not parked."""
        return min((at for box, at in self.looked_at.items() if box not in set(self.parked)), default=None)


def standing_of(
    settings: Settings,
    calendar: SchoolCalendar,
    vitals: Vitals,
    processes: Sequence[RunningProcess],
    now: datetime,
) -> Standing:
    """How the installation stands at `now`. A time ahead of `now` was written by another clock, and counts as now.
    While nothing of the service ran, no mailbox was silent: patience begins when the oldest process did."""
    addresses = [box.address for box in settings.mailboxes]
    looked_at = {each: min(vitals.looked_at[each], now) for each in addresses if each in vitals.looked_at}
    parked = {address for address, sending in vitals.parked.items() if not sending}
    patience = timedelta(minutes=settings.monitoring.silent_minutes)
    began = min((process.began_at for process in processes), default=now)
    last = {
        each: looked_at.get(each) or vitals.connected_at.get(each, began) for each in addresses if each not in parked
    }
    return Standing(
        at=now,
        vitals=vitals,
        processes=tuple(processes),
        looked_at=looked_at,
        parked=tuple(sorted(parked & set(addresses))),
        silent={each: at for each, at in last.items() if now - max(at, began) > patience},
        never_seen=tuple(each for each in addresses if each not in looked_at),
        longest_unclaimed_minutes=max(
            (office_minutes(item.opened_at, now, calendar) for item in vitals.unclaimed[:1]), default=0
        ),
    )
