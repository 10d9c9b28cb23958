"""What Google's refusals mean: answers of the Gmail, Pub/Sub and token services, turned into our errors in one place.

Google's own lists: developers.google.com/workspace/gmail/api/guides/handle-errors, RFC 6749 §5.2 for the token service.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.backoff import Busy, retry_after
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, PermissionDenied
from connectors.server_words import server_words

DELEGATION_PAGE = "admin.google.com > Security > Access and data control > API controls > Manage Domain Wide Delegation"
SERVICE_ACCOUNTS_PAGE = "https://console.cloud.google.com/iam-admin/serviceaccounts"
CLIENTS_PAGE = "https://console.cloud.google.com/auth/clients"
AUDIENCE_PAGE = "https://console.cloud.google.com/auth/audience"
LIBRARY_PAGE = "https://console.cloud.google.com/apis/library/{api}"
GMAIL_STATUS_PAGE = "admin.google.com > Apps > Google Workspace > Gmail > Service status"
CONSENT_COMMAND = "alliance connect gmail"

_QUOTA_REASONS = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "dailyLimitExceeded",
        "quotaExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
    }
)
_QUOTA_OF_PROJECT = frozenset({"rateLimitExceeded", "RATE_LIMIT_EXCEEDED", "dailyLimitExceeded", "quotaExceeded"})
"""Reasons that may mean the project's quota (developers.google.com/workspace/gmail/api/guides/handle-errors). Google
gives some of them for one mailbox's too, and says so in its sentence: "User-rate limit exceeded", "Too many concurrent
requests for user", "limit 'Queries per minute per user'"."""
_OF_USER = re.compile(r"\buser", re.IGNORECASE)
_DISABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_TOO_FEW_SCOPES = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_RETRY_AFTER_DATE = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT[\d:.]+Z)")
_FIRST_SENTENCE = 160
"""Characters of Google's own words that an error repeats. They name labels and addresses, never a message's text."""


class NotReached(ConnectFailed):
    """The request certainly did not arrive."""


class LineBroke(ConnectFailed):
    """The line broke, or time ran out, after the request was handed over: it may have been carried out."""


class Unclear(LineBroke):
    """The server answered that something went wrong on its side: the request may have been carried out."""


class Refused(MailboxError):
    """Google answered and did not do it. Who asked knows what that means: nothing here leaves a connector unnamed."""

    def __init__(self, text: str, status: int, said: str = "") -> None:
        """`said` are Google's own words, to be looked at and not shown."""
        super().__init__(text)
        self.status = status
        self.said = said


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 2xx."""

    status: int
    reasons: frozenset[str]
    text: str
    after: float | None = None
    """Seconds that Google asked to wait."""

    @property
    def is_quota(self) -> bool:
        """Whether it says that there were too many requests: none of it was carried out."""
        return self.status == 429 or (self.status == 403 and bool(self.reasons & _QUOTA_REASONS))

    @property
    def is_project_quota(self) -> bool:
        """Whether it is the quota of the whole Cloud project that is used up, and not this mailbox's alone."""
        return (
            self.is_quota
            and bool(self.reasons & _QUOTA_OF_PROJECT)
            and "userRateLimitExceeded" not in self.reasons
            and not _OF_USER.search(self.text)
        )


def read_refusal(status: int, headers: Mapping[str, str], content: bytes, now: datetime) -> Refusal:
    """What a refusing answer says. `now` is aware; the body may be anything."""
    error = _error_in(content)
    details = [each for each in (*_list(error, "errors"), *_list(error, "details")) if isinstance(each, dict)]
    reasons = {str(each["reason"]) for each in details if "reason" in each} | {str(error.get("status", ""))}
    text = str(error.get("message", ""))[:1000]
    after = retry_after(headers.get("retry-after"), now)
    if after is None and (date := _RETRY_AFTER_DATE.search(text)):
        after = _seconds_until(date[1], now)
    return Refusal(status, frozenset(reasons - {""}), text, after)


