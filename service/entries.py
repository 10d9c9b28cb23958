"""What the messages of a page become on record: entries, deliveries to carry out, corrections. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autoresponder.drafting import DraftPlan
from autoresponder.family import person
from autoresponder.identifiers import thread_id
from autoresponder.plan import Answer, Answering, History, Plan, ReplyFacts, RouteFacts
from autoresponder.replies import reply_message_id
from autoresponder.routes import route_message_id
from classifier.verdict import Verdict
from config.settings import MailboxSettings, Stage
from connectors.labels import PICKED, REMARKS, TEACHERS, Label, Tag, tag_of
from connectors.mailbox import Direction, LabelState, RawMessage
from connectors.message import CRISIS, MARKER, NOTE, Message
from store.drafts import draft_key
from store.label_words import labels_from, words
from store.matters import BETWEEN_RECIPIENTS, Behind, Matter
from store.pages import Background, Entry, Identity, Relabelled, Seen, reply_key, route_key
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    DeliveryStep,
    MailboxState,
    MessageRecord,
)

_SKEW = timedelta(minutes=10)
"""How far the clocks of mail server and service may be apart, and then some."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message of the page under way. `message` is None where it could not be read; `trouble` says why."""

    raw: RawMessage
    identity: Identity
    message: Message | None
    trouble: str | None = None
    verdict: Verdict | None = None


def recognised(background: Background, page: Sequence[Candidate]) -> dict[str, Seen]:
    """The messages of a resync that are on record under another id, by their new id.

    A message of the same Message-ID is the same only if its content is, and if the server no longer shows it under the
    id on record: somebody who reuses a parent's Message-ID must not make a new message disappear. Of several copies of
    one mail, each is recognised by the time it came and by its labels, as far as the server kept them.
    """
    current = {candidate.raw.id for candidate in page}
    taken = {seen.id for seen in background.seen.values()}
    found: dict[str, Seen] = {}
    for alike in (_in_time_and_labels, _in_time, _in_content):
        for candidate in page:
            identity, raw = candidate.identity, candidate.raw
            if raw.id in background.seen or raw.id in found:
                continue
            for seen in background.namesakes.get(identity.rfc_message_id or identity.fingerprint, ()):
                same = seen.fingerprint == identity.fingerprint and alike(seen, raw)
                if same and seen.id not in taken and seen.provider_id not in current:
                    found[raw.id] = seen
                    taken.add(seen.id)
                    break
    return found


def _in_time_and_labels(seen: Seen, raw: RawMessage) -> bool:
    return _in_time(seen, raw) and seen.labels == raw.labels


def _in_time(seen: Seen, raw: RawMessage) -> bool:
    return seen.received_at == raw.received_at


def _in_content(seen: Seen, raw: RawMessage) -> bool:
    del seen, raw
    return True


def follow_threads(background: Background, candidates: Sequence[Candidate]) -> None:
    """Threads of the page's own messages, and what the teacher wrote in it, before anything is decided: a reply that
    the teacher sent in the meantime counts, also for a message that stands before it."""
    for candidate in candidates:
        identity = candidate.identity
        thread = background.thread_of(identity)
        if identity.rfc_message_id:
            background.threads.setdefault(identity.rfc_message_id, thread)
        if identity.direction is Direction.SENT and not identity.own:
            at = candidate.raw.received_at
            background.teacher_wrote[thread] = max(at, background.teacher_wrote.get(thread, at))


def history_of(
    background: Background,
    candidate: Candidate,
    thread: str,
    state: MailboxState,
    is_family: Callable[[str], bool],
) -> History:
    """What is on record. `is_family` tells of an address whether it is of the sender's family.

    The mail system knows better than two clocks which mail was there before: what it marks as such is older than the
    connection, whatever its date; what it does not may be dated a little earlier.
    """
    identity, raw = candidate.identity, candidate.raw
    sender = identity.sender or ""
    connected_at = max(state.connected_at, raw.received_at + _SKEW) if raw.backfill else state.connected_at - _SKEW
    return History(
        connected_at=connected_at,
        answers_to_sender=tuple(background.answers.to_person.get(person(sender), ())),
        answers_to_family=tuple(
            answer
            for answer in background.answers.in_thread.get(thread, ())
            if answer.sender != person(sender) and is_family(answer.sender)
        ),
        answering=_answering(background.urgent_room),
        absences=background.absences,
        answered_in_other_mailbox=reply_key(sender, _original(identity)) in background.keys,
        routed_already=route_key(identity.fingerprint) in background.keys,
        teacher_wrote_at=background.teacher_wrote.get(thread),
    )


def labelled(record: MessageRecord, labels: frozenset[Label], box: MailboxSettings) -> Entry:
    """A message with the delivery that writes `labels`, where the stage allows it and the message is not old mail."""
    if box.stage is Stage.OBSERVE or record.backfill or not labels:
        return Entry(record)
    record.labels = words(labels | (labels_from(record.labels) & PICKED))
    return Entry(record, (_delivery(record, DeliveryKind.TAG, f"tag:{record.mailbox}:{record.provider_id}"),))


