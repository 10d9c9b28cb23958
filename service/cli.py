"""The `alliance` command. Commands register themselves; heavy imports happen inside them, so that help is instant."""

import gc
import importlib
import pkgutil
import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from service import commands

app = typer.Typer(
    name="alliance",
    help="Reads family mail in teachers' own mailboxes: tags it, answers once with the school's norm, gets urgent mail "
    "to the office.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _module in sorted(module.name for module in pkgutil.iter_modules(commands.__path__)):
    importlib.import_module(f"{commands.__name__}.{_module}").register(app)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_of("alliance-inbox"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the `alliance` console script."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a letter and is not printed
        from service.logs import last_words, said  # noqa: PLC0415 - help is instant without it

        if type(error).__module__.startswith("sqlalchemy."):
            told = said(error)
            typer.echo(f"{told[:1].upper()}{told[1:]}. `alliance doctor` says more.", err=True)
        else:
            last_words(type(error), error, error.__traceback__)
        sys.exit(1)
    finally:
        # All is closed and written. The interpreter would look through every object of the models for others that lead
        # in circles before it ends, for seconds on a busy machine, and the memory goes back to the system anyway.
        gc.freeze()
