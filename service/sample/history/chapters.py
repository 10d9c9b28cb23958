"""The school's history from the first list to the eve of the nine days, lived through by the real service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from classifier import Classifier
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from scorecard.contact_list import read_contacts
from scorecard.incident_list import read_incidents
from scorecard.list_files import digest_of, read_lists
from scorecard.list_import import import_contacts, import_incidents, pupils_of
from scorecard.roster_import import import_lists
from service.sample.envelopes import DOMAIN
from service.sample.history.course import Course, simulate
from service.sample.history.lists import write_calls, write_families, write_incidents
from service.sample.history.living import Past
from service.sample.history.people import Room, School, SchoolPlan, gather
from service.sample.letters import ZONE, SampleMail
from service.sample.school import CONNECTED, EARLY, LISTS, ROSTER_FILE, SampleSchool
from service.sample.week import SchoolAssembly
from store.database import Database

_FIRST_LIST, _SECOND_LIST = date(2025, 1, 3), date(2025, 8, 22)
"""The days on which the office hands over the lists of families of the two terms."""
BEGINS = _FIRST_LIST


class ListRefused(Exception):
    """A row of a list that the demo wrote was not taken: the demo and the service disagree."""


@dataclass(frozen=True, slots=True)
class _Chapter:
    """A term of the history."""

    begins: date
    ends: date
    """The day on which the office hands over what it noted of the term."""
    stage: Stage
    rooms: Sequence[Room]
    families: Path
    mails: Sequence[SampleMail]


@dataclass(frozen=True, slots=True)
class History:
    """The history of one demo, made up but not lived through."""

    school: School
    course: Course

    @classmethod
    def of(cls, calendar: SchoolCalendar, *, since: date = BEGINS, until: date) -> "History":
        """The history as the seed has it, up to the day before `until`. `calendar` is the school's. A later `since`
        leaves out what came before."""
        school = gather(SchoolPlan.load())
        return cls(school, simulate(school, calendar, since=since, until=until))

    @property
    def begins(self) -> datetime:
        """When the service is first there: before the first mail."""
        return datetime.combine(_FIRST_LIST, time(6), ZONE)

    def of_early(self) -> list[SampleMail]:
        """The mail, up to the nine days, of those who have the service from the beginning."""
        return [mail for mail in self.course.mails if mail.mailbox in EARLY and mail.arrives < CONNECTED]

    def of_joiners(self) -> list[SampleMail]:
        """What lies in the other mailboxes when they are connected."""
        return [mail for mail in self.course.mails if mail.mailbox not in EARLY and mail.arrives < CONNECTED]

    def beside(self, mails: Sequence[SampleMail]) -> list[SampleMail]:
        """The mails of the nine days, and what comes to the others meanwhile; in the order of arrival."""
        others = [mail for mail in self.course.mails if mail.mailbox in EARLY and mail.arrives >= CONNECTED]
        return sorted([*mails, *others], key=lambda mail: (mail.arrives, mail.mailbox, mail.message_id))

    def prepare(self, sample: SampleSchool) -> None:
        """Writes the lists of families, and puts old mail into the mailboxes that are connected later."""
        for chapter in self._chapters(sample):
            chapter.families.parent.mkdir(exist_ok=True)
            write_families(chapter.families, chapter.rooms)
        for mail in self.of_joiners():
            sample.receive(mail, seen=True)

    def live(
        self, sample: SampleSchool, settings: Settings, model: Classifier, on_day: Callable[[date], None]
    ) -> dict[str, str]:
        """Lives through it. Tells `on_day` each day. Returns what failed: reason by mailbox."""
        failures: dict[str, str] = {}
        past = Past(sample, self.school.plan.seed, self.begins)
        for chapter in self._chapters(sample):
            past.now = datetime.combine(chapter.begins, time(6), ZONE)
            # The others are configured already, so that their teams are known; nobody looks at them yet.
            every = [_at_stage(box, chapter.stage) for box in settings.mailboxes]
            boxes = [box for box in every if _name(box) in EARLY]
            school = settings.school.model_copy(update={"roster": chapter.families})
            database = Database.open(settings.service.database)
            try:
                _take_families(database, chapter.families, past.now)
                at_stage = settings.model_copy(update={"mailboxes": every, "school": school})
                assembly = SchoolAssembly.build(at_stage, clock=past.clock, database=database, model=model)
                failures |= past.live(assembly, boxes, chapter.mails, self.course.plans, on_day)
                past.now = max(past.now, datetime.combine(chapter.ends, time(17), ZONE))
                self._take_notes(sample, database, chapter, past.now)
            finally:
                database.close()
        return failures

    def _chapters(self, sample: SampleSchool) -> Sequence[_Chapter]:
        before, _ = self.school.plan.terms
        mails, lists = self.of_early(), sample.folder / LISTS
        return (
            _Chapter(
                begins=_FIRST_LIST,
                ends=before.last,
                stage=Stage.TAG,
                rooms=self.school.before,
                families=lists / f"families-{_FIRST_LIST}.csv",
                mails=[mail for mail in mails if mail.arrives.date() <= before.last],
            ),
            _Chapter(
                begins=_SECOND_LIST,
                ends=CONNECTED.date() - timedelta(days=3),
                stage=Stage.REPLY,
                rooms=self.school.now,
                families=sample.folder / ROSTER_FILE,
                mails=[mail for mail in mails if mail.arrives.date() > before.last],
            ),
        )

    def _take_notes(self, sample: SampleSchool, database: Database, chapter: _Chapter, now: datetime) -> None:
        """The office's lists of the term: as `alliance contacts import` and `alliance incidents import` take them."""
        today, utc = now.date(), now.astimezone(UTC)
        calls, incidents = (sample.folder / LISTS / f"{what}-{today}.csv" for what in ("calls", "incidents"))
        write_calls(calls, (call for call in self.course.calls if chapter.begins <= call.on_day <= today))
        write_incidents(
            incidents, (day.as_known(today) for day in self.course.bad_days if chapter.begins <= day.on_day <= today)
        )
        pupils = pupils_of(database, today)
        contacts = read_contacts(
            calls, pupils, teacher="", is_staff=lambda address: address.endswith(f"@{DOMAIN}"), today=today
        )
        bad_days = read_incidents(incidents, pupils, today=today)
        for refused in (*contacts.rejected, *bad_days.rejected):
            raise ListRefused(str(refused))
        import_contacts(database, contacts.rows, now=utc, zone=ZONE)
        import_incidents(database, bad_days.rows, now=utc)


def _take_families(database: Database, path: Path, now: datetime) -> None:
    """As `alliance roster import --allow-many` does: at the change of the school year many leave at once."""
    lists = read_lists(path)
    for refused in lists.rejected:
        raise ListRefused(str(refused))
    import_lists(
        database,
        lists,
        digest=digest_of(path),
        now=now.astimezone(UTC),
        today=now.date(),
        allow_many=True,
        from_settings=True,
    )


def _at_stage(box: MailboxSettings, stage: Stage) -> MailboxSettings:
    return box.model_copy(update={"stage": stage}) if _name(box) in EARLY else box


def _name(box: MailboxSettings) -> str:
    return box.address.partition("@")[0]
