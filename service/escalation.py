"""Sees to it that an item that nobody takes goes on: to the next desk, to whoever is on call, to everybody once more.

The step and its mails commit together, over the step before: whichever worker is there, and whatever crashes, each step
is taken once, and its mails are in the outbox (decision 3).
"""

from datetime import datetime

import structlog

from autoresponder.desks import Step, StepKind, next_step
from autoresponder.plan import Occasion
from autoresponder.routes import step_message_id
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from connectors.labels import Tag
from store.items import Items, ItemView, Routed
from store.matters import BETWEEN_RECIPIENTS
from store.tables import Delivery, DeliveryKind, EventKind, MessageRecord

log = structlog.get_logger()

_OCCASIONS = {
    StepKind.NEXT: Occasion.NEXT,
    StepKind.ON_CALL: Occasion.ON_CALL,
    StepKind.REMINDER: Occasion.REMINDER,
}
_EVENTS = {
    StepKind.NEXT: EventKind.NEXT_DESK,
    StepKind.ON_CALL: EventKind.ON_CALL,
    StepKind.REMINDER: EventKind.REMINDED,
}


def escalate(box: MailboxSettings, items: Items, settings: Settings, calendar: SchoolCalendar, now: datetime) -> int:
    """Takes the step that is due of every item that came to `box` first. Returns how many went on."""
    if box.stage is Stage.OBSERVE:
        return 0
    return sum(_go_on(view, items, settings, calendar, now) for view in items.due(box.address, now))


def _go_on(view: ItemView, items: Items, settings: Settings, calendar: SchoolCalendar, now: datetime) -> bool:
    step = next_step(view.path, settings, calendar, now)
    event = _EVENTS.get(step.kind)
    mails = [] if event is None else _mails(view, step, settings, now)
    went_on = items.go_on(view, path=step.path, next_at=step.next_at, event=event, deliveries=mails, now=now)
    if went_on and event is not None:
        log.info("nobody took an item, it goes on", item=view.id, step=event, desk=step.path[-1])
    return went_on and event is not None


def _mails(view: ItemView, step: Step, settings: Settings, now: datetime) -> list[Delivery]:
    """One mail for each of the family's messages, from the mailbox that it lies in."""
    boxes = {box.address: box for box in settings.mailboxes}
    return [
        _mail(view, step, message, first, boxes[message.mailbox], now)
        for message in view.messages
        if message.mailbox in boxes and (message.tag is Tag.URGENT or message.set_aside is not None)
        if (first := view.routes.get(message.id or 0)) is not None
    ]


def _mail(
    view: ItemView, step: Step, message: MessageRecord, first: Routed, box: MailboxSettings, now: datetime
) -> Delivery:
    number, reference = view.item.steps + 1, view.item.reference
    changes = {
        "recipient": step.recipients[0],
        "recipients": step.recipients,
        "desk": step.path[-1],
        "occasion": _OCCASIONS[step.kind],
        "desks_before": view.path,
        "references": (first.rfc_message_id,) if first.rfc_message_id else (),
        "reminder": number if number > 1 else 0,
    }
    return Delivery(
        mailbox=message.mailbox,
        message_id=message.id or 0,
        kind=DeliveryKind.ESCALATE,
        dedupe_key=f"step:{reference}:{number}:{message.fingerprint}",
        facts=first.facts.model_copy(update=changes).model_dump_json(),
        recipient=BETWEEN_RECIPIENTS.join(step.recipients),
        rfc_message_id=step_message_id(reference, number, message.fingerprint, box),
        next_attempt_at=now,
        created_at=now,
    )
