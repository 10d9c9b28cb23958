"""What the demo says at its beginning, and while it lives through the school's history."""

from datetime import date, datetime
from types import TracebackType

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from service.sample.history.chapters import History
from service.sample.school import CONNECTED


def introduce_history(console: Console, history: History) -> None:
    """What is about to be made up and lived through."""
    mails = history.of_early()
    received = sum(not mail.sent for mail in mails)
    first = mails[0].arrives if mails else CONNECTED
    text = (
        f"Maple Street School, {first:%B %Y} to October 2025. Six of its teachers have had the service since January: "
        f"{received} letters from families and {len(mails) - received} of the teachers' own, all made up, go through "
        "the real service now, day by day. The scorecard at the end is made of nothing else."
    )
    _say(console, text)


def introduce_nine_days(console: Console, clock: datetime, *, finished: bool) -> None:
    """What comes next, or where an earlier demo is taken up."""
    if finished:
        text = "Maple Street School is there already: the service looks at the same mailboxes once more."
    elif clock > CONNECTED:
        text = f"An earlier demo was interrupted on the school's {clock:%A at %H:%M}; it goes on from there."
    else:
        text = (
            "Now nine days in October 2025. Five more teachers join: their mailboxes, some two hundred mails from "
            "families, colleagues and machines, all made up. The clock is the school's; the service is the real one, "
            "and looks a minute after each mail."
        )
    _say(console, text)


class HistoryScreen:
    """Says which month it is. Use as a context."""

    def __init__(self, console: Console) -> None:
        """Without a terminal, prints a line when all is done."""
        self._console = console
        self._status: Status | None = console.status("The first school day") if console.is_terminal else None
        self._days = 0

    def __enter__(self) -> "HistoryScreen":
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()
        if kind is None:
            self._console.print(Padding(Text(f"{self._days} school days were lived through.", "dim"), (0, 1)))

    def on_day(self, day: date) -> None:
        """A school day begins."""
        self._days += 1
        if self._status:
            self._status.update(f"{day:%A, %B} {day.day}, {day.year}")


def _say(console: Console, text: str) -> None:
    console.print(Padding(Text(text), (1, 1, 1, 1), expand=False))
