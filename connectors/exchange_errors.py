"""What Exchange's response codes mean for us, in one place (ResponseCode of the EWS reference; MS-OXWSCDATA §2.2.5.24).

The server's own words are left out of every text: they may quote a message.
"""

from collections.abc import Mapping

from connectors.backoff import Busy
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    MailboxError,
    MessageGone,
    PermissionDenied,
)

GONE = frozenset(
    {
        *("ErrorItemNotFound", "ErrorInvalidIdEmpty", "ErrorInvalidIdMalformed", "ErrorInvalidId", "ErrorInvalidIdXml"),
        *("ErrorInvalidIdMalformedEwsLegacyIdFormat", "ErrorInvalidIdStoreObjectIdTooLong", "ErrorCannotFindItem"),
        *("ErrorInvalidIdMonikerTooLong", "ErrorInvalidIdNotAnItemAttachmentId", "ErrorObjectTypeChanged"),
    }
)
"""There is no item of this id (any more)."""
STALE = frozenset({"ErrorIrresolvableConflict", "ErrorStaleObject", "ErrorInvalidChangeKey"})
"""Somebody changed the item since its change key was read: nothing was done, read it again."""
_PASSING = frozenset(
    {
        *("ErrorServerBusy", "ErrorTimeoutExpired", "ErrorInternalServerTransientError", "ErrorTooManyObjectsOpened"),
        *("ErrorConnectionFailed", "ErrorConnectionFailedTransientError", "ErrorInsufficientResources"),
        *("ErrorExceededConnectionCount", "ErrorMailboxStoreUnavailable", "ErrorNoRespondingCASInDestinationSite"),
        *("ErrorProxyRequestProcessingFailed", "ErrorADUnavailable", "ErrorBatchProcessingStopped"),
    }
)
_NOT_BEGUN = frozenset(
    {
        *(
            "ErrorQuotaExceeded",
            "ErrorSendAsDenied",
            "ErrorAccessDenied",
            "ErrorSchemaValidation",
            "ErrorInvalidRequest",
        ),
        *("ErrorMailboxMoveInProgress", "ErrorMailboxFailover", "ErrorAccountDisabled", "ErrorNonExistentMailbox"),
        *("ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorNonPrimarySmtpAddress"),
    }
)
"""After one of these, a message that was to be sent is certainly not out. Any other answer leaves that open."""
_UNSENDABLE = frozenset(
    {
        *("ErrorInvalidRecipients", "ErrorMissingRecipients", "ErrorMessageSizeExceeded", "ErrorMailRecipientNotFound"),
        *("ErrorSendMeetingCancellationsRequired", "ErrorMimeContentInvalid"),
    }
)
_ROLE = (
    "an administrator runs, in the Exchange Management Shell: New-ManagementRoleAssignment -Name 'Alliance Inbox' "
    "-Role ApplicationImpersonation -User {account} -CustomRecipientWriteScope 'Alliance teachers' "
    "(docs/connect/exchange.md has the scope)"
)
_NOT_AS = (PermissionDenied, "{account} may not act for {address} (role ApplicationImpersonation): " + _ROLE)
_NOT_IN = (PermissionDenied, "{account} may not open the mailbox {address} ({code}): " + _ROLE)
_NO_MAILBOX = (AuthenticationFailed, "there is no mailbox {address}: check its address (Get-Mailbox {address})")
_NOT_PRIMARY = (
    AuthenticationFailed,
    (
        "{address} is not that mailbox's primary address: put the primary one into the settings "
        "(Get-Mailbox {address} | Format-List PrimarySmtpAddress), and this one into aliases"
    ),
)
_NOT_FROM = (
    PermissionDenied,
    (
        "{account} may not send as {address}: set impersonation = true, or an administrator runs "
        "Add-ADPermission -Identity {address} -User {account} -ExtendedRights 'Send As'"
    ),
)
_DISABLED = (AuthenticationFailed, "the account {account} or the mailbox {address} is disabled")
_MOVING = (ConnectFailed, "the mailbox {address} is being moved to another database; it is tried again")
_TOO_OLD = (ConnectFailed, "the mailbox {address} lies on a server older than Exchange Server 2016 ({code})")
_TEXTS: Mapping[str, tuple[type[MailboxError], str]] = {
    **dict.fromkeys(("ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed"), _NOT_AS),
    **dict.fromkeys(("ErrorAccessDenied", "ErrorNotDelegate", "ErrorDelegateNoUser", "ErrorFolderNotFound"), _NOT_IN),
    **dict.fromkeys(("ErrorNonExistentMailbox", "ErrorMissingEmailAddress"), _NO_MAILBOX),
    **dict.fromkeys(("ErrorNonPrimarySmtpAddress", "ErrorInvalidSmtpAddress"), _NOT_PRIMARY),
    **dict.fromkeys(("ErrorMailboxMoveInProgress", "ErrorMailboxFailover"), _MOVING),
    **dict.fromkeys(("ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion"), _TOO_OLD),
    "ErrorInvalidSchemaVersionForMailboxVersion": _TOO_OLD,
    "ErrorSendAsDenied": _NOT_FROM,
    "ErrorAccountDisabled": _DISABLED,
}


class Unanswered(ConnectFailed):
    """The request was handed over and no whole answer came: it may have been carried out."""


class NotLetIn(Unanswered):
    """Signing in failed, perhaps only since the line broke within it: certainly nothing was carried out."""


class ExchangeOnline(ConnectFailed):
    """The mailbox is in Exchange Online, which has no EWS for other programs any more."""

    transient = False

    def __init__(self, where: str) -> None:
        """`where` is the server that was named, or that Autodiscover led to."""
        super().__init__(
            f"{where} is Exchange Online, where Microsoft switched Exchange Web Services off for other programs on "
            '2026-10-01: set connector = "graph" for this mailbox, see docs/connect/microsoft-365.md'
        )


class UnsureBusy(Busy):
    """Busy, and the request may have been carried out all the same: something in between may have said so."""


def code_of(error: BaseException) -> str:
    """The response code that an exception of exchangelib stands for; empty where it is none of those."""
    name = type(error).__name__
    return name if name.startswith("Error") else ""


def passes(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    return code_of(error) in _PASSING


def undecided(error: BaseException) -> bool:
    """Whether a message that was to be sent may be out in spite of this answer."""
    return code_of(error) not in _NOT_BEGUN


def meaning(
    error: BaseException, where: str, *, address: str, account: str, otherwise: type[MailboxError]
) -> MailboxError:
    """Our error for one of exchangelib's. `account` is who signed in for `address`; `otherwise` is the error of the
    operation, for codes that say nothing about connection or rights."""
    code = code_of(error)
    if code in _TEXTS:
        kind, text = _TEXTS[code]
        return kind(f"{where}: " + text.format(account=account, address=address, code=code))
    if code in GONE:
        return MessageGone(f"{where}: the message was deleted or moved")
    if code in _PASSING:
        return ConnectFailed(f"{where} is in trouble ({code}); it is tried again")
    return otherwise(f"{where} refused: {code or 'the answer is not what EWS defines'}")


def unsendable(error: BaseException) -> bool:
    """Whether the server refuses this very message for good."""
    return code_of(error) in _UNSENDABLE
