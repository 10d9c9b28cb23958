"""Which case a message belongs to, or speaks of: the questions that `store.case_life` asks the record.

A matter is one family's with one teacher: that of the message's thread, whatever its age, else of the same time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select
from sqlmodel import col

from autoresponder.cases import CaseRules, CaseState
from store.among import among
from store.case_tables import CaseMail, ConflictCase, TeacherLetter
from store.tables import MessageRecord

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
MAILS = (CaseMail, col(CaseMail.case_id) == col(ConflictCase.id))
MAIL = (CaseMail, col(CaseMail.message_id) == col(MessageRecord.id))
RECORD = (MessageRecord, col(MessageRecord.id) == col(CaseMail.message_id))


@dataclass(frozen=True, slots=True)
class ConflictMail:
    """A conflict message on record, as far as it decides which case it belongs to."""

    message_id: int
    mailbox: str
    family: str
    thread: str
    fingerprint: str
    received_at: datetime

    @classmethod
    def of(cls, message_id: int, record: "MessageRecord | AnyRow") -> "ConflictMail":
        """Of a message's record."""
        return cls(
            message_id, record.mailbox, record.family or "", record.thread, record.fingerprint, record.received_at
        )


def same_matter(connection: Connection, mail: ConflictMail, at: datetime, rules: CaseRules) -> int | None:
    """The family's open case that a conflict message received `at` belongs to: that of its thread, else the latest
    within the span."""
    families = select(col(CaseMail.case_id)).join(*RECORD).where(col(MessageRecord.family) == mail.family)
    in_thread = families.where(col(MessageRecord.thread) == mail.thread)
    in_time = and_(col(ConflictCase.takes_until) >= at, col(ConflictCase.opened_at) <= at + rules.one_matter)
    ours = (col(ConflictCase.mailbox) == mail.mailbox, col(ConflictCase.state) == CaseState.OPEN)
    number = select(col(ConflictCase.id)).where(*ours).order_by(col(ConflictCase.id).desc())
    found = connection.execute(number.where(col(ConflictCase.id).in_(in_thread))).scalar()
    return found or connection.execute(number.where(col(ConflictCase.id).in_(families), in_time)).scalar()


def of_copy(connection: Connection, mail: ConflictMail) -> int | None:
    """The case that holds a copy of a message, or that it opened; None where there is none."""
    held = select(col(CaseMail.case_id)).join(*RECORD)
    alike = (col(MessageRecord.mailbox) == mail.mailbox, col(MessageRecord.fingerprint) == mail.fingerprint)
    opened = select(col(ConflictCase.id)).where(
        col(ConflictCase.mailbox) == mail.mailbox, col(ConflictCase.reference) == mail.fingerprint
    )
    return connection.execute(held.where(*alike)).scalar() or connection.execute(opened).scalar()


def concerned(connection: Connection, mailbox: str, thread: str, families: Sequence[str]) -> list[int]:
    """Cases that a mail of the teacher's may be an answer in, by number."""
    query = select(col(CaseMail.case_id)).join(*RECORD).distinct().order_by(col(CaseMail.case_id))
    who = or_(among(MessageRecord.family, families), col(MessageRecord.thread) == thread)
    return list(connection.execute(query.where(col(MessageRecord.mailbox) == mailbox, who)).scalars())


def marked_case(connection: Connection, message_id: int) -> AnyRow | None:
    """The case that a label on this message speaks of: its own; else the latest of its thread and family, an open one
    before all others."""
    record = connection.execute(message_query().where(col(MessageRecord.id) == message_id)).one()
    held = connection.execute(case_query().join(*MAILS).where(col(CaseMail.message_id) == message_id)).first()
    if held is not None and held.state is CaseState.OPEN:
        return held
    to = select(col(TeacherLetter.family)).where(col(TeacherLetter.message_id) == message_id)
    families = {record.family, *connection.execute(to).scalars()} - {None, ""}
    in_thread = select(col(CaseMail.case_id)).join(*RECORD).where(col(MessageRecord.thread) == record.thread)
    if families:
        in_thread = in_thread.where(among(MessageRecord.family, list(families)))
    query = case_query().where(col(ConflictCase.mailbox) == record.mailbox, col(ConflictCase.id).in_(in_thread))
    found = connection.execute(query.order_by(col(ConflictCase.id).desc())).all()
    return next((row for row in found if row.state is CaseState.OPEN), held or next(iter(found), None))


def open_elsewhere(connection: Connection, row: AnyRow) -> Any:
    """Another open case of the same matter as one that is closed: in a thread of its, or of the same time."""
    held = select(col(MessageRecord.family), col(MessageRecord.thread)).join(*MAIL).where(is_in(row.id)).subquery()
    of_family = select(col(CaseMail.case_id)).join(*RECORD).where(col(MessageRecord.family).in_(select(held.c.family)))
    in_thread = of_family.where(col(MessageRecord.thread).in_(select(held.c.thread)))
    at_once = and_(
        col(ConflictCase.id).in_(of_family),
        col(ConflictCase.takes_until) >= row.opened_at,
        col(ConflictCase.opened_at) <= row.takes_until,
    )
    query = select(col(ConflictCase.id)).where(
        col(ConflictCase.mailbox) == row.mailbox,
        col(ConflictCase.state) == CaseState.OPEN,
        col(ConflictCase.id) != row.id,
        or_(col(ConflictCase.id).in_(in_thread), at_once),
    )
    return connection.execute(query.order_by(col(ConflictCase.id).desc())).scalar()


def case_query() -> Any:
    """Every column of a case."""
    return select(*ConflictCase.__table__.columns)  # type: ignore[attr-defined]


def message_query() -> Any:
    """Every column of a message."""
    return select(*MessageRecord.__table__.columns)  # type: ignore[attr-defined]


def is_in(case_id: int) -> ColumnElement[bool]:
    """Belongs to this case."""
    return col(CaseMail.case_id) == case_id
