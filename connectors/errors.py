"""What can go wrong between us and a mailbox. Each error is named after the operation that failed.

The runner reads two facts off an error: may it be tried again (`transient`), and, for sending, could the
message be out already (`SendUncertain`).
"""


class MailboxError(Exception):
    """An operation on a mailbox failed. The text says what, where, and what to do about it."""

    transient = True


class ConnectFailed(MailboxError):
    """The server could not be reached, or hung up. Tried again with back-off."""


class Throttled(ConnectFailed):
    """The server asks for a pause, and it is longer than a call may take."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        """`retry_after` are the seconds that the server asked for, None where it named none."""
        super().__init__(text)
        self.retry_after = retry_after


class InsecureConnection(MailboxError):
    """The server offers no TLS (or a certificate that does not verify) and the configuration does not allow that."""

    transient = False


class AuthenticationFailed(MailboxError):
    """The server refused the credentials. The mailbox is parked until an administrator acts."""

    transient = False


class PermissionDenied(AuthenticationFailed):
    """Signed in, but a right lacks. The text names the right, and the page or command by which it is given."""


class ChangesFailed(MailboxError):
    """Listing what is new failed. The cursor is still good."""


class FetchFailed(MailboxError):
    """A message could not be read."""


class MessageGone(MailboxError):
    """The message was deleted or moved out of the mailbox since it was listed."""

    transient = False


class TagFailed(MailboxError):
    """Labels could not be written."""


class DraftFailed(MailboxError):
    """A draft could not be saved, looked up or discarded."""


class SendFailed(MailboxError):
    """Sending failed and the message is certainly not out: it may be tried again."""


class SendRejected(MailboxError):
    """The server refused this message or every recipient for good (SMTP 5yz, RFC 5321 §4.2.1)."""

    transient = False


class SendUncertain(MailboxError):
    """The connection broke after the message was handed over: it may or may not be out (RFC 5321 §4.5.4.1)."""

    transient = False


BROKEN = (ConnectFailed, AuthenticationFailed, InsecureConnection)
"""Errors of the connection, after which no other message fares better."""
NOT_OUT = (SendFailed, SendRejected, MessageGone, AuthenticationFailed, InsecureConnection)
"""Errors of sending after which the mail is certainly not out."""
