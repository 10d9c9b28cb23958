"""Connecting Exchange Server: a service account that acts for the teachers, or each mailbox's own password."""

from collections.abc import Sequence

from pydantic import ValidationError

from config.secrets import Secrets
from config.settings import Exchange as ExchangeSettings
from config.settings import MailboxSettings, Settings
from service.connecting.asking import Asking, NotPossible, Wanted
from service.connecting.imap import passwords
from service.connecting.trying import Means
from service.questions import expected

_FIRST = """\
This is for Exchange Server on the school's own machines (2016, 2019, SE).
Mailboxes in Microsoft 365 are connected by `alliance connect graph`: Microsoft
switched Exchange Web Services off there.

A service account that may act for the teachers saves every password: in the
Exchange Management Shell, New-ManagementRoleAssignment with the role
ApplicationImpersonation and a scope of the teachers. docs/connect/exchange.md
has the commands."""


class Exchange:
    """See `System`."""

    name = "exchange"

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        stands = ask.known.table("exchange", ExchangeSettings)
        if stands is None and ask.given.endpoint is None:
            ask.say(_FIRST)
        update: dict[str, object] = {
            "auth": ask.field(stands, ExchangeSettings, "auth", "How to sign in: ntlm, basic or oauth", default="ntlm"),
        }
        if stands is None or ask.given.endpoint is not None:
            update["endpoint"] = ask.questions.answer(
                "--endpoint",
                "URL of Exchange.asmx (empty: found by Autodiscover)",
                lambda text: text.strip() or None,
                given=ask.given.endpoint,
                default="",
            )
        if update["auth"] == "oauth":
            for name in ("tenant", "client_id"):
                update[name] = ask.field(stands, ExchangeSettings, name, name.replace("_", " "))
        elif stands is None or ask.given.username is not None:
            update["username"] = ask.questions.answer(
                "--username",
                r"Service account, e.g. MAPLE\alliance (empty: each mailbox signs in itself)",
                lambda text: text.strip() or None,
                given=ask.given.username,
                default="",
            )
        for name in ("authority", "ca_file", "impersonation"):
            if getattr(ask.given, name) is not None:
                update[name] = getattr(ask.given, name)
        return Wanted({"exchange": _table(stands, update)}, boxes)

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""
        exchange = settings.exchange or ExchangeSettings()
        if exchange.auth == "oauth":
            kept = secrets.get("exchange/secret") is not None
            secret = ask.questions.secret("--secret-file", "Client secret", file=ask.given.secret_file, kept=kept)
            if secret:
                secrets.put("exchange/secret", secret.strip())
        elif exchange.username is None:
            passwords(ask, boxes, secrets)
        else:
            kept = secrets.get("exchange/password") is not None
            question = f"Password of {exchange.username}"
            password = ask.questions.secret("--password-file", question, file=ask.given.password_file, kept=kept)
            if password:
                secrets.put("exchange/password", password)

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`."""
        del box, secrets
        sends = "who may write drafts here may send them; nothing was sent"
        return Means(can_send=sends, hears=True, poll_seconds=settings.service.poll_seconds)


def _table(stands: ExchangeSettings | None, update: dict[str, object]) -> ExchangeSettings:
    values = stands.model_dump(exclude_unset=True) if stands else {}
    try:
        return ExchangeSettings.model_validate({**values, **update})
    except ValidationError as error:
        raise NotPossible(f"[exchange]: expected {expected(error)}") from error
