"""Words a planned mail at the moment it is sent, from the facts on record and the original in the mailbox."""

from collections.abc import Callable
from datetime import datetime

import structlog

from autoresponder.case_notes import RemindFacts, remind_note
from autoresponder.desks import recipients_of
from autoresponder.items import ItemState
from autoresponder.outgoing import as_bytes
from autoresponder.plan import Occasion, ReplyFacts, RouteFacts, TellFacts
from autoresponder.replies import compose_reply
from autoresponder.routes import compose_route
from autoresponder.tells import compose_tell
from classifier.verdict import Verdict
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings
from connectors.errors import FetchFailed, MessageGone
from connectors.labels import Tag
from connectors.mailbox import Mailbox, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from service.families import Families
from service.judging import judged_again
from service.logs import place, said
from service.notices import mail_to_staff
from service.pipeline import Reader
from service.web.links import item_page
from store.deadly import ends_the_service, is_deadly
from store.items import ItemView
from store.outbox import Due
from store.tables import DeliveryKind, DeliveryState

log = structlog.get_logger()

_HEAVY = 2_000_000
_ATTEMPTS_WITH_HEAVY = 2
"""An original over this many bytes that the server refuses so often goes to the office as its summary alone."""
_ATTEMPTS_TOGETHER = 4
"""A mail to several people that the server refuses so often goes to one of them after the other: an address that has
died must not keep it from the others."""
_IS_SENT = {
    DeliveryState.DONE: True,
    DeliveryState.SET_ASIDE: False,
    DeliveryState.CANCELLED: False,
    DeliveryState.UNCERTAIN: False,
}
"""Whether the family's note is out, by its state."""
_ATTEMPTS_TO_FETCH = 3
"""So often the original is asked for before the office gets the summary alone."""


