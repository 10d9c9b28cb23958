"""Sees to it that a family whose hard message waits is not forgotten: the teacher is reminded, then the coach is told.

The step and its mails commit together, over the case as it was read: whichever worker is there, and whatever crashes,
each step is taken once, and not where the teacher has answered meanwhile. The mails are in the outbox (decision 3),
which asks again before it sends.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from autoresponder.case_notes import RemindFacts, remind_message_id
from autoresponder.cases import CaseState, CaseStepKind, Standing, due_at, next_step, wants_coach
from autoresponder.hours import reply_by
from config import NoSchoolDay, SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from service.logs import said
from store.case_tables import CaseEventKind
from store.cases import Cases, CaseView
from store.tables import Delivery, DeliveryKind

log = structlog.get_logger()

_EVENTS = {
    CaseStepKind.REMIND: CaseEventKind.REMINDED,
    CaseStepKind.TELL_COACH: CaseEventKind.COACH_TOLD,
    CaseStepKind.OFFER_COACH: CaseEventKind.COACH_OFFERED,
}
_CALENDAR_ASKED_EVERY = timedelta(days=1)
"""How often a calendar without school days is asked again."""


def remind(box: MailboxSettings, cases: Cases, settings: Settings, calendar: SchoolCalendar, now: datetime) -> int:
    """Takes the step that is due of every open case of `box`. Returns of how many somebody is told."""
    if box.stage is Stage.OBSERVE:
        return 0
    return sum(_look(view, box, cases, settings, calendar, now) for view in cases.due(box.address, now))


def needs_coach(view: CaseView, cases: Cases, settings: Settings, now: datetime) -> bool:
    """Whether the teacher is offered the coach early in a case."""
    return wants_coach(settings, hostile=view.case.hostile, cases_lately=_lately(view, cases, settings, now))


def unwanted(view: CaseView | None, facts: RemindFacts) -> str | None:
    """Why a mail about a case that was planned is no longer wanted; None where it is."""
    if view is None or view.case.state is not CaseState.OPEN:
        return "the case is closed"
    if facts.step is CaseStepKind.OFFER_COACH:
        return None
    waiting, planned = view.case.waiting_since, facts.waiting_since
    if waiting is None or (planned is not None and waiting > planned):
        return "the teacher answered"
    return None


def _look(
    view: CaseView, box: MailboxSettings, cases: Cases, settings: Settings, calendar: SchoolCalendar, now: datetime
) -> bool:
    case = view.case
    standing = Standing(
        waiting_since=case.waiting_since,
        reminded_at=case.reminded_at,
        coach_told_at=case.coach_told_at,
        coach_offered_at=case.coach_offered_at,
        needs_coach=needs_coach(view, cases, settings, now),
    )
    try:
        step = next_step(standing, settings, calendar, now)
        if step.kind is None:
            cases.look_again(view, step.next_at, now)
            return False
        facts = _facts(view, step.kind, cases, settings, calendar, now)
    except NoSchoolDay as error:
        log.error("nobody can be reminded of a case", case=view.id, error=said(error))
        cases.look_again(view, now + _CALENDAR_ASKED_EVERY, now)
        return False
    told = cases.tell(view, _EVENTS[step.kind], _mails(view, facts, box, settings, now), now)
    if told:
        log.info("somebody is told of a case", case=view.id, step=step.kind)
    return told


def _facts(
    view: CaseView, step: CaseStepKind, cases: Cases, settings: Settings, calendar: SchoolCalendar, now: datetime
) -> RemindFacts:
    case, coach = view.case, settings.coach
    waiting = case.waiting_since
    lately = _lately(view, cases, settings, now)
    to_teacher = step is CaseStepKind.REMIND
    first = view.waiting or view.first
    return RemindFacts(
        step=step,
        received_at=waiting or case.opened_at,
        waiting_since=waiting,
        sender=(first.sender or "") if to_teacher else "",
        due_at=due_at(waiting, settings, calendar) if waiting is not None else None,
        reminded_at=case.reminded_at,
        coach_at=reply_by(now, coach.hours, calendar) if coach is not None and to_teacher else None,
        coach_offered=wants_coach(settings, hostile=case.hostile, cases_lately=lately),
        hostile=case.hostile,
        cases_lately=lately,
    )


def _mails(
    view: CaseView, facts: RemindFacts, box: MailboxSettings, settings: Settings, now: datetime
) -> Sequence[Delivery]:
    coach = settings.coach
    recipients = (box.address,) if facts.step is CaseStepKind.REMIND or coach is None else coach.addresses
    message = view.waiting or view.first
    number = view.case.steps + 1
    return [
        Delivery(
            mailbox=box.address,
            message_id=message.id or 0,
            kind=DeliveryKind.REMIND,
            dedupe_key=f"case:{box.address}:{view.case.reference}:{number}:{recipient}",
            facts=facts.model_dump_json(),
            recipient=recipient,
            rfc_message_id=remind_message_id(view.case.reference, number, recipient, box.address),
            next_attempt_at=now,
            created_at=now,
        )
        for recipient in recipients
    ]


def _lately(view: CaseView, cases: Cases, settings: Settings, now: datetime) -> int:
    return cases.count(view.case.mailbox, view.case.family, now - timedelta(days=settings.cases.term_days))
