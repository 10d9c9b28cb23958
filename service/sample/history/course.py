"""The course of two terms: who writes to whom and when, who calls, what is agreed on, which child has a bad day.

Pure: the plan's seed decides everything. What the service makes of it is not decided here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from random import Random

from config import SchoolCalendar
from connectors.labels import Tag
from service.sample.envelopes import Letter, MailFile
from service.sample.history.people import Child, Guardian, Room, School, Teacher, Term
from service.sample.history.writing import Pen, Text, Written, family_texts, teacher_texts
from service.sample.letters import SampleMail, mails_of
from store.marks import monday_of

_FIRST_WEEKS = 20
"""School days in which good news is sent; four weeks."""
_LATE_GOOD_NEWS = 0.1
_BEFORE = 0.55
"""In the term before, so much of the good news of this one."""
_GLAD, _THUMBS_UP = 0.5, 0.14
_KINDS = {Tag.ROUTINE: 0.79, Tag.URGENT: 0.1, Tag.CONFLICT: 0.11}
_STAYS_OPEN = 0.08
_LETTERS_OF_JOINERS = 0.5
_INCIDENTS_A_TERM = {"K": 3, "3": 4, "5": 7, "7": 10, "8": 10}
_INCIDENT_KINDS = ("disruption", "defiance", "conflict with a peer", "left class")


@dataclass(frozen=True, slots=True)
class PlanAgreed:
    """A teacher marks a conversation: family and school agreed on a plan."""

    at: datetime
    """Aware."""
    mailbox: str
    file_name: str
    """The Maildir name of the message that is marked."""


@dataclass(frozen=True, slots=True)
class Call:
    """A telephone call to a family."""

    on_day: date
    mailbox: str
    child: Child
    good_news: bool
    reached: bool


@dataclass(frozen=True, slots=True)
class BadDay:
    """A behavior incident, and the day on which the child was back to baseline, where that was noted."""

    on_day: date
    child: Child
    kind: str
    baseline_day: date | None

    def as_known(self, today: date) -> "BadDay":
        """What the office can know of it on a day."""
        known = self.baseline_day is not None and self.baseline_day <= today
        return self if known else replace(self, baseline_day=None)


@dataclass(frozen=True, slots=True)
class Course:
    """What happened, each list in the order of time."""

    mails: Sequence[SampleMail]
    plans: Sequence[PlanAgreed]
    calls: Sequence[Call]
    bad_days: Sequence[BadDay]


def simulate(school: School, calendar: SchoolCalendar, *, since: date, until: date) -> Course:
    """What happened on the days from `since` to before `until`. The same seed gives the same course, and a shorter one
    is a part of a longer one."""
    years = [_Year(room, calendar) for room in (*school.before, *school.now)]
    for year in years:
        year.live_through()
    owners = {teacher.mailbox: teacher.name for teacher in school.plan.teachers}
    mails: list[SampleMail] = []
    plans: list[PlanAgreed] = []
    for year in years:
        box = year.room.teacher.mailbox
        kept = _kept(year.mail, year.sent, since, until)
        there = {mail.message_id.partition("@")[0]: mail for mail in mails_of(box, kept, owners)}
        mails += there.values()
        plans += [
            PlanAgreed(at.replace(tzinfo=calendar.zone), box, there[f"{box}-{letter}"].file_name)
            for at, letter in year.agreed
            if at.date() < until and f"{box}-{letter}" in there
        ]
    return Course(
        mails=sorted(mails, key=lambda mail: (mail.arrives, mail.mailbox, mail.message_id)),
        plans=sorted(plans, key=lambda plan: (plan.at, plan.mailbox)),
        calls=sorted(
            (call for year in years for call in year.calls if since <= call.on_day < until),
            key=lambda call: (call.on_day, call.mailbox, call.child.id),
        ),
        bad_days=sorted(
            (day for year in years for day in year.bad_days if since <= day.on_day < until),
            key=lambda day: (day.on_day, day.child.id),
        ),
    )


def _kept(mail: Sequence[Letter], sent: Sequence[Letter], since: date, until: date) -> MailFile:
    """The letters of these days. One that answers an earlier letter goes without it where that one is not there."""
    there: set[str] = set()
    kept: list[list[Letter]] = [[], []]
    for letter, of in sorted(((each, n) for n, each_of in enumerate((mail, sent)) for each in each_of), key=_when):
        if since <= letter.at.date() < until and (not letter.answers or letter.answers in there):
            there.add(letter.id)
            kept[of].append(letter)
    return MailFile(owner="", mail=tuple(kept[0]), sent=tuple(kept[1]))


def _when(entry: tuple[Letter, int]) -> tuple[datetime, str]:
    return entry[0].at, entry[0].id


@dataclass
class _Year:
    """A teacher's term with a class, while it is made up."""

    room: Room
    calendar: SchoolCalendar
    mail: list[Letter] = field(default_factory=list)
    sent: list[Letter] = field(default_factory=list)
    agreed: list[tuple[datetime, str]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    bad_days: list[BadDay] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(f"course {self.room.id}")  # noqa: S311 - makes up a school, guards no secret
        self._pen = Pen(self._random)
        self._numbers = count(1)
        self._days = list(_school_days(self.term, self.calendar))
        self._chatty = {child.id: self._random.random() ** 2 + 0.02 for child in self.room.children}
        self._earlier = self.term.last < date(2025, 8, 1)

    @property
    def term(self) -> Term:
        return self.room.term

    @property
    def teacher(self) -> Teacher:
        return self.room.teacher

    def live_through(self) -> None:
        for child in self.room.children:
            self._good_news(child)
        for number, day in enumerate(self._days):
            last_of_week = number + 1 == len(self._days) or self._days[number + 1].weekday() < day.weekday()
            if last_of_week:
                self._week(day)
        self._have_bad_days()

    def _week(self, last_day: date) -> None:
        monday = monday_of(last_day)
        days = [day for day in self._days if monday <= day <= last_day]
        week = monday.isocalendar().week
        if week % 2 == 0:
            self._circular(last_day)
        if self._random.random() < 0.35:
            self._concern(self._random.choice(days))
        wanted = self.term.letters_a_week * (_LETTERS_OF_JOINERS if self.teacher.joins_late else 1) * len(days) / 5
        for _ in range(int(wanted) + (self._random.random() < wanted % 1)):
            self._letter(self._random.choice(days))

    def _good_news(self, child: Child) -> None:
        habit = self.teacher.habit
        if self._random.random() >= habit.good_news * (_BEFORE if self._earlier else 1):
            return
        within, later = self._days[:_FIRST_WEEKS], self._days[_FIRST_WEEKS : 2 * _FIRST_WEEKS]
        day = self._random.choice(later if self._happens(_LATE_GOOD_NEWS) and later else within)
        if self._happens(habit.by_phone):
            self.calls.append(Call(day, self.teacher.mailbox, child, good_news=True, reached=not self._happens(0.2)))
            return
        texts = teacher_texts()
        first = child.guardians[0]
        spanish = self.teacher.spanish and first.language == "es"
        written = self._pen.of_teacher(
            texts.good_news_es if spanish else texts.good_news, child.family_called, child, self.teacher
        )
        at = self._at(day, 15, 25, 80)
        letter = self._send(at, written, [guardian.addresses[0] for guardian in child.guardians])
        answer = self._random.random()
        if answer < _GLAD:
            self._answered(letter, child, at + self._random.choice((timedelta(hours=3), timedelta(hours=5))), "glad")
        elif answer < _GLAD + _THUMBS_UP:
            self._answered(letter, child, at + timedelta(minutes=self._random.randint(4, 90)), "reaction")

    def _answered(self, letter: Letter, child: Child, at: datetime, how: str) -> None:
        guardian = self._random.choice(child.guardians)
        if how == "reaction":
            self._receive(at, Written("", "👍"), guardian, Tag.ROUTINE, answers=letter, reaction="👍")
            return
        written = self._pen.of_family(family_texts(guardian.language).glad, guardian, child, self.teacher)
        self._receive(at, written, guardian, Tag.ROUTINE, answers=letter)

    def _circular(self, day: date) -> None:
        child = self.room.children[0]
        written = self._pen.of_teacher(teacher_texts().circular, "", child, self.teacher)
        addresses = [guardian.addresses[0] for child in self.room.children for guardian in child.guardians]
        self._send(self._at(day, 15, 40, 30), written, list(dict.fromkeys(addresses)))

    def _concern(self, day: date) -> None:
        child = self._random.choice(self.room.children)
        written = self._pen.of_teacher(teacher_texts().concern, child.guardians[0].called, child, self.teacher)
        self._send(self._at(day, 15, 30, 60), written, [child.guardians[0].addresses[0]])

    def _letter(self, day: date) -> None:
        """A family writes; what comes of it."""
        child = self._random.choices(self.room.children, [self._chatty[each.id] for each in self.room.children])[0]
        guardian = self._random.choice(child.guardians)
        tag = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
        texts = family_texts(guardian.language)
        of: Sequence[Text] = {Tag.ROUTINE: texts.routine, Tag.URGENT: texts.urgent, Tag.CONFLICT: texts.conflict}[tag]
        written = self._pen.of_family(of, guardian, child, self.teacher)
        if tag is Tag.URGENT:
            at = self._at(day, 7, 5, 360)
        else:
            at = self._at(day, *self._random.choice(((6, 45, 70), (11, 30, 120), (16, 0, 330), (19, 0, 170))))
        letter = self._receive(at, written, guardian, tag)
        if tag is Tag.CONFLICT:
            self._conflict(letter, guardian, child)
        elif self._happens(self.teacher.habit.answers):
            of = teacher_texts().urgent if tag is Tag.URGENT else teacher_texts().routine
            answer = self._pen.of_teacher(of, guardian.called, child, self.teacher)
            self._send(self._answers_at(at, tag), answer, [guardian.writes_from[0]], answers=letter)

    def _conflict(self, letter: Letter, guardian: Guardian, child: Child) -> None:
        """A hard conversation: an answer, often a second letter, and in most cases a plan some school days later."""
        texts, address = teacher_texts(), [guardian.writes_from[0]]
        answers_at = self._answers_at(letter.at, Tag.CONFLICT)
        answer = self._send(
            answers_at,
            self._pen.of_teacher(texts.conflict, guardian.called, child, self.teacher),
            address,
            answers=letter,
        )
        insists = self._happens(0.4)
        if insists:
            follow_up = self._pen.of_family(family_texts(guardian.language).follow_up, guardian, child, self.teacher)
            at = answers_at + timedelta(hours=4, minutes=self._random.randint(0, 50))
            self._receive(at, follow_up, guardian, Tag.CONFLICT, answers=answer)
        school_days = max(insists, round(self._random.expovariate(1 / self.teacher.habit.days_to_plan)))
        stays_open = self._happens(_STAYS_OPEN)
        day = self.calendar.add_school_days(answers_at.date(), school_days) if school_days else answers_at.date()
        if stays_open or day > self.term.last:
            return
        at = datetime.combine(day, time(16, 50)) + timedelta(minutes=self._random.randint(0, 30))
        plan = self._pen.of_teacher(texts.agreed, guardian.called, child, self.teacher)
        self._send(at, plan, address, answers=letter)
        self.agreed.append((at + timedelta(minutes=2), letter.id))

    def _answers_at(self, at: datetime, tag: Tag) -> datetime:
        """When the teacher answers a letter of this moment: mostly the same or the next school day, at times late."""
        if tag is Tag.URGENT:
            return at + timedelta(minutes=self._random.randint(6, 50))
        same_day = at.hour < 15 and self._happens(0.7)
        wait = 0 if same_day else 4 if self._happens(0.1) else 1
        day = self.calendar.add_school_days(at.date(), wait) if wait else at.date()
        return self._at(day, 15, 15, 80)

    def _have_bad_days(self) -> None:
        """Incidents of some children. Most are back to baseline within two weeks; where nobody noted it, another
        incident says that they were not."""
        for _ in range(_INCIDENTS_A_TERM[self.teacher.grade]):
            child, day = self._random.choice(self.room.children), self._random.choice(self._days[5:])
            kind = self._random.choice(_INCIDENT_KINDS)
            noted = self._happens(0.9)
            soon = self._happens(0.7 if self.teacher.team != "Middle" else 0.5)
            back = day + timedelta(days=self._random.randint(2, 12) if soon else self._random.randint(15, 20))
            self.bad_days.append(BadDay(day, child, kind, back if noted else None))

    def _receive(
        self,
        at: datetime,
        written: Written,
        guardian: Guardian,
        tag: Tag,
        *,
        answers: Letter | None = None,
        reaction: str = "",
    ) -> Letter:
        sender = f"{guardian.given_name} {guardian.family_name}".strip()
        letter = Letter.model_validate(
            {
                "at": at,
                "from": f"{sender} <{self._random.choice(guardian.writes_from)}>",
                "subject": written.subject,
                "body": written.body + "\n",
                "id": self._number(),
                "answers": answers.id if answers else "",
                "tag": tag,
                "lang": guardian.language,
                "reaction": reaction,
            }
        )
        self.mail.append(letter)
        return letter

    def _send(
        self, at: datetime, written: Written, addresses: Sequence[str], *, answers: Letter | None = None
    ) -> Letter:
        letter = Letter(
            at=at,
            to=", ".join(addresses),
            subject=written.subject,
            body=written.body + "\n",
            id=self._number(),
            answers=answers.id if answers else "",
        )
        self.sent.append(letter)
        return letter

    def _number(self) -> str:
        return f"{self.term.id.partition('-')[0]}-{next(self._numbers)}"

    def _at(self, day: date, hour: int, minute: int, within: int) -> datetime:
        """A moment of the day, at most `within` minutes after the given one."""
        seconds = self._random.randrange(within * 60)
        return datetime.combine(day, time(hour, minute)) + timedelta(seconds=seconds)

    def _happens(self, share: float) -> bool:
        return self._random.random() < share


def _school_days(term: Term, calendar: SchoolCalendar) -> Iterator[date]:
    day = term.first
    while day <= term.last:
        if calendar.is_school_day(day):
            yield day
        day += timedelta(days=1)
