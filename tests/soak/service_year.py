"""The service as it lives through the year: its settings, its looks at the mailboxes, its pages, its nights.

It is the runner of `alliance run`, asked for one look after another, over the connectors that a school uses; only the
clock is the year's, and who works at the pages is a script.
"""

import multiprocessing
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from classifier import Classifier
from classifier.examples import CORPUS, read_examples
from config import SchoolCalendar
from config.settings import (
    CallWindow,
    Desk,
    Glow,
    MailboxSettings,
    MaildirFolder,
    Office,
    Retention,
    Role,
    Settings,
    Staff,
    Stage,
    Web,
)
from config.settings import Service as ServiceSettings
from connectors.mailbox import Mailbox
from scorecard.contact_list import read_contacts
from scorecard.incident_list import read_incidents
from scorecard.list_import import import_contacts, import_incidents, pupils_of
from service import learning
from service.assembly import Assembly
from service.models import bearings_of, models_of
from service.privacy.purging import Purge
from service.roster_keeping import RosterKeeper
from service.runner import Runner
from service.sample.envelopes import DOMAIN
from service.sample.history.course import Course
from service.sample.history.lists import write_calls, write_families, write_incidents
from service.steps import OnStep, no_step
from store.corrections import Corrections
from store.database import Database
from tests.servers.dovecot import PASSWORD
from tests.service.web.school_pages import URL
from tests.soak.connections import YearAssembly
from tests.soak.mail_systems import Systems
from tests.soak.memory import hear_every_language
from tests.soak.pages import AtThePages, Pages
from tests.soak.year import (
    ADMINISTRATOR,
    ALLIANCE,
    FALL,
    LEADER,
    LEE,
    MOVED,
    OFFICE,
    PRINCIPAL,
    SPRING,
    ZONE,
    Rolls,
    Year,
)

_SECRETS = {"exchange/password": PASSWORD, "graph/secret": "right~secret"}


