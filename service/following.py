"""Plans what follows from a tag that a person changed: the way to the office of what a teacher marked as urgent, a case
for what is a conflict after all.

The correction is on record from the page that brought it (`store.relabelling`), and stays to be followed until what
follows from it is planned (`store.follow_ups`). The message is read once more meanwhile, since its topic says which
desk gets it; one that nobody can read goes to the office itself. Where a process died lately it is read with care, as
`service.caution` has it.
"""

from contextlib import nullcontext
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from autoresponder.cases import CaseRules
from autoresponder.desks import desk_for, recipients_of
from autoresponder.drafting import why_no_draft
from autoresponder.guards import Case, automatic, senders
from autoresponder.identifiers import derived_message_id
from autoresponder.plan import History, RouteFacts
from autoresponder.routes import route_message_id
from config.settings import MailboxSettings, Settings, Stage
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.labels import Tag
from connectors.mailbox import Direction, Mailbox
from connectors.message import Message
from connectors.mime import parse_message
from service.about import matter_of
from service.assembly import Assembly
from service.caution import Care
from service.letters import letter_of
from service.logs import place, said
from store.deadly import is_dangerous
from store.follow_ups import FollowUp, FollowUps, ToOffice
from store.tables import MessageRecord

log = structlog.get_logger()

_ANY_TOPIC = "other"


def follow(box: MailboxSettings, mailbox: Mailbox, assembly: Assembly, *, careful: bool = False) -> int:
    """Plans what follows from the corrections in a mailbox. Returns how many messages go to the office for it. Where
    `careful`, a process died in this mailbox lately.

    Raises MailboxError where the mailbox cannot be reached; what was not planned then is planned the next time.
    """
    follow_ups = FollowUps(assembly.database)
    went = 0
    for each in follow_ups.of(box.address):
        try:
            with assembly.pipeline.cautious.reading(box.address) if careful else nullcontext() as care:
                went += _follow(box, mailbox, assembly, follow_ups, each, care)
        except (MailboxError, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox; it is tried again each time
            log.error("what follows from a correction could not be planned", mailbox=box.address, error=place(error))
    return went


def _follow(
    box: MailboxSettings,
    mailbox: Mailbox,
    assembly: Assembly,
    follow_ups: FollowUps,
    follow_up: FollowUp,
    care: Care | None,
) -> bool:
    record, now = follow_up.message, assembly.clock()
    theirs = record.direction is Direction.RECEIVED and not (record.own or record.backfill)
    if box.stage is not Stage.OBSERVE and theirs and record.tag is follow_up.correction.to_tag:
        message = _read(box, mailbox, record, assembly, care)
        if record.tag is Tag.CONFLICT:
            answerable = message is not None and why_no_draft(_case(message, assembly.settings, now)) is None
            draft = answerable and box.stage is Stage.REPLY
            follow_ups.to_case(follow_up, CaseRules.of(assembly.settings), now, draft=draft)
            return False
        if message is None or not _is_staffs(message, assembly.settings, now):
            wanted = _to_office(box, record, message, follow_up.correction.from_tag, assembly, now)
            went = follow_ups.to_office(follow_up, wanted, now)
            if went:
                log.info("a message that the teacher marked as urgent goes to the office", mailbox=box.address)
            return went
    follow_ups.nothing(follow_up, now)
    return False


def _read(
    box: MailboxSettings, mailbox: Mailbox, record: MessageRecord, assembly: Assembly, care: Care | None
) -> Message | None:
    """The message; None where it cannot be read, or ends whoever reads it."""
    if is_dangerous(assembly.database, record):
        return None
    try:
        raw = mailbox.fetch(record.provider_id)
        if care is not None and care.begin(raw) is not None:
            return None
        return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)
    except (MessageGone, FetchFailed) as error:
        log.warning("a message that was marked as urgent cannot be read", mailbox=box.address, error=said(error))
    except MailboxError:
        raise
    except Exception as error:  # noqa: BLE001 - what cannot be read must reach the office all the same
        log.error("a message that was marked as urgent cannot be read", mailbox=box.address, error=place(error))
    return None


def _is_staffs(message: Message, settings: Settings, now: datetime) -> bool:
    """Whether the school's own staff wrote it, or this service: the office's own mail must not come back to it."""
    case = _case(message, settings, now)
    return senders.staff(case) is not None or automatic.own_mail(case) is not None


def _case(message: Message, settings: Settings, now: datetime) -> Case:
    history = History(connected_at=message.received_at)
    return Case(message=message, history=history, norm=settings.norm, now=now, staff_domains=settings.staff_domains)


def _to_office(
    box: MailboxSettings,
    record: MessageRecord,
    message: Message | None,
    before: Tag | None,
    assembly: Assembly,
    now: datetime,
) -> ToOffice:
    settings, calendar = assembly.settings, assembly.calendar
    topic = _ANY_TOPIC if message is None else _topic(message, assembly)
    unverified = message is not None and senders.spoofed(_case(message, settings, now)) is not None
    desk = desk_for(topic, settings)
    recipients = recipients_of(desk, settings, urgent=True, closed=not calendar.office_is_open(now))
    facts = RouteFacts(
        tag=Tag.URGENT,
        recipient=recipients[0],
        recipients=recipients,
        desk=desk,
        received_at=record.received_at,
        family_told=False,
        sender_unverified=unverified,
        marked_by=box.teacher,
        otherwise=before if before is not None and before is not Tag.URGENT else Tag.ROUTINE,
    )
    matter = matter_of(
        record,
        Tag.URGENT,
        topic,
        unverified=unverified,
        family=assembly.roster.family_of(record.sender) if record.sender else None,
        key=assembly.pages.fingerprint_key(),
        settings=settings,
        calendar=calendar,
        now=now,
    )
    unread = f"unread {record.provider_id} {record.fingerprint}"
    name = route_message_id(message, box) if message else derived_message_id(unread, "route", box.address)
    return ToOffice(facts=facts, rfc_message_id=name, matter=matter)


def _topic(message: Message, assembly: Assembly) -> str:
    letter = letter_of(message, assembly.settings.school.zone)
    try:
        return next(iter(assembly.classifier.read([letter], explain=False))).topic
    except Exception as error:  # noqa: BLE001 - a message that the model chokes on must reach the office all the same
        log.error("the topic of a marked message could not be told", error=place(error))
        return _ANY_TOPIC
