"""The table that `benchmarks.poll` prints: a row for each contestant, and how two of them compare."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one contestant; None where nobody measured. Milliseconds of processor."""

    requests_a_poll: float | None = None
    requests_a_backlog: float | None = None
    processor_a_poll: float | None = None
    speed: float | None = None
    """Messages a second."""
    processor_a_message: float | None = None
    waiting: float | None = None
    """The share of the backlog's time in which the program itself did nothing: the higher, the more it is the server,
    or whoever else uses the machine, that sets the speed."""
    speed_away: float | None = None
    """Messages a second with the server far away."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    heads: tuple[str, str]
    shown: str
    """How the figure is written,"""
    compared: str = ""
    """and how the ratio of two; empty where it says nothing."""


_COLUMNS = (
    _Column("requests_a_poll", ("requests", "a poll"), ".3g", ".2f"),
    _Column("requests_a_backlog", ("requests", "a backlog"), ",.0f", ".3f"),
    _Column("processor_a_poll", ("ms of CPU", "a poll"), ".3f", ".2f"),
    _Column("speed", ("messages", "a second"), ",.0f", ".1f"),
    _Column("processor_a_message", ("ms of CPU", "a message"), ".3f", ".2f"),
    _Column("waiting", ("", "waiting"), ".0%"),
    _Column("speed_away", ("a second,", "far away"), ",.0f", ".1f"),
)


def print_table(title: str, rows: Mapping[str, Row], ratios: Mapping[str, tuple[str, str]]) -> None:
    """Prints all rows, then a ratio by its name: the first contestant's figures divided by the second's."""
    print()
    _print_row("", [column.heads[0] for column in _COLUMNS])
    _print_row(title, [column.heads[1] for column in _COLUMNS])
    for name, row in rows.items():
        _print_row(name, [_written(getattr(row, column.name), column.shown) for column in _COLUMNS])
    for name, (one, other) in ratios.items():
        _print_row(name, [_written(_ratio(rows[one], rows[other], column), column.compared) for column in _COLUMNS])


def _ratio(one: Row, other: Row, column: _Column) -> float | None:
    first, second = getattr(one, column.name), getattr(other, column.name)
    return first / second if column.compared and first is not None and second else None


def _written(figure: float | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)


def _print_row(name: str, words: list[str]) -> None:
    print(f"{name:36}" + "".join(f"{word:>12}" for word in words), flush=True)