class Service:
    """The service of one school, from its first start on. `now` is the year's clock."""

    def __init__(
        self,
        folder: Path,
        year: Year,
        systems: Systems,
        *,
        now: datetime,
        location: str = "",
        model: Classifier | None = None,
        on_step: OnStep = no_step,
    ) -> None:
        """`location` is the database, an SQLite file in `folder` where left out; `model` stands in for a real one."""
        self.folder, self.year, self.systems, self.now = folder, year, systems, now
        self.did: Counter[str] = Counter()
        self.failures: list[str] = []
        self.rolls = Rolls.of(year)
        self._location = location or str(folder / "alliance.db")
        self._roster = folder / "roster.csv"
        self._given = model
        self._loaded: Classifier | None = None
        self._moved = False
        self._on_step = on_step
        self._kept: dict[str, Mailbox] = {}
        self._dues: dict[str, datetime] = {}
        write_families(self._roster, self.rolls.rooms.values())
        self._begin()

    def clock(self) -> datetime:
        """The year's time."""
        return self.now

    def _begin(self) -> None:
        self.settings = self._settings()
        self.calendar = SchoolCalendar.of(self.settings.school, self.settings.office)
        built = Assembly.build(self.settings, clock=self.clock, model=self._given or self._loaded)
        if self._given is None and self._loaded is None:
            hear_every_language(built.classifier)
        self._loaded = built.classifier
        parts = {name: getattr(built, name) for name in Assembly.__dataclass_fields__}
        self.assembly = YearAssembly(**parts, systems=self.systems, kept=self._kept)
        self.database: Database = built.database
        self.keeper = RosterKeeper(self.settings, self.database, self.clock, built.roster)
        self.pages = Pages(self.assembly, self.clock)
        self.staff = AtThePages(self.pages, self.assembly, self.did, self.failures)

    def restart(self, *, moved: bool | None = None, learned: bool = False) -> None:
        """As an administrator does after a change of the configuration, or when a model was `learned`: only then is
        another one loaded, since this process, unlike a new one, may not give back what the last one held."""
        self.end()
        self._loaded = None if learned else self._loaded
        self._moved = self._moved if moved is None else moved
        self._begin()
        self.did["restart"] += 1

    def end(self) -> None:
        """Stops."""
        self.pages.close()
        for mailbox in self._kept.values():
            with suppress(Exception):
                mailbox.close()
        self._kept.clear()
        self._dues.clear()
        self.assembly.close()

    def _settings(self) -> Settings:
        today = self.now.astimezone(ZONE).date()
        boxes = [self._box(each.mailbox, each.called, each.grade, each.team) for each in self.year.teaches(today)]
        alliance = MailboxSettings(
            address=ALLIANCE,
            teacher="Alliance Inbox",
            connector="maildir",
            stage=Stage.OBSERVE,
            maildir=self._maildir(ALLIANCE),
        )
        return Settings(
            school=self.year.school.model_copy(update={"roster": self._roster}),
            office=Office(address=OFFICE, phone="(608) 555-0142", minutes=30, next="administration", members=(LEE,)),
            desks=(Desk(name="administration", recipients=(PRINCIPAL,)),),
            glow=Glow(drafts_per_day=3),
            retention=Retention(mail_days=180, cases_days=180, lists_days=180, roster_days=180),
            service=ServiceSettings(
                database=self._location,
                notices_from=ALLIANCE,
                administrator=ADMINISTRATOR,
                settle_seconds=0,
                models=self.folder / "models",
            ),
            web=Web(url=URL),
            staff=(
                Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
                Staff(address=LEADER, name="Dr. Reed", role=Role.LEADER),
                Staff(address=ADMINISTRATOR, name="Kim Park", role=Role.ADMINISTRATOR),
            ),
            terms=(FALL, SPRING),
            exchange=self.systems.exchange,
            graph=self.systems.graph,
            imap=self.systems.imap,
            smtp=self.systems.smtp,
            mailboxes=(*boxes, alliance),
        )

    def _box(self, name: str, called: str, grade: str, team: str) -> MailboxSettings:
        address = f"{name}@{DOMAIN}"
        on_imap = address in self.year.on_imap
        connector = "imap" if on_imap else "maildir"
        if name == MOVED:
            connector = "graph" if self._moved else "exchange"
        return MailboxSettings(
            address=address,
            teacher=called,
            grade=grade,
            team=team,
            connector=connector,
            stage=Stage.REPLY,
            call_windows=(CallWindow(day="tue", opens="14:00", closes="15:00"),),
            maildir=self._maildir(address) if connector == "maildir" else None,
        )

    def _maildir(self, address: str) -> MaildirFolder:
        outgoing = self.systems.outgoing.get(address, self.folder / "outgoing" / address)
        return MaildirFolder(path=self.systems.maildirs / address, outgoing=outgoing)

    # Looks

    def look(self, addresses: "set[str] | None" = None, *, figures: bool = False) -> None:
        """One look at these mailboxes, at all where left out; with the scorecard's figures where asked."""
        boxes = [box for box in self.settings.mailboxes if addresses is None or box.address in addresses]
        runner = Runner(self.assembly, boxes=boxes, keeps_figures=figures, on_step=self._on_step)
        self.failures += [f"{address}: {reason}" for address, reason in runner.run_once().items()]
        self.did["looks at a mailbox"] += len(boxes)
        outbox, items = self.assembly.outbox(), self.assembly.items()
        for box in boxes:
            dues = (outbox.next_due_at(box.address), items.next_due_at(box.address))
            self._dues.pop(box.address, None)
            if any(dues):
                self._dues[box.address] = min(filter(None, dues))

    def next_due(self) -> datetime | None:
        """When something becomes due next that no mail would tell of."""
        return min(self._dues.values(), default=None)

    def due(self) -> set[str]:
        """The mailboxes in which something is due now."""
        return {address for address, at in self._dues.items() if at <= self.now}

    # Nights, weeks and terms

    def night(self, day: date) -> bool:
        """The office's list of families is imported again. Whether it said anything new."""
        changed = self.rolls.night(day)
        if changed:
            write_families(self._roster, self.rolls.rooms.values())
            self.did["roster with changes"] += 1
        self.keeper.look()
        return changed

    def purge(self) -> None:
        """Erases what is older than it is kept, as the service does once a day."""
        work = Purge(self.database, self.settings, self.calendar, self.clock)
        if work.is_due():
            self.did["rows erased for their age"] += sum(work.carry_out().values())

    def take_lists(self, course: Course, since: date, until: date) -> None:
        """The office's lists of calls and incidents of a stretch of days."""
        utc, pupils = self.now.astimezone(UTC), pupils_of(self.database, until)
        calls, incidents = self.folder / "calls.csv", self.folder / "incidents.csv"
        write_calls(calls, (call for call in course.calls if since <= call.on_day <= until))
        write_incidents(
            incidents, (day.as_known(until) for day in course.bad_days if self.year.first <= day.on_day <= until)
        )
        contacts = read_contacts(
            calls, pupils, teacher="", is_staff=lambda address: address.endswith(f"@{DOMAIN}"), today=until
        )
        bad_days = read_incidents(incidents, pupils, today=until)
        self.did["contacts from lists"] += import_contacts(self.database, contacts.rows, now=utc, zone=ZONE).added
        self.did["incidents from lists"] += import_incidents(self.database, bad_days.rows, now=utc).added
        # Children who have left meanwhile are no pupils any more: the list says so, and takes the others.
        self.did["rows of lists that named who has left"] += len(contacts.rejected) + len(bad_days.rejected)

    def out_of_reach(self, address: str) -> list[str]:
        """What teachers judged in a mailbox and can no longer be fetched from it: nothing could be learned from it."""
        judged = [
            each
            for each in Corrections(self.database).judged()
            if each.mailbox == address and each.tag is not None and not each.gone
        ]
        lost = learning.gather(judged, self.settings, self.assembly.open).left_out.get(learning.LeftOut.GONE, 0)
        return [f"{lost} corrected messages of {address} are out of reach"] if lost else []

    def learn(self) -> learning.Outcome:
        """What `alliance learn` does, in a process of its own as it is one."""
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            outcome = pool.apply(_learn, (self.settings, self.systems, self.now))
        self.did["learned from corrections"] += outcome.version is not None
        return outcome


def _learn(settings: Settings, systems: Systems, now: datetime) -> learning.Outcome:
    database = Database.open(settings.service.database)
    models = models_of(settings.service)
    assert models is not None
    calendar = SchoolCalendar.of(settings.school, settings.office)
    built = Assembly.build(settings, clock=lambda: now, database=database)
    parts = {name: getattr(built, name) for name in Assembly.__dataclass_fields__}
    assembly = YearAssembly(**parts, systems=systems, kept={})
    with models.learning():
        gathered = learning.gather(Corrections(database).judged(), settings, assembly.open)
        return learning.learn(
            gathered,
            list(read_examples(CORPUS)),
            models,
            bearings_of(settings, calendar),
            now=now,
            progress=lambda _: None,
        )
