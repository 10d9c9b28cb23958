"""Tries every permission that a mailbox needs by using it, and leaves the mailbox as it was.

Nothing is sent, unless the administrator asked for a test mail to themselves. The draft is discarded; the label goes on
one message and comes off again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from enum import StrEnum
from secrets import token_hex
from typing import TypeVar

from autoresponder.identifiers import derived_message_id
from autoresponder.outgoing import WIRE, address_field, as_bytes, date_field, id_field
from autoresponder.routes import PRODUCT
from config import ConfigError
from connectors.errors import BROKEN, AuthenticationFailed, MailboxError, PermissionDenied
from connectors.labels import Label, tag_of
from connectors.mailbox import Direction, DraftState, Mailbox, RawMessage
from connectors.message import MARKER
from service.logs import place

_Result = TypeVar("_Result")
_PAGES = 5
_SAMPLE = 10
_LISTEN_SECONDS = 0.1


class Permission(StrEnum):
    """What the service does in a mailbox, in the order in which one thing needs the other."""

    SIGN_IN = "sign in"
    INBOX = "list the inbox"
    READ = "read a message"
    SENT = "look into Sent"
    LABELS = "put labels on"
    SAVE = "save a draft"
    FIND = "find it again"
    DISCARD = "discard it"
    SEND = "send"
    NEWS = "hear of new mail"


class Mark(StrEnum):
    """How a try went."""

    WORKS = "✓"
    FAILS = "✗"
    UNTRIED = "–"
    """Could not be tried, or is not needed; `said` says why."""


@dataclass(frozen=True, slots=True)
class Try:
    """One permission that was tried. `said` never holds a secret, nor a word of any message."""

    permission: Permission
    mark: Mark
    said: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """One mailbox that was tried."""

    address: str
    tries: tuple[Try, ...]
    facts: tuple[str, ...] = ()
    """What else the mailbox says of itself."""
    refused: bool = False
    """True where the credentials themselves were refused: they are not worth keeping."""

    @property
    def works(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def signed_in(self) -> bool:
        """Whether the mailbox's door is open."""
        return self.mark(Permission.SIGN_IN) is Mark.WORKS

    @property
    def failures(self) -> tuple[Try, ...]:
        """What failed."""
        return tuple(each for each in self.tries if each.mark is Mark.FAILS)

    def mark(self, *permissions: Permission) -> Mark:
        """The worst of these permissions."""
        marks = [each.mark for each in self.tries if each.permission in permissions]
        return next((mark for mark in (Mark.FAILS, Mark.WORKS) if mark in marks), Mark.UNTRIED)


@dataclass(frozen=True, slots=True)
class Means:
    """What is known of a mail system and of this mailbox beforehand."""

    can_send: str = ""
    """What proves that the mailbox can send, once `Mailbox.check` has passed; empty where only sending does."""
    cannot_send: str = ""
    """Why sending fails, where `Mailbox.check` does not look."""
    hears: bool = False
    """Whether the system tells of new mail as it is set up."""
    poll_seconds: float = 60
    recorded: bool = False
    """Whether the service has this mailbox on record: a label on a message that carries none would then look like a
    correction of the teacher's."""
    labels_shown: str = ""
    """What stands for labels there, where labels cannot be tried without touching what the teacher sees."""
    send_test_to: str | None = None


@dataclass(slots=True)
class _Trial:
    """The tries of one mailbox so far."""

    mailbox: Mailbox
    means: Means
    now: datetime
    tries: list[Try] = field(default_factory=list)
    error: MailboxError | ConfigError | None = None
    """The latest failure."""

    def note(self, permission: Permission, mark: Mark, said: str = "") -> None:
        self.tries.append(Try(permission, mark, said))

    def attempt(self, permission: Permission, use: Callable[[], _Result]) -> _Result | None:
        """Uses a permission; None, and a failure on record, where that fails."""
        try:
            return use()
        except (MailboxError, ConfigError) as error:
            self.error = error
            self.note(permission, Mark.FAILS, str(error))
        except Exception as error:  # noqa: BLE001 - a connector of somebody else's may fail in any way
            self.note(permission, Mark.FAILS, f"unexpected: {place(error)}")
        return None


