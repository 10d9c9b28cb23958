"""The demo from beginning to end."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from rich.console import Console

from classifier import Classifier
from config import SchoolCalendar, load
from config.settings import Settings
from service import logs
from service.assembly import Assembly
from service.models import bearings_of, open_in_use
from service.sample.history.chapters import BEGINS, History
from service.sample.introduction import HistoryScreen, introduce_history, introduce_nine_days
from service.sample.ledger import (
    Tally,
    drafts_saved,
    handled,
    items_of,
    reasons_left_alone,
    tallies,
    understanding,
)
from service.sample.letters import load_mail
from service.sample.office_summary import show_office
from service.sample.outcome import show_outcome, write_outcome
from service.sample.school import CONNECTED, LOG_FILE, SampleSchool
from service.sample.screen import Screen
from service.sample.summary import show_examples, show_paths, show_result, show_understanding, show_what_was_new
from service.sample.week import SchoolAssembly, Week


def show(folder: Path, console: Console, *, fresh: bool = False, since: date = BEGINS) -> Mapping[str, str]:
    """Plays the sample school in `folder` and prints what happened. Returns what failed: reason by mailbox.

    Where an earlier demo was interrupted in its nine days, this goes on; where it ended, the service looks once more
    and finds nothing to do. The history before begins at `since`, and where it was interrupted, anew. Raises
    NotASampleSchool where `folder` holds something else.
    """
    school = SampleSchool(folder)
    anew = fresh or not school.exists or school.clock() < CONNECTED
    if anew:
        school.clear()
        school.create(mail for mail in load_mail() if mail.arrives < CONNECTED)
    with (folder / LOG_FILE).open("a", encoding="utf-8") as log_file:
        logs.configure(file=log_file)
        try:
            return _Demo(school, console, load(school.config, {}), since).play(anew=anew)
        finally:
            logs.configure()


class _Demo:
    """One run of the demo."""

    def __init__(self, school: SampleSchool, console: Console, settings: Settings, since: date) -> None:
        self._school = school
        self._console = console
        self._settings = settings
        self._calendar = SchoolCalendar.of(settings.school, settings.office)
        self._mails = load_mail()
        self._finished = school.clock() > self._mails[-1].arrives
        since = CONNECTED.date() if self._finished else since  # what is over need not be made up once more
        self._history = History.of(self._calendar, since=since, until=self._mails[-1].arrives.date())

    def play(self, *, anew: bool) -> Mapping[str, str]:
        console, school = self._console, self._school
        with console.status("Loading the model"):
            model = open_in_use(self._settings.service, bearings_of(self._settings, self._calendar))
        failures: dict[str, str] = {}
        if anew:
            introduce_history(console, self._history)
            failures |= self._live_through_history(model)
        introduce_nine_days(console, school.clock(), finished=self._finished)
        week = Week(school, self._history.beside(self._mails))
        assembly = SchoolAssembly.build(self._settings, clock=week.clock, model=model)
        try:
            failures |= self._play(assembly, week, again=self._finished)
            outcome = write_outcome(school, assembly.database, self._settings, self._calendar, week.clock())
        finally:
            assembly.close()
        show_paths(console, school)
        if outcome is not None:
            show_outcome(console, outcome, self._settings)
        return failures

    def _live_through_history(self, model: Classifier) -> dict[str, str]:
        self._school.set_clock(self._history.begins)
        self._history.prepare(self._school)
        with HistoryScreen(self._console) as screen:
            failures = self._history.live(self._school, self._settings, model, screen.on_day)
        self._school.file_away()
        self._school.set_clock(CONNECTED)
        return failures

    def _play(self, assembly: Assembly, week: Week, *, again: bool) -> Mapping[str, str]:
        """The nine days, and what they came to."""
        console, school, settings = self._console, self._school, self._settings

        def counted() -> Mapping[str, Tally]:
            return tallies(assembly.database, self._mails)

        before, files_before = counted(), school.files()
        with Screen(console, settings, self._mails, week.clock, counted) as screen:
            failures = week.play(assembly, screen, screen.refresh)
            if not again:
                screen.end_of_day()
        after, files_after = counted(), school.files()
        records = handled(assembly.database, self._mails)
        if again:
            done = sum(after.values(), Tally()) - sum(before.values(), Tally())
            show_what_was_new(console, done, len(files_before), len(files_after), same=files_before == files_after)
        show_result(console, settings, after, reasons_left_alone(records, settings))
        items = items_of(assembly.items(), self._mails)
        show_office(console, items, drafts_saved(assembly.database, list(after)), settings.school.zone)
        show_understanding(console, understanding(self._mails, records))
        if not again:
            show_examples(console, school, self._mails, records)
        return failures