class Composer:
    """Composes replies and routes for the deliverer."""

    def __init__(
        self,
        settings: Settings,
        calendar: SchoolCalendar,
        classifier: Reader,
        roster: Families,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` tells the time, aware."""
        self._settings = settings
        self._calendar = calendar
        self._classifier = classifier
        self._roster = roster
        self._clock = clock

    def reply(self, box: MailboxSettings, mailbox: Mailbox, due: Due, *, office_has_it: bool) -> bytes:
        """The note to the family. Raises MailboxError where the original cannot be read."""
        reply = compose_reply(
            _parse(mailbox.fetch(due.message.provider_id), box),
            self._as_of_now(ReplyFacts.model_validate_json(due.delivery.facts)),
            mailbox=box,
            settings=self._settings,
            office_has_it=office_has_it,
            now=self._clock(),
            message_id=due.delivery.rfc_message_id or "",
        )
        return as_bytes(reply)

    def tell(self, box: MailboxSettings, due: Due) -> bytes:
        """The short mail to the staff about an item."""
        return compose_tell(
            TellFacts.model_validate_json(due.delivery.facts),
            recipient=due.delivery.recipient or "",
            mailbox=box,
            settings=self._settings,
            now=self._clock(),
            message_id=due.delivery.rfc_message_id or "",
        )

    def remind(self, box: MailboxSettings, due: Due) -> bytes:
        """The short mail to the staff about a case."""
        web = self._settings.web
        facts = RemindFacts.model_validate_json(due.delivery.facts)
        note = remind_note(facts, mailbox=box, settings=self._settings, page=f"{web.origin}/cases" if web else "")
        return mail_to_staff(
            note,
            rfc_message_id=due.delivery.rfc_message_id or "",
            sender=box.address,
            recipient=due.delivery.recipient or "",
            now=self._clock(),
        )

    def may_remind(self) -> bool:
        """Whether the school is open: nobody is reminded of anything in the evening."""
        return self._calendar.is_open(self._clock())

    def route(
        self, box: MailboxSettings, mailbox: Mailbox, due: Due, item: ItemView | None, reply: DeliveryState | None
    ) -> bytes:
        """The mail to the office, whatever is wrong with the original: with less of it rather than not at all. `item`
        is what the message belongs to, `reply` where the family's note stands.

        Raises MailboxError while it is worth asking for the original again.
        """
        raw = self._original(mailbox, due)
        facts = self._facts_now(due, item)
        # The family's note waits for this, unless there will be none any more.
        comes_first = due.delivery.kind is DeliveryKind.ROUTE and not facts.marked_by
        comes_first = comes_first and reply is not DeliveryState.CANCELLED
        sent = None if comes_first or reply is None else _IS_SENT.get(reply)

        page = item_page(self._settings, item.item.reference) if item is not None else ""

        def summary(content: bytes | None, original: Message | None, verdict: Verdict | None) -> bytes:
            return self._summary(box, due, facts, content, original, verdict, reply_sent=sent, page=page)

        if raw is None:
            return summary(None, None, None)
        blank = _parse(RawMessage(raw.id, raw.direction, b"", raw.size, raw.received_at), box)
        # What could not be read is not tried again: it goes on as it came. What nobody may even fetch stays there.
        if facts.unread or is_deadly(due.message) or ends_the_service(due.delivery):
            heavy = not raw.raw or due.delivery.attempts > _ATTEMPTS_WITH_HEAVY
            return summary(None if heavy else raw.raw, blank, None)
        original = _parse(raw, box)
        heavy = not raw.raw or (raw.size > _HEAVY and due.delivery.attempts > _ATTEMPTS_WITH_HEAVY)
        content = None if heavy else raw.raw
        verdict = judged_again(original, self._classifier, self._settings.school.zone)
        try:
            return summary(content, original, verdict)
        except Exception as error:  # noqa: BLE001 - what the composer chokes on must reach the office all the same
            log.error("a summary could not be worded; the office gets less of it", delivery=due.id, error=place(error))
        try:
            return summary(content, blank, None)
        except Exception as error:  # noqa: BLE001 - the same
            log.error("an original could not be attached", delivery=due.id, error=place(error))
        return summary(None, blank, None)

    def _facts_now(self, due: Due, item: ItemView | None) -> RouteFacts:
        """Who gets it is decided when it is sent: further mail goes to whoever has the item by then."""
        facts = RouteFacts.model_validate_json(due.delivery.facts)
        if due.delivery.kind is DeliveryKind.ROUTE and item is not None:
            facts = self._as_addition(facts, due, item)
        recipients = facts.recipients or (facts.recipient,)
        if len(recipients) > 1 and due.delivery.attempts > _ATTEMPTS_TOGETHER:
            recipients = recipients[due.delivery.attempts % len(recipients) :][:1]
        return facts.model_copy(update={"recipients": recipients, "recipient": recipients[0]})

    def _as_addition(self, facts: RouteFacts, due: Due, item: ItemView) -> RouteFacts:
        if item.item.reference == due.message.fingerprint:
            return facts
        closed = not self._calendar.office_is_open(self._clock())
        urgent = facts.tag is Tag.URGENT
        recipients = recipients_of(item.path[-1], self._settings, urgent=urgent, closed=closed)
        holder = item.item.holder if item.item.state is ItemState.CLAIMED else None
        if holder is not None:
            on_call = self._settings.office.on_call if urgent and closed else None
            recipients = tuple(dict.fromkeys(filter(None, (holder, on_call))))
        changes = {"occasion": Occasion.ADDITION, "holder": holder, "recipients": recipients, "desk": item.path[-1]}
        return facts.model_copy(update=changes)

    def _original(self, mailbox: Mailbox, due: Due) -> RawMessage | None:
        """The original; None where it is gone, empty where the server has it and cannot hand it over."""
        message, tried_enough = due.message, due.delivery.attempts >= _ATTEMPTS_TO_FETCH
        if ends_the_service(due.delivery):
            return RawMessage(message.provider_id, message.direction, b"", 0, message.received_at)
        try:
            return mailbox.fetch(message.provider_id)
        except MessageGone:
            # It may have got another id a moment ago: it is gone when the mailbox's changes say so.
            if message.removed_at is None and not tried_enough:
                raise
            log.warning("an urgent message is gone from the mailbox; the office is told so", delivery=due.id)
            return None
        except FetchFailed as error:
            if not tried_enough:
                raise
            log.warning("an urgent message goes to the office without its text", delivery=due.id, error=said(error))
            return RawMessage(message.provider_id, message.direction, b"", 0, message.received_at)

    def _summary(
        self,
        box: MailboxSettings,
        due: Due,
        facts: RouteFacts,
        raw: bytes | None,
        original: Message | None,
        verdict: Verdict | None,
        *,
        reply_sent: bool | None,
        page: str,
    ) -> bytes:
        sender = due.message.sender
        return compose_route(
            raw,
            original,
            facts,
            verdict,
            reply_sent=reply_sent,
            page=page,
            sealed=is_deadly(due.message),
            sender=sender,
            students=self._roster.students_of(sender) if sender else (),
            mailbox=box,
            settings=self._settings,
            message_id=due.delivery.rfc_message_id or "",
            now=self._clock(),
        )

    def _as_of_now(self, facts: ReplyFacts) -> ReplyFacts:
        """Whether the office's phone is answered is said as of the sending, not of the planning."""
        now = self._clock()
        closed = not self._calendar.office_is_open(now)
        opens_at = self._calendar.office_opens_at(now) if closed else None
        return facts.model_copy(update={"same_day_closed": closed, "office_opens_at": opens_at})


def _parse(raw: RawMessage, box: MailboxSettings) -> Message:
    return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)
