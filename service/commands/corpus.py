"""`alliance corpus`: looks after the messages that the classifier learns from."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="Look after the messages that the classifier learns from.")
    group.command("check")(_check)
    app.add_typer(group, name="corpus")


def _check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files of labelled messages (.jsonl), or folders of them. Left out: the shipped ones.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say everything that is wrong with a corpus: lines that are not as classifier/corpus/README.md says, ids and
    messages that are there twice, pairs that are none, and nearly the same message on two sides: learning, calibration,
    held-back and validation (what lies in a folder of that name). Within a pair, messages may be alike.

    All paths are looked at together. Exits with 1 when something is wrong.
    """
    from classifier.corpus_check import VALIDATION, check
    from classifier.errors import ExamplesError
    from classifier.examples import CORPUS

    try:
        found = check([_near(path) for path in paths or (CORPUS, CORPUS.parent / VALIDATION)])
    except ExamplesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    for problem in found.problems:
        typer.echo(str(problem))
    if found.problems:
        typer.echo(f"{len(found.problems)} problems in {found.messages} messages", err=True)
        raise typer.Exit(1)
    typer.echo(f"{found.messages} messages: nothing is wrong with them")


def _near(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
