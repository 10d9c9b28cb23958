"""The `alliance` command. Commands register themselves; heavy imports happen inside them, so that help is instant."""

import importlib
import pkgutil
import sys

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


@app.callback()
def _root() -> None:
    pass


def main() -> None:
    """Entry point of the `alliance` console script."""
    try:
        app()
    except Exception as error:
        if not type(error).__module__.startswith("sqlalchemy."):
            raise
        reason = getattr(error, "orig", None) or type(error).__name__
        typer.echo(f"The database refused: {reason}. `alliance doctor` says more.", err=True)
        sys.exit(1)
