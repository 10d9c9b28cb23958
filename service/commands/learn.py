"""`alliance learn`: a new model from the teachers' corrections, if it is a better one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.model_option import models_or_exit
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from rich.console import Console

    from classifier import Bearings
    from classifier.comparison import Comparison
    from config import Settings
    from config.settings import MailboxSettings
    from connectors.mailbox import Mailbox
    from service.learning import Gathered, Outcome


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(learn)


def learn(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Learn and compare, but keep nothing.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="ADDRESS", help="Leave this mailbox's corrections out; may be repeated."),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", metavar="PATH", help="Labelled messages. Left out: the shipped corpus.")
    ] = None,
) -> None:
    """Makes a new model from the shipped corpus and from the labels that teachers changed, and sets it beside the one
    in use. It is kept only if urgent recall falls neither on the corpus's held-back messages nor on the corrections,
    and macro-F1 hardly. The letters are read from the mailboxes for this, and kept nowhere.

    Takes a minute or two. The service uses the new model from its next start on. Exits with 1 where the new model was
    not good enough or a mailbox could not be read.
    """
    from datetime import UTC, datetime

    from rich.console import Console

    from classifier.errors import ExamplesError, ModelError
    from classifier.examples import CORPUS, read_examples
    from service import learning
    from service.logs import configure
    from store.corrections import Corrections

    configure()
    settings = load_settings(config)
    models, bearings, left_out = models_or_exit(settings), _bearings(settings), _known(settings, without or ())
    database = open_database(settings)
    console, screen = Console(highlight=False, soft_wrap=True), Console(stderr=True)
    try:
        with models.learning(), screen.status("reading the letters") as status:
            corrections = Corrections(database)
            judged = corrections.judged()
            gathered = learning.gather(judged, settings, _opener(settings), without=left_out)
            _print_gathered(console, gathered)
            if not gathered.lessons:
                return
            examples = list(read_examples(corpus or CORPUS))
            outcome = learning.learn(
                gathered,
                examples,
                models,
                bearings,
                now=datetime.now(UTC).astimezone(settings.school.zone),
                doubtful=learning.doubts(corrections.contradicted(learning.SURE, without=left_out)),
                dry_run=dry_run,
                progress=status.update,
            )
    except learning.Unreached as error:
        for address, reason in error.reasons.items():
            typer.echo(f"{address}: {reason}", err=True)
        typer.echo("Nothing was learned, so that no correction is forgotten; --without leaves a mailbox out.", err=True)
        raise typer.Exit(1) from error
    except (ExamplesError, ModelError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    _print_comparison(console, outcome.comparison)
    _print_end(console, outcome, dry_run=dry_run)
    if outcome.against:
        raise typer.Exit(1)


def _bearings(settings: "Settings") -> "Bearings":
    from classifier import Bearings
    from config import ConfigError, SchoolCalendar

    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    return Bearings(calendar, settings.school.languages[0], settings.classifier)


def _known(settings: "Settings", addresses: Sequence[str]) -> Sequence[str]:
    known = [box.address for box in settings.mailboxes]
    if unknown := [address for address in addresses if address not in known]:
        typer.echo(f"No mailbox {unknown[0]} in the configuration; there are: {', '.join(known)}", err=True)
        raise typer.Exit(2)
    return addresses


def _opener(settings: "Settings") -> "Callable[[MailboxSettings], Mailbox]":
    import os

    from config.secrets import Secrets
    from connectors.registry import open_mailbox

    secrets = Secrets.of(settings, os.environ)

    def open_one(box: "MailboxSettings") -> "Mailbox":
        return open_mailbox(box, settings, secrets)

    return open_one


def _print_gathered(console: "Console", gathered: "Gathered") -> None:
    kept_back = sum(lesson.held_back for lesson in gathered.lessons)
    count = len(gathered.lessons)
    if count:
        console.print(f"{count} corrections: {count - kept_back} to learn from, {kept_back} kept back to judge by.")
    else:
        console.print("No corrections to learn from yet. They come from labels that teachers change.")
    for reason, number in gathered.left_out.items():
        console.print(f"{number} not counted: {reason}.")


def _print_comparison(console: "Console", comparison: "Comparison") -> None:
    from rich.table import Table

    table = Table(caption="in use → new", caption_justify="right")
    for heading in ("messages", "n", "urgent", "urgent recall", "macro-F1"):
        table.add_column(heading, justify="left" if heading == "messages" else "right")
    for name, pair in (
        ("corpus, held back", comparison.corpus),
        ("corrections, kept back", comparison.kept_back),
        ("corrections, learned from", comparison.learned),
    ):
        before, after = pair.in_use, pair.new
        recall = "–" if after.urgent_recall is None else f"{before.urgent_recall:.3f} → {after.urgent_recall:.3f}"
        macro_f1 = f"{before.macro_f1:.3f} → {after.macro_f1:.3f}" if after.n else "–"
        table.add_row(name, str(after.n), str(after.urgent), recall, macro_f1)
    console.print(table)
    ranking = comparison.ranking
    console.print(
        "The quick half alone ranks urgent messages of the corpus above others in "
        f"{ranking.new:.1%} of cases, without the corrections in {ranking.without:.1%}."
    )


def _print_end(console: "Console", outcome: "Outcome", *, dry_run: bool) -> None:
    for sentence in outcome.against:
        console.print(sentence)
    if outcome.against:
        console.print("The model in use stays.")
    elif dry_run:
        console.print("The new model would be kept. Nothing was written.")
    elif outcome.version is None:
        console.print("The new model is the one in use; nothing changes.")
    else:
        console.print(f"Kept as {outcome.version}. The service uses it from its next start on.")
