"""What is already on record about a page of changes, and the one transaction that records it (decision 2)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from autoresponder.cases import CaseRules
from autoresponder.family import person
from autoresponder.identifiers import is_own_message_id
from autoresponder.plan import TagFacts
from connectors.away import Absence
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from store import letters
from store.among import among_given, one_of, values_of
from store.answers import Answers, answers_given
from store.case_life import CasePart, relabelled, take_part
from store.chunks import chunks
from store.circumstances import Circumstances, circumstances_of
from store.contact_replies import ReplyHeard, hear_reply
from store.database import Database, dialect_of
from store.drafts import ask_for_draft, draft_key
from store.installation import secret_of
from store.label_words import labels_from, words
from store.marks import mark_new
from store.matters import Behind, Matter, Saying, behind, file_matter, hear
from store.relabelling import correct, heed
from store.rereading import step_aside, take_over
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    MailboxState,
    MessageRecord,
    UtcDateTime,
)
from store.tombstones import past_answers
from store.turns import alone, alone_with

Query: TypeAlias = Select[*tuple[Any, ...]]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_UNFINISHED = (DeliveryState.WAITING, DeliveryState.WORKING)
_WANTED = "wanted"
_UNREAD_AT_MOST = timedelta(days=1)
"""So long ago a mailbox may have been read last whose record is dated ahead."""


class CursorMoved(Exception):
    """Another worker recorded this mailbox's changes meanwhile. Nothing was written; read on from the new cursor."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a message is recognised by."""

    provider_id: str
    rfc_message_id: str | None
    fingerprint: str
    references: tuple[str, ...]
    """In-Reply-To and References, nearest first."""
    sender: str | None
    direction: Direction
    own: bool = False
    """Sent by this service, not by the teacher."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message on record."""

    id: int
    provider_id: str
    rfc_message_id: str | None
    fingerprint: str
    received_at: datetime
    tag: Tag | None
    labels: frozenset[Label]
    tagging: bool
    """True while our own labels are still to be written."""
    instead: tuple[frozenset[Label], ...] = ()
    """The labels of our own, one of which those will replace."""
    direction: Direction = Direction.RECEIVED


