"""What a page of changes does to the cases, inside the page's own transaction (decision 2).

A case is opened with the record of the message that opens it, and answered with the record of the teacher's mail:
neither can be lost, and neither happens twice, whatever crashes. Who waits for whom is worked out anew from the mail on
record each time, so that the order in which mail is found does not matter.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, insert, or_, select, update
from sqlmodel import col

from autoresponder.cases import CaseRules, CaseState, answered
from connectors.labels import Label, Tag, tag_of
from connectors.mailbox import Direction
from store import marks
from store.among import among, one_of
from store.case_matters import (
    MAIL,
    MAILS,
    RECORD,
    AnyRow,
    ConflictMail,
    case_query,
    concerned,
    is_in,
    marked_case,
    message_query,
    of_copy,
    open_elsewhere,
    same_matter,
)
from store.case_tables import CaseEvent, CaseEventKind, CaseMail, ConflictCase, TeacherLetter
from store.contact_answers import talks_with
from store.scorecard_tables import MarkKind
from store.tables import MessageRecord
from store.turns import alone, alone_with

GRAVE = (Tag.CONFLICT, Tag.URGENT)
"""Tags of a message that keeps its case: urgent wins over conflict, and may be both."""


@dataclass(frozen=True, slots=True)
class FamilySays:
    """What a family's message means to the cases, beside its tag."""

    rules: CaseRules
    hostile: bool = False
    consents: bool = False
    """Whether it reads like the family's yes to a plan."""
    marked: bool = False
    """Whether it came with the teacher's label "plan agreed": a record that was lost is read again."""


@dataclass(frozen=True, slots=True)
class TeacherWrites:
    """A mail of the teacher's own, to somebody in particular."""

    families: tuple[str, ...]
    """`family_key` of each family that it went to."""
    marked: bool = False


CasePart: TypeAlias = FamilySays | TeacherWrites
"""What a message on record means to the cases of its mailbox."""


def take_part(connection: Connection, message_id: int, record: MessageRecord, part: CasePart) -> None:
    """A message that was just recorded has its effect on the cases of its mailbox."""
    at = record.recorded_at
    if isinstance(part, TeacherWrites):
        for family in part.families or ("",):
            connection.execute(insert(TeacherLetter).values(message_id=message_id, family=family))
        for case_id in concerned(connection, record.mailbox, record.thread, part.families):
            weigh(connection, case_id, at)
    elif record.tag is Tag.CONFLICT:
        file_conflict(connection, ConflictMail.of(message_id, record), part.rules, at, hostile=part.hostile)
    elif part.consents and record.tag is Tag.ROUTINE:
        _propose(connection, record, at)
    if part.marked:
        mark(connection, message_id, at)


def file_conflict(
    connection: Connection, mail: ConflictMail, rules: CaseRules, at: datetime, *, hostile: bool = False
) -> None:
    """Adds a conflict message to its family's open case of the same matter, or opens one. A copy of a message goes
    where that is, whatever became of its case."""
    alone_with(connection, [mail.family])
    received = min(mail.received_at, at)
    case_id = of_copy(connection, mail) or same_matter(connection, mail, received, rules)
    if case_id is None:
        case_id = _open(connection, mail, received, at)
    connection.execute(insert(CaseMail).values(message_id=mail.message_id, case_id=case_id))
    row = case_row(connection, case_id)
    values = {
        "opened_at": min(row.opened_at, received),
        "last_mail_at": max(row.last_mail_at, received),
        "takes_until": max(row.takes_until, received + rules.one_matter),
        "hostile": row.hostile or hostile,
        # A case that has become hostile may need the coach.
        "looks_at": at if hostile and not row.hostile else row.looks_at,
    }
    connection.execute(update(ConflictCase).where(col(ConflictCase.id) == case_id).values(values))
    if row.reference != mail.fingerprint:
        note(connection, case_id, CaseEventKind.ADDED, at)
    else:  # a copy of the message that opened the case, perhaps of an earlier day
        marks.mark(connection, MarkKind.CASE, [str(case_id)])
    weigh(connection, case_id, at)


def retagged(connection: Connection, message_id: int, at: datetime, rules: CaseRules | None) -> None:
    """The tag of a message on record was changed by somebody at the school: its case follows. Without `rules`, the
    mailbox is only observed, and no case opens."""
    record = connection.execute(message_query().where(col(MessageRecord.id) == message_id)).first()
    if record is None:
        return
    alone(connection)
    held = connection.execute(case_query().join(*MAILS).where(col(CaseMail.message_id) == message_id)).first()
    if record.tag is not Tag.CONFLICT:
        if held is not None:
            _tag_taken(connection, held, at)
        return
    if held is not None:
        _conflict_again(connection, held, message_id, record, at)
    elif rules is not None and record.family and not record.backfill and record.set_aside is None:
        file_conflict(connection, ConflictMail.of(message_id, record), rules, at)


