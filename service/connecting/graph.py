"""Connecting Microsoft 365: one application for the whole school, or each teacher's own sign-in."""

from collections.abc import Sequence

from config.secrets import Secrets
from config.settings import Graph as GraphSettings
from config.settings import MailboxSettings, Settings
from connectors.errors import MailboxError
from connectors.graph_access import finish_device_login, start_device_login
from service.connecting.asking import Asking, NotPossible, Wanted
from service.connecting.trying import Means

_FIRST = """\
The school's directory needs an application, once:
  entra.microsoft.com > Entra ID > App registrations > New registration
Its Overview shows the two ids that are asked for now.
docs/connect/microsoft-365.md goes through it click by click."""
_PROOF = """\
The application proves itself with a certificate (better) or a client secret:
  entra.microsoft.com > Entra ID > App registrations > this application >
  Certificates & secrets
The certificate is a PEM file with the private key and the certificate, one after
the other; only the certificate itself is uploaded there."""
_DEVICE = """\
{address} signs in now, in any browser, on any machine:
  open  {page}
  type  {code}
Waiting until {until} …"""


class Graph:
    """See `System`."""

    name = "graph"

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        stands = ask.known.table("graph", GraphSettings)
        if stands is None and not (ask.given.tenant and ask.given.client_id):
            ask.say(_FIRST)
        tenant = ask.field(stands, GraphSettings, "tenant", "Directory (tenant) id, or a domain of the school's")
        client_id = ask.field(stands, GraphSettings, "client_id", "Application (client) id")
        auth = ask.field(
            stands, GraphSettings, "auth",
            "How to sign in: application (for all teachers) or device-code (each signs in once)", default="application",
        )  # fmt: skip
        update = {"tenant": tenant, "client_id": client_id, "auth": auth}
        for name in ("cloud", "notification_url"):
            if getattr(ask.given, name) is not None:
                update[name] = ask.field(None, GraphSettings, name, name)
        table = stands.model_copy(update=update) if stands else GraphSettings.model_validate(update)
        return Wanted({"graph": table}, boxes)

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""
        if settings.graph is None:
            raise NotPossible("there is no [graph]")
        if settings.graph.auth == "application":
            self._proof(ask, secrets)
            return
        for box in boxes:
            try:
                self._sign_in(ask, settings.graph, box, secrets)
            except MailboxError as error:
                ask.say(str(error))  # the others' sign-ins are worth keeping

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`."""
        del box, secrets
        hears = settings.graph is not None and settings.graph.notification_url is not None
        sends = "Microsoft would take it: tried with a message that does not exist"
        return Means(can_send=sends, hears=hears, poll_seconds=settings.service.poll_seconds)

    def _proof(self, ask: Asking, secrets: Secrets) -> None:
        questions, given = ask.questions, ask.given
        if given.certificate_file and given.secret_file:
            raise NotPossible("either --certificate-file or --secret-file, not both")
        kept = (secrets.get("graph/certificate") or secrets.get("graph/secret")) is not None
        file = given.certificate_file
        if file is None and given.secret_file is None:
            if not kept:
                ask.say(_PROOF)
            instead = "a client secret, or what is stored" if kept else "a client secret"
            file = questions.answer(
                "--certificate-file", f"PEM file with key and certificate (empty for {instead})", str.strip, default=""
            )
        if file:
            pem = questions.secret("--certificate-file", "", file=file) or ""
            if "PRIVATE KEY-----" not in pem or "BEGIN CERTIFICATE-----" not in pem:
                raise NotPossible(
                    "--certificate-file: a PEM file with the private key and the certificate, one after the other, is "
                    "expected"
                )
            secrets.put("graph/certificate", pem)
            return
        secret = questions.secret("--secret-file", "Client secret", file=given.secret_file, kept=kept)
        if secret:
            secrets.put("graph/secret", secret.strip())
            if secrets.get("graph/certificate"):
                ask.say(
                    "A certificate is stored too and goes before the secret: `alliance disconnect graph/certificate`."
                )

    def _sign_in(self, ask: Asking, graph: GraphSettings, box: MailboxSettings, secrets: Secrets) -> None:
        if secrets.get(f"graph/token/{box.address}") and not ask.questions.yes(
            f"{box.address} has signed in already. Sign in again?", default=False
        ):
            return
        login = start_device_login(graph, box.address)
        until = f"{login.expires_at.astimezone():%H:%M}"
        ask.say(_DEVICE.format(address=box.address, page=login.page, code=login.code, until=until))
        finish_device_login(graph, secrets, login)
