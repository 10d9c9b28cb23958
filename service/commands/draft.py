"""`alliance draft show`: what a teacher would find in Drafts for a hard conversation."""

from typing import Annotated, NoReturn

import typer

from service.options import DEFAULT_CONFIG, ConfigOption
from service.showing import AtOption, HtmlOption, language_to_show, moment_to_show, settings_to_show


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The draft that a teacher gets for a hard conversation.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("show")(show)
    group.command("gallery")(gallery)
    app.add_typer(group, name="draft")


def show(
    topic: Annotated[str, typer.Option(help="What the message is about, such as grades or bullying.")] = "other",
    lang: Annotated[str, typer.Option(help="The family's language, such as es.")] = "en",
    alternative: Annotated[int, typer.Option(min=1, help="Which of the drafts for this topic.")] = 1,
    student: Annotated[
        list[str] | None, typer.Option(help="The family's child, as the roster names it; may be given again.")
    ] = None,
    at: AtOption = None,
    html: HtmlOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints the draft that a teacher would find in Drafts. Sends nothing. Without a configuration, for a made-up
    school."""
    from autoresponder.calls import next_calls
    from autoresponder.conversation import MATTERS
    from autoresponder.follow_up import follow_up_day
    from autoresponder.grow import ALTERNATIVES, DraftFacts, draft_note
    from config import ConfigError, NoSchoolDay, SchoolCalendar

    language = language_to_show(lang)
    if topic not in MATTERS:
        _refuse(f"--topic {topic}: there are drafts about {', '.join(MATTERS)}; give one of these.")
    if alternative > ALTERNATIVES:
        _refuse(f"--alternative {alternative}: there are {ALTERNATIVES}; give a number up to that.")
    settings = settings_to_show(config)
    box = settings.mailboxes[0]
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
        now = moment_to_show(at, calendar)
        facts = DraftFacts(
            topic=topic,
            languages=(*settings.school.languages[:1], language),
            students=tuple(student or ()),
            follow_up=follow_up_day(now.date(), calendar),
            call_windows=next_calls(box.call_windows, now, now, calendar),
        )
    except (ConfigError, NoSchoolDay) as error:
        _refuse(str(error))
    note = draft_note(facts, mailbox=box, settings=settings, alternative=alternative)
    typer.echo(note.html() if html else note.text(), nl=False)


def gallery(
    lang: Annotated[str, typer.Option(help="The language of the drafts, such as es.")] = "en",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints every draft that a teacher can get, as a page in Markdown. Sends nothing."""
    from autoresponder.draft_gallery import as_page

    typer.echo(as_page(language_to_show(lang), settings_to_show(config)), nl=False)


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(2)
