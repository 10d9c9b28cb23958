"""Lives through the school's history with the real service: its mailboxes, its clock, its office, its teachers' labels.

In the nine days the service looks a minute after each mail. Through the months before it looks some times a day, and a
minute after what cannot wait: that takes a tenth of the time, and the same service does the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from config.settings import MailboxSettings
from connectors.labels import KEYWORDS, Label, Tag
from connectors.labels import tag_of as tag_of_labels
from service.assembly import Assembly
from service.runner import Runner
from service.sample.front_office import FrontOffice
from service.sample.history.course import PlanAgreed
from service.sample.letters import ZONE, SampleMail
from service.sample.post_office import keywords, relabel
from service.sample.school import SampleSchool

_LOOKS = (time(12, 45), time(22, 30))
_LOOKS_AFTER = timedelta(minutes=1)
_CORRECTED = 0.5
"""Of the tags that are not what the family meant, so many the teacher sets right, at the end of the day."""
_LABELS = {keyword: label for label, keyword in KEYWORDS.items()}


@dataclass
class Past:
    """The mailboxes' days, one after the other. `clock` is given to the service."""

    school: SampleSchool
    seed: int
    now: datetime
    """Aware."""
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(f"teachers {self.seed}")  # noqa: S311 - makes up a school, guards no secret

    def clock(self) -> datetime:
        """The school's time."""
        return self.now

    def live(
        self,
        assembly: Assembly,
        boxes: Sequence[MailboxSettings],
        mails: Sequence[SampleMail],
        plans: Sequence[PlanAgreed],
        on_day: Callable[[date], None],
    ) -> dict[str, str]:
        """Lives through the days of `mails`, which are in the order of arrival and in these mailboxes. Returns what
        failed: reason by mailbox."""
        days = _Days(self, assembly, {box.address.partition("@")[0]: box for box in boxes})
        failures = days.look(boxes)
        for day, of_day in _by_day(mails):
            on_day(day)
            failures |= days.live(of_day, [plan for plan in plans if plan.at.date() == day])
            self._correct(of_day)
        self.school.post()
        return failures

    def _correct(self, mails: Sequence[SampleMail]) -> None:
        """Teachers set some tags right, as they see them in their mail program."""
        seen = {mail.mailbox for mail in mails if mail.meant is not None}
        there = {mailbox: keywords(self.school.mailbox(mailbox)) for mailbox in sorted(seen)}
        for mail in mails:
            if mail.meant is None:
                continue
            words = there[mail.mailbox].get(mail.file_name, frozenset())
            said = tag_of_labels(frozenset(_LABELS[word] for word in words if word in _LABELS))
            if said is not None and said is not mail.meant and self._random.random() < _CORRECTED:
                wrong = [KEYWORDS[Label(tag)] for tag in Tag] + [KEYWORDS[Label.CHECK]]
                relabel(self.school.mailbox(mail.mailbox), mail.file_name, KEYWORDS[Label(mail.meant)], wrong)


class _Days:
    """The course of single days."""

    def __init__(self, past: Past, assembly: Assembly, boxes: dict[str, MailboxSettings]) -> None:
        self._past = past
        self._assembly = assembly
        self._boxes = boxes
        self._office = FrontOffice(assembly.items(), assembly.calendar)
        self._items = assembly.items()
        self._outbox = assembly.outbox()
        self._dues: dict[str, datetime] = {}

    def live(self, mails: Sequence[SampleMail], plans: Sequence[PlanAgreed]) -> dict[str, str]:
        failures: dict[str, str] = {}
        waiting = list(mails)
        agreed = list(plans)
        for at in _looks(mails):
            failures |= self._until(at)
            self._past.now = at
            arrived = [mail for mail in waiting if mail.arrives <= at]
            waiting = waiting[len(arrived) :]
            for mail in arrived:
                self._past.school.receive(mail)
            for plan in [plan for plan in agreed if plan.at <= at]:
                agreed.remove(plan)
                folder = self._past.school.mailbox(plan.mailbox)
                relabel(folder, plan.file_name, KEYWORDS[Label.PLAN_AGREED])
            written_to = {mail.mailbox for mail in arrived if not mail.sent}
            due = {address.partition("@")[0] for address, due in self._dues.items() if due <= at}
            failures |= self.look([box for name, box in self._boxes.items() if name in written_to | due])
        return failures

    def look(self, boxes: Sequence[MailboxSettings]) -> dict[str, str]:
        """The service looks at these mailboxes."""
        if not boxes:
            return {}
        failures = dict(Runner(self._assembly, boxes=boxes, keeps_figures=False).run_once())
        for box in boxes:
            dues = (self._outbox.next_due_at(box.address), self._items.next_due_at(box.address))
            self._dues.pop(box.address, None)
            if any(dues):
                self._dues[box.address] = min(filter(None, dues))
        return failures

    def _until(self, at: datetime) -> dict[str, str]:
        """What the office says, and what becomes due, before `at`."""
        failures: dict[str, str] = {}
        while self._dues:
            said_at = self._office.next_at()
            moment = min(filter(None, (said_at, *self._dues.values())))
            if moment > at:
                break
            self._past.now = max(self._past.now + timedelta(seconds=1), moment)
            self._office.act(self._past.now)
            due = {address for address, due in self._dues.items() if due <= self._past.now}
            failures |= self.look([box for box in self._boxes.values() if box.address in due])
        return failures


def _by_day(mails: Sequence[SampleMail]) -> Iterator[tuple[date, list[SampleMail]]]:
    days: dict[date, list[SampleMail]] = {}
    for mail in mails:
        days.setdefault(mail.arrives.date(), []).append(mail)
    yield from days.items()


def _looks(mails: Sequence[SampleMail]) -> list[datetime]:
    """When the service looks on the day of these mails, in order."""
    day = mails[0].arrives.date()
    times = {datetime.combine(day, at, ZONE) for at in _LOOKS}
    return sorted(times | {mail.arrives + _LOOKS_AFTER for mail in mails if mail.meant is Tag.URGENT})
