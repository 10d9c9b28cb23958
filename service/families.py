"""What the service needs to know of families."""

from collections.abc import Sequence
from typing import Protocol


class Families(Protocol):
    """What the service needs of the roster."""

    def students_of(self, email: str) -> Sequence[str]:
        """Names of the students whose guardian writes from this address."""
        ...

    def family_of(self, email: str) -> str | None:
        """The identifier of the family that mail from this address is filed under; None where unknown."""
        ...

    def are_one_family(self, email: str, other: str) -> bool:
        """Whether two addresses are of people who look after one student."""
        ...

    def language_of(self, email: str) -> str | None:
        """The language of that guardian's home, ISO 639-1, where known."""
        ...
