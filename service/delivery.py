"""Carries out what was planned: labels, routes to the office, replies (decision 3 of the design).

The promise. Writing labels is idempotent. A mail is composed under a Message-ID derived from the original, looked up in
the mailbox, saved as a draft, and sent as that draft; each step is on record before the next begins. After a crash the
mailbox is asked what became of the draft. Where the system cannot say (SMTP), a reply to a family is not sent a second
time and a route to the office is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog

from autoresponder.outgoing import as_bytes
from autoresponder.plan import ReplyFacts, RouteFacts
from autoresponder.replies import compose_reply
from autoresponder.routes import compose_route
from classifier.verdict import Letter
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from connectors.errors import (
    AuthenticationFailed,
    InsecureConnection,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
)
from connectors.labels import Tag
from connectors.mailbox import DraftState, Mailbox, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from service.logs import place
from service.pipeline import Families, Reader
from store.outbox import Due, LeaseLost, Outbox
from store.pages import Pages, labels_from
from store.tables import DeliveryKind, DeliveryState, DeliveryStep

log = structlog.get_logger()

_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=10)
_ROUTE_ATTEMPTS = 300
"""At the longest wait between them, about two days: an urgent message is not given up over a weekend outage."""
_OTHER_ATTEMPTS = 30
_WAIT_FOR_ROUTE = timedelta(seconds=5)
_CHUNK_OF_TAGS = 50
_HEAVY = 5_000_000
_ATTEMPTS_WITH_HEAVY = 2
"""An original over this many bytes that the server refuses so often goes to the office as its summary alone."""
_NOT_OUT = (SendFailed, SendRejected, MessageGone, AuthenticationFailed, InsecureConnection)
"""Errors of sending after which the mail is certainly not out."""

OnStep = Callable[[str, int], None]
"""Told of each step of a delivery, by name and delivery number, as soon as its effect stands."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many deliveries of each kind were completed."""

    tags: int = 0
    routes: int = 0
    replies: int = 0


def _no_step(step: str, delivery: int) -> None:
    del step, delivery


