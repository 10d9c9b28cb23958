"""The hand-over to the office: a short summary, and the family's own mail attached as it came.

The office reads it between two phone calls, on a screen that others can see: the subject says who writes and to whom,
never what about. Every word of the family is behind one touch, unchanged, so that nobody acts on a machine's retelling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from autoresponder.attached import with_original
from autoresponder.identifiers import derived_message_id, original_key, thread_id
from autoresponder.note import Block, Link, Note, Paragraph, Row, Rows, Section
from autoresponder.outgoing import (
    WIRE,
    address_field,
    addresses_field,
    as_bytes,
    date_field,
    id_field,
    one_line,
    text_field,
)
from autoresponder.plan import Occasion, RouteFacts
from autoresponder.refusals import why_no_note
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording, written_languages
from classifier.verdict import Verdict
from config.settings import OFFICE_DESK, MailboxSettings, Settings
from connectors.labels import Tag
from connectors.message import MARKER, Message

PRODUCT = "Alliance Inbox"

_SUBJECT_CHARACTERS = 150
_NAME_CHARACTERS = 80
_SENTENCE_CHARACTERS = 300
_REASONS = 5
_STUDENTS = 8
_ADDRESS_CHARACTERS = 254
_NOT_IN_NAMES = str.maketrans("<>@", "   ")


def route_message_id(original: Message, mailbox: MailboxSettings) -> str:
    """The Message-ID, without angle brackets, of the mail that brings `original` to the office."""
    return derived_message_id(original_key(original), "route", mailbox.address)


def step_message_id(item: str, number: int, original: str, mailbox: MailboxSettings) -> str:
    """The Message-ID, without angle brackets, of the mail that brings an original (by its fingerprint) to the next desk
    in step `number` of an item (by its reference): the same step, the same id."""
    return derived_message_id(f"step {number} of {item} with {original}", "route", mailbox.address)


def compose_route(
    raw: bytes | None,
    original: Message | None,
    facts: RouteFacts,
    verdict: Verdict | None,
    *,
    students: Sequence[str],
    mailbox: MailboxSettings,
    settings: Settings,
    now: datetime,
    reply_sent: bool | None = None,
    sender: str | None = None,
    message_id: str = "",
    page: str = "",
    sealed: bool = False,
) -> bytes:
    """The complete mail to the office, ready to be sent.

    `raw` is the original as the mailbox holds it, whole; None with an `original` means that it could not be attached,
    None without one that it is gone from the mailbox: then `sender` is who is on record. `students` are the sender's,
    from the roster. `reply_sent` says whether the family's note is out; None, that it is still to be sent. `message_id`
    (without angle brackets) is the one on record for this mail; it may be left out only where there is an `original`.
    `page` is the address of the item's web page, where the school has such pages. `sealed` attaches an original that
    whoever reads it dies of as a file that no program opens unasked.

    From the teacher's own mailbox, with a Reply-To only where the school has a mailbox for the office's replies:
    whoever presses Reply reaches the teacher or that mailbox, so that a remark meant for a colleague cannot go to a
    family, or to somebody who only pretends to be one. The family's address stands in the summary, and replying to the
    attached original reaches them. Raises ValueError where one of the recipients cannot be written to, or a Message-ID
    is missing.
    """
    if not message_id:
        if original is None:
            raise ValueError("a route whose original is gone needs the Message-ID that is on record for it")
        message_id = route_message_id(original, mailbox)
    words = wording(written_languages(settings.school.languages[:1], STAFF_LANGUAGES)[0], OFFICE)
    summary = _Summary(
        words=words,
        facts=facts,
        verdict=verdict,
        original=original,
        sender=(original.sender.email if original and original.sender else "") or sender or "",
        students=tuple(students),
        mailbox=mailbox,
        settings=settings,
        attached=raw is not None,
        reply_sent=reply_sent,
        page=page,
    )
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(mailbox.address, summary.from_name())
    mail["To"] = addresses_field(facts.recipients or (facts.recipient,))
    if settings.office.reply_to is not None:
        mail["Reply-To"] = address_field(settings.office.reply_to)
    mail["Subject"] = text_field(summary.subject(), _SUBJECT_CHARACTERS)
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(message_id)
    if facts.references:
        mail["In-Reply-To"] = id_field(facts.references[-1])
    # Some servers give sent mail a Message-ID of their own; the first of these comes back with every answer anyway.
    mail["References"] = id_field(thread_id((*facts.references, message_id)[0]), *facts.references)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5.1
    # Not "All": a non-delivery report must come back, or nobody learns that the office never saw this.
    mail["X-Auto-Response-Suppress"] = "RN, NRN, OOF, AutoReply"  # [MS-OXCMAIL] §2.1.3.2.20
    if facts.tag is Tag.URGENT:
        mail["Importance"] = "high"  # RFC 2156, registered by RFC 4021
        mail["X-Priority"] = "1 (Highest)"
    mail[MARKER] = "route"
    summary.note().fill(mail)
    return as_bytes(mail) if raw is None else with_original(mail, raw, message_id, sealed=sealed)


@dataclass(frozen=True, slots=True)
class _Summary:
    """What the office has to know before it opens the original."""

    words: Wording
    facts: RouteFacts
    verdict: Verdict | None
    original: Message | None
    sender: str
    students: tuple[str, ...]
    mailbox: MailboxSettings
    settings: Settings
    attached: bool
    reply_sent: bool | None
    page: str

    def from_name(self) -> str:
        _ = self.words.gettext
        return _("{teacher} via {product}").format(teacher=self.mailbox.teacher, product=PRODUCT)

    def subject(self) -> str:
        _ = self.words.gettext
        teacher = one_line(self.mailbox.teacher, _NAME_CHARACTERS)
        name = self._sender_name() or one_line(self.sender, _NAME_CHARACTERS)
        if self.facts.unread and self.facts.occasion is Occasion.FIRST:
            about = _("Could not be read, may be urgent: a message from {sender} for {teacher}")
            return about.format(sender=name or _("somebody unknown"), teacher=teacher)
        if self.facts.tag is not Tag.URGENT:
            about = _("For the office: a message from {sender} for {teacher}")
            return about.format(sender=name or _("somebody unknown"), teacher=teacher)
        if self.facts.sender_unverified:
            subject = _("Urgent (sender not verified): a message for {teacher}").format(teacher=teacher)
        elif not name:
            subject = _("Urgent: a message for {teacher}").format(teacher=teacher)
        else:
            subject = _("Urgent: a message from {sender} for {teacher}").format(sender=name, teacher=teacher)
        match self.facts.occasion:
            case Occasion.FIRST:
                return subject
            case Occasion.ADDITION:
                about = _("In addition. {subject}")
            case Occasion.MARKED if self.facts.reminder:
                about = _("Urgent after all, once more ({number}). {subject}")
            case Occasion.MARKED:
                about = _("Urgent after all. {subject}")
            case _ if self.facts.reminder:
                about = _("Still open, reminder {number}. {subject}")
            case _:
                about = _("Still open. {subject}")
        return about.format(number=self.facts.reminder, subject=subject)

    def note(self) -> Note:
        _ = self.words.gettext
        blocks: list[Block] = [
            Paragraph(self._opening(), strong=True),
            *self._warnings(),
            Rows(tuple(self._rows())),
            Paragraph(self._where()),
            *self._on_the_page(),
            Paragraph(self._words_to_say()),
            Paragraph(self._replying()),
            Paragraph(_("This mail is about a student. Please share it only with those who need it to help.")),
        ]
        section = Section(self.words.language, self.words.direction, tuple(blocks))
        return Note(title=self.subject(), sections=(section,))

    def _opening(self) -> str:
        """Why this mail comes, and why to this desk."""
        _ = self.words.gettext
        facts, teacher = self.facts, self.mailbox.teacher
        if facts.occasion is Occasion.ADDITION and facts.holder:
            return _("The family has written once more about what {holder} has taken. Please read it now.").format(
                holder=facts.holder
            )
        if facts.tag is not Tag.URGENT:
            return _("A message to {teacher} is about something that your school handles at the office.").format(
                teacher=teacher
            )
        if facts.unread and facts.occasion is Occasion.FIRST:
            return _("A message to {teacher} could not be read by this service. Please look at it now.").format(
                teacher=teacher
            )
        marked = facts.marked_by and facts.occasion is Occasion.FIRST
        return {
            Occasion.FIRST: _("{teacher} has marked a message as urgent. Please read it now.")
            if marked
            else _("A message to {teacher} looks urgent. Please read it now."),
            Occasion.MARKED: _("A message that you have had already is urgent after all. Please read it now."),
            Occasion.ADDITION: _("The family has written once more about something urgent. Please read it now."),
            Occasion.NEXT: _(
                "A message to {teacher} looks urgent, and nobody has taken it yet. It was with: {desks}. Please read "
                "it now."
            ),
            Occasion.ON_CALL: _(
                "A message to {teacher} looks urgent, nobody has taken it yet, and the office is closed. You are on "
                "call: please read it now."
            ),
            Occasion.REMINDER: _(
                "A message to {teacher} looks urgent, and nobody has taken it yet. Everybody who has had it gets this "
                "reminder: {desks}."
            ),
        }[facts.occasion].format(teacher=facts.marked_by if marked else teacher, desks=self._desks_before())

    def _desks_before(self) -> str:
        desks = self.facts.desks_before or (self.facts.desk,)
        return self.words.list([_desk_name(desk, self.words) for desk in desks])

    def _on_the_page(self) -> list[Block]:
        """Opening the page changes nothing: gateways that scan links open them before anybody does."""
        _ = self.words.gettext
        return [Link(_("See on the web page who has it, and take it there"), self.page)] if self.page else []

    def _words_to_say(self) -> str:
        _ = self.words.gettext
        return _(
            "So that the others know: reply to this mail with one of these in the first line. “Taken”: you see to it. "
            "“Done”: it is settled. “Not urgent”: it was no emergency. “Back to the teacher”: {teacher} should answer."
        ).format(teacher=self.mailbox.teacher)

    def _replying(self) -> str:
        _ = self.words.gettext
        if self.settings.office.reply_to is not None:
            goes = _(
                "Your reply goes to a mailbox that only this service reads, not to the family and not to {teacher}."
            )
        else:
            goes = _("If you reply to this mail, your answer goes to {teacher}, not to the family.")
        if self.attached:
            reach = _("To reach the family, call them, write to the address above, or reply to the attached message.")
        else:
            reach = _("To reach the family, call them or write to the address above.")
        return self.words.sentences([goes.format(teacher=self.mailbox.teacher), reach])

    def _warnings(self) -> list[Block]:
        _ = self.words.gettext
        warnings: list[Block] = []
        if self.facts.sender_unverified:
            warnings.append(
                Paragraph(
                    _(
                        "Careful: it could not be verified that this message comes from the address it names. Before "
                        "you act on it, above all on a pickup, call the family at a number that the school has on file."
                    ),
                    strong=True,
                )
            )
        if self.facts.unread:
            warnings.append(
                Paragraph(
                    _(
                        "Nobody knows yet what this message says: it is broken, or made in a way that programs cannot "
                        "read. It may be nothing, and it may be urgent. If you do not trust the attachment, do not "
                        "open it: call the family at a number that the school has on file."
                    ),
                    strong=True,
                )
            )
        elif self.facts.unsure and self.facts.tag is Tag.URGENT:
            warnings.append(Paragraph(_("It is not certain that this message is urgent. Please check.")))
        return warnings

    def _rows(self) -> list[Row]:
        _ = self.words.gettext
        received = self.facts.received_at.astimezone(self.settings.school.zone)
        rows = [
            Row(_("From"), (self._sender_line(),)),
            Row(_("Student"), self._student_names()),
            Row(_("Written to"), (self.mailbox.teacher,)),
            Row(
                _("Received"),
                (_("{day}, {time}").format(day=self.words.day(received.date()), time=self.words.clock(received)),),
            ),
        ]
        if reasons := self._reasons():
            rows.append(Row(_("Why it was flagged"), reasons))
        rows.append(Row(_("What the family was told"), (self._told(),)))
        return rows

    def _student_names(self) -> tuple[str, ...]:
        _ = self.words.gettext
        names = [one_line(student, _NAME_CHARACTERS) for student in self.students[:_STUDENTS]]
        if self.facts.sender_unverified and names:
            return tuple(_("{name}, if the sender is who they say").format(name=name) for name in names)
        return tuple(names) or (_("not known: this address is not on the roster"),)

    def _sender_name(self) -> str:
        name = self.original.sender.name if self.original and self.original.sender else ""
        # Without brackets and @, a name cannot pass itself off as another address.
        return one_line(name.translate(_NOT_IN_NAMES), _NAME_CHARACTERS)

    def _sender_line(self) -> str:
        _ = self.words.gettext
        address = one_line(self.sender, _ADDRESS_CHARACTERS)
        if not address:
            return _("unknown")
        name = self._sender_name()
        return f"{name} <{address}>" if name else address

    def _reasons(self) -> tuple[str, ...]:
        _ = self.words.gettext
        if self.facts.marked_by:
            teacher = one_line(self.facts.marked_by, _NAME_CHARACTERS)
            return (_("{teacher} marked it as urgent").format(teacher=teacher),)
        if self.verdict is None:
            return ()
        return tuple(
            _("{cue}: “{sentence}”").format(
                cue=one_line(reason.cue, _NAME_CHARACTERS), sentence=one_line(reason.sentence, _SENTENCE_CHARACTERS)
            )
            for reason in self.verdict.reasons[:_REASONS]
        )

    def _told(self) -> str:
        _ = self.words.gettext
        if not self.facts.family_told:
            why = why_no_note(self.facts.no_reply_guard, self.facts.no_reply_reason, self.words)
            why = one_line(why, _SENTENCE_CHARACTERS)
            return _("nothing ({why})").format(why=why) if why else _("nothing")
        if self.reply_sent is False:
            return _("nothing yet; the automatic note to them could not be sent")
        sent = _("an automatic note, sent") if self.reply_sent else _("an automatic note, about to be sent")
        if self.facts.tag is not Tag.URGENT or self.facts.told_norm:
            return _("{sent}: by when {teacher} answers").format(sent=sent, teacher=self.mailbox.teacher)
        told = self.facts.recipients or (self.facts.recipient,)
        if self.facts.occasion is Occasion.FIRST and self.settings.office.address not in told:
            return _("{sent}: to call {phone}").format(sent=sent, phone=self.settings.office.phone)
        return _("{sent}: that your office has the message, and to call {phone} if they do not hear from you").format(
            sent=sent, phone=self.settings.office.phone
        )

    def _where(self) -> str:
        _ = self.words.gettext
        if self.attached:
            return _("The family's message is attached as it came. {teacher} has it too, and may be teaching.").format(
                teacher=self.mailbox.teacher
            )
        if self.original is not None:
            return _(
                "The family's message could not be attached. It is in {teacher}'s mailbox; please ask for it at once."
            ).format(teacher=self.mailbox.teacher)
        return _(
            "The family's message is no longer in {teacher}'s mailbox, so it cannot be attached. Please ask {teacher} "
            "about it, or call the family."
        ).format(teacher=self.mailbox.teacher)


def _desk_name(desk: str, words: Wording) -> str:
    """What the staff calls a desk: its name in the configuration; the office in their language."""
    _ = words.gettext
    return _("the front office") if desk == OFFICE_DESK else one_line(desk, _NAME_CHARACTERS)
