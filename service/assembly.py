"""Builds the service from its settings: the one place where the parts are put together."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from autoresponder.wording_check import check_wording
from classifier import Classifier
from classifier.good_news import GoodNews
from classifier.verdict import Reason
from config import SchoolCalendar
from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from connectors.mailbox import Mailbox
from connectors.message import Message
from connectors.registry import open_mailbox
from scorecard.roster import Roster
from service.answering import Gate
from service.composing import Composer
from service.delivery import Deliverer
from service.judging import judged_again
from service.models import bearings_of, open_in_use
from service.pipeline import Pipeline
from service.process_name import process_name
from service.roster_keeping import RosterKeeper
from service.steps import OnStep
from service.teachers_drafts import TeachersDrafts
from store.cases import Cases
from store.database import Database
from store.items import Items
from store.outbox import Outbox
from store.pages import Pages

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of a running service. Threads share it; a `Deliverer` and a `Mailbox` belong to one thread."""

    settings: Settings
    calendar: SchoolCalendar
    database: Database
    pages: Pages
    classifier: Classifier
    roster: Roster
    clock: Clock
    pipeline: Pipeline

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        clock: Clock = system_clock,
        database: Database | None = None,
        model: Classifier | None = None,
    ) -> "Assembly":
        """Opens database, model, roster and calendar. Raises StoreError, ConfigError, or the classifier's error."""
        database = database or Database.open(settings.service.database)
        pages = Pages(database)
        calendar = SchoolCalendar.of(settings.school, settings.office)
        check_wording(settings)
        bearings = bearings_of(settings, calendar)
        model = model.at(bearings) if model else open_in_use(settings.service, bearings)
        roster = RosterKeeper(settings, database, clock).begin()
        return cls(
            settings=settings,
            calendar=calendar,
            database=database,
            pages=pages,
            classifier=model,
            roster=roster,
            clock=clock,
            pipeline=Pipeline(settings, calendar, pages, model, roster, clock, GoodNews.beside(model)),
        )

    def outbox(self) -> Outbox:
        """The outbox, worked on under this thread's name."""
        lease = timedelta(seconds=self.settings.service.lease_seconds)
        return Outbox(self.database, _worker_name(), lease)

    def items(self) -> Items:
        """The items at the office."""
        return Items(self.database)

    def cases(self) -> Cases:
        """The cases: hard conversations, until a plan is agreed."""
        return Cases(self.database)

    def deliverer(self, *, on_step: OnStep | None = None) -> Deliverer:
        """A deliverer for this thread."""
        composer = Composer(self.settings, self.calendar, self.classifier, self.roster, self.clock)
        outbox, cases = self.outbox(), self.cases()
        drafts = TeachersDrafts(
            self.settings, self.calendar, outbox, self.pages, self.classifier, self.roster, cases, self.clock
        )
        gate = Gate(self.settings, self.database, self.roster)
        parts = (outbox, self.pages, self.items(), cases, composer, drafts, self.clock)
        build = partial(Deliverer, self.settings, *parts, gate=gate, cautious=self.pipeline.cautious)
        return build() if on_step is None else build(on_step=on_step)

    def explain(self, message: Message) -> tuple[Reason, ...]:
        """Why the classifier flags a message; nothing where it chokes on it."""
        verdict = judged_again(message, self.classifier, self.settings.school.zone)
        return verdict.reasons if verdict else ()

    def open(self, box: MailboxSettings, environ: Mapping[str, str] | None = None) -> Mailbox:
        """The mailbox's connector, with its secrets from `environ` and the vault. Connects at its first use."""
        return open_mailbox(box, self.settings, Secrets.of(self.settings, os.environ if environ is None else environ))

    def close(self) -> None:
        """Lets go of the database."""
        self.database.close()


def _worker_name() -> str:
    """Unique among the workers of a district: the process, and the thread within it."""
    return f"{process_name()}:{threading.get_ident()}"
