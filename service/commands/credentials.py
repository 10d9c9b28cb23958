"""`alliance credentials` and `alliance disconnect`: what is stored, without showing it; a new key; forgetting."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.on_record import put_on_record
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from config.secrets import Secrets
    from config.settings import Settings
    from service.connecting.keepsakes import Keepsake


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="What is stored for the mail systems, and the key it is under.")
    group.command("list")(_list)
    group.command("store")(_store)
    group.command("rotate")(_rotate)
    app.add_typer(group, name="credentials")
    app.command("disconnect")(_disconnect)


def _list(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show which keys, tokens and passwords are stored, since when and for whom. Shows none of them."""
    from config import ConfigError
    from service.connecting.keepsakes import keepsakes

    settings, secrets = _opened(config)
    try:
        found = keepsakes(settings, secrets)
    except ConfigError as error:
        raise _refused(error) from error
    _show(found)


def _store(
    name: Annotated[str, typer.Argument(metavar="NAME", help="web/openid: the client secret of [web.openid].")],
    config: ConfigOption = DEFAULT_CONFIG,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE", help="The secret; - is standard input. Typed where left out."),
    ] = None,
) -> None:
    """Store a secret that belongs to no mailbox, encrypted. What mailboxes need, `alliance connect` asks for."""
    from config import ConfigError
    from service.connecting.keepsakes import OPENID_SECRET
    from service.questions import Questions

    if name != OPENID_SECRET:
        typer.echo(
            f"{name} is not stored this way: only {OPENID_SECRET} is. For a mailbox: `alliance connect`.", err=True
        )
        raise typer.Exit(2)
    settings, secrets = _opened(config)
    secret = Questions(ask=file is None).secret("--file", "Client secret", file=file) or ""
    try:
        secrets.put(name, secret.strip())
    except ConfigError as error:
        raise _refused(error) from error
    put_on_record(settings, "stored a secret", name)
    console = _console()
    console.print(f"Stored encrypted: {name}")
    if settings.web is None or settings.web.openid is None:
        console.print("Nothing uses it yet: the configuration has no table [web.openid].")
    else:
        console.print("`alliance doctor` tries the provider.")


def _rotate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Encrypt everything that is stored with a new key.

    The service may run meanwhile. Broken off at any moment, nothing is lost; do it again then.
    """
    from config import ConfigError
    from config.rotation import rotate
    from config.vault import FolderVault

    settings, secrets = _opened(config)
    if not isinstance(secrets.vault, FolderVault):
        typer.echo("Nothing is stored: service.vault names no folder.", err=True)
        raise typer.Exit(2)
    try:
        done = rotate(secrets.vault)
    except ConfigError as error:
        raise _refused(error) from error
    put_on_record(settings, "changed the vault's key", f"{done.secrets} secrets")
    console = _console()
    console.print(f"{_counted(done.secrets)} encrypted with the new key.")
    if done.key_file is None:
        console.print("Only the first key is needed from now on: take the others out of ALLIANCE_VAULT_KEY.")
        return
    console.print(
        f"The new key is in {done.key_file}. Keep a copy of it, away from the backups of {secrets.vault.folder}. "
        "Older backups of that folder still need the key from before."
    )


def _disconnect(
    names: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS...", help="Mailboxes, or names as `alliance credentials list` shows them."),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
) -> None:
    """Forget what is stored for a mailbox, and say where to revoke it at the provider.

    The configuration stays as it is: take the mailbox out of it, or set another connector. Secrets of the environment
    stay there.
    """
    from config import ConfigError
    from service.connecting.keepsakes import keepsakes, of_mailbox

    settings, secrets = _opened(config)
    try:
        stored = {keepsake.name: keepsake for keepsake in keepsakes(settings, secrets)}
        chosen = [
            name
            for given in names
            for name in ([given] if given in stored else of_mailbox(given.lower(), list(stored)))
        ]
        lacking = [given for given in names if given not in stored and not of_mailbox(given.lower(), list(stored))]
        for given in lacking:
            typer.echo(_nothing_of(given, settings, list(stored)), err=True)
        for name in dict.fromkeys(chosen):
            users = stored[name].mailboxes
            more = f" It serves {len(users)} mailboxes." if len(users) > 1 else ""
            if not yes and not typer.confirm(f"Forget {name}?{more}", default=False):
                continue
            secrets.forget(name)
            put_on_record(settings, "forgot a secret", name)
            _say_what_remains(stored[name])
    except ConfigError as error:
        raise _refused(error) from error
    if lacking:
        raise typer.Exit(1)


def _say_what_remains(forgotten: "Keepsake") -> None:
    from rich.padding import Padding

    from service.connecting.keepsakes import where_to_revoke

    console = _console()
    console.print(f"Forgotten: {forgotten.name}")
    if where := where_to_revoke(forgotten.name):
        console.print(Padding(f"Backups may still hold it. Revoke {where}.", (0, 0, 0, 2), expand=False))
    if forgotten.overridden_by:
        still = f"{forgotten.overridden_by} is set in the environment and goes on being used."
        console.print(Padding(still, (0, 0, 0, 2), expand=False))


def _nothing_of(given: str, settings: "Settings", stored: list[str]) -> str:
    """Why there is nothing to forget, and what a mailbox hangs on instead."""
    box = next((box for box in settings.mailboxes if box.address == given.lower()), None)
    shared = [name for name in stored if box is not None and name.startswith(f"{box.connector}/") and "@" not in name]
    if shared:
        return f"Nothing is stored for {given} alone. It is opened with {', '.join(shared)}, as others are."
    return f"Nothing is stored for {given}; `alliance credentials list` shows what is."


def _opened(config: Path) -> "tuple[Settings, Secrets]":
    from config.secrets import Secrets

    settings = load_settings(config)
    return settings, Secrets.of(settings, os.environ)


def _refused(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)


def _counted(count: int) -> str:
    return "1 secret is" if count == 1 else f"{count} secrets are"


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False)


def _show(found: "list[Keepsake]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = _console()
    if not found:
        console.print("Nothing is stored. `alliance connect` stores what a mail system needs.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("stored", "since (UTC)", "for"):
        table.add_column(name, overflow="fold", no_wrap=name.startswith("since"))
    for keepsake in found:
        table.add_row(keepsake.name, f"{keepsake.since:%Y-%m-%d %H:%M}", _for(keepsake))
    console.print(table)


def _for(keepsake: "Keepsake") -> str:
    users = keepsake.mailboxes
    if not users:
        return "no mailbox any more"
    whose = users[0] if len(users) == 1 else f"{len(users)} mailboxes"
    return f"{whose}; {keepsake.overridden_by} goes before it" if keepsake.overridden_by else whose