def relabelled(
    connection: Connection,
    message_id: int,
    labels: frozenset[Label],
    marked: frozenset[Label],
    at: datetime,
    rules: CaseRules | None,
    *,
    corrected: bool,
) -> None:
    """The teacher changed the labels of a message on record, which carries `labels` now and `marked` newly: the label
    "plan agreed", and the tag where it is `corrected`, have their effect. `rules` as for `retagged`."""
    becomes = corrected and tag_of(labels) is Tag.CONFLICT
    if becomes:  # the plan may be that of the case which it opens, or belongs to
        retagged(connection, message_id, at, rules)
    if Label.PLAN_AGREED in marked:
        mark(connection, message_id, at)
    elif Label.PLAN_AGREED not in labels:
        unmark(connection, message_id, at)
    if corrected and not becomes:
        retagged(connection, message_id, at, rules)


def weigh(connection: Connection, case_id: int, at: datetime) -> None:
    """Puts on record who waits for whom in a case, as its mail says."""
    row = case_row(connection, case_id)
    mails = connection.execute(
        select(col(MessageRecord.received_at)).join(*MAIL).where(is_in(case_id), one_of(MessageRecord.tag, GRAVE))
    )
    found = answered(list(mails.scalars()), _answers(connection, row), since=row.opened_at)
    values: dict[str, Any] = {
        "first_answer_at": found.first,
        "last_answer_at": found.last,
        "waiting_since": found.waiting_since,
    }
    if found.last is not None and (row.last_answer_at is None or found.last > row.last_answer_at):
        note(connection, case_id, CaseEventKind.ANSWERED, at)
    over = row.waiting_since is not None and found.last is not None and found.last >= row.waiting_since
    if over or found.waiting_since is None:
        # What the teacher was reminded of is answered: what comes later is another wait.
        values |= {"reminded_at": None, "coach_told_at": None}
    if found.waiting_since != row.waiting_since:
        values["looks_at"] = at
    if row.consented_at is not None and row.last_mail_at > row.consented_at:
        values["consented_at"] = None
    connection.execute(update(ConflictCase).where(col(ConflictCase.id) == case_id).values(values))


def mark(connection: Connection, message_id: int, at: datetime) -> None:
    """The teacher set the label "plan agreed" on a message: the case of its thread is agreed."""
    row = marked_case(connection, message_id)
    if row is None:
        return
    values: dict[str, Any] = {"agreed_mark": message_id}
    if row.state is CaseState.OPEN:
        values |= {"state": CaseState.AGREED, "agreed_at": at, "agreed_by": None, "changed_at": at}
        note(connection, row.id, CaseEventKind.AGREED, at)
    elif row.agreed_mark is not None:
        return
    connection.execute(update(ConflictCase).where(col(ConflictCase.id) == row.id).values(values))


def unmark(connection: Connection, message_id: int, at: datetime) -> None:
    """The label no longer stands on a message: a case that it closed is open again, unless the matter is already."""
    for row in connection.execute(case_query().where(col(ConflictCase.agreed_mark) == message_id)).all():
        connection.execute(update(ConflictCase).where(col(ConflictCase.id) == row.id).values(agreed_mark=None))
        if row.state is CaseState.AGREED:
            reopen(connection, row, at)


def reopen(connection: Connection, row: AnyRow, at: datetime, *, by: str | None = None) -> bool:
    """Opens a case again; False, and nothing changes, where its matter is open in another."""
    alone(connection)
    if open_elsewhere(connection, row) is not None:
        return False
    values = {"state": CaseState.OPEN, "agreed_at": None, "agreed_by": None, "changed_at": at, "looks_at": at}
    connection.execute(update(ConflictCase).where(col(ConflictCase.id) == row.id).values(values))
    note(connection, row.id, CaseEventKind.REOPENED, at, by=by)
    weigh(connection, row.id, at)
    return True


def note(connection: Connection, case_id: int, kind: CaseEventKind, at: datetime, *, by: str | None = None) -> None:
    """Puts on record what happened to a case."""
    marks.mark(connection, MarkKind.CASE, [str(case_id)])
    connection.execute(insert(CaseEvent).values(case_id=case_id, kind=kind, at=at, by=by))


