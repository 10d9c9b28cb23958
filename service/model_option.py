"""The option by which commands take another model than the shipped one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from classifier import Classifier

ModelOption = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="A folder that `alliance train --out` wrote.")
]
"""Write `model: ModelOption = None`."""


def load_model(folder: Path | None) -> "Classifier":
    """The classifier, or why there is none, on standard error, and exit code 2."""
    from classifier import load  # noqa: PLC0415  (so that `alliance --help` does not wait for spaCy)
    from classifier.errors import ModelError  # noqa: PLC0415

    try:
        return load(folder)
    except ModelError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
