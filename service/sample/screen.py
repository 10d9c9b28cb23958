"""What `alliance demo` shows: a live table while the week is played, plain lines where there is no terminal."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from connectors.labels import Tag
from service.delivery import Delivered
from service.pipeline import Swept
from service.sample.ledger import Tally
from service.sample.letters import ZONE, SampleMail

COLOURS = {Tag.URGENT: "bold red", Tag.CONFLICT: "yellow", Tag.ROUTINE: "green"}
_NEWEST_SHOWN = 6
_WIDE = 104
"""Columns from which on the table has room for more."""


class Screen:
    """Follows one play of the week. Use as a context; a `Watcher` of the runner."""

    def __init__(
        self,
        console: Console,
        settings: Settings,
        mails: Sequence[SampleMail],
        clock: Callable[[], datetime],
        tallies: Callable[[], Mapping[str, Tally]],
    ) -> None:
        """`clock` is the school's; `tallies` counts what is on record, by address."""
        self._console = console
        self._settings = settings
        self._by_id = {(mail.mailbox, mail.message_id): mail for mail in mails}
        self._clock = clock
        self._tallies = tallies
        self._newest: deque[Text] = deque(maxlen=_NEWEST_SHOWN)
        self._day: date | None = None
        self._live = Live(console=console, refresh_per_second=12, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def refresh(self) -> None:
        """Shows where things stand. Without a terminal: a line at the end of each day."""
        if self._live:
            self._live.update(self._picture())
            return
        today = self._clock().astimezone(ZONE).date()
        if self._day is not None and today != self._day:
            self.end_of_day()
        self._day = today

    def end_of_day(self) -> None:
        """Without a terminal, prints the numbers up to the day's end."""
        if self._live is None and self._day is not None:
            total = sum(self._tallies().values(), Tally())
            counts = [(total.read, "read"), *((total.tags.get(tag, 0), tag.value) for tag in Tag)]
            counts += [(total.answered, "answered"), (total.routed, "routed")]
            words = " ".join(f"{count:>3} {word}" for count, word in counts)
            self._console.print(f" {self._day:%a} {self._day.day:>2} {words}", highlight=False, soft_wrap=True)

    def swept(self, swept: Swept) -> None:
        """Remembers new mail for the lines below the table."""
        for entry in swept.entries:
            record = entry.record
            mail = self._by_id.get((record.mailbox.partition("@")[0], record.rfc_message_id or ""))
            if mail is not None and not mail.sent and not record.backfill:
                self._newest.append(_line(mail, record.tag, record.unsure, self._console.width))

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Nothing: the record tells it."""

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Says so at once. The demo tries a mailbox again when its next mail comes."""
        del pause
        self._console.print(f"{mailbox}: {reason}", style="red", markup=False)

    def _picture(self) -> RenderableType:
        now = self._clock().astimezone(ZONE)
        headline = Text.assemble(
            (self._settings.school.name, "bold"), "   ", (f"{_day(now.date())}, {_time(now)}", "cyan")
        )
        feed = Group(*self._newest, *(Text() for _ in range(_NEWEST_SHOWN - len(self._newest))))
        table = tally_table(self._settings, self._tallies(), self._console.width)
        return Padding(Group(headline, Text(), table, Text(), feed), (1, 1))


def tally_table(settings: Settings, tallies: Mapping[str, Tally], width: int) -> Table:
    """One row per mailbox that there is a tally of, and one for all. `width` is the room, in columns."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False, show_footer=True)
    total = sum(tallies.values(), Tally())
    wide = width >= _WIDE
    table.add_column("", footer=Text("All", "bold"), no_wrap=True)
    if wide:
        table.add_column("stage", footer="")
    for heading, value in _numbers(total, wide=wide):
        table.add_column(heading, justify="right", footer=value)
    for box in settings.mailboxes:
        if box.address not in tallies:
            continue
        name = Text(box.teacher, "bold")
        name.append(f"  {box.grade}" if wide else "", "dim")
        numbers = [value for _, value in _numbers(tallies[box.address], wide=wide)]
        table.add_row(name, *([Text(box.stage.value, "dim")] if wide else []), *numbers)
    return table


def _numbers(tally: Tally, *, wide: bool) -> list[tuple[str, Text]]:
    numbers = [("read", _number(tally.read))]
    numbers += [(tag.value, _number(tally.tags.get(tag, 0), COLOURS[tag])) for tag in Tag]
    if wide:
        numbers += [("not family", _number(tally.not_family, "dim")), ("to check", _number(tally.unsure, "magenta"))]
    numbers += [("answered", _number(tally.answered)), ("routed", _number(tally.routed, "red"))]
    return [*numbers, ("left alone", _number(tally.left_alone, "dim"))]


def _number(value: int, style: str = "") -> Text:
    return Text(str(value), style) if value else Text("·", "dim")


def _line(mail: SampleMail, tag: Tag | None, unsure: bool, width: int) -> Text:
    word = tag.value if tag else "–"
    style = COLOURS[tag] if tag else "dim"
    text = Text.assemble(
        (f"{mail.arrives:%a} {_time(mail.arrives):>8}  ", "dim"),
        (f"{word + (' ?' if unsure and tag else ''):<11}", style),
        (mail.subject or "(no subject)", "" if tag else "dim"),
        (f"   {mail.sender}", "dim"),
        no_wrap=True,
    )
    text.truncate(max(20, width - 3), overflow="ellipsis")
    return text


def _day(day: date) -> str:
    return f"{day:%A, %B} {day.day}"


def _time(at: datetime) -> str:
    return f"{at.hour % 12 or 12}:{at.minute:02} {'am' if at.hour < 12 else 'pm'}"
