"""The demo from beginning to end."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from autoresponder.items import ItemState
from config import load
from connectors.labels import Tag
from service import logs
from service.sample.ledger import Tally, drafts_saved, handled, reasons_left_alone, tallies, understanding
from service.sample.letters import SampleMail, load_mail
from service.sample.office_summary import show_office
from service.sample.school import CONNECTED, LOG_FILE, SampleSchool
from service.sample.screen import Screen
from service.sample.summary import (
    show_examples,
    show_paths,
    show_result,
    show_understanding,
    show_what_was_new,
)
from service.sample.week import SchoolAssembly, Week


def show(folder: Path, console: Console, *, fresh: bool = False) -> Mapping[str, str]:
    """Plays the sample school in `folder` and prints what happened. Returns what failed: reason by mailbox.

    Where an earlier demo was interrupted, this goes on; where it ended, the service looks once more and finds nothing
    to do. Raises NotASampleSchool where `folder` holds something else.
    """
    school = SampleSchool(folder)
    mails = load_mail()
    if fresh or not school.exists:
        school.clear()
        school.create(mail for mail in mails if mail.arrives < CONNECTED)
    finished = school.clock() > mails[-1].arrives
    with (folder / LOG_FILE).open("a", encoding="utf-8") as log_file:
        logs.configure(file=log_file)
        try:
            _introduce(console, school.clock(), finished=finished)
            return _play(console, school, mails, again=finished)
        finally:
            logs.configure()


def _play(console: Console, school: SampleSchool, mails: list[SampleMail], *, again: bool) -> Mapping[str, str]:
    settings = load(school.config, {})
    week = Week(school, mails)
    with console.status("Loading the model"):
        assembly = SchoolAssembly.build(settings, clock=week.clock)
    addresses = [box.address for box in settings.mailboxes]
    try:
        before, files_before = tallies(assembly.database, addresses), school.files()

        def counted() -> Mapping[str, Tally]:
            return tallies(assembly.database, addresses)

        with Screen(console, settings, mails, week.clock, counted) as screen:
            failures = week.play(assembly, screen, screen.refresh)
            if not again:
                screen.end_of_day()
        after, files_after = counted(), school.files()
        records = handled(assembly.database)
        items, drafts = assembly.items().listing(tuple(ItemState)), drafts_saved(assembly.database)
    finally:
        assembly.close()
    if again:
        done = sum(after.values(), Tally()) - sum(before.values(), Tally())
        show_what_was_new(console, done, len(files_before), len(files_after), same=files_before == files_after)
    show_result(console, settings, after, reasons_left_alone(records, settings))
    show_office(console, [view for view in items if view.item.tag is Tag.URGENT], drafts, settings.school.zone)
    show_understanding(console, understanding(mails, records))
    if not again:
        show_examples(console, school, mails, records)
    show_paths(console, school)
    return failures


def _introduce(console: Console, clock: datetime, *, finished: bool) -> None:
    if finished:
        text = "Maple Street School is there already: the service looks at the same mailboxes once more."
    elif clock > CONNECTED:
        text = f"An earlier demo was interrupted on the school's {clock:%A at %H:%M}; it goes on from there."
    else:
        text = (
            "Maple Street School, nine days in October 2025. Five teachers' mailboxes, some two hundred mails from "
            "families, colleagues and machines, all made up. The clock is the school's; the service is the real one, "
            "and looks a minute after each mail."
        )
    console.print(Padding(Text(text), (1, 1, 1, 1), expand=False))
