"""`alliance status` for a person: a dozen lines, what needs somebody in colour, and what to do about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autoresponder.alerts import AlertKind
from service.operating.status import Status, versions_of
from store.database import Shape
from store.operating_tables import Alert

_NAMED = 3
"""Mailboxes that are named on a line; the rest are counted."""
_WORDS = {
    AlertKind.GIVEN_UP: "urgent mail was given up",
    AlertKind.URGENT_WAITS: "urgent mail does not reach the office",
    AlertKind.UNCLAIMED: "nobody has taken urgent mail at the office",
    AlertKind.SILENT: "mailboxes cannot be looked at",
    AlertKind.NO_MAIL: "mailboxes get no mail any more",
    AlertKind.QUEUE: "labels and answers are late",
}


def screen(status: Status, zone: tzinfo) -> RenderableType:
    """The lines; times by the school's clock."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, line in _lines(status, zone):
        table.add_row(name, line)
    head = Text(f"{status.school}, {_when(status.standing.at, status.standing.at, zone)}", style="bold")
    return Group(head, table)


def _lines(status: Status, zone: tzinfo) -> Iterator[tuple[str, Text]]:
    standing = status.standing
    yield "runs", _processes(status, zone)
    yield "mailboxes", _mailboxes(status)
    yield "last look", _looks(status, zone)
    if standing.parked:
        yield "parked", _bad(f"{_named(standing.parked)}: a person is needed, see `alliance doctor`")
    if standing.silent:
        yield "silent", _bad(f"{_named(list(standing.silent))}: see `alliance doctor`")
    yield "to the office", _queue(status.queue.urgent, status.queue.urgent_late, urgent=True)
    yield "other work", _queue(status.queue.other, status.queue.other_late, urgent=False)
    if status.queue.set_aside:
        yield "set aside", _bad(f"{status.queue.set_aside}: `alliance outbox` says why, `alliance retry` tries again")
    if status.queue.unread:
        yield "unread", _bad(f"{status.queue.unread} messages could not be read: `alliance outbox` says why")
    yield "unclaimed", _unclaimed(status)
    for alert_line in _alerts(status.alerts, standing.at, zone):
        yield "alert", alert_line
    vitals = standing.vitals
    yield "database", Text(f"{_size(vitals.database_bytes if vitals else 0)}, tables {status.tables.value}")
    versions = versions_of(status)
    if len(versions) > 1 or status.tables is Shape.AHEAD:
        yield "versions", _bad(f"{', '.join(versions)}: an upgrade is under way, or one process was forgotten")
    else:
        yield "version", Text(versions[0])


def _processes(status: Status, zone: tzinfo) -> Text:
    processes = status.standing.processes
    if not processes:
        return _bad("nothing: no process has said so for a minute and a half")
    roles = Counter(each.role for each in processes)
    since = min(each.began_at for each in processes)
    told = ", ".join(f"{count} × {role}" if count > 1 else role for role, count in sorted(roles.items()))
    return Text(f"{told}; the oldest since {_when(since, status.standing.at, zone)}")


def _mailboxes(status: Status) -> Text:
    total = sum(status.stages.values())
    told = ", ".join(f"{count} in {stage.value}" for stage, count in status.stages.items() if count)
    stopped = status.standing.vitals.stopped_answers if status.standing.vitals else 0
    line = Text(f"{total:,}: {told}")
    if stopped:
        line.append(f"; answers stopped in {stopped}, see `alliance answers show`", style="yellow")
    return line


def _looks(status: Status, zone: tzinfo) -> Text:
    standing = status.standing
    newest, oldest = standing.newest_look, standing.oldest_look
    if newest is None or oldest is None:
        return _bad("none yet")
    told = f"{_ago(standing.at - newest)} ago; the longest waits since {_ago(standing.at - oldest)}"
    if standing.never_seen:
        told += f"; {len(standing.never_seen):,} never yet"
    del zone
    return Text(told)


def _queue(count: int, late: timedelta, *, urgent: bool) -> Text:
    if not count:
        return Text("nothing waits")
    line = f"{count:,} wait" + ("s" if count == 1 else "")
    if late <= timedelta(minutes=1):
        return Text(line)
    return Text(f"{line}, the oldest is {_ago(late)} late", style="bold red" if urgent else "yellow")


def _unclaimed(status: Status) -> Text:
    vitals = status.standing.vitals
    count = len(vitals.unclaimed) if vitals else 0
    if not count:
        return Text("nothing: every urgent item was taken")
    minutes = timedelta(minutes=status.standing.longest_unclaimed_minutes)
    told = f"{count:,} urgent item{'s'[: count > 1]}, the oldest for {_ago(minutes)} of office hours"
    return Text(told, style="yellow")


def _alerts(alerts: Sequence[Alert], now: datetime, zone: tzinfo) -> Iterator[Text]:
    for kind in AlertKind:
        some = [each for each in alerts if each.kind is kind]
        if some:
            told = "told by mail" if all(each.told is not None for each in some) else "not told by mail"
            since = _when(min(each.since for each in some), now, zone)
            yield _bad(f"{_WORDS[kind]}, since {since} ({told})")


def _bad(text: str) -> Text:
    return Text(text, style="bold red")


def _named(mailboxes: Sequence[str]) -> str:
    more = len(mailboxes) - _NAMED
    return ", ".join(mailboxes[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _ago(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}{'s' if unit == 'day' else ''}"
    return f"{seconds} s"


def _when(at: datetime, now: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() and at != now else f"{local:%Y-%m-%d %H:%M}"


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1000:,.0f} kB"
