"""How the service stands, for one screen: read from the database, so that it can be asked from any machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config import SchoolCalendar
from config.settings import Settings, Stage
from service.operating.monitor import program_version
from service.operating.standing import Standing, standing_of
from store.alerts import Alerts
from store.database import Database, Shape, StoreError
from store.operating_tables import Alert
from store.pages import Pages
from store.processes import Processes
from store.tables import DeliveryState
from store.vitals import URGENT, read_vitals


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits to be delivered."""

    urgent: int
    """To the office."""
    other: int
    """Labels, answers, drafts, mails to the staff."""
    urgent_late: timedelta
    """For how long the oldest urgent one has been due."""
    other_late: timedelta
    set_aside: int
    """Given up; `alliance outbox` shows them."""
    unread: int
    """Messages that nobody could read; it shows them too."""


@dataclass(frozen=True, slots=True)
class Status:
    """One screen."""

    school: str
    version: str
    tables: Shape
    standing: Standing
    stages: Mapping[Stage, int]
    queue: Queue
    alerts: tuple[Alert, ...]

    @property
    def needs_somebody(self) -> bool:
        """Whether anything here is for a person to do."""
        lacking = not any(process.role != "web" for process in self.standing.processes)
        return bool(lacking or self.alerts or self.standing.parked or self.standing.silent)


def read_status(settings: Settings, calendar: SchoolCalendar, database: Database, now: datetime) -> Status:
    """Reads it. Raises StoreError where the tables are not those of this version."""
    shape = database.shape()
    if not shape.fits:
        raise StoreError(f"The database's tables are {shape.value}. `alliance doctor` says what to do.")
    vitals = read_vitals(database, now, answers_pause=timedelta(hours=settings.norm.answers_pause_hours))
    standing = standing_of(settings, calendar, vitals, Processes(database).running(now), now)
    lease = timedelta(seconds=settings.service.lease_seconds)
    return Status(
        school=settings.school.name,
        version=program_version(),
        tables=shape,
        standing=standing,
        stages={stage: sum(box.stage is stage for box in settings.mailboxes) for stage in Stage},
        queue=_queue(standing, len(Pages(database).set_aside())),
        alerts=tuple(each for each in Alerts(database, lease).all() if each.over_at is None),
    )


def _queue(standing: Standing, unread: int) -> Queue:
    waiting = standing.vitals.waiting if standing.vitals else ()
    on_the_way = {DeliveryState.WAITING, DeliveryState.WORKING}

    def count(*, urgent: bool) -> int:
        return sum(each.count for each in waiting if each.state in on_the_way and (each.kind in URGENT) == urgent)

    def late(*, urgent: bool) -> timedelta:
        due = [
            standing.at - each.due_since
            for each in waiting
            if each.state is DeliveryState.WAITING and (each.kind in URGENT) == urgent
        ]
        return max([timedelta(0), *due])

    return Queue(
        urgent=count(urgent=True),
        other=count(urgent=False),
        urgent_late=late(urgent=True),
        other_late=late(urgent=False),
        set_aside=sum(each.count for each in waiting if each.state is DeliveryState.SET_ASIDE),
        unread=unread,
    )


def as_object(status: Status) -> Mapping[str, object]:
    """The same for programs. Times are ISO 8601, spans in seconds."""
    standing, queue = status.standing, status.queue
    vitals = standing.vitals
    return {
        "school": status.school,
        "version": status.version,
        "tables": status.tables.value,
        "at": standing.at.isoformat(),
        "needs_somebody": status.needs_somebody,
        "processes": [
            {"name": each.name, "role": each.role, "version": each.version, "began_at": each.began_at.isoformat()}
            for each in standing.processes
        ],
        "mailboxes": {
            **{stage.value: count for stage, count in status.stages.items()},
            "parked": list(standing.parked),
            "silent": {mailbox: at.isoformat() for mailbox, at in standing.silent.items()},
            "never_seen": list(standing.never_seen),
            "newest_look": _iso(standing.newest_look),
            "oldest_look": _iso(standing.oldest_look),
            "answers_stopped": vitals.stopped_answers if vitals else 0,
        },
        "queue": {
            "urgent": queue.urgent,
            "urgent_late_seconds": queue.urgent_late.total_seconds(),
            "other": queue.other,
            "other_late_seconds": queue.other_late.total_seconds(),
            "set_aside": queue.set_aside,
            "unread": queue.unread,
        },
        "office": {
            "unclaimed": len(vitals.unclaimed) if vitals else 0,
            "longest_unclaimed_minutes": standing.longest_unclaimed_minutes,
        },
        "notices_waiting": vitals.notices_waiting if vitals else 0,
        "alerts": [_alert(each) for each in status.alerts],
        "database_bytes": vitals.database_bytes if vitals else 0,
    }


def _alert(alert: Alert) -> Mapping[str, object]:
    told = alert.told is not None
    return {"kind": alert.kind.value, "subject": alert.subject, "since": alert.since.isoformat(), "told": told}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def versions_of(status: Status) -> Sequence[str]:
    """Every version that runs, this program's first: two of them during an upgrade."""
    return list(dict.fromkeys([status.version, *(each.version for each in status.standing.processes)]))
