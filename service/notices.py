"""The mail that tells the administrator which mailboxes are parked, or work again. For staff: in plain English.

It says nothing of any family: addresses of the school's own mailboxes, times, and the mail system's own refusal.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from typing import TypeAlias

from autoresponder.identifiers import derived_message_id, thread_id
from autoresponder.note import Block, Note, Paragraph, Row, Rows, Section
from autoresponder.outgoing import WIRE, address_field, as_bytes, date_field, id_field, one_line, text_field
from autoresponder.routes import PRODUCT
from autoresponder.wording import wording
from config.settings import Settings
from connectors.message import MARKER
from store.parking import Taken
from store.tables import NoticeKind, Parking

Group: TypeAlias = tuple[Parking, ...]
"""Mailboxes with the same trouble, at least one."""

_SUBJECT_CHARACTERS = 150
_REASON_CHARACTERS = 600
_LISTED = 40
"""Mailboxes of one trouble that are named; of four hundred, the rest are counted."""


def notice_message_id(kind: NoticeKind, mailboxes: Sequence[Parking], sender: str) -> str:
    """The Message-ID, without angle brackets, of the notice about these mailboxes: the same outages, the same id."""
    told = sorted((parking.mailbox, parking.since.isoformat(), str(parking.lifted_at)) for parking in mailboxes)
    return derived_message_id(f"{kind} {told}", "notice", sender)


def compose_notice(
    taken: Taken, settings: Settings, *, parked: int, sender: str, recipient: str, now: datetime
) -> bytes | None:
    """The complete mail; None where nothing of it is true any more. `parked` is how many mailboxes are parked in all,
    `sender` the mailbox that sends it."""
    kind = NoticeKind(taken.notice.kind)
    told = [parking for parking in taken.mailboxes if (parking.lifted_at is not None) == (kind is NoticeKind.LIFTED)]
    if not told:
        return None
    subject, blocks = _parked(told, settings, parked) if kind is NoticeKind.PARKED else _lifted(told, settings)
    note = Note(title=subject, sections=(Section("en", "ltr", tuple(blocks)),))
    return mail_to_staff(note, rfc_message_id=taken.notice.rfc_message_id, sender=sender, recipient=recipient, now=now)


def mail_to_staff(note: Note, *, rfc_message_id: str, sender: str, recipient: str, now: datetime) -> bytes:
    """A complete mail of the service's own to one of the staff, with the note's title as its subject."""
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(sender, PRODUCT)
    mail["To"] = address_field(recipient)
    mail["Subject"] = text_field(note.title, _SUBJECT_CHARACTERS)
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(rfc_message_id)
    # Some servers give sent mail a Message-ID of their own; this comes back with every answer anyway.
    mail["References"] = id_field(thread_id(rfc_message_id))
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5.1
    # Not "All": a non-delivery report must come back, or nobody learns that the administrator never saw this.
    mail["X-Auto-Response-Suppress"] = "RN, NRN, OOF, AutoReply"  # [MS-OXCMAIL] §2.1.3.2.20
    mail[MARKER] = "notice"
    note.fill(mail)
    return as_bytes(mail)


def _parked(told: Sequence[Parking], settings: Settings, parked: int) -> tuple[str, Iterator[Block]]:
    cannot = "send from" if _only_sending(told) else "get into"
    return f"{PRODUCT} cannot {cannot} {_counted(told)}", _parked_blocks(told, settings, parked)


def _parked_blocks(told: Sequence[Parking], settings: Settings, parked: int) -> Iterator[Block]:
    one = len(told) == 1
    yield Paragraph(
        f"{PRODUCT} cannot work on {'this mailbox' if one else f'these {len(told)} mailboxes'} until somebody acts. "
        f"{_others(len(settings.mailboxes) - parked)}",
        strong=True,
    )
    for group in _alike(told):
        yield Rows(tuple(_trouble(group, settings)))
    arriving = "is read and tagged as always. What is to go out waits, and leaves as soon as sending works again"
    if not _only_sending(told):
        arriving = (
            "arrives as always, teachers see it as always, and it waits there unharmed. As soon as the mailbox works "
            "again it is read and tagged, and what is urgent is handed to the office"
        )
    yield Paragraph(
        f"No mail is lost. What families write {arriving}. Families are answered too, unless their message is by then "
        f"older than {settings.norm.answer_within_hours} hours."
    )
    yield Paragraph(
        "Until then nothing urgent reaches the office by itself from there. If this cannot be put right today, please "
        "tell the office and the teachers concerned."
    )
    commands = " or ".join(f"“alliance connect {name}”" for name in sorted({_connector(p, settings) for p in told}))
    steps = (
        "“alliance doctor” names what is refused, and what helps.",
        f"Most often a password was changed, or a key ran out or was withdrawn: {commands} stores a new one.",
        "The service tries again by itself every 15 minutes; restarting it makes it try at once.",
    )
    yield Rows((Row("What to do, on the machine that runs the service", steps),))
    yield Paragraph("You get this message once for each interruption, and one more when it is over.")


def _lifted(told: Sequence[Parking], settings: Settings) -> tuple[str, Iterator[Block]]:
    return f"{PRODUCT} is back in {_counted(told)}", _lifted_blocks(told, settings)


def _lifted_blocks(told: Sequence[Parking], settings: Settings) -> Iterator[Block]:
    one = len(told) == 1
    yield Paragraph(
        f"{'This mailbox works' if one else f'These {len(told)} mailboxes work'} again. You need to do nothing.",
        strong=True,
    )
    yield Rows(
        (
            *_listed("Mailbox" if one else "Mailboxes", [parking.mailbox for parking in told]),
            Row("Interrupted from", (when(min(parking.since for parking in told), settings),)),
            Row("Until", (when(max(filter(None, (parking.lifted_at for parking in told))), settings),)),
        )
    )
    yield Paragraph(
        "What families wrote meanwhile has been read and tagged; what was urgent has been handed to the office. "
        "“alliance outbox” shows whether anything is still waiting."
    )


def _trouble(group: Group, settings: Settings) -> Iterator[Row]:
    yield from _listed("Mailbox" if len(group) == 1 else "Mailboxes", [parking.mailbox for parking in group])
    yield Row("Since", (when(min(parking.since for parking in group), settings),))
    if group[0].sending:
        yield Row("What stands still", ("only sending; mail is read and tagged",))
    yield Row("Why", (one_line(group[0].reason, _REASON_CHARACTERS),))


def _alike(told: Sequence[Parking]) -> list[Group]:
    """Those with the same trouble together, whatever mailbox its words name; the most first."""
    groups: dict[tuple[str, bool], list[Parking]] = {}
    for parking in told:
        groups.setdefault((parking.reason.replace(parking.mailbox, ""), parking.sending), []).append(parking)
    return sorted((tuple(group) for group in groups.values()), key=lambda group: (-len(group), group[0].mailbox))


def _listed(name: str, addresses: Sequence[str]) -> Iterator[Row]:
    more = len(addresses) - _LISTED
    named = (*addresses[:_LISTED], f"and {more} more, which “alliance doctor” names") if more > 0 else tuple(addresses)
    yield Row(name, named)


def _only_sending(told: Sequence[Parking]) -> bool:
    return all(parking.sending for parking in told)


def _others(rest: int) -> str:
    if rest <= 0:
        return ""
    return "The other mailbox goes on as always." if rest == 1 else f"The other {rest} mailboxes go on as always."


def _counted(told: Sequence[Parking]) -> str:
    return told[0].mailbox if len(told) == 1 else f"{len(told)} mailboxes"


def _connector(parking: Parking, settings: Settings) -> str:
    try:
        return settings.mailbox(parking.mailbox).connector
    except KeyError:  # taken out of the configuration since
        return "…"


def when(at: datetime, settings: Settings) -> str:
    """A moment (aware) in words, by the school's clock."""
    words, local = wording("en"), at.astimezone(settings.school.zone)
    return f"{words.day(local.date())}, {words.clock(local)}"