@dataclass(slots=True)
class Background:
    """What the record knows about the messages of one page. The pipeline adds to it as it plans message by message,
    so that two mails of one family in one page see each other."""

    seen: dict[str, Seen] = field(default_factory=dict)
    """By provider id."""
    namesakes: dict[str, list[Seen]] = field(default_factory=dict)
    """Messages on record with the same Message-ID, or the same fingerprint where there is none; of a resync."""
    threads: dict[str, str] = field(default_factory=dict)
    """Thread by Message-ID."""
    teacher_wrote: dict[str, datetime] = field(default_factory=dict)
    """When the teacher last wrote, by thread."""
    answers: Answers = field(default_factory=Answers)
    """Answers this mailbox gave to the page's senders and in its threads."""
    urgent_room: int | None = None
    """How many urgent answers may still be planned while the mailbox's answers are stopped; None where they are not."""
    absences: tuple[Absence, ...] = ()
    """When the teacher's own automatic reply is on."""
    keys: set[str] = field(default_factory=set)
    """Dedupe keys of deliveries on record."""
    behind: dict[str, Behind] = field(default_factory=dict)
    """The items that the page's messages may be about, by Message-ID of our mail that they answer."""
    circumstances: Circumstances = field(default_factory=Circumstances)
    """What is on record of the mailbox and the installation, whatever the page holds."""
    mails: set[str] = field(default_factory=set)
    """Message-IDs, among those of the page's own messages, under which this service sent or is to send something."""

    def thread_of(self, identity: Identity) -> str:
        """The thread a message belongs to: that of the nearest message it answers, else the oldest it names, else its
        own."""
        for reference in identity.references:
            if reference in self.threads:
                return self.threads[reference]
        if identity.references:
            return identity.references[-1]
        return identity.rfc_message_id or identity.provider_id


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to record, with what is to be done about it."""

    record: MessageRecord
    deliveries: tuple[Delivery, ...] = ()
    matter: Matter | None = None
    """What its route is about, where it has one."""
    saying: Saying | None = None
    """What it says about an item, where it is a reply of the office."""
    given: bool = False
    """Whether it came with a tag that somebody gave it before the service saw it, against the classifier's: what was
    said of other copies does not change that."""
    correction: Correction | None = None
    """What that tag corrects, where it is not the classifier's."""
    part: CasePart | None = None
    """What it means to the cases of its mailbox, if anything."""
    reply: ReplyHeard | None = None
    """What it says, where it is the teacher's answer to the morning mail."""
    letter: letters.FamilyLetter | None = None
    """What it says to families, where the teacher wrote it to any."""


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A message whose labels are no longer those on record. `correction` where the tag changed with them."""

    id: int
    labels: frozenset[Label]
    before: frozenset[Label]
    """Those that were on record when it was read."""
    correction: Correction | None = None
    marked: frozenset[Label] = frozenset()
    """Marks that the teacher set since (`connectors.labels.TEACHERS`)."""
    good_news: bool | None = None
    """What the teacher says of a mail of theirs, by its label; None where they said nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that one page of changes does to the record."""

    mailbox: str
    cursor_before: str | None
    cursor_after: str | None
    entries: Sequence[Entry] = ()
    renamed: Sequence[tuple[int, str]] = ()
    """Messages on record that the server now calls by another id: (our id, provider id)."""
    relabelled: Sequence[Relabelled] = ()
    removed: Sequence[str] = ()
    replaced: Sequence[int] = ()
    """Messages that were set aside and whose new record is among `entries`."""
    deliveries: Sequence[Delivery] = ()
    """Deliveries about messages that are on record already."""
    at: datetime | None = None
    """When it was decided; needed where `removed` is not empty or a label was changed."""
    case_rules: CaseRules | None = None
    """How conflict mail that a label makes one is filed; None where the mailbox is only observed."""


def reply_key(sender: str, original: str) -> str:
    """Dedupe key of the reply to a message: one per sender and Message-ID (or fingerprint), in all mailboxes."""
    return f"reply:{sender}:{original}"


def route_key(fingerprint: str) -> str:
    """Dedupe key of the route of a message: one per content, in all mailboxes."""
    return f"route:{fingerprint}"


class Pages:
    """Reads and records pages of changes."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    @property
    def database(self) -> Database:
        """Where the pages are recorded."""
        return self._database

    def connect(self, mailbox: str, now: datetime) -> MailboxState:
        """The mailbox's state; begins its record, connected `now`, where there is none.

        A connection dated in the future was written by a clock that was ahead, and would make all mail old: it counts
        from `now` on, or, in a mailbox that was read already, from a day before. Nobody knows how long ago it was read
        last, and the cursor knows what came since.
        """
        with self._database.glance() as connection:
            row = _state(connection, mailbox)
        if row is None or row.connected_at > now:
            since = now if row is None or row.cursor is None else now - _UNREAD_AT_MOST
            with self._database.write() as connection:
                begin = dialect_of(connection).insert(MailboxState)
                begin = begin.values(address=mailbox, cursor=None, connected_at=since)
                begin = begin.on_conflict_do_update(index_elements=["address"], set_={"connected_at": since})
                connection.execute(begin)
                row = _state(connection, mailbox)
        if row is None:  # pragma: no cover - the row was written in the same transaction
            raise LookupError(mailbox)
        return MailboxState(address=row.address, cursor=row.cursor, connected_at=row.connected_at)

    def fingerprint_key(self) -> bytes:
        """The installation's secret, made at the first call."""
        with self._database.write() as connection:
            return secret_of(connection)

    def known(self, mailbox: str, ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
        """Which of `ids` are on record, and with which labels (a `connectors.mailbox.Known`)."""
        with self._database.glance() as connection:
            rows = _rows(connection, _known_query, {"mailbox": mailbox}, ids)
            return {row.provider_id: labels_from(row.labels) for row in rows}

    def background(
        self,
        mailbox: str,
        identities: Sequence[Identity],
        relabelled: Sequence[str],
        *,
        answers_since: datetime,
        read_since: datetime,
        resync: bool = False,
    ) -> Background:
        """What is on record about these messages and the ids in `relabelled`. `read_since` is when the mailbox was
        asked for them: a label that was written since may not show yet. Namesakes are looked for at a `resync` only."""
        background, of = Background(), {"mailbox": mailbox, "read_since": read_since}
        received = [i for i in identities if i.direction is Direction.RECEIVED]
        with self._database.read() as connection:
            background.circumstances = circumstances_of(connection, mailbox, answers_since)
            ids = {identity.provider_id for identity in identities} | set(relabelled)
            for row in _rows(connection, partial(_seen_query, MessageRecord.provider_id), of, ids):
                seen = _seen(row)
                background.seen[seen.provider_id] = seen
            if resync:
                self._namesakes(connection, of, identities, background)
            named = {reference for identity in identities for reference in identity.references}
            for row in _rows(connection, _threads_query, {"mailbox": mailbox}, named):
                background.threads[row.rfc_message_id] = row.thread
            people = {person(i.sender) for i in received if i.sender}
            threads = {background.thread_of(i) for i in received}
            for row in _rows(connection, _teacher_wrote_query, {"mailbox": mailbox}, threads):
                background.teacher_wrote[row.thread] = row.at
            background.answers = answers_given(connection, mailbox, people, threads, answers_since)
            if background.circumstances.past_answers:
                background.answers.remember(past_answers(connection, mailbox, people, answers_since))
            planned = [i for i in identities if not (i.own and i.direction is Direction.SENT)]
            keys = {route_key(i.fingerprint) for i in planned}
            keys |= {draft_key(mailbox, background.thread_of(i)) for i in planned}
            keys |= {reply_key(i.sender, i.rfc_message_id or i.fingerprint) for i in planned if i.sender}
            background.keys = {row[0] for row in _rows(connection, partial(_on_record, Delivery.dedupe_key), {}, keys)}
            sent = {i.rfc_message_id for i in identities if i.direction is Direction.SENT}
            background.mails = {
                row[0] for row in _rows(connection, partial(_on_record, Delivery.rfc_message_id), {}, sent)
            }
            answered = {reference for i in received for reference in i.references if is_own_message_id(reference)}
            for chunk in chunks(sorted(answered)):
                background.behind |= behind(connection, chunk)
        return background

    def teacher_wrote_at(self, mailbox: str, thread: str) -> datetime | None:
        """When the teacher last wrote into a thread, None where never."""
        with self._database.glance() as connection:
            row = next(_rows(connection, _teacher_wrote_query, {"mailbox": mailbox}, [thread]), None)
        return None if row is None else row.at

    def carries(self, message_id: int | None, label: Label) -> bool:
        """Whether a message carries a label, as far as is on record."""
        query = select(col(MessageRecord.labels)).where(col(MessageRecord.id) == message_id)
        with self._database.glance() as connection:
            found: str | None = connection.execute(query).scalar()
        return label in labels_from(found or "")

    def was_corrected(self, message: MessageRecord) -> bool:
        """Whether the teacher corrected the tag of a message."""
        with self._database.glance() as connection:
            return connection.execute(_correction_of(), {"message": message.id}).first() is not None

    def set_aside(self) -> list[MessageRecord]:
        """Messages that could not be read, oldest first."""
        query = select(MessageRecord).where(col(MessageRecord.set_aside).is_not(None)).order_by(col(MessageRecord.id))
        with self._database.read() as connection, Session(bind=connection) as session:
            found = list(session.execute(query).scalars())
            session.expunge_all()
        return found

    def commit(self, page: Page) -> None:
        """Records a page: cursor, messages, verdicts, planned deliveries and corrections, all or nothing.

        Raises CursorMoved where another worker was there first.
        """
        try:
            with self._database.write() as connection:
                self._advance(connection, page)
                _take_turn(connection, page)
                said = letters.forget(connection, page.replaced)
                at_the_office = step_aside(connection, page.replaced)
                self._apply_changes(connection, page)
                self._insert(connection, page, said)
                take_over(connection, at_the_office, page.at)
        except IntegrityError as error:
            raise CursorMoved(page.mailbox) from error

    @staticmethod
    def _advance(connection: Connection, page: Page) -> None:
        of = {"of": page.mailbox, "before": page.cursor_before, "after": page.cursor_after}
        moved = connection.execute(_moving(begins=page.cursor_before is None), of)
        if moved.rowcount != 1:
            raise CursorMoved(page.mailbox)

    @staticmethod
    def _apply_changes(connection: Connection, page: Page) -> None:
        for message_id, provider_id in page.renamed:
            connection.execute(
                update(MessageRecord)
                .where(col(MessageRecord.id) == message_id)
                .values(provider_id=provider_id, removed_at=None)
            )
        for chunk in chunks(page.removed):
            connection.execute(
                update(MessageRecord)
                .where(col(MessageRecord.mailbox) == page.mailbox, col(MessageRecord.provider_id).in_(chunk))
                .values(removed_at=page.at)
            )
        # Labels beside the tag first: they are those of the record as it was read, before a correction reaches copies.
        for change in sorted(page.relabelled, key=lambda each: each.correction is not None):
            if change.correction is not None:
                correct(connection, change.correction, change.labels)
            else:
                # Where a copy was corrected in another mailbox meanwhile, its labels are about to be written anew.
                unchanged = col(MessageRecord.labels) == words(change.before)
                message = update(MessageRecord).where(col(MessageRecord.id) == change.id, unchanged)
                connection.execute(message.values(labels=words(change.labels)))
            if page.at is not None:
                was = change.correction is not None
                relabelled(connection, change.id, change.labels, change.marked, page.at, page.case_rules, corrected=was)
                if Label.ANOTHER_DRAFT in change.marked:
                    ask_for_draft(connection, page.mailbox, change.id, page.at)
                if change.good_news is not None:
                    letters.hear(connection, change.id, letters.Word(change.good_news, page.mailbox, page.at))

    @staticmethod
    def _insert(connection: Connection, page: Page, said: Mapping[str, letters.Word]) -> None:
        deliveries = [delivery.model_dump(exclude={"id"}) for delivery in page.deliveries]
        ids: Sequence[int] = ()
        if page.entries:
            rows = [entry.record.model_dump(exclude={"id"}) for entry in page.entries]
            ids = [each for each in connection.execute(_recording(), rows).scalars() if each is not None]
            deliveries += [
                delivery.model_dump(exclude={"id"}) | {"message_id": message_id}
                for message_id, entry in zip(ids, page.entries, strict=True)
                for delivery in entry.deliveries
            ]
        mark_new(connection, {number: entry.record for number, entry in zip(ids, page.entries, strict=True)})
        if deliveries:
            connection.execute(dialect_of(connection).insert(Delivery).on_conflict_do_nothing(), deliveries)
        for message_id, entry in zip(ids, page.entries, strict=True):
            _take_effect(connection, message_id, entry)
            _take_letter(connection, message_id, entry, said.get(entry.record.provider_id))
        new = {message_id: entry.record for message_id, entry in zip(ids, page.entries, strict=True) if not entry.given}
        for chunk in chunks(sorted({record.fingerprint for record in new.values() if record.tag is not None})):
            heed(connection, chunk, new)

    @staticmethod
    def _namesakes(
        connection: Connection, of: Mapping[str, object], identities: Sequence[Identity], background: Background
    ) -> None:
        named = {i.rfc_message_id for i in identities if i.rfc_message_id}
        nameless = {i.fingerprint for i in identities if not i.rfc_message_id}
        for row in _rows(connection, partial(_seen_query, MessageRecord.rfc_message_id), of, named):
            background.namesakes.setdefault(row.rfc_message_id, []).append(_seen(row))
        for row in _rows(connection, partial(_seen_query, MessageRecord.fingerprint), of, nameless):
            if row.rfc_message_id is None:
                background.namesakes.setdefault(row.fingerprint, []).append(_seen(row))


def _take_turn(connection: Connection, page: Page) -> None:
    """Before any item's or case's own row is touched: what somebody at the school says may be about several."""
    if page.relabelled or any(entry.reply or entry.saying or entry.correction for entry in page.entries):
        alone(connection)
        return
    families = {entry.matter.family for entry in page.entries if entry.matter is not None}
    conflicts = (entry.record for entry in page.entries if entry.part is not None)
    families |= {record.family or "" for record in conflicts if record.tag is Tag.CONFLICT}
    if families:
        alone_with(connection, families)


def _take_effect(connection: Connection, message_id: int, entry: Entry) -> None:
    """What a message that was just recorded does to items, corrections, cases and drafts."""
    record = entry.record
    if entry.matter is not None:
        file_matter(connection, entry.matter, message_id)
    if entry.saying is not None:
        hear(connection, entry.saying, record.mailbox, message_id)
    if entry.reply is not None:
        hear_reply(connection, entry.reply)
    if entry.correction is not None:
        said = entry.correction.model_copy(update={"message_id": message_id})
        correct(connection, said, labels_from(record.labels))
    if entry.part is not None:
        take_part(connection, message_id, record, entry.part)
    if Label.ANOTHER_DRAFT in labels_from(record.labels) and not record.backfill:
        ask_for_draft(connection, record.mailbox, message_id, record.recorded_at)


def _take_letter(connection: Connection, message_id: int, entry: Entry, said: letters.Word | None) -> None:
    """Whom it was written to. `said` is what somebody said of it before it was read again."""
    if entry.letter is not None:
        letters.file_letter(connection, message_id, entry.record, entry.letter, said)
    elif said is not None:
        letters.hear(connection, message_id, said)


def _state(connection: Connection, mailbox: str) -> AnyRow | None:
    return connection.execute(_state_query(), {"mailbox": mailbox}).first()


# Each statement is made once: making one takes longer than asking it.
@cache
def _state_query() -> Query:
    query = select(col(MailboxState.address), col(MailboxState.cursor), col(MailboxState.connected_at))
    return query.where(col(MailboxState.address) == bindparam("mailbox"))


@cache
def _moving(*, begins: bool) -> Update:
    cursor = col(MailboxState.cursor)
    was = cursor.is_(None) if begins else cursor == bindparam("before")
    return (
        update(MailboxState).where(col(MailboxState.address) == bindparam("of"), was).values(cursor=bindparam("after"))
    )


@cache
def _correction_of() -> Query:
    return select(col(Correction.id)).where(col(Correction.message_id) == bindparam("message")).limit(1)


@cache
def _recording() -> Any:
    return insert(MessageRecord).returning(col(MessageRecord.id), sort_by_parameter_order=True)


@cache
def _seen_query(wanted: Any, given: frozenset[str]) -> Query:
    message, delivery = MessageRecord, Delivery
    # A label of ours that lacks on a mail of the teacher's is taken for their word: also where writing it was given up,
    # or was done while the mailbox was being read, it is not theirs.
    read_since = bindparam("read_since", type_=UtcDateTime())
    written_since = and_(col(delivery.state) == DeliveryState.DONE, col(delivery.finished_at) > read_since)
    not_shown = or_(col(delivery.state) == DeliveryState.SET_ASIDE, written_since)
    tagging = and_(
        col(delivery.message_id) == col(message.id),
        col(delivery.kind) == DeliveryKind.TAG,
        or_(one_of(delivery.state, _UNFINISHED), and_(col(message.direction) == Direction.SENT, not_shown)),
    )
    return (
        select(
            col(message.id),
            col(message.provider_id),
            col(message.direction),
            col(message.rfc_message_id),
            col(message.fingerprint),
            col(message.received_at),
            col(message.tag),
            col(message.labels),
            col(delivery.id).label("tagging"),
            col(delivery.facts).label("tag_facts"),
        )
        .outerjoin(delivery, tagging)
        .where(col(message.mailbox) == bindparam("mailbox"), _is_wanted(wanted, given))
    )


@cache
def _known_query(given: frozenset[str]) -> Query:
    message = MessageRecord
    return select(col(message.provider_id), col(message.labels)).where(
        col(message.mailbox) == bindparam("mailbox"),
        _is_wanted(message.provider_id, given),
        col(message.removed_at).is_(None),
    )


@cache
def _threads_query(given: frozenset[str]) -> Query:
    message = MessageRecord
    query = select(col(message.rfc_message_id), col(message.thread))
    return query.where(col(message.mailbox) == bindparam("mailbox"), _is_wanted(message.rfc_message_id, given))


@cache
def _on_record(wanted: Any, given: frozenset[str]) -> Query:
    return select(col(wanted)).where(_is_wanted(wanted, given))


def _is_wanted(column: Any, given: frozenset[str]) -> ColumnElement[bool]:
    return among_given(column, _WANTED, given)


@cache
def _teacher_wrote_query(given: frozenset[str]) -> Query:
    return (
        select(col(MessageRecord.thread), func.max(col(MessageRecord.received_at)).label("at"))
        .where(
            col(MessageRecord.mailbox) == bindparam("mailbox"),
            _is_wanted(MessageRecord.thread, given),
            col(MessageRecord.direction) == Direction.SENT,
            col(MessageRecord.own).is_(False),
        )
        .group_by(col(MessageRecord.thread))
    )


def _seen(row: AnyRow) -> Seen:
    return Seen(
        id=row.id,
        provider_id=row.provider_id,
        rfc_message_id=row.rfc_message_id,
        fingerprint=row.fingerprint,
        received_at=row.received_at,
        tag=row.tag,
        labels=labels_from(row.labels),
        tagging=row.tagging is not None,
        instead=() if row.tag_facts is None else TagFacts.model_validate_json(row.tag_facts).replaced,
        direction=row.direction,
    )


def _rows(
    connection: Connection,
    query: Callable[[frozenset[str]], Query],
    parameters: Mapping[str, object],
    wanted: Iterable[str | None],
) -> Iterator[AnyRow]:
    for chunk in chunks(sorted({value for value in wanted if value is not None})):
        these = values_of(_WANTED, chunk)
        yield from connection.execute(query(frozenset(these)), {**parameters, **these})
