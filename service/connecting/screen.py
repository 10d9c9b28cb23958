"""Shows how the tries went: a line for each permission, or, of many mailboxes, a line for each mailbox."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.connecting.trying import Mark, Permission, Tried

MANY = 4
"""From so many mailboxes on, each is one line."""
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
    if len(tried) < MANY:
        for mailbox in tried:
            _list(console, mailbox)
    else:
        _table(console, tried)
    working = sum(mailbox.works for mailbox in tried)
    if working == len(tried):
        words = "It works." if working == 1 else f"All {working} mailboxes work."
        console.print(Text(words, style="bold green"))
    else:
        of = "" if len(tried) == 1 else f"{working} of {len(tried)} mailboxes work. "
        console.print(Text(f"{of}What is marked ✗ has to be put right.", style="bold red"))


def _list(console: Console, mailbox: Tried) -> None:
    console.print(Text(mailbox.address, style="bold"))
    grid = Table.grid(padding=(0, 1))
    for width in (1, 1, max(map(len, Permission))):
        grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    silent = [each.permission.value for each in mailbox.tries if each.mark is Mark.UNTRIED and not each.said]
    for each in mailbox.tries:
        if each.permission.value not in silent:
            said = Text(each.said, style="dim" if each.mark is not Mark.FAILS else "default")
            grid.add_row("", Text(each.mark, style=_COLOURS[each.mark]), each.permission.value, said)
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
    for said, where in _troubles(tried).items():
        more = len(where) - 3
        named = ", ".join(where[:3]) + (f" and {more} more" if more > 0 else "")
        console.print(Text("✗ ", style=_COLOURS[Mark.FAILS]) + Text(named, style="bold"))
        console.print(Text(said), soft_wrap=False)
        console.print()


def _troubles(tried: Sequence[Tried]) -> dict[str, list[str]]:
    """What failed, each trouble once whatever mailbox its words name, and the mailboxes that it keeps from working."""
    found: dict[str, tuple[str, list[str]]] = {}
    for mailbox in tried:
        for each in mailbox.failures:
            said, where = found.setdefault(each.said.replace(mailbox.address, ""), (each.said, []))
            del said
            if mailbox.address not in where:
                where.append(mailbox.address)
    return dict(sorted(found.values(), key=lambda pair: -len(pair[1])))