def labelled_good_news(entry: Entry) -> Entry:
    """A mail of the teacher's with the delivery that labels it "good news"; what else stands on it stays."""
    record = entry.record
    record.labels = words(labels_from(record.labels) | {Label.GOOD_NEWS})
    key = f"tag:{record.mailbox}:{record.provider_id}"
    return replace(entry, deliveries=(*entry.deliveries, _delivery(record, DeliveryKind.TAG, key)))


def overruled(record: MessageRecord, given: Tag, raw: RawMessage) -> Entry:
    """A message that came with another tag than the classifier's: the teacher was faster, which counts as a correction.
    With "please check" beside it the tag is our own, from a record that was lost; that of old mail may be anybody's."""
    checked = Label.CHECK in raw.labels
    correction = Correction(
        mailbox=record.mailbox, message_id=0, from_tag=record.tag, to_tag=given, at=record.recorded_at
    )
    record.tag, record.unsure = given, checked
    return Entry(record, given=not checked, correction=None if checked or record.backfill else correction)


def labelled_again(seen: Seen, raw: RawMessage, box: MailboxSettings, now: datetime) -> list[Delivery]:
    """The delivery that writes a known message's labels once more, where they went with its old number."""
    carried = seen.labels & {Label.GOOD_NEWS} if seen.direction is Direction.SENT else seen.labels
    lost = carried and not seen.tagging and seen.provider_id != raw.id
    if not lost or raw.backfill or box.stage is Stage.OBSERVE:
        return []
    key = f"tag:{box.address}:{raw.id}"
    kind = DeliveryKind.TAG
    return [
        Delivery(
            mailbox=box.address, message_id=seen.id, kind=kind, dedupe_key=key, next_attempt_at=now, created_at=now
        )
    ]


def with_mails(
    entry: Entry,
    message: Message,
    plan: Plan,
    background: Background,
    identity: Identity,
    box: MailboxSettings,
    matter: Matter,
) -> Entry:
    """Adds route, reply and draft where the mailbox's stage allows them, and remembers them for the rest of the page.
    `matter` is what a route is about."""
    record = entry.record
    if box.stage is Stage.OBSERVE or record.backfill:
        return entry
    mails: list[Delivery] = []
    if plan.route is not None:
        facts = plan.route if box.stage is Stage.REPLY else plan.route.model_copy(update={"family_told": False})
        route_id = route_message_id(message, box)
        mails.append(planned_route(record, facts, route_key(identity.fingerprint), route_id))
        # A reply to it may stand in the same page, where a record that was lost is read again.
        told = frozenset(facts.recipients or (facts.recipient,))
        sender = frozenset({identity.sender} if identity.sender else ())
        for name in (route_id, thread_id(route_id)):
            background.behind.setdefault(name, Behind(None, told, sender))
    if plan.reply is not None and box.stage is Stage.REPLY and identity.sender:
        reply = _delivery(record, DeliveryKind.REPLY, reply_key(identity.sender, _original(identity)))
        reply.facts, reply.recipient = plan.reply.model_dump_json(), person(identity.sender)
        reply.rfc_message_id = reply_message_id(message, box)
        mails.append(reply)
    # Where our label stood there already a record was lost, and the teacher may have had their draft.
    labels_it = any(delivery.kind is DeliveryKind.TAG for delivery in entry.deliveries)
    if plan.draft and box.stage is Stage.REPLY and labels_it:
        draft = _delivery(record, DeliveryKind.DRAFT, draft_key(record.mailbox, record.thread))
        draft.facts = DraftPlan().model_dump_json()
        mails += [] if draft.dedupe_key in background.keys else [draft]
    for mail in mails:
        _remember(background, mail, record.thread)
    routed = any(mail.kind is DeliveryKind.ROUTE for mail in mails)
    return replace(entry, deliveries=(*entry.deliveries, *mails), matter=matter if routed else None)


def with_answer(record: MessageRecord, message: Message, background: Background, identity: Identity) -> Entry:
    """Mail in Sent. An answer of ours that is not on record was given before the record was lost, or taken back to an
    older one: it is recorded as done, so that the family is not answered again."""
    named = record.rfc_message_id is not None and record.rfc_message_id.startswith("alliance.reply.")
    answer = record.own and (named or message.headers.get(MARKER) == "reply")
    recipient = next((address.email for address in message.to if address.email), None)
    if not answer or recipient is None or record.rfc_message_id in background.mails:
        return Entry(record)
    answered = identity.references[0] if message.in_reply_to else f"unknown {record.rfc_message_id}"
    delivery = _delivery(record, DeliveryKind.REPLY, reply_key(recipient, answered))
    if delivery.dedupe_key in background.keys:
        return Entry(record)
    at = record.received_at
    note = message.headers.get(NOTE, "").strip()
    # Where the mail does not say which note it was, the routine one leaves room for an urgent one.
    tag = Tag.URGENT if note == CRISIS else Tag(note) if note in list(Tag) else Tag.ROUTINE
    facts = ReplyFacts(tag=tag, languages=(), received_at=at, reply_by=at, same_day_closed=False, crisis=note == CRISIS)
    delivery.facts, delivery.recipient, delivery.rfc_message_id = (
        facts.model_dump_json(),
        person(recipient),
        record.rfc_message_id,
    )
    delivery.state, delivery.step = DeliveryState.DONE, DeliveryStep.SENDING
    delivery.created_at = delivery.next_attempt_at = delivery.finished_at = at
    _remember(background, delivery, record.thread)
    return Entry(record, (delivery,))


