"""`alliance connect`: asks what a mail system needs, keeps the secrets encrypted, and tries every permission."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from service.connecting.asking import Asking, Given, Known
    from service.connecting.trial import Kept
    from service.connecting.trying import Tried

_MOST_SHOWN = 5
"""Of tables to be written, and of names."""


_GMAIL = "Gmail and Google Workspace (gmail)"
_GRAPH = "Microsoft 365 (graph), and Exchange Server with oauth"
_EXCHANGE = "Exchange Server (exchange); user name and password also of imap"
_IMAP = "IMAP (imap)"
_MAILDIR = "Maildir (maildir)"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("connect")(_connect)


def _connect(
    system: Annotated[
        str | None,
        typer.Argument(
            metavar="SYSTEM", help="gmail, graph (Microsoft 365), exchange (Exchange Server), imap, maildir."
        ),
    ] = None,
    mailboxes: Annotated[
        list[str] | None,
        typer.Argument(metavar="ADDRESS", help="Mailboxes; left out, all that the configuration lists for the system."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    address: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="The same; may be repeated.")] = None,
    teacher: Annotated[str | None, typer.Option(metavar="NAME", help="The teacher, where the mailbox is new.")] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="gmail: service-account, oauth. graph: application, device-code. exchange: ntlm, basic, oauth.",
        ),
    ] = None,
    send_test: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Also send one test mail, to this address of your own.")
    ] = None,
    write: Annotated[
        bool | None, typer.Option("--write/--no-write", help="Change the configuration file, or only show the change.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take what stands, or the defaults.")] = False,
    key_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The service account's key (JSON).", rich_help_panel=_GMAIL)
    ] = None,
    client_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="With oauth: the OAuth client (JSON).", rich_help_panel=_GMAIL)
    ] = None,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser",
            help="With oauth: open a browser here, or show an address.",
            rich_help_panel=_GMAIL,
        ),
    ] = True,
    topic: Annotated[
        str | None, typer.Option(metavar="NAME", help="Pub/Sub topic that tells of new mail.", rich_help_panel=_GMAIL)
    ] = None,
    subscription: Annotated[
        str | None, typer.Option(metavar="NAME", help="Pull subscription of that topic.", rich_help_panel=_GMAIL)
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Directory (tenant) id, or a domain of the school's.", rich_help_panel=_GRAPH),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Application (client) id.", rich_help_panel=_GRAPH)
    ] = None,
    certificate_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="PEM with private key and certificate.", rich_help_panel=_GRAPH)
    ] = None,
    secret_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The client secret.", rich_help_panel=_GRAPH)
    ] = None,
    cloud: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="global, us-government, us-defense or china.", rich_help_panel=_GRAPH),
    ] = None,
    notification_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Public https address at which Microsoft tells of new mail.", rich_help_panel=_GRAPH
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="URL of Exchange.asmx; found by Autodiscover where left out.", rich_help_panel=_EXCHANGE
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who signs in: the service account, or the mailbox's own user.",
            rich_help_panel=_EXCHANGE,
        ),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The password. For several mailboxes, a line for each: address, blank, password.",
            rich_help_panel=_EXCHANGE,
        ),
    ] = None,
    impersonation: Annotated[
        bool | None,
        typer.Option(
            "--impersonation/--no-impersonation",
            help="Whether the service account acts for the teachers.",
            rich_help_panel=_EXCHANGE,
        ),
    ] = None,
    authority: Annotated[
        str | None, typer.Option(metavar="URL", help="With oauth: where to sign in.", rich_help_panel=_EXCHANGE)
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificate of a private authority (PEM).", rich_help_panel=_EXCHANGE),
    ] = None,
    imap_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Server for incoming mail.", rich_help_panel=_IMAP)
    ] = None,
    smtp_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Server for outgoing mail.", rich_help_panel=_IMAP)
    ] = None,
    maildir: Annotated[str | None, typer.Option(metavar="PATH", help="The Maildir.", rich_help_panel=_MAILDIR)] = None,
    outgoing: Annotated[
        str | None, typer.Option(metavar="PATH", help="Maildir that takes outgoing mail.", rich_help_panel=_MAILDIR)
    ] = None,
) -> None:
    """Connect mailboxes: asks what their system needs, stores secrets encrypted, tries every permission by using it.

    Nothing is sent and nothing is left behind, unless --send-test asks for one mail.

    Secrets come from a FILE (- is standard input) or are typed unseen, and never stand on the command line.

    Run it again at any time: it tries everything anew. Exits with 1 where a permission lacks.
    """
    from config import ConfigError
    from connectors.errors import MailboxError
    from service.connecting.asking import Given, NotPossible
    from service.connecting.editing import CannotEdit

    given = Given(
        addresses=tuple(each.lower() for each in (*(mailboxes or ()), *(address or ()))),
        teacher=teacher, auth=auth, username=username, password_file=password_file, imap_host=imap_host,
        smtp_host=smtp_host, maildir=maildir, outgoing=outgoing, key_file=key_file, client_file=client_file,
        browser=browser, topic=topic, subscription=subscription, tenant=tenant, client_id=client_id, cloud=cloud,
        certificate_file=certificate_file, secret_file=secret_file, notification_url=notification_url,
        endpoint=endpoint, impersonation=impersonation, authority=authority, ca_file=ca_file,
    )  # fmt: skip
    try:
        worked = _go(system, config, given, send_test=send_test, write=write, ask=not yes)
    except (NotPossible, CannotEdit, ConfigError, MailboxError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if not worked:
        raise typer.Exit(1)


def _go(name: str | None, path: Path, given: "Given", *, send_test: str | None, write: bool | None, ask: bool) -> bool:
    """The whole conversation. True where every permission is there."""
    from rich.console import Console

    from service.assembly import system_clock
    from service.connecting.asking import Asking, boxes_to_connect
    from service.connecting.editing import changed, edited
    from service.connecting.screen import show
    from service.connecting.systems import system_of
    from service.connecting.trial import boxes_on_trial, drafted, keep_worthy, on_trial, try_all
    from service.questions import Questions

    console = Console(highlight=False)
    source, known = _read(path)
    questions = Questions(ask=ask)
    asking = Asking(questions, given, known, lambda text: console.print(f"\n{text}\n", markup=False, soft_wrap=True))
    to = _own_address(asking, send_test)
    system = system_of(_system_name(asking, name))
    wanted = system.wanted(asking, boxes_to_connect(asking, system.name))
    listed = [box for box in wanted.boxes if box.address != known.notices_from]
    after = edited(source, wanted.tables, listed)
    with drafted(path, source, after) as draft:
        settings = draft.load(os.environ)
        boxes = boxes_on_trial(settings, wanted.boxes, all_of=None if given.addresses else system.name)
        secrets, vault = on_trial(settings, os.environ)
        system.credentials(asking, settings, boxes, secrets)
        with console.status("trying") as status:
            tried = try_all(
                system, settings, boxes, secrets, send_test_to=to, clock=system_clock, progress=status.update
            )
        console.print()
        show(console, tried)
        _say_what_is_kept(console, keep_worthy(vault, tried))
        if after != source:
            _show_change(console, path, changed(source, wanted.tables, listed))
            if _may_write(asking, tried, write=write):
                draft.keep()
                console.print(f"Written to {path}. A running service sees it when it is started again.", soft_wrap=True)
            else:
                console.print(f"{path} is as it was.", soft_wrap=True)
    return all(mailbox.works for mailbox in tried)


def _read(path: Path) -> "tuple[str, Known]":
    """The configuration file as it stands. Raises ConfigError where there is none, or it is no TOML."""
    import tomllib

    from config import load
    from service.connecting.asking import Known

    try:
        source = path.read_bytes().decode()
        return source, Known.of(source)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        load(path)  # says what is wrong, and where
        raise


def _system_name(asking: "Asking", name: str | None) -> str:
    from config.checks import connector_names
    from service.connecting.systems import SYSTEMS

    names = [*SYSTEMS, *sorted(connector_names() - set(SYSTEMS))]

    def check(text: str) -> str:
        if text.strip().lower() not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text.strip().lower()

    first = next((box.connector for box in asking.known.boxes()), None)
    question = f"Mail system ({', '.join(names)})"
    return asking.questions.answer("SYSTEM", question, check, given=name, default=first)


def _own_address(asking: "Asking", text: str | None) -> str | None:
    from config.settings import Office
    from service.questions import for_field

    if text is None:
        return None
    return str(asking.questions.answer("--send-test", "", for_field(Office, "address"), given=text))


def _say_what_is_kept(console: "Console", kept: "Kept") -> None:
    if kept.stored:
        console.print(f"\nStored encrypted: {_listed(kept.stored)}")
    if kept.refused:
        console.print(f"\nNot stored, since it was refused: {_listed(kept.refused)}")


def _listed(names: "Sequence[str]") -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _show_change(console: "Console", path: Path, pieces: list[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    shown = pieces[:_MOST_SHOWN]
    if len(pieces) > len(shown):
        shown.append(f"# and {len(pieces) - len(shown)} more mailboxes, in the same way")
    console.print(f"\nThis belongs into {path}:\n", soft_wrap=True)
    console.print(Padding(Text("\n".join(shown).rstrip()), (0, 0, 0, 2), expand=False))
    console.print()


def _may_write(asking: "Asking", tried: "list[Tried]", *, write: bool | None) -> bool:
    if write is not None:
        return write
    return asking.questions.yes("Write it there?", default=any(mailbox.signed_in for mailbox in tried))
