"""The school, the family and the mail that the tests of this folder talk about."""

from datetime import datetime
from zoneinfo import ZoneInfo

from autoresponder.plan import ReplyFacts, RouteFacts
from config.settings import MailboxSettings, Office, School, Settings
from connectors.labels import Tag
from connectors.message import Message
from connectors.mime import parse_message

ZONE = ZoneInfo("America/Chicago")
TUESDAY_NOON = datetime(2026, 3, 3, 12, 5, tzinfo=ZONE)
TEACHER = MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera")
SETTINGS = Settings(
    school=School(name="Maple Street School", timezone="America/Chicago", languages=("en",)),
    office=Office(address="office@maple.example", phone="(608) 555-0142"),
    mailboxes=(TEACHER,),
)
IN_THE_US = SETTINGS.model_copy(update={"school": SETTINGS.school.model_copy(update={"country": "US"})})
ORIGINAL = (
    b"From: Ana Torres <ana@family.example>\r\n"
    b"To: rivera@maple.example\r\n"
    b"Subject: Field trip\r\n"
    b"Date: Tue, 3 Mar 2026 12:04:00 -0600\r\n"
    b"Message-ID: <one@family.example>\r\n"
    b"\r\n"
    b"When does the bus leave?\r\n"
)


def original(raw: bytes = ORIGINAL, *, received_at: datetime = TUESDAY_NOON) -> Message:
    """`raw` as the pipeline reads it."""
    return parse_message(raw, mailbox=TEACHER.address, id="7", received_at=received_at, size=len(raw))


def reply_facts(tag: Tag = Tag.ROUTINE, *languages: str, closed: bool = False) -> ReplyFacts:
    """Facts of an answer given on Tuesday noon, or with the office closed until Wednesday morning."""
    return ReplyFacts(
        tag=tag,
        languages=languages or ("en",),
        received_at=TUESDAY_NOON,
        reply_by=datetime(2026, 3, 5, 12, 5, tzinfo=ZONE),
        same_day_closed=closed,
        office_opens_at=datetime(2026, 3, 4, 7, 30, tzinfo=ZONE) if closed else None,
    )


def route_facts(*, family_told: bool = True, unsure: bool = False, unverified: bool = False) -> RouteFacts:
    """Facts of a route on Tuesday noon."""
    return RouteFacts(
        tag=Tag.URGENT,
        recipient=SETTINGS.office.address,
        received_at=TUESDAY_NOON,
        family_told=family_told,
        no_reply_reason="" if family_told else "this sender was answered yesterday",
        unsure=unsure,
        sender_unverified=unverified,
    )
