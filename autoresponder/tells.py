"""Short mails to the staff: who has an item, that it is closed, or that it is the teacher's again; and what the service
could not do about a message, because it broke down over it each time."""

from datetime import datetime
from email.message import EmailMessage

from autoresponder.note import Note, Paragraph, Section
from autoresponder.outgoing import WIRE, address_field, as_bytes, date_field, id_field, one_line, text_field
from autoresponder.plan import TellFacts, Told
from autoresponder.routes import PRODUCT
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording, written_languages
from config.settings import MailboxSettings, Settings
from connectors.message import MARKER

_SUBJECT_CHARACTERS = 150
_ADDRESS_CHARACTERS = 254


def compose_tell(
    facts: TellFacts, *, recipient: str, mailbox: MailboxSettings, settings: Settings, now: datetime, message_id: str
) -> bytes:
    """The complete mail, from the teacher's mailbox, in the staff's language.

    Raises ValueError where `recipient` cannot be written to.
    """
    words = wording(written_languages(settings.school.languages[:1], STAFF_LANGUAGES)[0], OFFICE)
    subject, text = _worded(facts, words, settings)
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(mailbox.address, PRODUCT)
    mail["To"] = address_field(recipient)
    mail["Subject"] = text_field(subject, _SUBJECT_CHARACTERS)
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(message_id)
    if facts.references:
        mail["In-Reply-To"] = id_field(facts.references[-1])
        mail["References"] = id_field(*facts.references)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5.1
    mail["X-Auto-Response-Suppress"] = "RN, NRN, OOF, AutoReply"  # [MS-OXCMAIL] §2.1.3.2.20
    mail[MARKER] = "tell"
    section = Section(words.language, words.direction, tuple(Paragraph(each) for each in text))
    Note(title=subject, sections=(section,)).fill(mail)
    return as_bytes(mail)


def _worded(facts: TellFacts, words: Wording, settings: Settings) -> tuple[str, tuple[str, ...]]:
    _ = words.gettext
    by, when = one_line(facts.by, _ADDRESS_CHARACTERS), _moment(facts.at, words, settings)
    if facts.told is Told.TAKEN:
        return _("{who} has it already").format(who=by), (
            _("Thank you. {who} took this on {when}, so you need not.").format(who=by, when=when),
            _("If you see to it instead, please tell each other, and reply “done” when it is settled."),
        )
    if facts.told is Told.CLOSED:
        return _("Settled already"), (
            _("Thank you. {who} closed this on {when}, so there is nothing left to do.").format(who=by, when=when),
        )
    received = _moment(facts.received_at, words, settings) if facts.received_at else ""
    about = _("It is from {sender}, received on {received}.").format(
        sender=one_line(facts.sender, _ADDRESS_CHARACTERS) or _("somebody unknown"), received=received
    )
    if facts.told is Told.RETURNED:
        return _("The office gives a message back to you"), (
            _(
                "{who} at the office has looked at a message that looked urgent, and gives it back to you on {when}. "
                "Please answer the family."
            ).format(who=by, when=when),
            about,
        )
    subject, broke_down, please = _broke_down(facts.told, words)
    others = _("All other mail goes on as always. Whoever looks after this service finds more with “alliance outbox”.")
    return subject.format(teacher=by), (broke_down.format(teacher=by), about, please.format(teacher=by), others)


def _broke_down(told: Told, words: Wording) -> tuple[str, str, str]:
    """Subject, what happened, and what is asked for, where the service broke down over a message again and again."""
    _ = words.gettext
    if told is Told.NOT_DRAFTED:
        return (
            _("A draft for you could not be written"),
            _(
                "You were to find the draft of an answer in your Drafts. This service broke down over it again and "
                "again, so it does not try any more."
            ),
            _("The message lies in your mailbox unharmed. Please answer the family without a draft."),
        )
    if told is Told.NOT_LABELLED:
        return (
            _("Please look: a message for {teacher} has no label"),
            _(
                "A message to {teacher} was to get its label. This service broke down over it again and again, so it "
                "does not try any more."
            ),
            _("The message lies in {teacher}'s mailbox unharmed. Please see that somebody reads it."),
        )
    return (
        _("Please look: a family that wrote to {teacher} got no note"),
        _(
            "A message to {teacher} was to be answered with the usual note. This service broke down over it again and "
            "again, so it does not try any more, and the family has heard nothing."
        ),
        _(
            "The message lies in {teacher}'s mailbox unharmed. Please see that somebody reads it and answers the "
            "family; if it is urgent, call them."
        ),
    )


def _moment(at: datetime, words: Wording, settings: Settings) -> str:
    local = at.astimezone(settings.school.zone)
    return words.gettext("{day}, {time}").format(day=words.day(local.date()), time=words.clock(local))
