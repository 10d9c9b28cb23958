"""Carries out what was planned: labels, routes to the office, replies (decision 3 of the design).

The promise. Writing labels is idempotent. A mail is composed under a Message-ID derived from the original, looked up in
the mailbox, saved as a draft, and sent as that draft; each step is on record before the next begins. After a crash the
mailbox is asked what became of the draft. Where the system cannot say (SMTP), a reply to a family is not sent a second
time and a route to the office is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog

from autoresponder.case_notes import RemindFacts
from autoresponder.items import ItemState
from autoresponder.plan import ReplyFacts, RouteFacts
from config.settings import MailboxSettings, Settings, Stage
from connectors.errors import (
    BROKEN,
    NOT_OUT,
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    MessageGone,
    SendRejected,
)
from connectors.labels import Tag
from connectors.mailbox import DraftState, Mailbox, discard_named
from service.answering import Gate
from service.careful_delivery import end_of, in_hand, word_of
from service.caution import Cautious
from service.composing import Composer
from service.logs import said
from service.reminding import unwanted
from service.steps import OnStep, no_step
from service.teachers_drafts import TeachersDrafts
from store.cases import Cases
from store.deadly import ends_the_service, is_left, may_end_it, why_left
from store.items import Items
from store.label_words import labels_from
from store.outbox import AT_ONCE_AT_MOST, Due, LeaseLost, Outbox
from store.pages import Pages
from store.tables import DeliveryKind, DeliveryState, DeliveryStep

log = structlog.get_logger()

_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=10)
_ROUTE_ATTEMPTS = 300
"""At the longest wait between them, about two days: an urgent message is not given up over a weekend outage."""
_OTHER_ATTEMPTS = 30
_HANDOVERS = 6
"""So often a route is handed over without the server saying that it took it: the office has it several times by then,
or never will."""
_WAIT_FOR_ROUTE = timedelta(seconds=5)
_LONGEST_WAIT_FOR_ROUTE = timedelta(minutes=10)
"""A family in need that heard nothing for so long is asked to call, whatever becomes of the route."""
_PARKED = timedelta(minutes=15)
"""Until a refused password is tried again: only a person can mend it, and a server locks an account that knocks."""
_WAIT_FOR_SCHOOL = timedelta(minutes=15)
_AT_MOST_ONCE = frozenset({DeliveryKind.REPLY, DeliveryKind.REMIND})
"""Kinds of mail of which one too many is worse than one too few."""
_GONE_ATTEMPTS = 3
"""So often a message is looked for that the mailbox's changes do not call gone: it may just have got another id."""
_CHUNK_OF_TAGS = 50
_REFUSED = (AuthenticationFailed, InsecureConnection)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many deliveries of each kind were completed."""

    tags: int = 0
    routes: int = 0
    replies: int = 0
    drafts: int = 0
    refused: Exception | None = None
    """Why the mail server lets nothing be sent, although mail can be read: only a person can mend that."""


def _never() -> bool:
    return False


class Deliverer:
    """Works off the outbox of one mailbox at a time. One instance serves one thread."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        pages: Pages,
        items: Items,
        cases: Cases,
        composer: Composer,
        drafts: TeachersDrafts,
        clock: Callable[[], datetime],
        *,
        gate: Gate,
        cautious: Cautious,
        on_step: OnStep = no_step,
    ) -> None:
        """`clock` tells the time, aware."""
        self._settings = settings
        self._outbox = outbox
        self._pages = pages
        self._items = items
        self._cases = cases
        self._composer = composer
        self._drafts = drafts
        self._gate = gate
        self._cautious = cautious
        self._clock = clock
        self._on_step = on_step
        self._jitter = Random()  # noqa: S311 - spreads retries, guards no secret
        self._refused: Exception | None = None
        self._settle = timedelta(seconds=settings.service.settle_seconds)

    def deliver(
        self, box: MailboxSettings, mailbox: Mailbox, enough: Callable[[], bool] = _never, *, careful: bool = False
    ) -> Delivered:
        """Carries out what is due, urgent routes first, until nothing is left or `enough` says so between two of them.
        Where `careful`, a process died in this mailbox lately.

        Failures are recorded with their deliveries. Raises ConnectFailed, AuthenticationFailed or InsecureConnection,
        on record too, where the mailbox cannot be worked on any more.
        """
        tags = routes = replies = drafts = 0
        self._refused = None
        postponed: set[int] = set()
        while not enough():
            found = self._outbox.due(box.address, self._clock())
            batch = [due for due in found if due.id not in postponed]
            if not batch:
                break
            to_tag = [due for due in batch if due.delivery.kind is DeliveryKind.TAG]
            for due in (due for due in batch if due.delivery.kind is not DeliveryKind.TAG):
                if enough():
                    break
                postponed.add(due.id)
                done = self._send(box, mailbox, due)
                routes += done and due.delivery.kind in {DeliveryKind.ROUTE, DeliveryKind.ESCALATE}
                replies += done and due.delivery.kind is DeliveryKind.REPLY
                drafts += done and due.delivery.kind is DeliveryKind.DRAFT
            for due in (due for due in to_tag if careful or may_end_it(due.delivery)):
                if enough():
                    break
                tags += self._tag_with_care(box, mailbox, due)
            others = [due for due in to_tag if not (careful or may_end_it(due.delivery))]
            for start in range(0, len(others), _CHUNK_OF_TAGS):
                if enough():
                    break
                tags += self._tag(box, mailbox, others[start : start + _CHUNK_OF_TAGS])
            postponed.update(due.id for due in to_tag)
            if len(found) < AT_ONCE_AT_MOST:
                break
        return Delivered(tags, routes, replies, drafts, self._refused)

    def _tag(self, box: MailboxSettings, mailbox: Mailbox, chunk: Sequence[Due]) -> int:
        now = self._clock()
        if box.stage is Stage.OBSERVE:
            for due in chunk:
                self._outbox.cancel_tag(due, now, "the mailbox is back in stage observe")
            return 0
        failed = self._tag_all(mailbox, chunk)
        written = [due for due in chunk if due.message.provider_id not in failed]
        for due in written:
            self._on_step("tag written", due.id)
        self._outbox.finish_tags(written, now)
        for due in written:
            self._on_step("tag recorded", due.id)
        for due in chunk:
            if (error := failed.get(due.message.provider_id)) is not None:
                self._not_tagged(mailbox, due, error, now)
        for error in failed.values():
            if isinstance(error, BROKEN):
                raise error
        return len(written)

    def _tag_with_care(self, box: MailboxSettings, mailbox: Mailbox, offered: Due) -> int:
        """The same of one message, under a lease that tells of a death."""
        with in_hand(self._outbox, self._cautious, offered, self._clock, careful=True) as due:
            if due is None:
                return 0
            if is_left(due.delivery):
                self._leave(box, due)
                return 0
            self._on_step("claimed", due.id)
            return self._tag(box, mailbox, [offered])

    def _leave(self, box: MailboxSettings, due: Due) -> None:
        """Carries out no more what ended the service again and again, and has somebody told."""
        now, delivery = self._clock(), due.delivery
        self._outbox.finish(due, end_of(delivery), now, why_left(delivery), word_of(due, box, self._settings, now))
        log.error("a delivery ended the service, it is left", mailbox=box.address, delivery=due.id, kind=delivery.kind)

    def _tag_all(self, mailbox: Mailbox, chunk: Sequence[Due]) -> Mapping[str, Exception]:
        """Writes the labels of many messages. Returns what failed, by message."""
        wanted = {due.message.provider_id: labels_from(due.message.labels) for due in chunk}
        try:
            return mailbox.tag_many(wanted)
        except Exception as error:  # noqa: BLE001 - a connector's fault must not stop the others
            return dict.fromkeys(wanted, error)

    def _not_tagged(self, mailbox: Mailbox, due: Due, error: Exception, now: datetime) -> None:
        if isinstance(error, MessageGone) and _is_gone(due, due.delivery.attempts + 1):
            self._outbox.cancel_tag(due, now, "the message is no longer in the mailbox")
            return
        text = said(error)
        give_up = due.delivery.attempts + 1 >= _OTHER_ATTEMPTS
        self._outbox.postpone_tag(due, now + self._wait(due), text, give_up=give_up)
        log.warning("labels could not be written", mailbox=mailbox.address, delivery=due.id, error=text)

    def _send(self, box: MailboxSettings, mailbox: Mailbox, offered: Due) -> bool:
        """Brings one mail on its way; True where it is sent now. Raises ConnectFailed, on record."""
        with in_hand(self._outbox, self._cautious, offered, self._clock) as due:
            return due is not None and self._carry_out(box, mailbox, due)

    def _carry_out(self, box: MailboxSettings, mailbox: Mailbox, due: Due) -> bool:
        self._on_step("claimed", due.id)
        try:
            if due.delivery.kind is DeliveryKind.DRAFT:
                if is_left(due.delivery):
                    self._leave(box, due)
                    return False
                return self._drafts.write(box, mailbox, due, self._on_step)
            return self._bring_on_its_way(box, mailbox, due)
        except LeaseLost as error:
            why = said(error)
            log.warning("a delivery took longer than its lease", mailbox=box.address, delivery=due.id, error=why)
        except Exception as error:  # a mail that cannot be composed must not stop the others
            self._failed(mailbox, due, error)
            if isinstance(error, _REFUSED):
                self._refused = error
                self._outbox.park(box.address, self._clock() + _PARKED, str(error))
            if isinstance(error, ConnectFailed):
                raise
        return False

    def _bring_on_its_way(self, box: MailboxSettings, mailbox: Mailbox, due: Due) -> bool:
        delivery, now = due.delivery, self._clock()
        if delivery.step is DeliveryStep.SENDING and not self._may_send_again(mailbox, due):
            return False
        if (reason := self._unwanted(box, due, now)) is not None:
            self._withdraw(mailbox, due)
            self._outbox.finish(due, DeliveryState.CANCELLED, now, reason)
            return False
        if is_left(delivery):
            self._withdraw(mailbox, due)
            self._leave(box, due)
            return False
        if ends_the_service(delivery):  # a simpler mail takes the place of the one that was drafted
            self._withdraw(mailbox, due)
            delivery.step, delivery.draft_id = DeliveryStep.PLANNED, ""
        if delivery.kind is DeliveryKind.REMIND and not self._composer.may_remind():
            self._withdraw(mailbox, due)
            self._outbox.postpone(due, now + _WAIT_FOR_SCHOOL, None, step=DeliveryStep.PLANNED, counts=False)
            return False
        office_has_it = self._office_has_it(due, now)
        if office_has_it is None:
            self._outbox.postpone(due, now + _WAIT_FOR_ROUTE, None, step=delivery.step, counts=False)
            return False
        return self._hand_over(box, mailbox, due, office_has_it=office_has_it)

    def _hand_over(self, box: MailboxSettings, mailbox: Mailbox, due: Due, *, office_has_it: bool) -> bool:
        delivery, now = due.delivery, self._clock()
        if not delivery.draft_id and mailbox.draft_state("", delivery.rfc_message_id or "") is DraftState.SENT:
            self._outbox.finish(due, DeliveryState.DONE, now)  # sent before the record was lost or restored
            return False
        if (reason := self._gate.objection(box, due, now)) is not None:
            self._withdraw(mailbox, due)
            self._outbox.finish(due, DeliveryState.CANCELLED, now, reason)
            return False
        if not delivery.draft_id:
            draft_id = mailbox.save_draft(self._compose(box, mailbox, due, office_has_it=office_has_it))
            self._on_step("draft saved", due.id)
            self._outbox.drafted(due, draft_id)
            self._on_step("draft recorded", due.id)
        self._outbox.sending(due)
        self._on_step("sending recorded", due.id)
        try:
            mailbox.send_draft(delivery.draft_id)
        except NOT_OUT:
            self._outbox.not_out(due)
            raise
        self._on_step("sent", due.id)
        remark = why_left(delivery) if ends_the_service(delivery) else None
        self._outbox.finish(due, DeliveryState.DONE, self._clock(), remark)
        self._on_step("done recorded", due.id)
        return True

    def _compose(self, box: MailboxSettings, mailbox: Mailbox, due: Due, *, office_has_it: bool) -> bytes:
        if due.delivery.kind is DeliveryKind.REPLY:
            return self._composer.reply(box, mailbox, due, office_has_it=office_has_it)
        if due.delivery.kind is DeliveryKind.TELL:
            return self._composer.tell(box, due)
        if due.delivery.kind is DeliveryKind.REMIND:
            return self._composer.remind(box, due)
        item, reply = self._items.of_message(due.message.id), self._outbox.reply_of(due.message)
        if reply is DeliveryState.WAITING and self._gate.gives_none(box, self._clock()):
            reply = DeliveryState.CANCELLED  # it is about to be
        return self._composer.route(box, mailbox, due, item, reply)

    def _may_send_again(self, mailbox: Mailbox, due: Due) -> bool:
        """What to do about a mail that somebody was sending when they stopped: True where it has to be sent (again).

        Any error in here leaves the question open: the mail may be out.
        """
        delivery, now = due.delivery, self._clock()
        state = mailbox.draft_state(delivery.draft_id, delivery.rfc_message_id or "")
        if state is DraftState.SENT:
            self._outbox.finish(due, DeliveryState.DONE, now)
            return False
        if state is DraftState.DRAFT and mailbox.atomic_send:
            delivery.step = DeliveryStep.DRAFTED
            return True
        if delivery.kind not in _AT_MOST_ONCE and delivery.handovers < _HANDOVERS:
            delivery.step = DeliveryStep.DRAFTED
            if state is DraftState.GONE:
                delivery.step, delivery.draft_id = DeliveryStep.PLANNED, ""
            return True
        if state is DraftState.GONE and mailbox.atomic_send:
            self._outbox.finish(due, DeliveryState.CANCELLED, now, "the draft was deleted before it was sent")
            return False
        mailbox.discard_draft(delivery.draft_id)
        if delivery.kind not in _AT_MOST_ONCE:
            text = f"handed over {delivery.handovers} times, and the mail server never said that it took it"
            self._outbox.finish(due, DeliveryState.SET_ASIDE, now, text)
            log.error("a delivery was set aside", mailbox=delivery.mailbox, delivery=due.id, kind=delivery.kind)
            return False
        self._outbox.finish(
            due,
            DeliveryState.UNCERTAIN,
            now,
            "interrupted while the mail server was taking the mail: it may or may not be out, and is not sent twice",
        )
        return False

    def _unwanted(self, box: MailboxSettings, due: Due, now: datetime) -> str | None:
        """Why a mail that was planned is no longer wanted; None where it is."""
        kind, message = due.delivery.kind, due.message
        if box.stage is Stage.OBSERVE or (kind is DeliveryKind.REPLY and box.stage is not Stage.REPLY):
            return f"the mailbox is back in stage {box.stage.value}"
        if kind is DeliveryKind.TELL:
            return None
        if kind is DeliveryKind.REMIND:
            facts = RemindFacts.model_validate_json(due.delivery.facts)
            return unwanted(self._cases.of_message(message.id), facts)
        if self._pages.was_corrected(message) and not _is_for(due, message.tag):
            return "the tag was corrected"
        if kind is DeliveryKind.ESCALATE:
            item = self._items.of_message(message.id)
            return None if item is None or item.item.state is ItemState.OPEN else "somebody took it"
        return None if kind is DeliveryKind.ROUTE else self._overtaken(due, now)

    def _overtaken(self, due: Due, now: datetime) -> str | None:
        """Why a reply comes too late; None where it does not."""
        message = due.message
        if now - message.received_at > timedelta(hours=self._settings.norm.answer_within_hours):
            return "it could not be sent in time, and an answer to old mail confuses"
        wrote = self._pages.teacher_wrote_at(message.mailbox, message.thread)
        if wrote is not None and wrote >= message.received_at:
            return "the teacher answered first"
        return "the family got a later answer" if self._outbox.answered_since(due) else None

    def _office_has_it(self, due: Due, now: datetime) -> bool | None:
        """Whether the office has an urgent message, which its reply says; None where that is still to be seen."""
        if due.delivery.kind is not DeliveryKind.REPLY:
            return True
        facts = ReplyFacts.model_validate_json(due.delivery.facts)
        if facts.tag is not Tag.URGENT:
            return False
        route = self._outbox.route_of(due.message.fingerprint)
        patient = abs(now - due.delivery.created_at) < _LONGEST_WAIT_FOR_ROUTE
        if route in {DeliveryState.WAITING, DeliveryState.WORKING} and patient:
            return None
        return route is DeliveryState.DONE and facts.office_told

    def _failed(self, mailbox: Mailbox, due: Due, error: Exception) -> None:
        """Records a failure."""
        delivery, now = due.delivery, self._clock()
        text: str = said(error)
        log.warning("a mail could not be sent", mailbox=delivery.mailbox, delivery=due.id, error=text)
        try:
            if delivery.kind is DeliveryKind.DRAFT:
                self._drafts.failed(due, error, text, self._wait(due))
                return
            if delivery.step is DeliveryStep.SENDING:
                wait = self._settle if delivery.attempts == 1 else self._settle + self._wait(due)
                self._outbox.look_again(due, now + wait, text)
                return
            is_reply = delivery.kind is DeliveryKind.REPLY
            most = _OTHER_ATTEMPTS if is_reply else _ROUTE_ATTEMPTS
            if is_reply and isinstance(error, SendRejected):
                most = 1  # the family's server said no for good
            state, reason = DeliveryState.WAITING, text
            if is_reply and isinstance(error, MessageGone) and _is_gone(due, delivery.attempts):
                state, reason = DeliveryState.CANCELLED, "the message is no longer in the mailbox"
            elif delivery.attempts >= most:
                state = DeliveryState.SET_ASIDE
            if delivery.draft_id or state is not DeliveryState.WAITING:
                self._discard(mailbox, due)
            if state is DeliveryState.WAITING:
                self._outbox.postpone(due, now + self._wait(due), text, step=DeliveryStep.PLANNED)
                return
            self._outbox.finish(due, state, now, reason)
            if state is DeliveryState.SET_ASIDE:
                log.error("a delivery was set aside", mailbox=delivery.mailbox, delivery=due.id, kind=delivery.kind)
        except LeaseLost as lost:
            log.warning("a delivery took longer than its lease", mailbox=delivery.mailbox, error=said(lost))

    def _withdraw(self, mailbox: Mailbox, due: Due) -> None:
        """Takes the draft of a mail that is not going out now from the teacher's sight, also one whose id a crash kept
        from the record."""
        draft_id, identifier = due.delivery.draft_id, due.delivery.rfc_message_id or ""
        if draft_id:
            mailbox.discard_draft(draft_id)
        elif mailbox.draft_state("", identifier) is DraftState.DRAFT:
            discard_named(mailbox, identifier)

    def _discard(self, mailbox: Mailbox, due: Due) -> None:
        """The same, where something failed already: that is what has to be recorded. The next attempt makes a new
        draft."""
        try:
            self._withdraw(mailbox, due)
        except Exception as error:  # noqa: BLE001 - a draft too many is a small thing beside a lost record
            log.warning("a draft is left in Drafts", mailbox=mailbox.address, error=said(error))

    def _wait(self, due: Due) -> timedelta:
        """Exponential back-off with jitter, so that many mailboxes do not come back at once."""
        wait = min(_FIRST_WAIT * float(2 ** min(due.delivery.attempts, 10)), _LONGEST_WAIT)
        return wait * self._jitter.uniform(0.75, 1.25)


def _is_for(due: Due, tag: Tag | None) -> bool:
    """Whether a mail was planned for `tag`. A note to the family is of the tag that the service found."""
    to_office = due.delivery.kind in {DeliveryKind.ROUTE, DeliveryKind.ESCALATE}
    return to_office and RouteFacts.model_validate_json(due.delivery.facts).tag is tag


def _is_gone(due: Due, attempts: int) -> bool:
    """Whether a message that was not found is really gone."""
    return due.message.removed_at is not None or attempts >= _GONE_ATTEMPTS
