"""The life of a case: from a family's first conflict message to the plan that they and the teacher agree on. Pure.

A case is one family's matter with one teacher. Only the teacher ends it: what looks like an agreement is proposed to
them, never assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from autoresponder.follow_up import follow_up_day
from autoresponder.hours import reply_by
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import Settings

_DAY = timedelta(days=1)


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    AGREED = "agreed"
    """Teacher and family have a plan."""
    NO_CONFLICT = "no conflict"
    """The teacher says that none of its messages is one."""


class CaseWord(StrEnum):
    """What the teacher says about a case."""

    AGREED = "plan agreed"
    REOPENED = "open again"
    NO_CONFLICT = "not a conflict"
    NOT_YET = "not agreed yet"
    """What looked like an agreement was none."""


@dataclass(frozen=True, slots=True)
class CaseRules:
    """How mail is made into cases."""

    one_matter: timedelta = timedelta(days=14)
    """So long after its last message a case takes further conflict mail of the same family; in its threads, always."""

    @classmethod
    def of(cls, settings: Settings) -> "CaseRules":
        """As the school has them."""
        return cls(one_matter=_DAY * settings.cases.one_matter_days)


def outcome(state: CaseState, word: CaseWord) -> CaseState | None:
    """The state that a word of the teacher's brings a case into; None where it changes none."""
    if state is CaseState.OPEN:
        return {CaseWord.AGREED: CaseState.AGREED, CaseWord.NO_CONFLICT: CaseState.NO_CONFLICT}.get(word)
    return CaseState.OPEN if word is CaseWord.REOPENED else None


@dataclass(frozen=True, slots=True)
class Answered:
    """Who waits for whom, from the mail of both sides."""

    first: datetime | None
    """When the teacher first wrote to the family in the life of the case."""
    last: datetime | None
    """When they last did."""
    waiting_since: datetime | None
    """When the family wrote what the teacher has not answered yet; None where nothing waits."""


def answered(mails: Sequence[datetime], answers: Sequence[datetime], *, since: datetime) -> Answered:
    """What the times of the family's conflict mail and of the teacher's own mail say, in whatever order they are on
    record. Mail of the teacher's from before `since`, the opening of the case, answers nothing."""
    counted = [at for at in answers if at >= since]
    last = max(counted, default=None)
    waiting = [at for at in mails if last is None or at > last]
    return Answered(min(counted, default=None), last, min(waiting, default=None))


class CaseStepKind(StrEnum):
    """Who is told of a case."""

    REMIND = "remind"
    """The teacher, that a family waits beyond the norm."""
    TELL_COACH = "tell coach"
    """The coach, that the teacher has not answered after a reminder either."""
    OFFER_COACH = "offer coach"
    """The coach, early, that a case is hostile or one of many."""


@dataclass(frozen=True, slots=True)
class CaseStep:
    """What is to be done about an open case now, if anything, and when to look again; never where `next_at` is None."""

    kind: CaseStepKind | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """An open case, as far as reminders go. Times are aware."""

    waiting_since: datetime | None
    reminded_at: datetime | None
    """When the teacher was reminded of what waits."""
    coach_told_at: datetime | None
    """When the coach was told that it waits."""
    coach_offered_at: datetime | None
    """When the coach was told early."""
    needs_coach: bool
    """`wants_coach` says so."""


def due_at(waiting_since: datetime, settings: Settings, calendar: SchoolCalendar) -> datetime:
    """By when the norm wants an answer to what a family wrote; aware, in the school's zone. Raises `NoSchoolDay`."""
    return reply_by(waiting_since, settings.norm.reply_within_hours[1], calendar)


def wants_coach(settings: Settings, *, hostile: bool, cases_lately: int) -> bool:
    """Whether the coach is offered to the teacher early. `cases_lately` counts the family's cases with this teacher
    within the term, this one included."""
    return hostile or cases_lately >= settings.cases.repeated


def next_step(standing: Standing, settings: Settings, calendar: SchoolCalendar, now: datetime) -> CaseStep:
    """The first step that is due `now`, in school hours only: with the school closed, its next opening is when to look
    again. Raises `NoSchoolDay`."""
    due = []
    coach = settings.coach
    if coach is not None and coach.early and standing.needs_coach and standing.coach_offered_at is None:
        due.append((now, CaseStepKind.OFFER_COACH))
    if standing.waiting_since is not None:
        if standing.reminded_at is None:
            due.append((due_at(standing.waiting_since, settings, calendar), CaseStepKind.REMIND))
        elif coach is not None and standing.coach_told_at is None:
            due.append((reply_by(standing.reminded_at, coach.hours, calendar), CaseStepKind.TELL_COACH))
    if not due:
        return CaseStep(None, None)
    at, kind = min(due)
    if at > now:
        return CaseStep(None, at if calendar.is_open(at) else calendar.next_opening(at))
    if not calendar.is_open(now):
        return CaseStep(None, calendar.next_opening(now))
    return CaseStep(kind, now)


def follow_up(last_mail_at: datetime, agreed_at: datetime | None, calendar: SchoolCalendar) -> date | None:
    """The day on which teacher and family take the matter up again, a local date: as the draft names it, or, once a
    plan is agreed, counted from then. None where the calendar has no such day."""
    from_day = (agreed_at or last_mail_at).astimezone(calendar.zone).date()
    try:
        return follow_up_day(from_day, calendar)
    except NoSchoolDay:
        return None


def school_days(opened_at: datetime, until: datetime, calendar: SchoolCalendar) -> int:
    """How many school days after the day it was opened on a case was, or is, open: 0 where it ended the same day."""
    first, last = (at.astimezone(calendar.zone).date() for at in (opened_at, until))
    return calendar.school_days_between(first, last)
