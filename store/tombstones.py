"""Knows again what was forgotten, by keyed digests: messages, addresses, people of the school's lists, answers.

The key is made of the installation's own secret, so that a digest tells nothing to who does not have the database. Who
has it, and a guess, can confirm the guess: that somebody was forgotten here, and no more (docs/threat-model.md).
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from autoresponder.family import person
from autoresponder.plan import Answer
from store.among import among
from store.chunks import chunks
from store.database import Database, dialect_of
from store.erasure_tables import PastAnswer, Retention, Tombstone
from store.installation import secret_of

ANSWERS_REMEMBERED = timedelta(days=120)
"""As long as the pipeline looks back for answers."""


class What(StrEnum):
    """What a digest is of."""

    PROVIDER_ID = "provider id"
    """A mailbox and its mail server's identifier of a message."""
    FINGERPRINT = "fingerprint"
    """A message's content, in whatever mailbox."""
    ADDRESS = "address"
    """As it is compared (`autoresponder.family.person`)."""
    PERSON = "person"
    """An identifier in the school's lists."""


def digest_of(what: What, name: str, key: bytes) -> str:
    """The digest of something; `key` is the installation's secret."""
    content = f"{len(what)}:{what}{name}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, key=key, digest_size=16, person=b"alliance-gone").hexdigest()


def message_names(mailbox: str, provider_id: str, fingerprint: str) -> tuple[tuple[What, str], ...]:
    """What a message is known by again. Not by its Message-ID: who reuses a parent's must not make a new message
    disappear."""
    return (What.PROVIDER_ID, f"{mailbox} {provider_id}"), (What.FINGERPRINT, fingerprint)


def bury(connection: Connection, names: Iterable[tuple[What, str]], now: datetime) -> None:
    """Has these be known again from now on."""
    key = secret_of(connection)
    rows = [{"digest": digest, "at": now} for digest in sorted({digest_of(*name, key) for name in names})]
    for some in chunks(rows):
        connection.execute(dialect_of(connection).insert(Tombstone).on_conflict_do_nothing(), list(some))


def raise_up(connection: Connection, names: Iterable[tuple[What, str]]) -> int:
    """No longer keeps these away. Returns how many were."""
    key = secret_of(connection)
    gone = 0
    for some in chunks(sorted({digest_of(*name, key) for name in names})):
        gone += connection.execute(delete(Tombstone).where(col(Tombstone.digest).in_(some))).rowcount
    return gone


def buried(connection: Connection, names: Collection[tuple[What, str]], key: bytes) -> set[tuple[What, str]]:
    """Those among `names` that were forgotten."""
    if connection.execute(select(col(Tombstone.digest)).limit(1)).first() is None:
        return set()
    digests = {digest_of(*name, key): name for name in names}
    found: set[tuple[What, str]] = set()
    for some in chunks(sorted(digests)):
        rows = connection.execute(select(col(Tombstone.digest)).where(among(Tombstone.digest, some))).scalars()
        found |= {digests[digest] for digest in rows}
    return found


def forgotten_messages(
    database: Database, mailbox: str, messages: Sequence[tuple[str, str]], key: bytes
) -> frozenset[str]:
    """Of messages of a mailbox, (provider id, fingerprint), the provider ids of those that were forgotten."""
    names = {name: provider_id for provider_id, mark in messages for name in message_names(mailbox, provider_id, mark)}
    with database.glance() as connection:
        return frozenset(names[name] for name in buried(connection, names, key))


def remember_answers(connection: Connection, answers: Sequence[tuple[str, Answer]]) -> None:
    """Keeps of answers, each with the mailbox that gave it, that they were given."""
    key = secret_of(connection)
    rows = [
        {
            "mailbox": mailbox,
            "person": digest_of(What.ADDRESS, person(answer.sender), key),
            "tag": answer.tag,
            "crisis": answer.crisis,
            "at": answer.at,
        }
        for mailbox, answer in answers
    ]
    if rows:
        connection.execute(insert(PastAnswer), rows)


def past_answers(
    connection: Connection, mailbox: str, people: Collection[str], since: datetime
) -> dict[str, list[Answer]]:
    """Answers that a mailbox gave to these people since then, and whose records were erased."""
    of = PastAnswer
    key = secret_of(connection)
    digests = {digest_of(What.ADDRESS, person(each), key): each for each in people}
    found: dict[str, list[Answer]] = {}
    for some in chunks(sorted(digests)):
        rows = connection.execute(
            select(col(of.person), col(of.tag), col(of.crisis), col(of.at)).where(
                col(of.mailbox) == mailbox, among(of.person, some), col(of.at) >= since
            )
        )
        for row in rows:
            sender = digests[row.person]
            found.setdefault(sender, []).append(Answer(sender=sender, tag=row.tag, at=row.at, crisis=row.crisis))
    return found


def retention_of(connection: Connection) -> Retention:
    """Up to when records were erased for their age."""
    row = connection.execute(
        select(col(Retention.mail_before), col(Retention.lists_before), col(Retention.looked_at))
    ).first()
    return (
        Retention()
        if row is None
        else Retention(mail_before=row.mail_before, lists_before=row.lists_before, looked_at=row.looked_at)
    )
