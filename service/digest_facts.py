"""What a teacher is told in the morning mail, read off the record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import structlog

from autoresponder.away import configured_absences, days_away
from autoresponder.cases import CaseState, follow_up
from autoresponder.digest import DigestFacts, Family, Handled, Promised, Proposal, Waiting
from autoresponder.guards import content, senders, thanks
from autoresponder.hours import reply_by, school_hours_between
from autoresponder.items import ItemState
from autoresponder.plan import Span
from autoresponder.planner import STANDINGS
from config.calendar import LONGEST_BREAK_DAYS, NoSchoolDay, SchoolCalendar
from config.settings import WEEKDAYS, MailboxSettings, Settings, Stage
from config.wallclock import instant
from service.digest_contacts import contact_facts
from service.digest_glow import glow_lines
from service.families import Families
from service.good_news import GoodNews
from service.logs import said
from store.cases import Cases, CaseView
from store.ceiling import Ceiling
from store.database import Database
from store.tables import MessageRecord
from store.unanswered import FamilyMail, Unanswered

log = structlog.get_logger()

_OFFICE_HAS_IT = (ItemState.CLAIMED, ItemState.DONE)
_BEYOND_AN_ANSWER = frozenset(
    {guard.__name__ for guard, standing in STANDINGS.items() if not standing.routed}
    | {guard.__name__ for guard in (thanks.thanks_only, content.reaction)}
)
"""Guards whose objection means that nobody waits: a machine wrote it, a crowd gets it, or it only says thanks."""
_LONGEST_LOOK_BACK = 5
"""School days: what the office did before that, while nobody was told, is old news."""
_FOLLOWED_UP_WITHIN = timedelta(days=60)
"""A plan that was agreed before that has had its follow-up, whatever holidays lay between."""


@dataclass(frozen=True, slots=True)
class DigestReader:
    """Reads what is to be told. Threads may share it."""

    settings: Settings
    calendar: SchoolCalendar
    roster: Families
    record: Unanswered
    cases: Cases
    ceiling: Ceiling
    database: Database

    @classmethod
    def of(cls, settings: Settings, calendar: SchoolCalendar, roster: Families, database: Database) -> "DigestReader":
        """The reader of one installation."""
        record, cases = Unanswered(database), Cases(database)
        return cls(settings, calendar, roster, record, cases, Ceiling(database, settings.norm), database)

    def facts(self, box: MailboxSettings, now: datetime, *, told_at: datetime | None) -> DigestFacts:
        """How things stand in a mailbox `now` (aware); `told_at` is as of when the teacher was last told."""
        today = now.astimezone(self.calendar.zone).date()
        since = days_back(today, self.settings.digest.school_days, self.calendar)
        since_at = _midnight(since, self.calendar)
        cases = self.cases.listing((CaseState.OPEN,), mailbox=box.address)
        agreed = self.cases.listing((CaseState.AGREED,), mailbox=box.address, changed_since=now - _FOLLOWED_UP_WITHIN)
        mail = self.record.family_mail(box.address, since_at, now)
        families = self._families_that_wait(mail, agreed)
        to_call = [self._as_waiting(box, mails, now) for mails in _to_call(cases, families, mail, (since_at, now))]
        waiting = [self._as_waiting(box, mails, now) for mails in families.values()]
        facts = DigestFacts(
            teacher=box.teacher,
            today=today,
            since=since,
            waiting=tuple(sorted(waiting, key=_received)),
            to_call=tuple(sorted(to_call, key=_received)),
            call_times=_call_times(box, now, self.calendar),
            follow_ups=tuple(
                Promised(self._family(view.first)) for view in (*cases, *agreed) if self._is_for_today(view, today)
            ),
            proposals=tuple(
                Proposal(self._family(view.first))
                for view in cases
                if view.proposed_at is not None and view.proposed_at >= since_at
            ),
            handled=self._handled(box, self._handled_since(today, told_at), now),
            contacts=contact_facts(self.database, box.address, told_at, now, today),
            answers_paused_since=self._paused_since(box, now),
        )
        news = GoodNews(self.settings, self.calendar, self.database)
        facts = replace(facts, glow=glow_lines(news, box, facts, now, self.calendar))
        return facts if self.settings.web is None else replace(facts, page=f"{self.settings.web.origin}{_path(facts)}")

    def _families_that_wait(
        self, mail: Sequence[FamilyMail], agreed: Sequence[CaseView]
    ) -> dict[str, list[FamilyMail]]:
        """Mail that nobody has answered, by family; without what a plan was agreed about."""
        settled = {
            message.thread: view.case.agreed_at for view in agreed for message in view.messages if view.case.agreed_at
        }
        families: dict[str, list[FamilyMail]] = {}
        for each in mail:
            agreed_at = settled.get(each.message.thread)
            if self._waits(each) and (agreed_at is None or each.message.received_at > agreed_at):
                families.setdefault(each.family, []).append(each)
        return families

    def _waits(self, mail: FamilyMail) -> bool:
        message = mail.message
        domain = (message.sender or "").rpartition("@")[2]
        staff = any(domain == own or domain.endswith(f".{own}") for own in self.settings.staff_domains)
        with_office = mail.office is not None and mail.office.state in _OFFICE_HAS_IT
        return not (mail.answered or mail.put_away or staff or with_office or message.guard in _BEYOND_AN_ANSWER)

    def _as_waiting(self, box: MailboxSettings, mails: Sequence[FamilyMail], now: datetime) -> Waiting:
        first = mails[0]
        received_at = first.message.received_at
        absences = configured_absences(box, self.calendar.zone)
        calendar = self.calendar.without(days_away(absences, self.calendar, received_at))
        deadline, hours = first.promised_by, 0.0
        try:
            hours = school_hours_between(received_at, now, calendar)
            deadline = deadline or reply_by(received_at, self.settings.norm.reply_within_hours[1], calendar)
        except NoSchoolDay as error:  # such a calendar promises nothing; who waits is said all the same
            log.warning("no day of an answer can be named", mailbox=box.address, reason=said(error))
        states = {mail.office.state for mail in mails if mail.office is not None}
        return Waiting(
            family=self._family(first.message),
            received_at=received_at,
            reply_by=deadline,
            hours=hours,
            messages=len(mails),
            office=next((state for state in (ItemState.OPEN, ItemState.RETURNED) if state in states), None),
        )

    def _is_for_today(self, view: CaseView, today: date) -> bool:
        """Whether a case was to be taken up again today: its plan is agreed, or the teacher wrote and nothing new came
        since."""
        case = view.case
        answered = case.last_answer_at is not None and case.waiting_since is None
        taken_up = answered or case.state is CaseState.AGREED
        return taken_up and follow_up(case.last_mail_at, case.agreed_at, self.calendar) == today

    def _handled(self, box: MailboxSettings, since: datetime, now: datetime) -> tuple[Handled, ...]:
        return tuple(
            Handled(
                family=self._family(mail.message),
                state=mail.office.state,
                who=name_of(mail.office.holder, self.settings),
                at=mail.office.changed_at,
            )
            for mail in self.record.handled(box.address, since, now)
            if mail.office is not None and mail.office.holder is not None
            if mail.office.state in (*_OFFICE_HAS_IT, ItemState.NOT_URGENT)
        )

    def _handled_since(self, today: date, told_at: datetime | None) -> datetime:
        earliest = _midnight(days_back(today, _LONGEST_LOOK_BACK, self.calendar), self.calendar)
        return earliest if told_at is None else max(told_at, earliest)

    def _paused_since(self, box: MailboxSettings, now: datetime) -> datetime | None:
        """Since when the mailbox answers nobody because too many answers went out."""
        if box.stage is not Stage.REPLY:
            return None
        return next((standing.stopped_at for standing in self.ceiling.standings([box.address], now)), None)

    def _family(self, message: MessageRecord) -> Family:
        unverified = message.guard == senders.spoofed.__name__
        return Family(
            address=message.sender or "",
            students=() if unverified or not message.sender else tuple(self.roster.students_of(message.sender)),
            unverified=unverified,
            subject=(message.subject or "") if self.settings.service.keep_subjects else "",
        )


def days_back(day: date, count: int, calendar: SchoolCalendar) -> date:
    """The `count`-th school day before `day`; where the calendar has not so many, the earliest that it looks at."""
    for back in range(1, LONGEST_BREAK_DAYS + 1):
        earlier = day - timedelta(days=back)
        count -= calendar.is_school_day(earlier)
        if count <= 0:
            return earlier
    return earlier


def name_of(address: str, settings: Settings) -> str:
    """What colleagues call whoever uses this address: a person's name, a desk's, or the address itself; empty for the
    front office."""
    named = {
        settings.office.address: "",
        **{recipient: desk.name for desk in settings.desks for recipient in desk.recipients},
        **{box.address: box.teacher for box in settings.mailboxes},
        **{person.address: person.name for person in settings.staff},
    }
    return named.get(address, address)


def _to_call(
    cases: Sequence[CaseView],
    families: dict[str, list[FamilyMail]],
    mail: Sequence[FamilyMail],
    counted: tuple[datetime, datetime],
) -> Iterator[list[FamilyMail]]:
    """What each family with an open case has waited for since some moment of the stretch `counted`, oldest first. These
    are taken out of `families`, so that nobody is named twice."""
    known = {each.message.id: each for each in mail}
    for view in cases:
        waits_since = view.case.waiting_since
        if waits_since is None or not counted[0] <= waits_since <= counted[1]:
            continue
        of_case = [known.get(each.id, FamilyMail(each)) for each in view.messages if each.received_at >= waits_since]
        every = {each.message.id: each for each in (*of_case, *families.pop(view.case.family, ()))}
        if every:
            yield sorted(every.values(), key=_arrival)


def _path(facts: DigestFacts) -> str:
    """The web page that helps on with what is told."""
    if facts.to_call or facts.follow_ups or facts.proposals:
        return "/cases"
    if facts.handled:
        return "/items"
    if facts.waiting or not facts.contacts.is_empty:
        return "/" if facts.waiting else "/contacts"
    return "/glow" if facts.glow.families else "/"


def _received(waiting: Waiting) -> datetime:
    return waiting.received_at


def _arrival(mail: FamilyMail) -> datetime:
    return mail.message.received_at


def _call_times(box: MailboxSettings, now: datetime, calendar: SchoolCalendar) -> tuple[Span, ...]:
    """The teacher's times for calls today that are not over, in order."""
    today = now.astimezone(calendar.zone).date()
    spans = (
        Span(begins=_at(today, window.opens, calendar), ends=_at(today, window.closes, calendar))
        for window in sorted(box.call_windows, key=lambda window: window.opens)
        if WEEKDAYS.index(window.day) == today.weekday()
    )
    return tuple(span for span in spans if span.ends > now)


def _midnight(day: date, calendar: SchoolCalendar) -> datetime:
    return _at(day, time.min, calendar)


def _at(day: date, of_day: time, calendar: SchoolCalendar) -> datetime:
    return instant(datetime.combine(day, of_day), calendar.zone)
