"""`alliance evaluate`: how well the classifier does on labelled messages."""

from pathlib import Path
from typing import Annotated

import typer

from service.model_option import ModelOption, load_model


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[Path, typer.Argument(help="A .jsonl file of labelled messages, or a folder of them.")],
    held_back: Annotated[
        bool, typer.Option("--held-back", help="Of the shipped corpus: only the messages that training never sees.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    model: ModelOption = None,
) -> None:
    """Reads lines {"id", "lang", "received", "subject", "body", "label"} and prints accuracy, macro-F1 (over the tags
    that occur among the labels), each tag's precision, recall and f1, the same by language, and the speed."""
    from classifier.errors import ExamplesError
    from classifier.evaluation import evaluate as judge
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
    figures = judge(load_model(model), examples)
    if as_json:
        typer.echo(figures.model_dump_json(indent=2))
        return
    from rich.console import Console

    from service.figures import print_figures

    print_figures(Console(), figures)
