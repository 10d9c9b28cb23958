"""`alliance classify`: what the classifier thinks of one message."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.model_option import ModelOption, load_model

if TYPE_CHECKING:
    from classifier.decision import Thresholds
    from classifier.verdict import Verdict


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(classify)


def classify(
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="A mail (.eml), plain text, or a line of JSON.")
    ] = "-",
    received: Annotated[
        str,
        typer.Option("--received", help='When it came, local time: "2026-02-10 09:19". Left out: as the mail says.'),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also the thresholds behind the tag.")] = False,
    model: ModelOption = None,
) -> None:
    """Reads one message from a file or standard input and prints the verdict. Of plain text, a first line "Subject: …"
    is the subject. Nothing is kept or sent."""
    from classifier.errors import ExamplesError
    from service.letters import letter_from

    came = _time(received)
    source = _read(file)
    try:
        letter = letter_from(source, came)
    except ExamplesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    classifier = load_model(model)
    verdict = next(classifier.read([letter]))
    if as_json:
        typer.echo(_json(verdict, classifier.version))
    else:
        _print(verdict, letter.received, classifier.thresholds if explain else None)


def _time(received: str) -> datetime | None:
    from classifier.examples import parse_received

    try:
        return parse_received(received)
    except ValueError as error:
        typer.echo(f"--received: {error}", err=True)
        raise typer.Exit(2) from error


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(2) from error


def _json(verdict: "Verdict", version: str) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(verdict) | {"model": version}, ensure_ascii=False)


def _print(verdict: "Verdict", received: datetime | None, thresholds: "Thresholds | None") -> None:
    from rich.console import Console
    from rich.text import Text

    colours = {"urgent": "bold red", "conflict": "bold yellow", "routine": "bold green"}
    console = Console()
    line = Text(verdict.tag.value, style=colours[verdict.tag])
    if verdict.unsure:
        line.append("  please check", style="magenta")
    console.print(line)
    console.print(
        f"urgent {verdict.urgent:.0%}, conflict {verdict.conflict:.0%}, topic {verdict.topic}, "
        f"language {verdict.language}",
        highlight=False,
    )
    for reason in verdict.reasons:
        console.print(Text(reason.cue))
        if reason.sentence:
            console.print(Text(f"  “{reason.sentence}”", style="italic"))
    if thresholds:
        came = received.strftime("%a %Y-%m-%d %H:%M") if received else "not known"
        console.print(
            f"urgent from {thresholds.urgent:.0%} on, conflict from {thresholds.conflict:.0%} on", highlight=False
        )
        console.print(f"received: {came}", highlight=False)
