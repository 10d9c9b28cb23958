"""Many values, so many at a time: what a database takes in one statement is limited."""

from collections.abc import Iterable, Iterator
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
