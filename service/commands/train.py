"""`alliance train`: the model, rebuilt from its corpus."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(train)


def train(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write it. Left out: over the shipped model.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", metavar="DIR", help="What `make encoder` wrote. Left out: the shipped one."),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="PATH", help="Labelled messages. Left out: the shipped corpus.")
    ] = None,
) -> None:
    """Rebuilds the model around its encoder in some minutes. The same corpus and encoder give the same files. A tenth
    of the corpus is held back, and the figures at the end are of that tenth."""
    from rich.console import Console

    from classifier.encoder import Encoder
    from classifier.errors import ExamplesError, ModelError
    from classifier.evaluation import evaluate
    from classifier.examples import CORPUS, read_examples
    from classifier.opening import SHIPPED, load
    from classifier.questions import FACTORY
    from classifier.training import save
    from classifier.training import train as learn
    from service.figures import print_figures

    screen, source, folder = Console(stderr=True), corpus or CORPUS, out or SHIPPED
    try:
        examples = list(read_examples(source))
        with screen.status("starting") as status:
            reader = Encoder(encoder or SHIPPED / FACTORY)
            nlp = learn(examples, reader, progress=status.update)
        save(nlp, folder)
        classifier = load(folder)
    except (ExamplesError, ModelError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    console = Console()
    console.print(f"{folder}: {classifier.version}", highlight=False, soft_wrap=True)
    console.print(nlp.meta["description"], highlight=False, soft_wrap=True)
    limits = classifier.thresholds
    console.print(
        f"Thresholds, from the calibration part: urgent {limits.urgent}, conflict {limits.conflict}", highlight=False
    )
    held_back = [example for example in examples if example.held_back]
    if held_back:
        command = f"alliance evaluate {source} --held-back" + (f" --model {folder}" if out else "")
        console.print(f"The messages held back ({command}):", highlight=False, soft_wrap=True)
        print_figures(console, evaluate(classifier, held_back))