def try_mailbox(open_mailbox: Callable[[], Mailbox], address: str, means: Means, now: datetime) -> Tried:
    """Tries everything. `now` is aware. Raises nothing."""
    try:
        mailbox = open_mailbox()
    except (MailboxError, ConfigError) as error:
        failed = Try(Permission.SIGN_IN, Mark.FAILS, str(error))
        return Tried(address, (failed, *_untried(Permission.SIGN_IN)), refused=_is_refusal(error))
    try:
        return _tried(_Trial(mailbox, means, now), address)
    finally:
        mailbox.close()


def _tried(trial: _Trial, address: str) -> Tried:
    if trial.mailbox.atomic_send:
        # One sign-in serves everything there, and this tells, before anything is touched, whose mailbox it opens.
        _, refusal = _checked(trial.mailbox)
        if _is_refusal(refusal):
            failed = Try(Permission.SIGN_IN, Mark.FAILS, str(refusal))
            return Tried(address, (failed, *_untried(Permission.SIGN_IN)), refused=True)
    messages = trial.attempt(Permission.INBOX, lambda: _some_messages(trial.mailbox))
    if messages is None and not _is_signed_in(trial.error):
        failed = Try(Permission.SIGN_IN, Mark.FAILS, trial.tries.pop().said)
        return Tried(address, (failed, *_untried(Permission.SIGN_IN)), refused=_is_refusal(trial.error))
    if messages is not None:
        found = len(messages)
        trial.note(Permission.INBOX, Mark.WORKS, "it is empty" if not found else f"{_newest(found)} seen")
    _read(trial, messages)
    _look_into_sent(trial)
    _label(trial, messages)
    _draft(trial, address)
    facts, check_error = _checked(trial.mailbox)
    _send(trial, address, check_error)
    _listen(trial)
    signed_in = Try(Permission.SIGN_IN, Mark.WORKS, facts[0] if facts else "")
    return Tried(address, (signed_in, *trial.tries), tuple(facts[1:]))


def _checked(mailbox: Mailbox) -> tuple[Sequence[str], Exception | None]:
    """What the mailbox says of itself, or why a run would not start."""
    try:
        return mailbox.check(), None
    except (MailboxError, ConfigError) as error:
        return (), error
    except Exception as error:  # noqa: BLE001 - as above
        return (), MailboxError(f"unexpected: {place(error)}")


def _is_signed_in(error: Exception | None) -> bool:
    """Whether a failed listing at least shows that the door is open."""
    return isinstance(error, PermissionDenied) or not isinstance(error, BROKEN)


def _is_refusal(error: Exception | None) -> bool:
    """Whether the credentials themselves are at fault."""
    return isinstance(error, AuthenticationFailed) and not isinstance(error, PermissionDenied)


def _newest(found: int) -> str:
    return "1 message" if found == 1 else f"the newest {found} messages"


def _some_messages(mailbox: Mailbox) -> list[RawMessage]:
    """A few messages, as connecting the mailbox would list them."""
    cursor, found = None, list[RawMessage]()
    for _ in range(_PAGES):
        changes = mailbox.changes(cursor, limit=_SAMPLE)
        found += changes.messages
        if any(message.direction is Direction.RECEIVED for message in found) or not changes.more:
            break
        cursor = changes.cursor
    return found


def _read(trial: _Trial, messages: Sequence[RawMessage] | None) -> None:
    if not messages:
        why = "the inbox could not be listed" if messages is None else "there is no message to read"
        trial.note(Permission.READ, Mark.UNTRIED, why)
        return
    smallest = min(messages, key=lambda message: message.size)
    if trial.attempt(Permission.READ, lambda: trial.mailbox.fetch(smallest.id)) is not None:
        trial.note(Permission.READ, Mark.WORKS)


def _look_into_sent(trial: _Trial) -> None:
    nobodys = f"alliance.connect.{token_hex(16)}@{trial.mailbox.address.rpartition('@')[2]}"
    if trial.attempt(Permission.SENT, lambda: trial.mailbox.draft_state("", nobodys)) is not None:
        trial.note(Permission.SENT, Mark.WORKS)


