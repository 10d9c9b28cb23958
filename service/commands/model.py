"""`alliance model`: which models there are, and which is in use."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.model_option import models_or_exit
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import JustifyMethod

    from classifier.models import Version


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        no_args_is_help=True, help="The models that `alliance learn` made, and which of them is in use."
    )
    group.command("list")(_list)
    group.command("use")(_use)
    group.command("rollback")(_rollback)
    app.add_typer(group, name="model")


def _list(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Show every model: when it was made, from how many corrections, its figures, and which is in use."""
    from classifier.errors import ModelError

    models = models_or_exit(load_settings(config))
    trouble, used = "", None
    try:
        used = models.in_use()
    except ModelError as error:
        trouble = str(error)
    versions = models.versions()
    if used is not None and used not in {"shipped", *(each.name for each in versions)}:
        trouble = f"{used} is in use, but it is not there; the shipped model takes its place"
    if as_json:
        plain = [each.model_dump(mode="json") | {"in_use": each.name == used} for each in versions]
        typer.echo(json.dumps({"in_use": used, "trouble": trouble, "versions": plain}, indent=2))
        return
    _print(versions, used)
    if trouble:
        typer.echo(trouble, err=True)


def _use(
    version: Annotated[str, typer.Argument(metavar="VERSION|shipped", help="As `alliance model list` shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Use a model from the service's next start on."""
    from classifier.errors import ModelError

    models = models_or_exit(load_settings(config))
    try:
        models.use(version)
    except ModelError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"In use is {version}. The service reads with it from its next start on.")


def _rollback(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Go back to the model that was in use before."""
    from classifier.errors import ModelError

    models = models_or_exit(load_settings(config))
    try:
        version = models.rollback()
    except ModelError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"In use is {version} again. The service reads with it from its next start on.")


def _print(versions: "Sequence[Version]", used: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="recall: of urgent; both on the corpus's held-back messages")
    headings = ("version", "made at", "corrections", "recall", "macro-F1", "")
    for heading in headings:
        justify: JustifyMethod = "left" if heading in {"version", ""} else "right"
        table.add_column(heading, justify=justify, no_wrap=heading in {"version", ""})
    table.add_row("shipped", "", "", "", "", _mark(used == "shipped"))
    for each in versions:
        if each.learned is None:
            table.add_row(each.name, "", "", "", "", f"damaged {_mark(used == each.name)}".strip())
            continue
        made, found = each.learned, each.learned.comparison
        table.add_row(
            each.name,
            f"{made.at:%H:%M}",
            str(made.corrections),
            f"{found.corpus.new.urgent_recall or 0:.3f}",
            f"{found.corpus.new.macro_f1:.3f}",
            _mark(used == each.name),
        )
    Console(highlight=False).print(table)


def _mark(is_used: bool) -> str:
    return "in use" if is_used else ""
