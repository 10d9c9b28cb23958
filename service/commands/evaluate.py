"""`alliance evaluate`: how well the classifier does on labelled messages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.model_option import ModelOption, load_model

if TYPE_CHECKING:
    from classifier.evaluation import Judged


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[Path, typer.Argument(help="A .jsonl file of labelled messages, or a folder of them.")],
    held_back: Annotated[
        bool, typer.Option("--held-back", help="Of the shipped corpus: only the messages that training never sees.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    reliability: Annotated[
        Path | None,
        typer.Option(
            "--reliability", metavar="PATH.svg", help="Also draw there how well the probabilities hold.", dir_okay=False
        ),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Reads lines {"id", "lang", "received", "subject", "body", "label"} and prints accuracy, macro-F1 (over the tags
    that occur among the labels), each tag's precision, recall and f1, the same by language and by topic, the speed, and
    95 % confidence intervals.

    The calibration error is the expected one, in ten bins, for each question on its own; conflict is judged only on
    messages whose label is not urgent. Where messages carry a "pair", it also counts the pairs with both messages
    right.
    """
    from classifier.errors import ExamplesError
    from classifier.evaluation import judge
    from classifier.examples import CORPUS, read_examples

    try:
        examples = [example for example in read_examples(file) if example.held_back or not held_back]
    except ExamplesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if not examples:
        typer.echo(f"{file}: holds no labelled message", err=True)
        raise typer.Exit(2)
    if not held_back and model is None and file.resolve().is_relative_to(CORPUS):
        note = "Note: the model has learned from most of these messages; --held-back counts only those it never saw."
        typer.echo(note, err=True)
    judged = judge(load_model(model), examples)
    if reliability:
        _draw(reliability, judged)
    figures = judged.figures
    if as_json:
        typer.echo(figures.model_dump_json(indent=2))
        return
    from rich.console import Console

    from service.figures import print_figures

    print_figures(Console(), figures)


def _draw(path: Path, judged: "Judged") -> None:
    from service.reliability_plot import reliability_svg

    try:
        path.write_text(reliability_svg(judged.reliability), encoding="utf-8")
    except OSError as error:
        typer.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from error
