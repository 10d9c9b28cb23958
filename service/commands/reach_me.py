"""`alliance reach-me`: the paragraph for syllabus and class update that says how to reach a teacher."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings
from service.showing import mailbox_to_show, refuse_broken_wording


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("reach-me")(reach_me)


def reach_me(
    teacher: Annotated[
        str, typer.Option(help="The teacher's name or address; the first mailbox's, where left out.")
    ] = "",
    lang: Annotated[str, typer.Option(help="The families' language, such as es.")] = "en",
    form: Annotated[
        Literal["text", "html", "docx"], typer.Option("--format", help="What to write; docx needs --output.")
    ] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints how to reach a teacher, one paragraph for the syllabus and the class update, with the school's norm."""
    from autoresponder.reach_me import reach_me as worded
    from autoresponder.wording import LANGUAGES, is_written, written_languages

    if not is_written(lang):
        typer.echo(f"--lang {lang}: this is written in {', '.join(LANGUAGES)}; give one of these.", err=True)
        raise typer.Exit(2)
    if form == "docx" and output is None:
        typer.echo("--format docx: say where to, with --output reach-me.docx.", err=True)
        raise typer.Exit(2)
    settings = load_settings(config)
    refuse_broken_wording(settings)
    note = worded(written_languages([lang])[0], mailbox_to_show(settings, teacher), settings)
    if output is None:
        typer.echo(note.html() if form == "html" else note.text(), nl=False)
        return
    try:
        if form == "docx":
            from service.docx import write_docx

            write_docx(note, output)
        else:
            output.write_text(note.html() if form == "html" else note.text(), encoding="utf-8")
    except OSError as error:
        typer.echo(f"{output}: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error