def meaning(refusal: Refusal, address: str, api: str = "gmail.googleapis.com") -> Exception:
    """The error that a refusal stands for: `Busy` where it passes, a MailboxError otherwise, `Refused` where only the
    one who asked can tell. The text names the page or command that mends it."""
    where = f"Google, for {address}"
    if refusal.is_quota or refusal.status == 503:
        return Busy(f"{where}: too many requests ({_short(refusal)})", refusal.after)
    if refusal.status >= 500:
        return Busy(f"{where}: Google's servers have a fault ({refusal.status})", refusal.after)
    if refusal.status == 401:
        return AuthenticationFailed(f"{where}: the access token is refused; connect anew with `{CONSENT_COMMAND}`")
    if refusal.status == 403:
        return _forbidden(refusal, where, api)
    if refusal.status == 400 and "service not enabled" in refusal.text.lower():
        return PermissionDenied(f"{where}: Gmail is not switched on for this person: see {GMAIL_STATUS_PAGE}")
    return Refused(f"{where}: {_short(refusal)}", refusal.status, refusal.text)


def token_refused(
    error: str, description: str, address: str, *, client_id: str, delegated: bool, scope: str
) -> Exception:
    """The error that a refusal of the token service stands for (RFC 6749 §5.2)."""
    said = description.lower()
    if delegated:
        return _delegation_refused(error, said, address, client_id=client_id, scope=scope)
    if error == "invalid_grant":
        return AuthenticationFailed(
            f"Google no longer takes the consent of {address}: it was withdrawn, the password was changed, or it ran "
            f"out (an app in status Testing keeps it 7 days: {AUDIENCE_PAGE}). Let {address} agree again: "
            f"`{CONSENT_COMMAND} {address}`"
        )
    if error in {"invalid_client", "unauthorized_client", "deleted_client", "disabled_client"}:
        return AuthenticationFailed(
            f"Google does not know the OAuth client {client_id} (any more): look at {CLIENTS_PAGE}, then "
            f"`{CONSENT_COMMAND}`"
        )
    return AuthenticationFailed(f"Google gives no token for {address} ({error}): `{CONSENT_COMMAND} {address}`")


def _delegation_refused(error: str, said: str, address: str, *, client_id: str, scope: str) -> Exception:
    if error in {"unauthorized_client", "access_denied", "invalid_scope"}:
        return PermissionDenied(
            f"the service account may not act for {address}: a super administrator has to enter the client ID "
            f"{client_id} with the scope {scope} at {DELEGATION_PAGE} (it can take a day to work)"
        )
    if "invalid email" in said or "user id" in said:
        return AuthenticationFailed(
            f"Google has no mailbox {address}: check its spelling in the configuration and whether the person is "
            "suspended (admin.google.com > Directory > Users)"
        )
    if "iat" in said or "short-lived" in said or "timeframe" in said:
        return AuthenticationFailed(f"Google refuses the key for {address} since this machine's clock is wrong: set it")
    return AuthenticationFailed(
        f"Google no longer takes the service account's key ({error}): it was deleted or disabled. Make a new one at "
        f"{SERVICE_ACCOUNTS_PAGE} and store it with `{CONSENT_COMMAND}`"
    )


def _forbidden(refusal: Refusal, where: str, api: str) -> MailboxError:
    if refusal.reasons & _DISABLED:
        return PermissionDenied(
            f"{where}: the API is not enabled in the Cloud project: enable it at {LIBRARY_PAGE.format(api=api)} and "
            "wait some minutes"
        )
    if refusal.reasons & _TOO_FEW_SCOPES:
        return PermissionDenied(
            f"{where}: the token lacks the scope gmail.modify: with a service account enter it at {DELEGATION_PAGE}; "
            f"otherwise agree again with `{CONSENT_COMMAND}`"
        )
    if "delegation denied" in refusal.text.lower():
        return PermissionDenied(f"{where}: the token belongs to another mailbox; connect anew: `{CONSENT_COMMAND}`")
    if "domainPolicy" in refusal.reasons:
        return PermissionDenied(
            f"{where}: the domain's administrators have switched this off: see admin.google.com > Security > Access "
            "and data control > API controls > Manage app access"
        )
    return PermissionDenied(f"{where}: {_short(refusal)}; see admin.google.com > Security > API controls")


def _short(refusal: Refusal) -> str:
    words = server_words(refusal.text.splitlines()[0][:_FIRST_SENTENCE]) if refusal.text.strip() else "without a reason"
    reasons = ", ".join(sorted(refusal.reasons))
    return f"{refusal.status} {reasons}: {words}" if reasons else f"{refusal.status}: {words}"


def _error_in(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _list(error: Mapping[str, Any], key: str) -> list[Any]:
    found = error.get(key)
    return found if isinstance(found, list) else []


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        until = datetime.fromisoformat(date)
    except ValueError:
        return None
    return max(0.0, (until - now.astimezone(UTC)).total_seconds())
