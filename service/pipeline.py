"""From a page of changes to a page of the record: parse, classify, plan. Reads the mailbox, writes only the store."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Protocol

import structlog

from autoresponder.identifiers import fingerprint, is_own_message_id
from autoresponder.planner import make_plan
from classifier.verdict import Letter, Verdict
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.labels import Label, Tag, tag_of
from connectors.mailbox import Changes, Direction, LabelState, Mailbox, Progress, RawMessage
from connectors.message import MARKER, Message
from connectors.mime import parse_message
from service.about import matter_of
from service.answering import Gate
from service.case_parts import CaseParts
from service.caution import Care, Cautious
from service.digest_replies import DigestReplies
from service.entries import (
    Candidate,
    corrections,
    follow_threads,
    history_of,
    labelled,
    labelled_again,
    no_longer_shown,
    overruled,
    recognised,
    with_answer,
    with_mails,
)
from service.families import Families
from service.hearing import office_says
from service.letters import letter_of
from service.logs import place, said
from service.privacy.returning import returning
from service.sent_letters import GoodNewsReader, SentLetters
from service.unread import Unread
from store.agenda import Agenda
from store.contact_replies import ReplyHeard
from store.label_words import words
from store.pages import (
    Background,
    CursorMoved,
    Entry,
    Identity,
    Page,
    Pages,
    Relabelled,
    route_key,
)
from store.rereading import at_the_office as at_the_office_of
from store.tables import Delivery, MailboxState, MessageRecord

log = structlog.get_logger()

_ANSWERS_REMEMBERED = timedelta(days=120)
_REFERENCES_FOLLOWED = 20
_REREAD_ATTEMPTS = 5
_FETCH_ATTEMPTS = 3
"""So often one message may break the connection before it is set aside."""
_LONGEST_ID = 250
"""Bytes of an identifier that stand on record as they are: an index has room for no more than some thousand."""


class Reader(Protocol):
    """What the pipeline needs of the classifier."""

    @property
    def version(self) -> str:
        """Names the model, for the record."""
        ...

    def read(self, letters: Iterable[Letter], *, explain: bool = True) -> Iterator[Verdict]:
        """One verdict per letter, in order; its reasons only where asked to `explain`."""
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
    free: bool = True
    """Whether the mailbox is free for deliveries until the next page is asked for."""
    plans: bool = True
    """Whether what waits in the mailbox may have changed with it: not where it held nothing but mail of our own."""


def _nothing() -> bool:
    return False


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
        judge: GoodNewsReader | None = None,
    ) -> None:
        """`clock` tells the time, aware; `judge` which mail of the teacher's own is good news."""
        self._settings = settings
        self._calendar = calendar
        self._pages = pages
        self._classifier = classifier
        self._roster = roster
        self._gate = Gate(settings, pages.database, roster)
        self._clock = clock
        self._key = pages.fingerprint_key()
        self._cases = CaseParts(settings, roster.family_of, self._key)
        self._unread = Unread(settings, calendar, self._key)
        self.cautious = Cautious(pages.database, self._key, clock)
        """Shared with whoever delivers: what may end the process is in one hand of it at a time."""
        self._replies = DigestReplies(settings, pages.database)
        self._letters = SentLetters(settings, judge)
        self._broken: Counter[tuple[str, str]] = Counter()
        """How often a message broke the connection, by mailbox and id."""

    def sweep(
        self,
        box: MailboxSettings,
        mailbox: Mailbox,
        due: Callable[[], bool] = _nothing,
        agenda: Agenda | None = None,
    ) -> Generator[Swept, None, None]:
        """Reads one page of changes after another and commits each, until there is nothing new.

        While one page is judged the next is already on its way; whoever gets a `Swept` that says `free` has the mailbox
        to themselves until they ask for the next: where the page planned deliveries, and where `due` says so. Raises
        MailboxError where the mailbox cannot be read: what was committed stays, the rest comes next time.
        """
        self._gate.ask(box, mailbox, self._clock(), agenda)
        known_state = None if agenda is None else agenda.state
        state = self._pages.connect(box.address, self._clock()) if known_state is None else known_state
        if agenda is not None and agenda.careful:
            if not (yield from self._with_care(box, mailbox, state)):
                return
            state = self._pages.connect(box.address, self._clock())

        def changes_after(cursor: str | None) -> Changes:
            known = partial(self._pages.known, box.address)
            return mailbox.changes(cursor, known, limit=self._settings.service.batch)

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"ahead of {box.address}") as ahead:
            begun = self._clock()
            changes = changes_after(state.cursor)
            while True:
                began, begun = begun, self._clock()
                following = ahead.submit(changes_after, changes.cursor) if changes.more else None
                try:
                    swept = self.record(box, _AfterReading(mailbox, following), state, changes, read_since=began)
                except CursorMoved:
                    log.info("another worker read this mailbox meanwhile", mailbox=box.address)
                    return
                free = following is None or any(entry.deliveries for entry in swept.entries) or due()
                if following is not None and free:
                    wait([following])
                yield replace(swept, free=free)
                if following is None:
                    return
                read_up_to = changes.cursor
                changes = following.result()
                state = self._pages.connect(box.address, self._clock())
                if state.cursor != read_up_to:
                    log.info("another worker read this mailbox meanwhile", mailbox=box.address)
                    return

    def _with_care(self, box: MailboxSettings, mailbox: Mailbox, state: MailboxState) -> Generator[Swept, None, bool]:
        """The same where a process died, message by message, until it is behind us. Returns whether there is more."""
        known, more, left = partial(self._pages.known, box.address), True, 1
        while more and left > 0:
            began = self._clock()
            changes = mailbox.changes(state.cursor, known, limit=1)
            try:
                with self.cautious.reading(box.address) as care:
                    swept = self.record(box, mailbox, state, changes, read_since=began, care=care)
            except CursorMoved:
                log.info("another worker read this mailbox meanwhile", mailbox=box.address)
                return False
            yield swept
            more, left = changes.more, care.left
            state = self._pages.connect(box.address, self._clock())
            if state.cursor != changes.cursor:
                log.info("another worker read this mailbox meanwhile", mailbox=box.address)
                return False
        self.cautious.over(box.address)
        return more

    def reread(self, box: MailboxSettings, mailbox: Mailbox, aside: Sequence[MessageRecord]) -> Swept:
        """Reads messages again that were set aside; those that are gone from the mailbox are forgotten.

        Raises MailboxError where the mailbox cannot be reached, CursorMoved where another worker is at it all the time.
        """
        raws: list[RawMessage] = []
        gone: list[str] = []
        for record in aside:
            try:
                raws.append(replace(mailbox.fetch(record.provider_id), backfill=record.backfill))
            except MessageGone:
                gone.append(record.provider_id)
            except FetchFailed as error:
                log.warning("a message still cannot be read", mailbox=box.address, error=said(error))
        at_the_office = at_the_office_of(self._pages.database, aside)
        for attempt in range(1, _REREAD_ATTEMPTS + 1):
            state = self._pages.connect(box.address, self._clock())
            changes = Changes(cursor=state.cursor or "", messages=tuple(raws), removed=tuple(gone))
            page = self._page(box, mailbox, state, changes, reread=True, at_the_office=at_the_office)
            read = {raw.id for raw in raws} | set(gone)
            replaced = [record.id for record in aside if record.id is not None and record.provider_id in read]
            try:
                self._pages.commit(replace(page, cursor_after=state.cursor, replaced=replaced))
            except CursorMoved:
                if attempt == _REREAD_ATTEMPTS:
                    raise
            else:
                break
        return Swept(mailbox=box.address, entries=page.entries, removed=len(gone))

    def record(
        self,
        box: MailboxSettings,
        mailbox: Source,
        state: MailboxState,
        changes: Changes,
        *,
        read_since: datetime | None = None,
        care: Care | None = None,
    ) -> Swept:
        """Parses, classifies and plans one page and commits it over `state`. `read_since` is when the mailbox was asked
        for `changes`, where that was not just now: what was labelled after that, they may not show. With `care` no
        message is read that kills whoever reads it. Raises CursorMoved, MailboxError."""
        if changes.cursor == state.cursor and not (changes.messages or changes.labels or changes.removed):
            return Swept(mailbox=box.address, progress=changes.progress, more=changes.more, plans=False)
        page = self._page(box, mailbox, state, changes, read_since=read_since, care=care)
        self._pages.commit(page)
        return Swept(
            mailbox=box.address,
            entries=page.entries,
            corrections=sum(change.correction is not None for change in page.relabelled),
            removed=len(page.removed),
            progress=changes.progress,
            more=changes.more,
            plans=_plans(page),
        )

    def _page(
        self,
        box: MailboxSettings,
        mailbox: Source,
        state: MailboxState,
        changes: Changes,
        *,
        reread: bool = False,
        at_the_office: Collection[str] = (),
        read_since: datetime | None = None,
        care: Care | None = None,
    ) -> Page:
        now = self._clock()
        raws = {raw.id: raw for raw in changes.messages}.values()  # each once, whatever the server tells
        candidates = sorted(
            (self._open(box, mailbox, raw, care) for raw in raws), key=lambda c: (c.raw.received_at, c.raw.id)
        )
        background = self._pages.background(
            box.address,
            [candidate.identity for candidate in candidates],
            [label.id for label in changes.labels],
            answers_since=now - _ANSWERS_REMEMBERED,
            read_since=read_since or now,
            resync=changes.resync,
        )
        candidates = returning(self._pages.database, box.address, candidates, self._key, background.circumstances)
        # Read again: the office has it already, as a message that could not be read.
        background.keys |= {route_key(c.identity.fingerprint) for c in candidates if c.raw.id in at_the_office}
        self._gate.look(box, background, now)
        label_states = list(changes.labels)
        renamed: list[tuple[int, str]] = []
        fresh: list[Candidate] = []
        again: list[Delivery] = []
        unshown: list[Relabelled] = []
        if changes.resync:
            background.seen |= recognised(background, candidates)
        for candidate in candidates:
            seen = None if reread else background.seen.get(candidate.raw.id)
            if seen is None:
                fresh.append(candidate)
                continue
            renamed.append((seen.id, candidate.raw.id))  # also under the same id: it is there (again)
            if candidate.raw.labels:
                label_states.append(LabelState(candidate.raw.id, candidate.raw.labels))
            else:  # no correction: servers lose labels with their numbers, or show a star instead
                rewritten = labelled_again(seen, candidate.raw, box, now)
                again += rewritten
                unshown += [] if rewritten else no_longer_shown(seen, candidate.raw)
        follow_threads(background, fresh)
        judged = self._judge(fresh)
        # What was sent first: an answer of ours that is not on record keeps its family from getting another.
        sent_first = sorted(judged, key=lambda candidate: candidate.raw.direction is not Direction.SENT)
        decided = {each.raw.id: self._entry(box, state, background, each, now) for each in sent_first}
        entries = [decided[candidate.raw.id] for candidate in judged]
        return Page(
            mailbox=box.address,
            cursor_before=state.cursor,
            cursor_after=changes.cursor,
            entries=entries,
            renamed=renamed,
            relabelled=[*corrections(box.address, background, label_states, now), *unshown],
            removed=changes.removed,
            deliveries=again,
            at=now,
            case_rules=self._cases.rules(box),
        )

    def _open(self, box: MailboxSettings, mailbox: Source, raw: RawMessage, care: Care | None) -> Candidate:
        """Parses a message; fetches the whole of it where its beginning is not enough."""
        trouble = None if care is None else care.begin(raw)
        name = raw.id if trouble is None else self.cautious.mark(raw)
        try:
            if trouble is None and (raw.raw or not raw.size):
                message = _parse(box, raw)
                if _lacks_text(message, raw):
                    message = _parse(box, self._whole(box, mailbox, raw))
                return Candidate(raw, self._identity(raw, message), message)
            trouble = trouble or "the mail server could not hand this message over"
        except (FetchFailed, MessageGone) as error:
            trouble = f"the whole message could not be read: {error}"
        except MailboxError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox; it is set aside, visibly
            log.error("a message could not be parsed", mailbox=box.address, message=raw.id, error=place(error))
            trouble = f"the message could not be parsed ({type(error).__name__})"
        return Candidate(raw, Identity(raw.id, None, f"unread:{name}", (), None, raw.direction), None, trouble)

    def _whole(self, box: MailboxSettings, mailbox: Source, raw: RawMessage) -> RawMessage:
        """The whole message. Raises FetchFailed for one that breaks the connection again and again."""
        try:
            return mailbox.fetch(raw.id)
        except (FetchFailed, MessageGone):
            raise
        except MailboxError as error:
            self._broken[box.address, raw.id] += 1
            if self._broken[box.address, raw.id] < _FETCH_ATTEMPTS:
                raise
            raise FetchFailed(f"it broke the connection {_FETCH_ATTEMPTS} times ({error})") from error

    def _identity(self, raw: RawMessage, message: Message) -> Identity:
        references = (*reversed(message.in_reply_to), *reversed(message.references))
        return Identity(
            provider_id=raw.id,
            rfc_message_id=_bounded(message.message_id) if message.message_id else None,
            fingerprint=fingerprint(message, self._key),
            references=tuple(dict.fromkeys(map(_bounded, references)))[:_REFERENCES_FOLLOWED],
            sender=message.sender.email if message.sender else None,
            direction=raw.direction,
            own=_is_own(message, raw.direction),
        )

    def _judge(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Adds the classifier's verdicts; one message that it cannot read does not take the others with it."""
        readable = [c for c in candidates if c.message is not None and c.raw.direction is Direction.RECEIVED]
        zone = self._settings.school.zone
        letters = [letter_of(candidate.message, zone) for candidate in readable if candidate.message is not None]
        judged: dict[str, Candidate] = {}
        try:
            verdicts = list(self._classifier.read(letters, explain=False))
            judged = {c.raw.id: replace(c, verdict=v) for c, v in zip(readable, verdicts, strict=True)}
        except Exception as error:  # noqa: BLE001 - the page is not lost for one message that the model chokes on
            log.error("a page could not be classified, its messages are read one by one", error=place(error))
            for candidate, letter in zip(readable, letters, strict=True):
                judged[candidate.raw.id] = self._judge_alone(candidate, letter)
        return [judged.get(candidate.raw.id, candidate) for candidate in candidates]

    def _judge_alone(self, candidate: Candidate, letter: Letter) -> Candidate:
        try:
            return replace(candidate, verdict=next(iter(self._classifier.read([letter], explain=False))))
        except Exception as error:  # noqa: BLE001 - set aside, visibly
            trouble = f"the message could not be classified ({type(error).__name__})"
            return replace(candidate, trouble=trouble)

    def _entry(
        self, box: MailboxSettings, state: MailboxState, background: Background, candidate: Candidate, now: datetime
    ) -> Entry:
        raw, identity, message, verdict = candidate.raw, candidate.identity, candidate.message, candidate.verdict
        needs_a_look = raw.labels | {Label.CHECK}
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
            own=identity.own,
            set_aside=candidate.trouble,
            labels=words(raw.labels),
        )
        if message is None:
            entry = Entry(record) if raw.direction is Direction.SENT else labelled(record, needs_a_look, box)
            return self._handed_over(entry, box, state, background, candidate, now)
        reply = self._replies.heard(candidate, box, now)
        if reply is not None or raw.direction is Direction.SENT:
            return self._of_teacher(with_answer(record, message, background, identity), reply, candidate, box)
        saying = office_says(candidate, background, self._settings, now)
        if saying is not None and saying.word is not None:
            return Entry(record, saying=saying)  # to this service, and understood: nothing for the teacher to look at
        if verdict is None:
            entry = labelled(record, needs_a_look, box)
            if candidate.trouble is not None:
                entry = self._handed_over(entry, box, state, background, candidate, now)
            return replace(entry, saying=saying)
        try:
            entry = self._planned(box, state, background, candidate, record.model_copy(), message, verdict)
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox; it is set aside, visibly
            log.error("a message could not be decided on", mailbox=box.address, message=raw.id, error=place(error))
            record.set_aside = f"what to do about the message could not be decided ({type(error).__name__})"
            return self._handed_over(labelled(record, needs_a_look, box), box, state, background, candidate, now)
        return replace(self._cases.of_family(entry, candidate, box), saying=saying)

    def _handed_over(
        self,
        entry: Entry,
        box: MailboxSettings,
        state: MailboxState,
        background: Background,
        candidate: Candidate,
        now: datetime,
    ) -> Entry:
        """A message that was set aside, on its way to the office."""
        sender = candidate.identity.sender
        history = history_of(background, candidate, entry.record.thread, state, is_family=lambda _: False)
        family = self._roster.family_of(sender) if sender else None
        return self._unread.handed_over(entry, box, background, candidate.message, history, family=family, now=now)

    def _of_teacher(self, entry: Entry, reply: ReplyHeard | None, candidate: Candidate, box: MailboxSettings) -> Entry:
        """What the teacher sent; a `reply` to the morning mail is to this service, and to no family."""
        if reply is not None:
            return replace(entry, reply=reply)
        return self._letters.of_teacher(self._cases.of_teacher(entry, candidate, box), candidate, box)

    def _planned(
        self,
        box: MailboxSettings,
        state: MailboxState,
        background: Background,
        candidate: Candidate,
        record: MessageRecord,
        message: Message,
        verdict: Verdict,
    ) -> Entry:
        identity, sender = candidate.identity, candidate.identity.sender
        students = self._roster.students_of(sender) if sender else ()
        plan = make_plan(
            message,
            verdict,
            mailbox=box,
            settings=self._settings,
            calendar=self._calendar,
            history=history_of(
                background,
                candidate,
                record.thread,
                state,
                is_family=lambda other: sender is not None and self._roster.are_one_family(sender, other),
            ),
            now=record.recorded_at,
            home_language=self._roster.language_of(sender) if sender else None,
            students=students,
        )
        matter = matter_of(
            record,
            plan.route.tag if plan.route is not None else Tag.ROUTINE,
            plan.topic,
            unverified=plan.route is not None and plan.route.sender_unverified,
            family=self._roster.family_of(sender) if sender else None,
            key=self._key,
            settings=self._settings,
            calendar=self._calendar,
            now=record.recorded_at,
        )
        record.urgent, record.conflict, record.unsure = verdict.urgent, verdict.conflict, verdict.unsure
        record.language, record.model = verdict.language, self._classifier.version
        record.tag = tag_of(plan.labels)
        record.guard = plan.no_reply.guard if plan.no_reply else None
        given = tag_of(candidate.raw.labels)
        if given is not None:
            # The teacher was faster, or a record was lost that knew their word: it stands, and so do the labels.
            if given is not record.tag:
                return overruled(record, given, candidate.raw)
            record.unsure = Label.CHECK in candidate.raw.labels
            return with_mails(Entry(record), message, plan, background, identity, box, matter)
        return with_mails(labelled(record, plan.labels, box), message, plan, background, identity, box, matter)


def _plans(page: Page) -> bool:
    others = any(entry.deliveries or not entry.record.own for entry in page.entries)
    return bool(others or page.deliveries or page.relabelled or page.renamed or page.removed)


def _parse(box: MailboxSettings, raw: RawMessage) -> Message:
    return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)


def _bounded(identifier: str) -> str:
    """An identifier as it stands on record."""
    raw = identifier.encode("utf-8", "surrogatepass")
    return identifier if len(raw) <= _LONGEST_ID else f"sha256:{sha256(raw).hexdigest()}"


def _is_own(message: Message, direction: Direction) -> bool:
    """Whether this service sent it. Gmail is known to give some sent mail another Message-ID; the mark on it stays, and
    in Sent it may be believed. A draft that the teacher sends is the teacher's."""
    if message.message_id and is_own_message_id(message.message_id):
        return True
    return direction is Direction.SENT and message.headers.get(MARKER, "draft").strip() != "draft"


def _lacks_text(message: Message, raw: RawMessage) -> bool:
    """Whether the beginning of a long message is not enough: it holds no text, or, in new mail, it was cut within the
    text (no attachment had begun), where a last sentence may change everything."""
    return message.truncated and (not message.newest.strip() or not (raw.backfill or message.attachments))
