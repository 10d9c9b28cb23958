"""Many values, so many at a time: what a database takes in one statement is limited."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")
_ROOM = 500
"""So many values one statement has room for, whatever else stands in it."""


def chunks(values: Iterable[_T], size: int = _ROOM) -> Iterator[list[_T]]:
    """All of them, at most `size` at a time, in their order."""
    iterator = iter(values)
    while some := list(islice(iterator, size)):
        yield some


def in_few_lengths(values: Sequence[_T]) -> list[_T]:
    """The values, the last repeated until there are 1, 2, 4, 8 and so on: for conditions that stand side by side, where
    one that is there twice changes nothing. A statement of each length would be compiled and remembered by itself,
    thousands of objects each."""
    if not values:
        return []
    return [*values, *[values[-1]] * ((1 << (len(values) - 1).bit_length()) - len(values))]
