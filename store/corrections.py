"""What teachers said about tags: by changing the label in their own mail program, or by taking "please check" away."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import col

from connectors.labels import REMARKS, Label, Tag
from connectors.mailbox import Direction
from store.database import Database
from store.deadly import is_harmless
from store.label_words import labels_from
from store.pages import AnyRow, Query
from store.tables import Correction, MessageRecord


@dataclass(frozen=True, slots=True)
class Judged:
    """One message that a teacher judged, by reference: its text stays in the mailbox."""

    mailbox: str
    provider_id: str
    original: str
    """Its Message-ID, or its fingerprint where it has none: the same in every mailbox that it came to."""
    sender: str | None
    tag: Tag | None
    """What the teacher says it is; None where they took the label away and gave no other."""
    gone: bool
    """Whether it was seen to be gone from the mailbox."""


@dataclass(frozen=True, slots=True)
class Contradicted:
    """Of how many messages the service was sure that they are urgent, and of how many of those a teacher said that they
    are not."""

    sure: int
    contradicted: int


class Corrections:
    """Reads what teachers said."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def judged(self) -> list[Judged]:
        """Every message that a teacher judged, once. Of several corrections of one message, in whichever mailbox it
        came to, the last counts; a confirmation counts where there is no correction."""
        found: dict[str, Judged] = {}
        for judged in (*self._confirmed(), *self._corrected()):
            found.pop(judged.original, None)
            found[judged.original] = judged
        return list(found.values())

    def contradicted(self, at_least: float, *, without: Sequence[str] = ()) -> Contradicted:
        """How often teachers contradicted a probability of urgent of `at_least` so much, except in mailboxes `without`.
        A label that was only taken away contradicts nothing."""
        sure = (
            select(col(MessageRecord.id), col(MessageRecord.tag))
            .where(
                col(MessageRecord.direction) == Direction.RECEIVED,
                col(MessageRecord.tag).is_not(None),
                col(MessageRecord.urgent) >= at_least,
                col(MessageRecord.mailbox).not_in(without),
            )
            .subquery()
        )
        corrected = select(col(Correction.message_id)).where(col(Correction.to_tag).is_not(None))
        away = select(func.count()).where(sure.c.tag != Tag.URGENT, sure.c.id.in_(corrected))
        with self._database.read() as connection:
            return Contradicted(
                sure=connection.execute(select(func.count()).select_from(sure)).scalar_one(),
                contradicted=connection.execute(away).scalar_one(),
            )

    def _corrected(self) -> Iterator[Judged]:
        query: Query = (
            select(*_COLUMNS, col(Correction.to_tag).label("said"))
            .join(Correction, col(Correction.message_id) == col(MessageRecord.id))
            .where(col(MessageRecord.direction) == Direction.RECEIVED, is_harmless())
            .order_by(col(Correction.at), col(Correction.id))
        )
        with self._database.read() as connection:
            for row in connection.execute(query):
                yield _judged(row, row.said)

    def _confirmed(self) -> Iterator[Judged]:
        """Messages that the classifier was unsure of, whose label stands there alone: only the teacher takes "please
        check" away and leaves the tag."""
        query: Query = (
            select(*_COLUMNS, col(MessageRecord.tag).label("said"), col(MessageRecord.labels))
            .where(
                col(MessageRecord.direction) == Direction.RECEIVED,
                col(MessageRecord.unsure).is_(True),
                col(MessageRecord.labels) != "",
                is_harmless(),
            )
            .order_by(col(MessageRecord.id))
        )
        with self._database.read() as connection:
            for row in connection.execute(query):
                if row.said is not None and labels_from(row.labels) - REMARKS == {Label(row.said)}:
                    yield _judged(row, row.said)


_COLUMNS = (
    col(MessageRecord.mailbox),
    col(MessageRecord.provider_id),
    col(MessageRecord.rfc_message_id),
    col(MessageRecord.fingerprint),
    col(MessageRecord.sender),
    col(MessageRecord.removed_at),
)


def _judged(row: AnyRow, said: Tag | None) -> Judged:
    return Judged(
        mailbox=row.mailbox,
        provider_id=row.provider_id,
        original=row.rfc_message_id or row.fingerprint,
        sender=row.sender,
        tag=said,
        gone=row.removed_at is not None,
    )