def case_row(connection: Connection, case_id: int) -> AnyRow:
    """A case as it stands."""
    return connection.execute(case_query().where(col(ConflictCase.id) == case_id).with_for_update()).one()


def _open(connection: Connection, mail: ConflictMail, received: datetime, at: datetime) -> int:
    statement = insert(ConflictCase).values(
        mailbox=mail.mailbox,
        reference=mail.fingerprint,
        family=mail.family,
        state=CaseState.OPEN,
        hostile=False,
        opened_at=received,
        last_mail_at=received,
        takes_until=received,
        changed_at=at,
        steps=0,
        looks_at=at,
        looked_at=at,
    )
    case_id = connection.execute(statement.returning(col(ConflictCase.id))).scalar_one()
    if case_id is None:  # pragma: no cover - a primary key
        raise LookupError(mail.fingerprint)
    note(connection, case_id, CaseEventKind.OPENED, at)
    return case_id


def _tag_taken(connection: Connection, row: AnyRow, at: datetime) -> None:
    grave = select(col(CaseMail.message_id)).join(*RECORD)
    if connection.execute(grave.where(is_in(row.id), one_of(MessageRecord.tag, GRAVE))).first() is not None:
        weigh(connection, row.id, at)
    elif row.state is CaseState.OPEN:
        values = {"state": CaseState.NO_CONFLICT, "changed_at": at}
        connection.execute(update(ConflictCase).where(col(ConflictCase.id) == row.id).values(values))
        note(connection, row.id, CaseEventKind.NO_CONFLICT, at)
        weigh(connection, row.id, at)


def _conflict_again(connection: Connection, row: AnyRow, message_id: int, record: AnyRow, at: datetime) -> None:
    if row.state is CaseState.NO_CONFLICT and not reopen(connection, row, at):
        other = open_elsewhere(connection, row)
        moved = update(CaseMail).where(col(CaseMail.message_id) == message_id)
        connection.execute(moved.values(case_id=other))
        note(connection, other, CaseEventKind.ADDED, at)
        last = max(case_row(connection, other).last_mail_at, min(record.received_at, at))
        connection.execute(update(ConflictCase).where(col(ConflictCase.id) == other).values(last_mail_at=last))
        weigh(connection, other, at)
    weigh(connection, row.id, at)


def _answers(connection: Connection, row: AnyRow) -> list[datetime]:
    """When the teacher wrote to the family of a case, or into a thread of it in which no other family writes; and when
    a talk that reached the family was over."""
    columns = (col(MessageRecord.family), col(MessageRecord.thread), col(MessageRecord.sender))
    held = connection.execute(select(*columns).join(*MAIL).where(is_in(row.id))).all()
    families, threads = {each.family for each in held} | {row.family}, {each.thread for each in held}
    shared = select(col(MessageRecord.thread)).where(
        col(MessageRecord.mailbox) == row.mailbox,
        among(MessageRecord.thread, list(threads)),
        col(MessageRecord.direction) == Direction.RECEIVED,
        ~among(MessageRecord.family, list(families)),
    )
    own = threads - set(connection.execute(shared).scalars())
    written = (
        select(col(MessageRecord.received_at))
        .join(TeacherLetter, col(TeacherLetter.message_id) == col(MessageRecord.id))
        .where(
            col(MessageRecord.mailbox) == row.mailbox,
            or_(among(TeacherLetter.family, list(families)), among(MessageRecord.thread, list(own))),
        )
    )
    talks = talks_with(connection, row.mailbox, {each.sender for each in held})
    return [*connection.execute(written).scalars(), *(at for every in talks.values() for at in every)]


def _propose(connection: Connection, record: MessageRecord, at: datetime) -> None:
    """The family's yes in the thread of an open case is put before the teacher."""
    held = select(col(CaseMail.case_id)).join(*RECORD)
    held = held.where(col(MessageRecord.family) == record.family, col(MessageRecord.thread) == record.thread)
    query = case_query().where(
        col(ConflictCase.mailbox) == record.mailbox,
        col(ConflictCase.state) == CaseState.OPEN,
        col(ConflictCase.id).in_(held),
        col(ConflictCase.last_mail_at) <= record.received_at,
    )
    for row in connection.execute(query).all():
        consented = update(ConflictCase).where(col(ConflictCase.id) == row.id)
        connection.execute(consented.values(consented_at=min(record.received_at, at)))
        note(connection, row.id, CaseEventKind.PROPOSED, at)
