"""Which family writes: both parents of a child are one, and the database holds no child's name for it."""

import hashlib
from collections.abc import Sequence


def person(email: str) -> str:
    """The address that somebody is known by: in lower case, without what mail systems let people add behind a plus."""
    local, _, domain = email.strip().lower().rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def are_one_family(students: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two guardians have a child in common. Nobody knows that of people whom the roster does not name: neither
    do those with no students. Children are compared as they are given: by identifiers, for two may have one name."""
    return not set(students).isdisjoint(others)


def family_key(family: str | None, sender: str, key: bytes, *, alone: str = "") -> str:
    """A keyed digest of a family: of its identifier on the roster, which stays whatever its children are called, else
    of the sender's address.

    `key` is the installation's own secret (`autoresponder.identifiers.fingerprint` has the same), so that nobody who
    reads the database can confirm a guess. `alone` sets a message apart from everything else of its family: one whose
    sender may be somebody else must not be added to what the family itself wrote.
    """
    return _digest(("family", family) if family else ("sender", sender), key, alone)


def key_by_names(students: Sequence[str], key: bytes) -> str:
    """What a family's key was before the roster had identifiers: a digest of the children's names. Records of that time
    are found by it and filed again."""
    return _digest(("students", *sorted(students)), key, "")


def _digest(who: Sequence[str], key: bytes, alone: str) -> str:
    named = "".join(f"{len(part)}:{part}" for part in (*who, alone)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, key=key, digest_size=16, person=b"alliance-family").hexdigest()
