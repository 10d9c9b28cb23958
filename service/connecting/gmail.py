"""Connecting Gmail: a service account's key for the whole school, or each teacher's consent."""

from collections.abc import Sequence

import typer

from config.secrets import Secrets
from config.settings import Gmail as GmailSettings
from config.settings import MailboxSettings, Settings
from connectors.errors import AuthenticationFailed, MailboxError
from connectors.gmail_access import CLIENT_NAME, KEY_NAME, SCOPE, read_key, token_name
from connectors.gmail_consent import OAuthClient, consent_by_hand, consent_in_browser, read_client
from connectors.gmail_errors import CLIENTS_PAGE, DELEGATION_PAGE, LIBRARY_PAGE, SERVICE_ACCOUNTS_PAGE
from service.connecting.asking import Asking, NotPossible, Wanted
from service.connecting.trying import Means

_FIRST = """\
Three things have to be there, each once for the whole school:
  1. the Gmail API, switched on in a Google Cloud project:
     {library}
  2. a service account in that project, with a key (JSON):
     {accounts}
  3. its client ID, allowed to act for the teachers with one scope. That is shown
     when the key has been read.
docs/connect/gmail.md goes through it click by click."""
_DELEGATION = """\
If that has not been done yet, a super administrator allows this key now, at
  {page}
  Add new: client ID  {client_id}
           OAuth scope {scope}
It can take a while, rarely a day, until Google knows it everywhere."""


_FIRST_OAUTH = """\
Two things have to be there, each once for the whole school:
  1. the Gmail API, switched on in a Google Cloud project:
     {library}
  2. an OAuth client of the type Desktop app in that project:
     {clients}
     with the scope {scope}
Then each teacher agrees once, in a browser.
docs/connect/gmail.md goes through it click by click."""
_OPENED = """\
A browser opens. Sign in there as {address} and agree.
If none opened, open this address yourself:
{url}"""
_OPEN = """\
Open this address in a browser, sign in as {address} and agree:
{url}"""


class Gmail:
    """See `System`."""

    name = "gmail"

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        stands = ask.known.table("gmail", GmailSettings)
        table = stands or GmailSettings()
        question = "How to sign in: service-account (one key for all teachers) or oauth (each agrees)"
        auth = ask.field(stands, GmailSettings, "auth", question, default="service-account")
        update: dict[str, object] = {"auth": auth}
        if ask.given.topic or ask.given.subscription:
            update |= {
                "topic": ask.given.topic or table.topic,
                "subscription": ask.given.subscription or table.subscription,
            }
        return Wanted({"gmail": table.model_copy(update=update)}, boxes)

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""
        if settings.gmail is None:
            raise NotPossible("there is no [gmail]")
        if settings.gmail.auth == "service-account":
            self._key(ask, secrets)
        else:
            self._consents(ask, boxes, secrets)

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`."""
        del box, secrets
        hears = settings.gmail is not None and settings.gmail.topic is not None
        sends = "the scope gmail.modify covers sending; nothing was sent"
        return Means(can_send=sends, hears=hears, poll_seconds=settings.service.poll_seconds)

    def _key(self, ask: Asking, secrets: Secrets) -> None:
        kept = secrets.get(KEY_NAME)
        if kept is None and ask.given.key_file is None:
            library = LIBRARY_PAGE.format(api="gmail.googleapis.com")
            ask.say(_FIRST.format(library=library, accounts=SERVICE_ACCOUNTS_PAGE))
        text = _file_or_kept(ask, "--key-file", "File with the service account's key (JSON)", ask.given.key_file, kept)
        try:
            key = read_key(text)
        except AuthenticationFailed as error:
            raise NotPossible(str(error)) from error
        if text != kept:
            secrets.put(KEY_NAME, text)
        ask.say(_DELEGATION.format(page=DELEGATION_PAGE, client_id=key.client_id, scope=SCOPE))

    def _consents(self, ask: Asking, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        client = self._client(ask, secrets)
        for box in boxes:
            asked = f"{box.address} has agreed already. Ask again?"
            if secrets.get(token_name(box.address)) and not ask.questions.yes(asked, default=False):
                continue
            try:
                secrets.put(token_name(box.address), self._consent(ask, client, box.address))
            except MailboxError as error:
                ask.say(str(error))  # the others' consents are worth keeping

    def _client(self, ask: Asking, secrets: Secrets) -> OAuthClient:
        kept = secrets.get(CLIENT_NAME)
        if kept is None and ask.given.client_file is None:
            library = LIBRARY_PAGE.format(api="gmail.googleapis.com")
            ask.say(_FIRST_OAUTH.format(library=library, clients=CLIENTS_PAGE, scope=SCOPE))
        text = _file_or_kept(ask, "--client-file", "File with the OAuth client (JSON)", ask.given.client_file, kept)
        try:
            client = read_client(text)
        except AuthenticationFailed as error:
            raise NotPossible(str(error)) from error
        if text != kept:
            secrets.put(CLIENT_NAME, text)
        return client

    def _consent(self, ask: Asking, client: OAuthClient, address: str) -> str:
        here = ask.given.browser and ask.questions.yes(
            f"Is there a browser on this machine for {address}?", default=True
        )

        def show(url: str) -> None:
            opened = here and typer.launch(url) == 0
            ask.say((_OPENED if opened else _OPEN).format(address=address, url=url))

        if here:
            return consent_in_browser(client, address, show=show)
        if not ask.questions.can_ask:
            raise NotPossible(
                f"{address} has to agree in a browser, and its answer has to be pasted: run without --yes"
            )
        question = "The address that the browser ends at, which shows no page"
        return consent_by_hand(
            client, address, show=show, ask=lambda: str(ask.questions.answer("--browser", question, _pasted))
        )


def _pasted(text: str) -> str:
    if "state=" not in text:
        raise ValueError("the whole address, from the browser's address bar")
    return text.strip()


def _file_or_kept(ask: Asking, option: str, question: str, given: str | None, kept: str | None) -> str:
    """What a file says, or what is stored where none is named."""
    shown = f"{question}, empty for the one that is stored" if kept else question
    file = ask.questions.answer(option, shown, str.strip, given=given, default="" if kept else None)
    if file and file != "-":
        ask.say(f"What is in {file} is stored encrypted; the file itself is not needed afterwards.")
    return (ask.questions.secret(option, "", file=file) if file else kept) or ""
