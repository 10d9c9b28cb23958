"""What is told of each step on a mail's way, as soon as its effect stands: tests end the process there."""

from collections.abc import Callable
from typing import TypeAlias

OnStep: TypeAlias = Callable[[str, int], None]
"""Told of each step by name, with the number of the delivery or notice."""


def no_step(step: str, number: int) -> None:
    """Nobody listens."""
    del step, number
