"""From a page of changes to a page of the record: parse, classify, plan. Reads the mailbox, writes only the store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from autoresponder.identifiers import fingerprint, is_own_message_id
from autoresponder.plan import Answer, History, Plan
from autoresponder.planner import make_plan
from autoresponder.replies import reply_message_id
from autoresponder.routes import route_message_id
from classifier.verdict import Letter, Verdict
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.labels import Label, tag_of
from connectors.mailbox import Changes, Direction, LabelState, Mailbox, Progress, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from service.logs import place
from store.pages import (
    Background,
    CursorMoved,
    Entry,
    Identity,
    Page,
    Pages,
    Relabelled,
    Seen,
    reply_key,
    route_key,
    words,
)
from store.tables import Correction, Delivery, DeliveryKind, MailboxState, MessageRecord

log = structlog.get_logger()

_ANSWERS_REMEMBERED = timedelta(days=120)
_REFERENCES_FOLLOWED = 20
_SKEW = timedelta(minutes=10)
"""How far the clocks of mail server and service may be apart, and then some."""
_NEEDS_A_LOOK = frozenset({Label.CHECK})


class Reader(Protocol):
    """What the pipeline needs of the classifier."""

    @property
    def version(self) -> str:
        """Names the model, for the record."""
        ...

    def read(self, letters: Iterable[Letter]) -> Iterator[Verdict]:
        """One verdict per letter, in order."""
        ...


class Families(Protocol):
    """What the service needs of the roster."""

    def students_of(self, email: str) -> Sequence[str]:
        """Names of the students whose guardian writes from this address."""
        ...

    def language_of(self, email: str) -> str | None:
        """The language of that guardian's home, ISO 639-1, where known."""
        ...


class Source(Protocol):
    """Where a whole message is had from, by the mail system's id."""

    def fetch(self, message_id: str) -> RawMessage:
        """As `connectors.mailbox.Mailbox.fetch`."""
        ...


@dataclass(frozen=True, slots=True)
class _AfterReading:
    """A mailbox that is asked for a message only when the reading of the next page, if any, has let go of it."""

    mailbox: Mailbox
    reading: Future[Changes] | None

    def fetch(self, message_id: str) -> RawMessage:
        """As `connectors.mailbox.Mailbox.fetch`."""
        if self.reading is not None:
            wait([self.reading])
        return self.mailbox.fetch(message_id)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one page held, in numbers and decisions, for whoever watches. Holds no text of any message."""

    mailbox: str
    entries: Sequence[Entry] = ()
    corrections: int = 0
    removed: int = 0
    progress: Progress | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A message of the page under way. `message` is None where it could not be read; `trouble` says why."""

    raw: RawMessage
    identity: Identity
    message: Message | None
    trouble: str | None = None
    verdict: Verdict | None = None