def _answering(urgent_room: int | None) -> Answering:
    if urgent_room is None:
        return Answering.ALL
    return Answering.URGENT if urgent_room > 0 else Answering.NONE


def _remember(background: Background, mail: Delivery, thread: str) -> None:
    background.keys.add(mail.dedupe_key)
    if mail.rfc_message_id:
        background.mails.add(mail.rfc_message_id)
    if mail.kind is DeliveryKind.REPLY and mail.recipient:
        facts = ReplyFacts.model_validate_json(mail.facts)
        answer = Answer(sender=mail.recipient, tag=facts.tag, at=mail.created_at, crisis=facts.crisis)
        background.answers.add(answer, thread)
        if background.urgent_room is not None:
            background.urgent_room -= 1


def _original(identity: Identity) -> str:
    """What a reply's key names the message by that it answers."""
    return identity.rfc_message_id or identity.fingerprint


def planned_route(record: MessageRecord, facts: RouteFacts, key: str, rfc_message_id: str) -> Delivery:
    """The mail to the office that a message is planned to bring. `key` keeps it from being planned twice."""
    route = _delivery(record, DeliveryKind.ROUTE, key)
    route.facts = facts.model_dump_json()
    route.recipient = BETWEEN_RECIPIENTS.join(facts.recipients or (facts.recipient,))
    route.rfc_message_id = rfc_message_id
    return route


def _delivery(record: MessageRecord, kind: DeliveryKind, key: str) -> Delivery:
    now = record.recorded_at
    return Delivery(
        mailbox=record.mailbox, message_id=0, kind=kind, dedupe_key=key, next_attempt_at=now, created_at=now
    )


def corrections(mailbox: str, background: Background, states: Sequence[LabelState], now: datetime) -> list[Relabelled]:
    """Labels that are not those on record: the teacher's doing, unless ours are still to be written. What stands
    beside the tag says nothing of it: a mark that the teacher sets is no correction, nor is "handled" taken away."""
    changes = []
    for state in states:
        seen = background.seen.get(state.id)
        if seen is None:
            continue
        if seen.direction is Direction.SENT:
            changes += _of_letter(seen, state)
            continue
        tag, said = tag_of(state.labels), state.labels - REMARKS
        labels, correction = state.labels, None
        # While our own labels wait to be written, "please check" may still stand there from an earlier reading; or the
        # labels that somebody's word replaces, which ours do not show yet.
        if seen.tagging and (tag is None or said in {each - REMARKS for each in seen.instead}):
            labels = (seen.labels - TEACHERS) | (state.labels & TEACHERS)
        elif tag is not seen.tag and said != seen.labels - REMARKS:
            correction = Correction(mailbox=mailbox, message_id=seen.id, from_tag=seen.tag, to_tag=tag, at=now)
        if labels != seen.labels:
            marked = (labels - seen.labels) & TEACHERS
            changes.append(
                Relabelled(id=seen.id, labels=labels, before=seen.labels, correction=correction, marked=marked)
            )
    return changes


def no_longer_shown(seen: Seen, raw: RawMessage) -> list[Relabelled]:
    """A mail of the teacher's whose label went with its number, and is not written anew: nobody said anything, and
    nothing that is seen later shall pass for a word that it is no good news."""
    gone = Label.GOOD_NEWS in seen.labels and not seen.tagging and seen.provider_id != raw.id
    if not gone or seen.direction is not Direction.SENT:
        return []
    return [Relabelled(id=seen.id, labels=seen.labels - {Label.GOOD_NEWS}, before=seen.labels)]


def _of_letter(seen: Seen, state: LabelState) -> list[Relabelled]:
    """The labels of a mail in Sent: no tag stands there. "Good news" set or taken away is the teacher's word, unless
    ours is still to be written."""
    labels = state.labels | (seen.labels & {Label.GOOD_NEWS}) if seen.tagging else state.labels
    if labels == seen.labels:
        return []
    changed = Label.GOOD_NEWS in labels ^ seen.labels
    return [
        Relabelled(
            id=seen.id,
            labels=labels,
            before=seen.labels,
            marked=(labels - seen.labels) & TEACHERS,
            good_news=Label.GOOD_NEWS in labels if changed else None,
        )
    ]
