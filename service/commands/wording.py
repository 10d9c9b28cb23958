"""`alliance wording`: the school's own sentences, in place of the built-in ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from connectors.labels import Tag
from service.options import DEFAULT_CONFIG, ConfigOption
from service.showing import HtmlOption, language_to_show, refuse_broken_wording, school_to_show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoresponder.beside import Pair

LangOption = Annotated[str, typer.Option(help="The families' language, such as es.")]
"""Write `lang: LangOption = "en"`."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The school's own sentences, in place of the built-in ones.", no_args_is_help=True)
    group.command("export")(export)
    group.command("check")(check)
    group.command("preview")(preview)
    app.add_typer(group, name="wording")


def export(
    lang: LangOption = "en",
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Also the sentences of the drafts for hard conversations.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file; what was written in it before is kept.")
    ] = None,
) -> None:
    """Prints every sentence of a language with room for the school's own, as the file that goes into wording.folder."""
    from autoresponder.own_file import own_file
    from config.textfile import write_whole

    language = language_to_show(lang)
    kept = {} if output is None else _kept(output)
    text = own_file(language, drafts=drafts, says=kept)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        write_whole(output, text)
    except OSError as error:
        _refuse(f"{output}: {error.strerror or error}")
    typer.echo(f"{output} is written. Fill in what shall be said otherwise, then: alliance wording check")


def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Says everything that is wrong with the school's own sentences. Exits with 2 when something is."""
    settings = school_to_show(config)
    if settings.wording.folder is None:
        typer.echo("There is no own wording: wording.folder names no folder. Every sentence is the built-in one.")
        return
    for file in refuse_broken_wording(settings):
        typer.echo(f"{file.path.name}: {_counted(len(file.says))}, all sound")
    typer.echo(f"What stands in {settings.wording.folder} can be used. `alliance wording preview` shows it.")


def preview(
    lang: LangOption = "en",
    tag: Annotated[Tag | None, typer.Option(help="Only the answers with this tag.")] = None,
    crisis: Annotated[bool, typer.Option("--crisis", help="Only the answers in a crisis.")] = False,
    drafts: Annotated[bool, typer.Option("--drafts", help="The drafts for hard conversations instead.")] = False,
    html: HtmlOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Shows what reads differently from the built-in wording, old and new: side by side with --html, otherwise with -
    and + before the paragraphs. Sends nothing."""
    from autoresponder import beside

    language = language_to_show(lang)
    settings = school_to_show(config)
    if crisis and not settings.wording.crisis_read_by:
        typer.echo(
            "Nobody is named in wording.crisis_read_by yet: until then families get these as built in.", err=True
        )
        read = settings.wording.model_copy(update={"crisis_read_by": "whoever reads this preview"})
        settings = settings.model_copy(update={"wording": read})
    refuse_broken_wording(settings)
    every = list(
        beside.drafts(language, settings) if drafts else beside.answers(language, settings, tag=tag, crisis=crisis)
    )
    changed = [pair for pair in every if pair.differs]
    if html:
        typer.echo(beside.page(language, changed, settings), nl=False)
    else:
        _print(changed, len(every) - len(changed))


def _print(changed: "list[Pair]", same: int) -> None:
    for pair in changed:
        typer.echo(f"{pair.name.capitalize()}\n{'=' * len(pair.name)}\n\n{pair.text()}")
    typer.echo(f"Of {len(changed) + same} notes, {len(changed)} read otherwise than the built-in ones.")


def _kept(path: Path) -> "Mapping[str, str]":
    """What the school has written in this file already; refuses to write over what it cannot read."""
    from autoresponder.own_wording import read_own

    if not path.exists():
        return {}
    read = read_own(path)
    if read.faults:
        _refuse("\n".join([*map(str, read.faults), f"{path} is left as it is: mend this first, or name another file."]))
    return read.says


def _counted(number: int) -> str:
    return "1 own sentence" if number == 1 else f"{number} own sentences"


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(2)
