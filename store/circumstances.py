"""What is on record of a mailbox and of the installation that bears on every page of changes, in one question."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, exists, literal_column, select, true
from sqlmodel import col

from store.answer_tables import AnswerStop, OwnAnswer
from store.erasure_tables import PastAnswer, Retention, Tombstone
from store.tables import UtcDateTime


@dataclass(frozen=True, slots=True)
class Circumstances:
    """As of one moment of the database."""

    forgotten: bool = False
    """Whether anything was forgotten here (`store.tombstones.buried`)."""
    past_answers: bool = False
    """Whether the mailbox gave answers whose records were erased."""
    mail_before: datetime | None = None
    """Mail from before was erased for its age; None where none was."""
    stop: AnswerStop | None = None
    """The last time that the mailbox's answers stopped."""
    own_answer: OwnAnswer | None = None
    """What the mail system last said of the teacher's own out-of-office answer."""


def circumstances_of(connection: Connection, mailbox: str, answers_since: datetime) -> Circumstances:
    """Those of a mailbox. Erased answers count from `answers_since` (aware) on."""
    row = connection.execute(_question(), {"mailbox": mailbox, "since": answers_since}).one()
    stop = own = None
    if row.stopped_at is not None:
        stop = AnswerStop(
            mailbox=mailbox,
            stopped_at=row.stopped_at,
            cause=row.cause,
            resumed_at=row.resumed_at,
            notice=row.notice,
        )
    if row.asked_at is not None:
        own = OwnAnswer(
            mailbox=mailbox,
            asked_at=row.asked_at,
            told_at=row.told_at,
            on=row.on,
            begins=row.begins,
            ends=row.ends,
            to_families=row.to_families,
        )
    return Circumstances(row.forgotten, row.past_answers, row.mail_before, stop, own)


@cache
def _question() -> Select[*tuple[Any, ...]]:
    mailbox: BindParameter[str] = bindparam("mailbox")
    past = exists().where(
        col(PastAnswer.mailbox) == mailbox, col(PastAnswer.at) >= bindparam("since", type_=UtcDateTime())
    )
    stop = (col(AnswerStop.stopped_at), col(AnswerStop.cause), col(AnswerStop.resumed_at), col(AnswerStop.notice))
    own = (
        col(OwnAnswer.asked_at),
        col(OwnAnswer.told_at),
        col(OwnAnswer.on),
        col(OwnAnswer.begins),
        col(OwnAnswer.ends),
        col(OwnAnswer.to_families),
    )
    one_row = select(literal_column("1").label("one")).subquery()
    return (
        select(
            exists(select(col(Tombstone.digest))).label("forgotten"),
            past.label("past_answers"),
            col(Retention.mail_before),
            *stop,
            *own,
        )
        .select_from(one_row)
        .outerjoin(Retention, true())
        .outerjoin(AnswerStop, col(AnswerStop.mailbox) == mailbox)
        .outerjoin(OwnAnswer, col(OwnAnswer.mailbox) == mailbox)
    )
