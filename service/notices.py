"""The mail that tells the administrator which mailboxes are parked, or work again, in the language of the staff.

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
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording, written_languages
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


def staff_words(settings: Settings) -> Wording:
    """The language that the school writes to its staff in."""
    return wording(written_languages(settings.school.languages[:1], STAFF_LANGUAGES)[0], OFFICE)


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
    words = staff_words(settings)
    if kind is NoticeKind.PARKED:
        subject, blocks = _parked_subject(told, words), _parked(told, settings, words, parked)
    else:
        subject, blocks = _lifted_subject(told, words), _lifted(told, settings, words)
    note = Note(title=subject, sections=(Section(words.language, words.direction, tuple(blocks)),))
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


def _parked_subject(told: Sequence[Parking], words: Wording) -> str:
    _ = words.gettext
    if _only_sending(told):
        one, many = _("{product} cannot send from {mailbox}"), _("{product} cannot send from {count} mailboxes")
    else:
        one, many = _("{product} cannot get into {mailbox}"), _("{product} cannot get into {count} mailboxes")
    return _counted(told, one, many)


def _parked(told: Sequence[Parking], settings: Settings, words: Wording, parked: int) -> Iterator[Block]:
    _ = words.gettext
    acts = _counted(
        told,
        _("{product} cannot work on this mailbox until somebody acts."),
        _("{product} cannot work on these {count} mailboxes until somebody acts."),
    )
    yield Paragraph(words.sentences([acts, *_others(len(settings.mailboxes) - parked, words)]), strong=True)
    for group in _alike(told):
        yield Rows(tuple(_trouble(group, settings, words)))
    if _only_sending(told):
        arriving = _(
            "No mail is lost. What families write is read and tagged as always. What is to go out waits, and leaves as "
            "soon as sending works again."
        )
    else:
        arriving = _(
            "No mail is lost. What families write arrives as always, teachers see it as always, and it waits there "
            "unharmed. As soon as the mailbox works again it is read and tagged, and what is urgent is handed to the "
            "office."
        )
    answered = _("Families are answered too, unless their message is by then older than {hours} hours.")
    yield Paragraph(words.sentences([arriving, answered.format(hours=settings.norm.answer_within_hours)]))
    yield Paragraph(
        _(
            "Until then nothing urgent reaches the office by itself from there. If this cannot be put right today, "
            "please tell the office and the teachers concerned."
        )
    )
    connect = _("“alliance connect {system}”")
    commands = sorted({connect.format(system=_connector(parking, settings)) for parking in told})
    stores = _("Most often a password was changed, or a key ran out or was withdrawn: {commands} stores a new one.")
    steps = (
        _("“alliance doctor” names what is refused, and what helps."),
        stores.format(commands=words.list(commands, either=True)),
        _("The service tries again by itself every 15 minutes; restarting it makes it try at once."),
    )
    yield Rows((Row(_("What to do, on the machine that runs the service"), steps),))
    yield Paragraph(_("You get this message once for each interruption, and one more when it is over."))


def _lifted_subject(told: Sequence[Parking], words: Wording) -> str:
    _ = words.gettext
    return _counted(told, _("{product} is back in {mailbox}"), _("{product} is back in {count} mailboxes"))


def _lifted(told: Sequence[Parking], settings: Settings, words: Wording) -> Iterator[Block]:
    _ = words.gettext
    again = _counted(
        told,
        _("This mailbox works again. You need to do nothing."),
        _("These {count} mailboxes work again. You need to do nothing."),
    )
    yield Paragraph(again, strong=True)
    since, until = (
        min(parking.since for parking in told),
        max(filter(None, (parking.lifted_at for parking in told))),
    )
    yield Rows(
        (
            _listed([parking.mailbox for parking in told], words),
            Row(_("Interrupted from"), (when(since, settings, words),)),
            Row(_("Until"), (when(until, settings, words),)),
        )
    )
    yield Paragraph(
        _(
            "What families wrote meanwhile has been read and tagged; what was urgent has been handed to the office. "
            "“alliance outbox” shows whether anything is still waiting."
        )
    )


def _trouble(group: Group, settings: Settings, words: Wording) -> Iterator[Row]:
    _ = words.gettext
    yield _listed([parking.mailbox for parking in group], words)
    yield Row(_("Since"), (when(min(parking.since for parking in group), settings, words),))
    if group[0].sending:
        yield Row(_("What stands still"), (_("only sending; mail is read and tagged"),))
    yield Row(_("Why"), (one_line(group[0].reason, _REASON_CHARACTERS),))


def _alike(told: Sequence[Parking]) -> list[Group]:
    """Those with the same trouble together, whatever mailbox its words name; the most first."""
    groups: dict[tuple[str, bool], list[Parking]] = {}
    for parking in told:
        groups.setdefault((parking.reason.replace(parking.mailbox, ""), parking.sending), []).append(parking)
    return sorted((tuple(group) for group in groups.values()), key=lambda group: (-len(group), group[0].mailbox))


def _listed(addresses: Sequence[str], words: Wording) -> Row:
    _ = words.gettext
    more = len(addresses) - _LISTED
    rest = (_("and {count} more, which “alliance doctor” names").format(count=more),) if more > 0 else ()
    return Row(_("Mailbox") if len(addresses) == 1 else _("Mailboxes"), (*addresses[:_LISTED], *rest))


def _only_sending(told: Sequence[Parking]) -> bool:
    return all(parking.sending for parking in told)


def _others(rest: int, words: Wording) -> Iterator[str]:
    _ = words.gettext
    if rest == 1:
        yield _("The other mailbox goes on as always.")
    elif rest > 1:
        yield _("The other {count} mailboxes go on as always.").format(count=rest)


def _counted(told: Sequence[Parking], one: str, many: str) -> str:
    """A sentence about one mailbox, or about several."""
    sentence = one if len(told) == 1 else many
    return sentence.format(product=PRODUCT, mailbox=told[0].mailbox, count=len(told))


def _connector(parking: Parking, settings: Settings) -> str:
    try:
        return settings.mailbox(parking.mailbox).connector
    except KeyError:  # taken out of the configuration since
        return "…"


def when(at: datetime, settings: Settings, words: Wording | None = None) -> str:
    """A moment (aware) in words, in English where none are given, by the school's clock."""
    words, local = words or wording("en"), at.astimezone(settings.school.zone)
    return f"{words.day(local.date())}, {words.clock(local)}"