class Deliverer:
    """Works off the outbox of one mailbox at a time. One instance serves one thread."""

    def __init__(
        self,
        settings: Settings,
        calendar: SchoolCalendar,
        outbox: Outbox,
        pages: Pages,
        classifier: Reader,
        roster: Families,
        clock: Callable[[], datetime],
        *,
        on_step: OnStep = _no_step,
    ) -> None:
        """`clock` tells the time, aware."""
        self._settings = settings
        self._calendar = calendar
        self._outbox = outbox
        self._pages = pages
        self._classifier = classifier
        self._roster = roster
        self._clock = clock
        self._on_step = on_step
        self._jitter = Random()  # noqa: S311 - spreads retries, guards no secret
        self._settle = timedelta(seconds=settings.service.settle_seconds)

    def deliver(self, box: MailboxSettings, mailbox: Mailbox) -> Delivered:
        """Carries out everything that is due, urgent routes first. Failures are recorded with their deliveries."""
        tags = routes = replies = 0
        postponed: set[int] = set()
        while True:
            batch = [due for due in self._outbox.due(box.address, self._clock()) if due.id not in postponed]
            if not batch:
                return Delivered(tags, routes, replies)
            to_tag = [due for due in batch if due.delivery.kind is DeliveryKind.TAG]
            for due in (due for due in batch if due.delivery.kind is not DeliveryKind.TAG):
                postponed.add(due.id)
                done = self._send(box, mailbox, due)
                routes += done and due.delivery.kind is DeliveryKind.ROUTE
                replies += done and due.delivery.kind is DeliveryKind.REPLY
            for start in range(0, len(to_tag), _CHUNK_OF_TAGS):
                tags += self._tag(box, mailbox, to_tag[start : start + _CHUNK_OF_TAGS])
            postponed.update(due.id for due in to_tag)

    def _tag(self, box: MailboxSettings, mailbox: Mailbox, chunk: Sequence[Due]) -> int:
        now = self._clock()
        written = []
        for due in chunk:
            if box.stage is Stage.OBSERVE:
                self._outbox.cancel_tag(due, now, "the mailbox is back in stage observe")
                continue
            try:
                mailbox.tag(due.message.provider_id, labels_from(due.message.labels))
            except MessageGone:
                self._outbox.cancel_tag(due, now, "the message is no longer in the mailbox")
            except MailboxError as error:
                give_up = due.delivery.attempts + 1 >= _OTHER_ATTEMPTS
                self._outbox.postpone_tag(due, now + self._wait(due), str(error), give_up=give_up)
                log.warning("labels could not be written", mailbox=box.address, delivery=due.id, error=str(error))
            else:
                written.append(due)
                self._on_step("tag written", due.id)
        self._outbox.finish_tags(written, now)
        for due in written:
            self._on_step("tag recorded", due.id)
        return len(written)

    def _send(self, box: MailboxSettings, mailbox: Mailbox, offered: Due) -> bool:
        """Brings one mail on its way; True where it is sent now. Never raises MailboxError."""
        due = self._outbox.claim(offered, self._clock())
        if due is None:
            return False
        self._on_step("claimed", due.id)
        try:
            return self._bring_on_its_way(box, mailbox, due)
        except LeaseLost as error:
            log.warning("a delivery took longer than its lease", mailbox=box.address, delivery=due.id, error=str(error))
        except MailboxError as error:
            self._failed(mailbox, due, error)
        except Exception as error:  # noqa: BLE001 - a mail that cannot be composed must not stop the others
            log.error("a delivery failed", mailbox=box.address, delivery=due.id, error=place(error))
            self._failed(mailbox, due, error)
        return False

    def _bring_on_its_way(self, box: MailboxSettings, mailbox: Mailbox, due: Due) -> bool:
        delivery, now = due.delivery, self._clock()
        if delivery.step is DeliveryStep.SENDING:
            if not self._may_send_again(mailbox, due):
                return False
        elif (reason := self._unwanted(box, due, now)) is not None:
            if delivery.draft_id:
                mailbox.discard_draft(delivery.draft_id)
            self._outbox.finish(due, DeliveryState.CANCELLED, now, reason)
            return False
        office_has_it = self._office_has_it(due)
        if office_has_it is None:
            self._outbox.postpone(due, now + _WAIT_FOR_ROUTE, None, step=delivery.step, counts=False)
            return False
        draft_id = delivery.draft_id
        if not draft_id:
            if mailbox.draft_state("", delivery.rfc_message_id or "") is DraftState.SENT:
                self._outbox.finish(due, DeliveryState.DONE, now)  # sent before the record was lost or restored
                return False
            draft_id = mailbox.save_draft(self._compose(box, mailbox, due, office_has_it=office_has_it))
            self._on_step("draft saved", due.id)
            self._outbox.drafted(due, draft_id)
            delivery.draft_id = draft_id
            self._on_step("draft recorded", due.id)
        self._outbox.sending(due)
        delivery.step = DeliveryStep.SENDING
        self._on_step("sending recorded", due.id)
        mailbox.send_draft(draft_id)
        self._on_step("sent", due.id)
        self._outbox.finish(due, DeliveryState.DONE, self._clock())
        self._on_step("done recorded", due.id)
        return True

    def _may_send_again(self, mailbox: Mailbox, due: Due) -> bool:
        """What to do about a mail that somebody was sending when they stopped: True where it has to be sent (again)."""
        delivery, now = due.delivery, self._clock()
        state = mailbox.draft_state(delivery.draft_id, delivery.rfc_message_id or "")
        if state is DraftState.SENT:
            self._outbox.finish(due, DeliveryState.DONE, now)
            return False
        if state is DraftState.DRAFT and mailbox.atomic_send:
            return True
        if delivery.kind is DeliveryKind.ROUTE:
            if state is DraftState.GONE:
                delivery.draft_id = ""
            return True
        if state is DraftState.GONE and mailbox.atomic_send:
            self._outbox.finish(due, DeliveryState.CANCELLED, now, "the draft was deleted before it was sent")
            return False
        mailbox.discard_draft(delivery.draft_id)
        self._outbox.finish(
            due,
            DeliveryState.UNCERTAIN,
            now,
            "interrupted while the mail server was taking the reply: it may or may not be out, and is not sent twice",
        )
        return False

    def _unwanted(self, box: MailboxSettings, due: Due, now: datetime) -> str | None:
        """Why a mail that was planned is no longer wanted; None where it is."""
        kind, message = due.delivery.kind, due.message
        if box.stage is Stage.OBSERVE or (kind is DeliveryKind.REPLY and box.stage is not Stage.REPLY):
            return f"the mailbox is back in stage {box.stage.value}"
        if kind is DeliveryKind.ROUTE:
            return None
        limit = timedelta(hours=self._settings.norm.answer_within_hours)
        if now - message.received_at > limit:
            return "it could not be sent in time, and an answer to old mail confuses"
        wrote = self._pages.teacher_wrote_at(message.mailbox, message.thread)
        if wrote is not None and wrote >= message.received_at:
            return "the teacher answered first"
        return None

    def _office_has_it(self, due: Due) -> bool | None:
        """Whether the office has an urgent message, which its reply says; None where that is still to be seen."""
        if due.delivery.kind is DeliveryKind.ROUTE:
            return True
        if ReplyFacts.model_validate_json(due.delivery.facts).tag is not Tag.URGENT:
            return False
        route = self._outbox.route_of(due.message.fingerprint)
        if route in {DeliveryState.WAITING, DeliveryState.WORKING}:
            return None
        return route is DeliveryState.DONE

    def _compose(self, box: MailboxSettings, mailbox: Mailbox, due: Due, *, office_has_it: bool) -> bytes:
        if due.delivery.kind is DeliveryKind.ROUTE:
            return self._compose_route(box, mailbox, due)
        reply = compose_reply(
            self._parse(mailbox.fetch(due.message.provider_id), box),
            self._as_of_now(ReplyFacts.model_validate_json(due.delivery.facts)),
            mailbox=box,
            settings=self._settings,
            office_has_it=office_has_it,
            now=self._clock(),
            message_id=due.delivery.rfc_message_id or "",
        )
        return as_bytes(reply)

    def _as_of_now(self, facts: ReplyFacts) -> ReplyFacts:
        """Whether the office's phone is answered is said as of the sending, not of the planning."""
        now = self._clock()
        closed = not self._calendar.office_is_open(now)
        opens_at = self._calendar.office_opens_at(now) if closed else None
        return facts.model_copy(update={"same_day_closed": closed, "office_opens_at": opens_at})

    def _compose_route(self, box: MailboxSettings, mailbox: Mailbox, due: Due) -> bytes:
        raw: RawMessage | None = None
        original = verdict = None
        try:
            raw = mailbox.fetch(due.message.provider_id)
        except MessageGone:
            log.warning("an urgent message is gone from the mailbox; the office is told so", delivery=due.id)
        else:
            original = self._parse(raw, box)
            received = original.received_at.astimezone(self._settings.school.zone)
            verdict = next(iter(self._classifier.read([Letter(original.subject, original.newest, received)])))
        too_heavy = raw is not None and raw.size > _HEAVY and due.delivery.attempts > _ATTEMPTS_WITH_HEAVY
        return compose_route(
            raw.raw if raw is not None and not too_heavy else None,
            original,
            RouteFacts.model_validate_json(due.delivery.facts),
            verdict,
            sender=due.message.sender,
            students=self._roster.students_of(due.message.sender) if due.message.sender else (),
            mailbox=box,
            settings=self._settings,
            message_id=due.delivery.rfc_message_id or "",
            now=self._clock(),
        )

    def _parse(self, raw: RawMessage, box: MailboxSettings) -> Message:
        return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)

    def _failed(self, mailbox: Mailbox, due: Due, error: Exception) -> None:
        """Records a failure. Once sending has begun, only an error that says "not out" counts as such."""
        delivery, now = due.delivery, self._clock()
        text = str(error) if isinstance(error, MailboxError) else f"unexpected: {place(error)}"
        log.warning("a mail could not be sent", mailbox=delivery.mailbox, delivery=due.id, error=text)
        try:
            if delivery.step is DeliveryStep.SENDING and not isinstance(error, _NOT_OUT):
                self._outbox.look_again(due, now + self._settle, text)
                return
            self._discard(mailbox, delivery.draft_id)
            if delivery.kind is DeliveryKind.REPLY and isinstance(error, MessageGone):
                self._outbox.finish(due, DeliveryState.CANCELLED, now, "the message is no longer in the mailbox")
            elif delivery.kind is DeliveryKind.REPLY and isinstance(error, SendRejected):
                self._outbox.finish(due, DeliveryState.SET_ASIDE, now, text)
            elif delivery.attempts >= (_ROUTE_ATTEMPTS if delivery.kind is DeliveryKind.ROUTE else _OTHER_ATTEMPTS):
                self._outbox.finish(due, DeliveryState.SET_ASIDE, now, text)
                log.error("a delivery was set aside", mailbox=delivery.mailbox, delivery=due.id, kind=delivery.kind)
            else:
                self._outbox.postpone(due, now + self._wait(due), text, step=DeliveryStep.PLANNED)
        except LeaseLost as lost:
            log.warning("a delivery took longer than its lease", mailbox=delivery.mailbox, error=str(lost))

    def _discard(self, mailbox: Mailbox, draft_id: str) -> None:
        """Takes a draft that is not going out now from the teacher's sight; the next attempt makes a new one."""
        if draft_id:
            try:
                mailbox.discard_draft(draft_id)
            except MailboxError as error:
                log.warning("a draft is left in Drafts", error=str(error))

    def _wait(self, due: Due) -> timedelta:
        """Exponential back-off with jitter, so that many mailboxes do not come back at once."""
        wait = min(_FIRST_WAIT * float(2 ** min(due.delivery.attempts, 10)), _LONGEST_WAIT)
        return wait * self._jitter.uniform(0.75, 1.25)
