"""What the service needs to know of families."""

from collections.abc import Sequence
from typing import Protocol


class Families(Protocol):
    """What the service needs of the roster."""

    def students_of(self, email: str) -> Sequence[str]:
        """Names of the students whose guardian writes from this address."""
        ...

    def language_of(self, email: str) -> str | None:
        """The language of that guardian's home, ISO 639-1, where known."""
        ...
