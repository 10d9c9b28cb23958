"""Many things, some at a time: what a database takes in one statement is limited."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


def pieces(of: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """All of them, at most `size` at a time, in their order."""
    iterator = iter(of)
    while some := list(islice(iterator, size)):
        yield some