def _label(trial: _Trial, messages: Sequence[RawMessage] | None) -> None:
    """Puts labels on one message, and takes them off again."""
    if trial.means.labels_shown:
        trial.note(Permission.LABELS, Mark.UNTRIED, trial.means.labels_shown)
        return
    if messages is None:
        trial.note(Permission.LABELS, Mark.UNTRIED, "the inbox could not be listed")
        return
    received = [message for message in messages if message.direction is Direction.RECEIVED]
    if trial.means.recorded:
        received = [message for message in received if tag_of(message.labels) is not None]
    if not received:
        why = "no message carries a tag yet" if trial.means.recorded else "there is no message to put one on"
        trial.note(Permission.LABELS, Mark.UNTRIED, why)
        return
    message = min(received, key=lambda each: len(each.labels))
    # All of them, so that a system that makes its labels makes them now; where the service has the message on record,
    # what leaves its tag alone.
    shown = message.labels ^ {Label.CHECK} if trial.means.recorded else frozenset(Label)

    def there_and_back() -> bool:
        try:
            trial.mailbox.tag(message.id, shown)
        finally:
            trial.mailbox.tag(message.id, message.labels)
        return True

    if trial.attempt(Permission.LABELS, there_and_back):
        trial.note(Permission.LABELS, Mark.WORKS, "and taken off again")


def _draft(trial: _Trial, address: str) -> None:
    # Always under the same Message-ID: what a broken-off try left behind is found and discarded by the next.
    message_id = derived_message_id("alliance connect", "notice", address)
    mime = _mail(address, address, message_id, trial.now)
    draft_id = trial.attempt(Permission.SAVE, lambda: trial.mailbox.save_draft(mime))
    if draft_id is None:
        for permission in (Permission.FIND, Permission.DISCARD):
            trial.note(permission, Mark.UNTRIED, "there is no draft")
        return
    trial.note(Permission.SAVE, Mark.WORKS)
    state = trial.attempt(Permission.FIND, lambda: trial.mailbox.draft_state(draft_id, message_id))
    if state is not None:
        found = state is DraftState.DRAFT
        trial.note(Permission.FIND, Mark.WORKS if found else Mark.FAILS, "" if found else "it is not among the drafts")
    if trial.attempt(Permission.DISCARD, lambda: _discarded(trial.mailbox, draft_id)):
        trial.note(Permission.DISCARD, Mark.WORKS)


def _discarded(mailbox: Mailbox, draft_id: str) -> bool:
    mailbox.discard_draft(draft_id)
    return True


def _send(trial: _Trial, address: str, check_error: Exception | None) -> None:
    to = trial.means.send_test_to
    if to is not None:
        message_id = derived_message_id(f"alliance connect {token_hex(16)}", "notice", address)

        def send() -> bool:
            trial.mailbox.send_draft(trial.mailbox.save_draft(_mail(address, to, message_id, trial.now)))
            return True

        if trial.attempt(Permission.SEND, send):
            trial.note(Permission.SEND, Mark.WORKS, f"a test mail is on its way to {to}")
    elif check_error is not None and any(each.mark is Mark.FAILS for each in trial.tries):
        trial.note(Permission.SEND, Mark.UNTRIED, "not before the rest is put right")
    elif check_error is not None:
        # What everything else did not meet is what only sending needs.
        trial.note(Permission.SEND, Mark.FAILS, str(check_error))
    elif trial.means.cannot_send:
        trial.note(Permission.SEND, Mark.FAILS, trial.means.cannot_send)
    elif trial.means.can_send:
        trial.note(Permission.SEND, Mark.WORKS, trial.means.can_send)
    else:
        trial.note(Permission.SEND, Mark.UNTRIED, "--send-test ADDRESS sends a mail to you")


def _listen(trial: _Trial) -> None:
    polled = f"it is asked every {trial.means.poll_seconds:g} seconds"
    if not trial.means.hears:
        trial.note(Permission.NEWS, Mark.UNTRIED, f"not set up; {polled}")
    elif trial.attempt(Permission.NEWS, lambda: (trial.mailbox.wait(_LISTEN_SECONDS),)) is not None:
        trial.note(Permission.NEWS, Mark.WORKS)


def _untried(*done: Permission) -> Iterator[Try]:
    return (Try(permission, Mark.UNTRIED) for permission in Permission if permission not in done)


def _mail(sender: str, recipient: str, message_id: str, now: datetime) -> bytes:
    """A mail that says what it is."""
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(sender, PRODUCT)
    mail["To"] = address_field(recipient)
    mail["Subject"] = f"{PRODUCT}: a test"
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(message_id)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5.1
    mail["X-Auto-Response-Suppress"] = "All"  # [MS-OXCMAIL] §2.1.3.2.20
    mail[MARKER] = "connect"
    mail.set_content(
        f"This is a test by `alliance connect`: it shows that {PRODUCT} may use the mailbox {sender}.\n"
        "You can delete it.\n"
    )
    return as_bytes(mail)
