"""Who may sign in: the teachers by their mailboxes, everybody else as [[staff]] lists them. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from config.settings import MailboxSettings, Role, Settings


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the staff."""

    address: str
    name: str
    roles: frozenset[Role]
    mailbox: MailboxSettings | None = None
    """A teacher's own."""


class People:
    """Everybody who may sign in, by address."""

    def __init__(self, people: Iterable[Person]) -> None:
        """Addresses are lower case, each once."""
        self._people = MappingProxyType({person.address: person for person in people})

    @classmethod
    def of(cls, settings: Settings) -> "People":
        """The people of a school. Shared mailboxes (the office's, the service's own) are nobody."""
        return cls(_people(settings))

    def __iter__(self) -> Iterator[Person]:
        """Everybody, the teachers first."""
        return iter(self._people.values())

    def find(self, address: str) -> Person | None:
        """The person with this address, however it is written; None where there is none."""
        return self._people.get(address.strip().lower())


def _people(settings: Settings) -> Iterator[Person]:
    shared = {settings.service.notices_from, settings.office.address}
    boxes = {box.address: box for box in settings.mailboxes if box.address not in shared}
    roles: dict[str, set[Role]] = {address: {Role.TEACHER} for address in boxes}
    names = {address: box.teacher for address, box in boxes.items()}
    for member in settings.staff:
        roles.setdefault(member.address, set()).add(member.role)
        names[member.address] = member.name
    for address, held in roles.items():
        yield Person(address, names[address], frozenset(held), boxes.get(address))
