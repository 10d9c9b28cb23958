"""What Microsoft Graph and the Entra sign-in refuse, in words that say what to do.

Codes: https://learn.microsoft.com/graph/errors and https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
Of an answer only its code and its request id are quoted: Microsoft's sentences may hold words of a message.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.backoff import retry_after
from connectors.errors import AuthenticationFailed, MailboxError, PermissionDenied

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a server that is busy or has a fault that passes."""
FAULTS = 2
"""So often the server may fail over one and the same message: it must not use up the patience of the others."""
_APPLICATION_SCOPES = ("Application/", "Tenant_Application/", "Tenant/")
"""How x-ms-throttle-scope begins where a limit is not one mailbox's: https://learn.microsoft.com/graph/throttling-limits
has <Scope>/<Limit>/<ApplicationId>/<TenantId|UserId|ResourceId>."""
_CODE = re.compile(r"[\w.-]{1,80}")
_NO_MAILBOX = frozenset(
    {"MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "MailboxNotHostedInExchangeOnline"}
)
_NO_USER = frozenset({"ErrorInvalidUser", "Request_ResourceNotFound", "ErrorNonExistentMailbox"})
_NO_ITEM = frozenset({"ErrorItemNotFound", "ErrorInvalidIdMalformed", "ErrorInvalidId", "ErrorInvalidMailboxItemId"})
_NO_RIGHT = frozenset({"ErrorAccessDenied", "Authorization_RequestDenied", "AccessDenied", "Forbidden"})
_PASSING = frozenset(
    {"ErrorServerBusy", "ErrorInternalServerTransientError", "ErrorTimeoutExpired", "ErrorMailboxStoreUnavailable"}
)
PERMISSIONS = ("Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite")
"""The rights that are needed, each in the name that Entra and RBAC for Applications have for it."""

_REGISTRATION = "entra.microsoft.com, Entra ID, App registrations, this application"
_SIGN_IN: dict[int, str] = {
    7000222: f"The client secret has expired. Make a new one at {_REGISTRATION}, Certificates & secrets, and store it "
    "with alliance connect graph",
    7000215: f"The client secret is wrong. Copy the secret's value, not its id, from {_REGISTRATION}, Certificates & "
    "secrets, and store it with alliance connect graph",
    700027: f"Entra does not know the certificate, or it has expired. Upload its public half at {_REGISTRATION}, "
    "Certificates & secrets",
    700016: "The tenant has no application with this client_id. Compare client_id and tenant under [graph] with "
    f"{_REGISTRATION}, Overview",
    700023: "The assertion was made for another audience: [graph] cloud does not fit the tenant",
    7000112: "The application is disabled. Enable it at entra.microsoft.com, Entra ID, Enterprise applications, this "
    "application, Properties",
    7000218: f"Device-code login is not allowed. Set Allow public client flows to Yes at {_REGISTRATION}, "
    "Authentication",
    90002: "There is no such tenant. Set tenant under [graph] to the Directory (tenant) id of entra.microsoft.com, "
    "Entra ID, Overview",
    900023: "tenant under [graph] is neither a Directory (tenant) id nor a domain of the tenant",
    65001: f"Nobody has consented to the application. Choose Grant admin consent at {_REGISTRATION}, API permissions",
    50034: "The account does not exist in this tenant. Compare the address and [graph] tenant",
    50057: "The account is disabled. Enable it at entra.microsoft.com, Entra ID, Users",
    50055: "The account's password has expired. The teacher signs in again with alliance connect graph",
    50173: "The sign-in was revoked, as after a new password. The teacher signs in again with alliance connect graph",
    700082: "The sign-in has expired because it was not used. The teacher signs in again with alliance connect graph",
    70043: "The sign-in has expired by a policy of the tenant. The teacher signs in again with alliance connect graph",
    700003: "The device that was signed in from is gone. The teacher signs in again with alliance connect graph",
    50076: "A second factor is asked for. The teacher signs in again with alliance connect graph",
    50079: "The teacher has to set up a second factor first, at aka.ms/mfasetup, then signs in with alliance connect "
    "graph",
    50158: "Conditional Access asks for more than this sign-in gave. Look at entra.microsoft.com, Protection, "
    "Conditional Access, Sign-in logs",
    53003: "Conditional Access forbids this sign-in. Allow the application at entra.microsoft.com, Protection, "
    "Conditional Access",
    530036: "Conditional Access forbids device-code login. Allow it for these teachers at entra.microsoft.com, "
    "Protection, Conditional Access, or use application permissions",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is an error."""

    status: int
    code: str = ""
    """Graph's word for it, e.g. ErrorItemNotFound; empty where the answer has none."""
    request_id: str = ""
    """By which Microsoft's support finds the request."""
    retry_after: float | None = None
    """Seconds that the server asks to wait, None where it names none."""
    of_application: bool = False
    """Whether the limit that was met is the application's or the tenant's, and so every mailbox's."""

    @property
    def gone(self) -> bool:
        """Whether it says that there is no such message, or never was one of that id."""
        return (self.status == 404 and self.code not in _NO_MAILBOX | _NO_USER) or self.code in _NO_ITEM

    @property
    def of_message(self) -> bool:
        """Whether the server has looked at this very message and cannot handle it, today or ever."""
        return self.status == 500 and self.code.startswith("Error") and self.code not in _PASSING

    @property
    def sync_lost(self) -> bool:
        """Whether a delta link means nothing to the server any more: https://learn.microsoft.com/graph/errors."""
        code = self.code.lower()
        return self.status == 410 or "syncstate" in code or "resync" in code

    @property
    def conflict(self) -> bool:
        """Whether somebody changed the item since its ETag was read."""
        return self.status in {409, 412} or self.code == "ErrorIrresolvableConflict"

    def __str__(self) -> str:
        named = f" {self.code}" if self.code else ""
        wanted = f", request-id {self.request_id}" if self.request_id else ""
        return f"{self.status}{named}{wanted}"


class Refused(Exception):
    """Microsoft Graph refused one request for a reason that only the asking operation can name."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def failure_in(status: int, body: object, after: object, now: datetime, scope: object = None) -> Failure:
    """The failure that an answer tells: its JSON, and its fields Retry-After and x-ms-throttle-scope."""
    found = body.get("error") if isinstance(body, dict) else None
    error = found if isinstance(found, dict) else {}
    inner = error.get("innerError")
    request_id = inner.get("request-id") if isinstance(inner, dict) else None
    pause = retry_after(str(after), now) if isinstance(after, str | int) else None
    limited = status in {429, 503} and isinstance(scope, str) and scope.startswith(_APPLICATION_SCOPES)
    return replace(failure_of(status, error.get("code"), request_id, pause), of_application=limited)


def failure_of(status: int, code: object, request_id: object, retry_after: float | None) -> Failure:
    """The failure that an answer's fields tell, cleaned of whatever is no code."""
    return Failure(status, _clean(code), _clean(request_id), retry_after)


def of_account(failure: Failure, address: str) -> MailboxError | None:
    """The error of a failure that is about the account and not about one request; None for every other."""
    where = f"Microsoft Graph, {address}"
    if failure.status == 401:
        return AuthenticationFailed(
            f"{where}: the access token is refused ({failure}). The sign-in was taken back: run alliance connect graph"
        )
    if failure.code in _NO_MAILBOX:
        return AuthenticationFailed(
            f"{where}: the user has no mailbox in Microsoft 365 ({failure}). Give them a licence with Exchange Online "
            'at admin.microsoft.com, Users; a mailbox on your own Exchange Server takes connector = "exchange"'
        )
    if failure.status == 404 and failure.code in _NO_USER:
        return no_such_user(failure, address)
    if failure.status == 403 and (failure.code in _NO_RIGHT or not failure.code):
        return permission_denied(failure, address)
    return None


def no_such_user(failure: Failure, address: str) -> AuthenticationFailed:
    """Even the inbox, which every mailbox has, is not there."""
    return AuthenticationFailed(
        f"Microsoft Graph, {address}: the tenant has no such user ({failure}). Compare the address with "
        "entra.microsoft.com, Entra ID, Users, and tenant under [graph] with its Overview"
    )


def permission_denied(failure: Failure, address: str, rights: Iterable[str] = PERMISSIONS) -> PermissionDenied:
    """Signed in, and one of `rights` lacks for this mailbox."""
    wanted = ", ".join(rights)
    roles = " ".join(f'-Role "Application {right}"' for right in rights)
    return PermissionDenied(
        f"Microsoft Graph, {address}: not permitted ({failure}). Needed: {wanted}. With RBAC for Applications, in "
        "Exchange Online PowerShell: New-ServicePrincipal once, then New-ManagementRoleAssignment -App <client id> "
        f"{roles} (one each) -CustomResourceScope <scope>, and see that the scope's group holds {address} "
        f"(Test-ServicePrincipalAuthorization -Identity <client id> -Resource {address}); it takes up to two hours. "
        f"Else: {_REGISTRATION}, API permissions, Grant admin consent"
    )


def sign_in_failed(address: str, codes: Iterable[int], error: str) -> AuthenticationFailed:
    """Entra refused to give a token. `codes` are the AADSTS numbers of its answer, `error` its OAuth error code."""
    numbers = list(codes)
    known = next((code for code in numbers if code in _SIGN_IN), None)
    said = ", ".join(f"AADSTS{code}" for code in numbers) or _clean(error) or "no code"
    advice = (
        _SIGN_IN[known]
        if known is not None
        else "Look it up at login.microsoftonline.com/error, and at entra.microsoft.com, Entra ID, Sign-in logs"
    )
    return AuthenticationFailed(f"Microsoft sign-in, {address}: refused ({said}). {advice}")


def _clean(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text if _CODE.fullmatch(text) else ""
