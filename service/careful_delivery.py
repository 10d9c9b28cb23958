"""What becomes of a delivery that may end, or has ended, whoever carries it out: it is taken with care, and left in
time with a word to whom it concerns.

Mail to the office is never left while a simpler form of it is to be had: as soon as nothing else helps, it goes without
the family's message, which is neither fetched nor read for it any more. What else is left, the office hears of in a few
words that are made of what stands on record; of a draft, the teacher.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

from autoresponder.identifiers import derived_message_id
from autoresponder.plan import TellFacts, Told
from config.settings import MailboxSettings, Settings
from service.caution import Cautious
from store.outbox import Due, Outbox
from store.tables import Delivery, DeliveryKind, DeliveryState, DeliveryStep

_TOLD = {
    DeliveryKind.REPLY: Told.NOT_ANSWERED,
    DeliveryKind.TAG: Told.NOT_LABELLED,
    DeliveryKind.DRAFT: Told.NOT_DRAFTED,
}


@contextmanager
def in_hand(
    outbox: Outbox, cautious: Cautious, offered: Due, clock: Callable[[], datetime], *, careful: bool = False
) -> Iterator[Due | None]:
    """While the block runs, a delivery is this worker's, and the only one in its process that somebody may have died
    of; where `careful`, in any case. None where another worker was quicker, or it is no longer due."""
    died = cautious.died_with(offered.delivery)
    with cautious.alone() if careful or died or offered.delivery.deaths else nullcontext():
        yield outbox.claim(offered, clock(), died=died)


def end_of(delivery: Delivery) -> DeliveryState:
    """Where a delivery that is left stands. A draft that is there is there, and one that may be is not made again."""
    if delivery.kind is DeliveryKind.DRAFT and delivery.draft_id:
        return DeliveryState.DONE
    if delivery.kind is DeliveryKind.DRAFT and delivery.step is DeliveryStep.SENDING:
        return DeliveryState.UNCERTAIN
    return DeliveryState.SET_ASIDE


def word_of(due: Due, box: MailboxSettings, settings: Settings, now: datetime) -> Delivery | None:
    """The short mail about a delivery that is left; None of one that is itself such a mail, or goes to the office:
    `alliance outbox` shows it, and the administrator is told of urgent mail that is given up."""
    told, message = _TOLD.get(due.delivery.kind), due.message
    if told is None or end_of(due.delivery) is DeliveryState.DONE:
        return None
    facts = TellFacts(told=told, by=box.teacher, at=now, sender=message.sender or "", received_at=message.received_at)
    key = f"left:{due.delivery.kind.value}:{message.fingerprint}:{box.address}"
    return Delivery(
        mailbox=box.address,
        message_id=due.delivery.message_id,
        kind=DeliveryKind.TELL,
        dedupe_key=key,
        facts=facts.model_dump_json(),
        recipient=box.address if told is Told.NOT_DRAFTED else settings.office.address,
        rfc_message_id=derived_message_id(key, "notice", box.address),
        next_attempt_at=now,
        created_at=now,
    )
