"""Shows how the tries went: a line for each permission, or, of many mailboxes, a line for each mailbox."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.connecting.trying import Mark, Permission, Tried, Try

MANY = 4
"""From so many mailboxes on, each is one line."""
_NAMED = 3
_REQUEST = re.compile(r"request-id [\w-]+")
_COLOURS = {Mark.WORKS: "green", Mark.FAILS: "bold red", Mark.UNTRIED: "dim"}
_COLUMNS: dict[str, tuple[Permission, ...]] = {
    "sign in": (Permission.SIGN_IN,),
    "inbox": (Permission.INBOX,),
    "read": (Permission.READ,),
    "Sent": (Permission.SENT,),
    "labels": (Permission.LABELS,),
    "draft": (Permission.SAVE, Permission.FIND, Permission.DISCARD),
    "send": (Permission.SEND,),
    "news": (Permission.NEWS,),
}


def show(console: Console, tried: Sequence[Tried]) -> None:
    """Everything that was tried, then what is to be done."""
    troubles = _troubles(tried)
    if len(tried) < MANY:
        for mailbox in tried:
            _list(console, mailbox, {trouble.key: number for number, trouble in enumerate(troubles, start=1)})
    else:
        _table(console, tried)
    for number, trouble in enumerate(troubles, start=1):
        _tell(console, number, trouble, many=len(tried) > 1)
    working = sum(mailbox.works for mailbox in tried)
    if working == len(tried):
        words = "It works." if working == 1 else f"All {working} mailboxes work."
        console.print(Text(words, style="bold green"))
    else:
        of = "" if len(tried) == 1 else f"{working} of {len(tried)} mailboxes work. "
        console.print(Text(f"{of}What is marked ✗ has to be put right.", style="bold red"))


def _list(console: Console, mailbox: Tried, numbers: Mapping[str, int]) -> None:
    console.print(Text(mailbox.address, style="bold"))
    grid = Table.grid(padding=(0, 1))
    for width in (1, 1, max(map(len, Permission))):
        grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    silent = [each.permission.value for each in mailbox.tries if each.mark is Mark.UNTRIED and not each.said]
    for each in mailbox.tries:
        if each.permission.value not in silent:
            fails = each.mark is Mark.FAILS
            said = f"see {numbers[_key(mailbox, each)]}" if fails else each.said
            style = "default" if fails else "dim"
            grid.add_row("", Text(each.mark, style=_COLOURS[each.mark]), each.permission.value, Text(said, style=style))
    if silent:
        rest = Text(f"not before that: {', '.join(silent)}", style="dim")
        grid.add_row("", Text(Mark.UNTRIED, style="dim"), "the rest", rest)
    for fact in mailbox.facts:
        grid.add_row("", Text("·", style="dim"), "", Text(fact, style="dim"))
    console.print(grid)
    console.print()


def _table(console: Console, tried: Sequence[Tried]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("mailbox", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="center", no_wrap=True)
    for mailbox in tried:
        marks = [mailbox.mark(*permissions) for permissions in _COLUMNS.values()]
        table.add_row(mailbox.address, *(Text(mark, style=_COLOURS[mark]) for mark in marks))
    console.print(table)


@dataclass(slots=True)
class _Trouble:
    """What failed, once, whatever mailbox and request its words name, and where."""

    key: str
    said: str
    permissions: list[Permission] = field(default_factory=list)
    mailboxes: list[str] = field(default_factory=list)


def _troubles(tried: Sequence[Tried]) -> list[_Trouble]:
    found: dict[str, _Trouble] = {}
    for mailbox in tried:
        for each in mailbox.failures:
            key = _key(mailbox, each)
            trouble = found.setdefault(key, _Trouble(key, each.said))
            if each.permission not in trouble.permissions:
                trouble.permissions.append(each.permission)
            if mailbox.address not in trouble.mailboxes:
                trouble.mailboxes.append(mailbox.address)
    return list(found.values())


def _key(mailbox: Tried, failed: Try) -> str:
    return _REQUEST.sub("", failed.said.replace(mailbox.address, ""))


def _tell(console: Console, number: int, trouble: _Trouble, *, many: bool) -> None:
    heading = Text(f"{number}  ", style="bold red")
    heading.append(", ".join(permission.value for permission in trouble.permissions), style="bold")
    if many:
        more = len(trouble.mailboxes) - _NAMED
        named = ", ".join(trouble.mailboxes[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        heading.append(f": {named}")
    console.print(heading)
    console.print(Padding(Text(trouble.said), (0, 0, 0, 3), expand=False))
    console.print()
