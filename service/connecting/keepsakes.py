"""What is stored for the mail systems: by name, for whom, and where its other half is revoked. Never what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.passwords import password_variable
from config.secrets import Secrets, secret_variable
from config.settings import MailboxSettings, Settings

_GOOGLE = "https://console.cloud.google.com"
_DELEGATION = "admin.google.com > Security > Access and data control > API controls > Manage Domain Wide Delegation"
_ENTRA = "entra.microsoft.com > Entra ID"
_REGISTRATION = f"{_ENTRA} > App registrations > this application > Certificates & secrets"
WHERE_TO_REVOKE: Mapping[str, str] = {
    "gmail/service-account": f"the key at {_GOOGLE}/iam-admin/serviceaccounts (this account, Keys), and its right to "
    f"act for teachers at {_DELEGATION}",
    "gmail/client": f"the OAuth client at {_GOOGLE}/auth/clients",
    "gmail/token": "the teacher's consent at https://myaccount.google.com/connections, signed in as the teacher",
    "graph/secret": f"the secret at {_REGISTRATION}",
    "graph/certificate": f"the certificate at {_REGISTRATION}",
    "graph/token": "the teacher's consent at https://myapps.microsoft.com, signed in as the teacher, or all "
    f"their sessions at {_ENTRA} > Users > the teacher > Revoke sessions",
    "exchange/password": "it by changing the service account's password, and its rights with "
    "Remove-ManagementRoleAssignment in the Exchange Management Shell",
    "exchange/secret": "the application's secret where it was registered",
    "web/openid": "the client secret where these pages were registered: the OAuth client at "
    f"{_GOOGLE}/auth/clients, or {_REGISTRATION}",
    "password/": "it by changing the password at the mail system, or by deleting the app password there",
}
"""By the name's beginning."""
OPENID_SECRET = "web/openid"  # noqa: S105 - the secret's name
WEB_PAGES = "the web pages"
_SHARED = {"gmail": "gmail", "graph": "graph", "exchange": "exchange"}


@dataclass(frozen=True, slots=True)
class Keepsake:
    """One stored secret."""

    name: str
    since: datetime
    mailboxes: tuple[str, ...]
    """The mailboxes of the configuration that use it, or `WEB_PAGES`; none where it is of no use any more."""
    overridden_by: str = ""
    """The environment variable that goes before it, where one is set."""


def keepsakes(settings: Settings, secrets: Secrets) -> list[Keepsake]:
    """Everything that is stored, by name. Raises ConfigError."""
    found = []
    for name, since in secrets.vault.names().items():
        variable = _variable(name, settings)
        overridden = variable if secrets.environ.get(variable) or secrets.environ.get(f"{variable}_FILE") else ""
        found.append(Keepsake(name, since, tuple(_users(name, settings)), overridden))
    return found


def of_mailbox(address: str, names: Sequence[str]) -> list[str]:
    """Those of `names` that are this mailbox's alone."""
    return [name for name in names if name.rpartition("/")[2] == address]


def where_to_revoke(name: str) -> str:
    """Where the other half of a secret is revoked; empty where there is nothing to revoke."""
    return next((where for beginning, where in WHERE_TO_REVOKE.items() if name.startswith(beginning)), "")


def _users(name: str, settings: Settings) -> list[str]:
    if name == OPENID_SECRET:
        return [WEB_PAGES] if settings.web and settings.web.openid else []
    system, _, rest = name.partition("/")
    boxes: Sequence[MailboxSettings] = settings.mailboxes
    if "@" in rest:
        known = {box.address for box in boxes} | {settings.service.notices_from}
        address = rest.rpartition("/")[2]
        return [address] if address in known else []
    return [box.address for box in boxes if box.connector == _SHARED.get(system)]


def _variable(name: str, settings: Settings) -> str:
    address = name.removeprefix("password/")
    if name.startswith("password/"):
        box = next((box for box in settings.mailboxes if box.address == address), None)
        if box is not None:
            return password_variable(box)
    return secret_variable(name)