class Pipeline:
    """Reads mailboxes page by page into the store. One instance serves all threads; the state is in the store."""

    def __init__(
        self,
        settings: Settings,
        calendar: SchoolCalendar,
        pages: Pages,
        classifier: Reader,
        roster: Families,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` tells the time, aware."""
        self._settings = settings
        self._calendar = calendar
        self._pages = pages
        self._classifier = classifier
        self._roster = roster
        self._clock = clock
        self._key = pages.fingerprint_key()

    def sweep(self, box: MailboxSettings, mailbox: Mailbox) -> Iterator[Swept]:
        """Reads one page of changes after another and commits each, until there is nothing new.

        While one page is judged the next is already on its way; whoever gets a `Swept` with deliveries has the mailbox
        to themselves until they ask for the next. Raises MailboxError where the mailbox cannot be read: what was
        committed stays, the rest comes next time.
        """
        state = self._pages.connect(box.address, self._clock())

        def changes_after(cursor: str | None) -> Changes:
            known = partial(self._pages.known, box.address)
            return mailbox.changes(cursor, known, limit=self._settings.service.batch)

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"ahead of {box.address}") as ahead:
            changes = changes_after(state.cursor)
            while True:
                following = ahead.submit(changes_after, changes.cursor) if changes.more else None
                try:
                    swept = self.record(box, _AfterReading(mailbox, following), state, changes)
                except CursorMoved:
                    log.info("another worker read this mailbox meanwhile", mailbox=box.address)
                    return
                if following is not None and any(entry.deliveries for entry in swept.entries):
                    wait([following])
                yield swept
                if following is None:
                    return
                state = self._pages.connect(box.address, self._clock())
                changes = following.result()

    def reread(self, box: MailboxSettings, mailbox: Mailbox, aside: Sequence[MessageRecord]) -> Swept:
        """Reads messages again that were set aside. Raises MailboxError, CursorMoved."""
        state = self._pages.connect(box.address, self._clock())
        raws = [replace(mailbox.fetch(record.provider_id), backfill=record.backfill) for record in aside]
        page = self._page(box, mailbox, state, Changes(cursor=state.cursor or "", messages=tuple(raws)), again=True)
        replaced = [record.id for record in aside if record.id is not None]
        self._pages.commit(replace(page, cursor_after=state.cursor, replaced=replaced))
        return Swept(mailbox=box.address, entries=page.entries)

    def record(self, box: MailboxSettings, mailbox: Source, state: MailboxState, changes: Changes) -> Swept:
        """Parses, classifies and plans one page and commits it over `state`. Raises CursorMoved, MailboxError."""
        if changes.cursor == state.cursor and not (changes.messages or changes.labels or changes.removed):
            return Swept(mailbox=box.address, progress=changes.progress, more=changes.more)
        page = self._page(box, mailbox, state, changes)
        self._pages.commit(page)
        return Swept(
            mailbox=box.address,
            entries=page.entries,
            corrections=sum(change.correction is not None for change in page.relabelled),
            removed=len(page.removed),
            progress=changes.progress,
            more=changes.more,
        )

    def _page(
        self, box: MailboxSettings, mailbox: Source, state: MailboxState, changes: Changes, *, again: bool = False
    ) -> Page:
        now = self._clock()
        candidates = sorted(
            (self._open(box, mailbox, raw) for raw in changes.messages), key=lambda c: (c.raw.received_at, c.raw.id)
        )
        background = self._pages.background(
            box.address,
            [candidate.identity for candidate in candidates],
            [label.id for label in changes.labels],
            answers_since=now - _ANSWERS_REMEMBERED,
        )
        label_states = list(changes.labels)
        renamed: list[tuple[int, str]] = []
        fresh: list[_Candidate] = []
        for candidate in candidates:
            seen = None if again else background.seen.get(candidate.raw.id)
            if seen is None and changes.resync:
                seen = _same_message(background, candidate, candidates)
                if seen is not None:
                    renamed.append((seen.id, candidate.raw.id))
                    background.seen[candidate.raw.id] = seen
            if seen is None:
                fresh.append(candidate)
            else:
                label_states.append(LabelState(candidate.raw.id, candidate.raw.labels))
        _follow_threads(background, fresh)
        entries = [self._entry(box, state, background, candidate, now) for candidate in self._judge(fresh)]
        return Page(
            mailbox=box.address,
            cursor_before=state.cursor,
            cursor_after=changes.cursor,
            entries=entries,
            renamed=renamed,
            relabelled=_relabelled(box.address, background, label_states, now),
            removed=changes.removed,
            at=now,
        )

    def _open(self, box: MailboxSettings, mailbox: Source, raw: RawMessage) -> _Candidate:
        """Parses a message; fetches the whole of it where its beginning holds no text."""
        message, trouble = None, None
        try:
            if not raw.raw and raw.size:
                trouble = "the mail server could not hand this message over"
            else:
                message = _parse(box, raw)
                if _lacks_text(message, raw):
                    message = _parse(box, mailbox.fetch(raw.id))
        except (FetchFailed, MessageGone) as error:
            trouble = f"the whole message could not be read: {error}"
        except MailboxError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox; it is set aside, visibly
            log.error("a message could not be parsed", mailbox=box.address, message=raw.id, error=place(error))
            trouble = f"the message could not be parsed ({type(error).__name__})"
        return _Candidate(raw=raw, identity=self._identity(raw, message), message=message, trouble=trouble)

    def _identity(self, raw: RawMessage, message: Message | None) -> Identity:
        if message is None:
            return Identity(raw.id, None, f"unread:{raw.id}", (), None, raw.direction)
        references = (*reversed(message.in_reply_to), *reversed(message.references))
        return Identity(
            provider_id=raw.id,
            rfc_message_id=message.message_id,
            fingerprint=fingerprint(message, self._key),
            references=tuple(dict.fromkeys(references))[:_REFERENCES_FOLLOWED],
            sender=message.sender.email if message.sender else None,
            direction=raw.direction,
        )

    def _judge(self, candidates: Sequence[_Candidate]) -> list[_Candidate]:
        """Adds the classifier's verdicts; one message that it cannot read does not take the others with it."""
        readable = [c for c in candidates if c.message is not None and c.raw.direction is Direction.RECEIVED]
        letters = [self._letter(candidate.message) for candidate in readable if candidate.message is not None]
        judged: dict[str, _Candidate] = {}
        try:
            verdicts = list(self._classifier.read(letters))
            judged = {c.raw.id: replace(c, verdict=v) for c, v in zip(readable, verdicts, strict=True)}
        except Exception as error:  # noqa: BLE001 - the page is not lost for one message that the model chokes on
            log.error("a page could not be classified, its messages are read one by one", error=place(error))
            for candidate, letter in zip(readable, letters, strict=True):
                judged[candidate.raw.id] = self._judge_alone(candidate, letter)
        return [judged.get(candidate.raw.id, candidate) for candidate in candidates]

    def _judge_alone(self, candidate: _Candidate, letter: Letter) -> _Candidate:
        try:
            return replace(candidate, verdict=next(iter(self._classifier.read([letter]))))
        except Exception as error:  # noqa: BLE001 - set aside, visibly
            trouble = f"the message could not be classified ({type(error).__name__})"
            return replace(candidate, message=None, trouble=trouble)

    def _letter(self, message: Message) -> Letter:
        received = message.received_at.astimezone(self._settings.school.zone)
        return Letter(subject=message.subject, body=message.newest, received=received)

    def _entry(
        self, box: MailboxSettings, state: MailboxState, background: Background, candidate: _Candidate, now: datetime
    ) -> Entry:
        raw, identity, message, verdict = candidate.raw, candidate.identity, candidate.message, candidate.verdict
        record = MessageRecord(
            mailbox=box.address,
            provider_id=raw.id,
            direction=raw.direction,
            rfc_message_id=identity.rfc_message_id,
            fingerprint=identity.fingerprint,
            thread=background.thread_of(identity),
            sender=identity.sender,
            subject=message.subject if message is not None and self._settings.service.keep_subjects else None,
            received_at=raw.received_at,
            recorded_at=now,
            backfill=raw.backfill,
            own=identity.rfc_message_id is not None and is_own_message_id(identity.rfc_message_id),
            set_aside=candidate.trouble,
            labels=words(raw.labels),
        )
        if raw.direction is Direction.SENT:
            return Entry(record)
        if message is None or verdict is None:
            return _with_labels(Entry(record), _NEEDS_A_LOOK, box, now)
        plan = make_plan(
            message,
            verdict,
            mailbox=box,
            settings=self._settings,
            calendar=self._calendar,
            history=_history(background, candidate, record.thread, state),
            now=now,
            home_language=self._roster.language_of(identity.sender) if identity.sender else None,
        )
        record.urgent, record.conflict, record.unsure = verdict.urgent, verdict.conflict, verdict.unsure
        record.language, record.model = verdict.language, self._classifier.version
        record.tag = tag_of(plan.labels)
        record.guard = plan.no_reply.guard if plan.no_reply else None
        labelled = _with_labels(Entry(record), plan.labels, box, now)
        return _with_deliveries(labelled, message, plan, background, identity, box)


def _parse(box: MailboxSettings, raw: RawMessage) -> Message:
    return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)


def _lacks_text(message: Message, raw: RawMessage) -> bool:
    """Whether the beginning of a long message is not enough: it holds no text, or, in new mail, it was cut within the
    text (no attachment had begun), where a last sentence may change everything."""
    return message.truncated and (not message.newest.strip() or not (raw.backfill or message.attachments))


def _same_message(background: Background, candidate: _Candidate, page: Sequence[_Candidate]) -> Seen | None:
    """The message on record that a resync lists under a new id; None where this one is new.

    A message of the same Message-ID is the same only if its content is, and if the server no longer shows it under the
    id on record: somebody who reuses a parent's Message-ID must not make a new message disappear.
    """
    identity = candidate.identity
    current = {other.raw.id for other in page}
    for seen in background.namesakes.get(identity.rfc_message_id or identity.fingerprint, ()):
        taken = seen.provider_id in current or any(s.id == seen.id for s in background.seen.values())
        if seen.fingerprint == identity.fingerprint and not taken:
            return seen
    return None


def _follow_threads(background: Background, candidates: Sequence[_Candidate]) -> None:
    """Threads of the page's own messages, and what the teacher wrote in it, before anything is decided: a reply that
    the teacher sent in the meantime counts, also for a message that stands before it."""
    for candidate in candidates:
        identity = candidate.identity
        thread = background.thread_of(identity)
        if identity.rfc_message_id:
            background.threads.setdefault(identity.rfc_message_id, thread)
        own = identity.rfc_message_id is not None and is_own_message_id(identity.rfc_message_id)
        if identity.direction is Direction.SENT and not own:
            at = candidate.raw.received_at
            background.teacher_wrote[thread] = max(at, background.teacher_wrote.get(thread, at))


def _history(background: Background, candidate: _Candidate, thread: str, state: MailboxState) -> History:
    """What is on record. The mail system knows better than two clocks which mail was there before: what it marks as
    such is older than the connection, whatever its date; what it does not may be dated a little earlier."""
    identity, raw = candidate.identity, candidate.raw
    sender = identity.sender or ""
    connected_at = max(state.connected_at, raw.received_at + _SKEW) if raw.backfill else state.connected_at - _SKEW
    return History(
        connected_at=connected_at,
        answers_to_sender=tuple(background.answers.get(sender, ())),
        answered_in_other_mailbox=reply_key(sender, identity.rfc_message_id or identity.fingerprint) in background.keys,
        routed_already=route_key(identity.fingerprint) in background.keys,
        teacher_wrote_at=background.teacher_wrote.get(thread),
    )


def _with_labels(entry: Entry, labels: frozenset[Label], box: MailboxSettings, now: datetime) -> Entry:
    """Adds the delivery that writes `labels`, where the mailbox's stage allows it and the message is not old mail."""
    record = entry.record
    if box.stage is Stage.OBSERVE or record.backfill or not labels:
        return entry
    record.labels = words(labels)
    key = f"tag:{record.mailbox}:{record.provider_id}"
    return Entry(record, (*entry.deliveries, _delivery(record, DeliveryKind.TAG, key, now)))


def _with_deliveries(
    entry: Entry, message: Message, plan: Plan, background: Background, identity: Identity, box: MailboxSettings
) -> Entry:
    """Adds route and reply where the mailbox's stage allows them, and remembers them for the rest of the page."""
    record, deliveries, now = entry.record, list(entry.deliveries), entry.record.recorded_at
    if box.stage is Stage.OBSERVE or record.backfill:
        return entry
    original = identity.rfc_message_id or identity.fingerprint
    if plan.route is not None:
        key = route_key(identity.fingerprint)
        facts = plan.route if box.stage is Stage.REPLY else plan.route.model_copy(update={"family_told": False})
        delivery = _delivery(record, DeliveryKind.ROUTE, key, now)
        delivery.facts, delivery.recipient = facts.model_dump_json(), facts.recipient
        delivery.rfc_message_id = route_message_id(message, box)
        deliveries.append(delivery)
        background.keys.add(key)
    if plan.reply is not None and box.stage is Stage.REPLY and identity.sender:
        key = reply_key(identity.sender, original)
        delivery = _delivery(record, DeliveryKind.REPLY, key, now)
        delivery.facts, delivery.recipient = plan.reply.model_dump_json(), identity.sender
        delivery.rfc_message_id = reply_message_id(message, box)
        deliveries.append(delivery)
        background.keys.add(key)
        answer = Answer(sender=identity.sender, tag=plan.reply.tag, at=now)
        background.answers.setdefault(identity.sender, []).append(answer)
    return Entry(record, tuple(deliveries))


def _delivery(record: MessageRecord, kind: DeliveryKind, key: str, now: datetime) -> Delivery:
    return Delivery(
        mailbox=record.mailbox, message_id=0, kind=kind, dedupe_key=key, next_attempt_at=now, created_at=now
    )


def _relabelled(mailbox: str, background: Background, states: Sequence[LabelState], now: datetime) -> list[Relabelled]:
    """Labels that are not those on record: the teacher's doing, unless ours are still to be written."""
    changes = []
    for state in states:
        seen = background.seen.get(state.id)
        if seen is None or state.labels == seen.labels or (seen.tagging and not state.labels):
            continue
        tag = tag_of(state.labels)
        correction = None
        if tag is not seen.tag:
            correction = Correction(mailbox=mailbox, message_id=seen.id, from_tag=seen.tag, to_tag=tag, at=now)
        changes.append(Relabelled(id=seen.id, labels=state.labels, correction=correction))
    return changes
