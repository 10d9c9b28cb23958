"""The organisation's directory: who has an address, and what Exchange calls them within."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the directory."""

    name: str
    address: str
    ex: str
    """The address that Exchange uses within the organisation (legacyExchangeDN)."""


class Directory:
    """Everybody: who has a mailbox, and whom a test added."""

    def __init__(self) -> None:
        self.people: list[Person] = []

    def add(self, name: str, address: str) -> Person:
        """Adds somebody, who gets an EX address."""
        alias = address.partition("@")[0]
        ex = f"/o=School/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={alias}"
        made = Person(name, address, ex)
        self.people.append(made)
        return made

    def resolve(self, entry: str) -> list[Person]:
        """Who may be meant by the beginning of a name, or by a whole address."""
        kind, colon, rest = entry.partition(":")
        wanted = (rest if colon and kind.lower() in ("smtp", "ex") else entry).strip().lower()
        exact = [one for one in self.people if wanted in (one.address.lower(), one.ex.lower())]
        if exact or "@" in wanted or wanted.startswith("/o="):
            return exact
        return [
            one
            for one in self.people
            if any(word.startswith(wanted) for word in (one.address, one.name.lower(), *one.name.lower().split()))
        ]
