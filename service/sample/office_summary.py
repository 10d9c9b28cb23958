"""The part of the demo's end that tells what became of urgent mail at the office, and of conflicts."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoresponder.items import ItemState
from store.items import ItemView
from store.tables import EventKind, ItemEvent

_WORDS = {
    EventKind.OPENED: "opened at the {desk}",
    EventKind.ADDED: "the family wrote once more",
    EventKind.NEXT_DESK: "nobody took it: on to the {desk}",
    EventKind.REMINDED: "nobody took it: everybody was reminded",
    EventKind.TAKEN: "taken by {by}",
    EventKind.DONE: "done, says {by}; the teacher sees that as a label",
}


def show_office(console: Console, items: Sequence[ItemView], drafts: int, zone: ZoneInfo) -> None:
    """What the office had, and the way of one item that nobody took at first; how many drafts teachers got."""
    console.print(Padding(Text("At the office", "bold"), (1, 1, 0, 1), expand=False))
    console.print(Padding(Text(_sentences(items)), (0, 1), expand=False))
    gone_on = next((view for view in items if _has(view, EventKind.NEXT_DESK) and _has(view, EventKind.DONE)), None)
    if gone_on is not None:
        console.print(Padding(_way(gone_on, zone), (1, 1, 0, 1), expand=False))
    text = (
        f"{drafts} families were upset. Beside the short note, the teacher found a draft of the real answer in Drafts, "
        "never sent by itself. `alliance draft gallery` shows such drafts."
    )
    if drafts:
        console.print(Padding(Text(text), (1, 1, 0, 1), expand=False))


def _sentences(items: Sequence[ItemView]) -> str:
    messages = sum(len(view.messages) for view in items)
    states = Counter(view.item.state for view in items)
    went_on = sum(_has(view, EventKind.NEXT_DESK) for view in items)
    taken = [wait for view in items if (wait := _waited(view)) is not None]
    minutes = f"half of them within {median(taken):.0f} minutes" if taken else "none yet"
    return (
        f"{messages} urgent messages came to the office as {len(items)} items. {len(taken)} were taken, {minutes}; "
        f"{states[ItemState.DONE]} are done. {went_on} went on to the administration, because nobody had taken them "
        f"in half an hour. Still open: {states[ItemState.OPEN]}."
    )


def _waited(view: ItemView) -> float | None:
    """Minutes until somebody took it."""
    waits = (event.at - view.item.opened_at for event in view.events if event.kind is EventKind.TAKEN)
    return next((wait / timedelta(minutes=1) for wait in waits), None)


def _has(view: ItemView, kind: EventKind) -> bool:
    return any(event.kind is kind for event in view.events)


def _way(view: ItemView, zone: ZoneInfo) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for event in view.events:
        table.add_row(f"{_local(event.at, zone):%a %H:%M}", _said(event))
    return table


def _said(event: ItemEvent) -> str:
    return _WORDS.get(event.kind, event.kind.value).format(desk=event.desk or "office", by=event.by or "somebody")


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone)
