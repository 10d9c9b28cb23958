"""The decision about one message: which labels, whether a reply, whether the office must see it. Pure.

The guards say whether a robot may answer. Most of their reasons say nothing about how pressing a message is, and must
never keep an emergency from the office; some say that no family wrote it at all. `STANDINGS` tells the two apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autoresponder.away import days_away
from autoresponder.calls import next_calls, next_partnership_calls
from autoresponder.desks import desk_for, recipients_of, tells_office
from autoresponder.drafting import calls_for_draft
from autoresponder.guards import (
    Case,
    Guard,
    addressing,
    automatic,
    check,
    content,
    past,
    reports,
    senders,
    standstill,
    thanks,
)
from autoresponder.hours import reply_by
from autoresponder.missing import missing_in
from autoresponder.plan import History, Missing, NoReply, Plan, ReplyFacts, RouteFacts, ShortCalls
from autoresponder.wording import is_written, script_of, written_languages
from classifier.verdict import Verdict
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import MailboxSettings, Settings
from connectors.away import Absence
from connectors.labels import Label, Tag
from connectors.message import Message


@dataclass(frozen=True, slots=True)
class Standing:
    """What is done about a message that a guard keeps from being answered."""

    labelled: frozenset[Tag]
    """The tags that are written on it."""
    to_check: bool
    """Whether "please check" is written beside them."""
    routed: bool
    """Whether the office gets it where it is urgent."""


CRISIS_TOPICS = frozenset({"safety", "wellbeing"})
"""Topics of urgent mail in which somebody may be harmed (docs/labelling.md, "Topics")."""
_EVERY_TAG = frozenset(Tag)

PERSON = Standing(labelled=_EVERY_TAG, to_check=False, routed=True)
"""A person may need help: the reason against an answer has nothing to do with how pressing it is."""
UNREAD = Standing(labelled=_EVERY_TAG, to_check=True, routed=True)
"""A person wrote what the service could not read."""
CROWD = Standing(labelled=frozenset({Tag.URGENT}), to_check=True, routed=False)
"""Not a family's own mail as far as can be told, but the signs may deceive or a person may be behind it: left alone,
unless it reads like an emergency; then the teacher is asked to check."""
MACHINE = Standing(labelled=frozenset(), to_check=False, routed=False)
"""Says of itself, by a standard, that a program sent it: left alone."""
BEFORE = Standing(labelled=_EVERY_TAG, to_check=False, routed=False)
"""From before the mailbox was connected: on record, and whoever had to act has long done so."""

STANDINGS: dict[Guard, Standing] = {
    content.unreadable: UNREAD,
    content.cut_off: UNREAD,
    automatic.own_mail: MACHINE,
    automatic.auto_submitted: MACHINE,
    automatic.null_return_path: MACHINE,
    reports.delivery_report: MACHINE,
    reports.bounce_in_words: CROWD,
    automatic.precedence: CROWD,
    automatic.mailing_list: CROWD,
    automatic.newsletter: CROWD,
    # A wish about answers, which some offices put on all their people's mail; no sign of a robot.
    automatic.auto_response_suppress: PERSON,
    automatic.autoresponder_mark: CROWD,
    # A person's hand, and perhaps more than an emoji: what was written beside it is judged by itself.
    content.reaction: PERSON,
    content.calendar_mail: CROWD,
    automatic.out_of_office_subject: CROWD,
    automatic.automatic_in_words: CROWD,
    senders.no_usable_sender: PERSON,
    senders.system_sender: CROWD,
    senders.no_reply_sender: CROWD,
    # Staff know the office, and the office's own mail must not come back to it.
    senders.staff: CROWD,
    # Better a warning too many than a child nobody looked for: routed, with the sender marked as not verified.
    senders.spoofed: PERSON,
    addressing.not_addressed_to_teacher: PERSON,
    content.encrypted: UNREAD,
    content.empty: PERSON,
    thanks.thanks_only: PERSON,
    past.before_connection: BEFORE,
    past.too_old: PERSON,
    past.answered_in_other_mailbox: PERSON,
    past.teacher_answered: PERSON,
    past.answered_lately: PERSON,
    past.family_answered: PERSON,
    standstill.teacher_away: PERSON,
    standstill.answers_stopped: PERSON,
}
"""The standing that each guard's objection gives a message. A guard that is missing here counts as `PERSON`."""

_STILL_THE_OFFICES = frozenset(
    guard.__name__
    for guard in (past.answered_lately, past.family_answered, standstill.teacher_away, standstill.answers_stopped)
)
"""Guards whose objection leaves the school's work as it is: only the family gets no note."""
_BY_NAME = {guard.__name__: standing for guard, standing in STANDINGS.items()}
_SAY_MORE = tuple((guard, standing) for guard, standing in STANDINGS.items() if not standing.routed)


def make_plan(
    message: Message,
    verdict: Verdict,
    *,
    mailbox: MailboxSettings,
    settings: Settings,
    calendar: SchoolCalendar,
    history: History,
    now: datetime,
    home_language: str | None = None,
    students: Sequence[str] = (),
) -> Plan:
    """What shall happen with `message`, as if the mailbox were in stage reply; the caller leaves out what its stage
    does not allow. `now` is aware. `home_language` is the family's on the roster (ISO 639-1), `students` are their
    children, where known.

    An urgent message from a person that came after the mailbox was connected is always routed, unless it was before.
    """
    tag = reply_tag(verdict)
    crisis = tag is Tag.URGENT and verdict.topic in CRISIS_TOPICS
    case = Case(
        message=message,
        history=history,
        norm=settings.norm,
        now=now,
        mailbox=mailbox,
        staff_domains=settings.staff_domains,
        calendar=calendar,
        tag=tag,
        crisis=crisis,
    )
    refusal = check(case)
    standing = _standing(case, refusal)
    reply = None
    if refusal is None:
        languages = languages_for(message, verdict.language, home_language, settings)
        try:
            reply = reply_facts(
                tag,
                languages,
                received_at=message.received_at,
                mailbox=mailbox,
                settings=settings,
                calendar=calendar,
                now=now,
                crisis=crisis,
                missing=missing_in(message, students, ask_period=settings.school.class_periods),
                office_told=tells_office(verdict.topic, settings),
                absences=history.absences,
            )
        except (
            NoSchoolDay
        ) as error:  # A calendar without school days promises nothing; the office is told all the same.
            refusal = NoReply(guard="no_school_day", reason=f"There is no day to promise: {error}.")
    route = None
    if _is_for_the_office(verdict, standing, refusal, settings) and not history.routed_already:
        desk = desk_for(verdict.topic, settings)
        urgent = verdict.tag is Tag.URGENT
        recipients = recipients_of(desk, settings, urgent=urgent, closed=not calendar.office_is_open(now))
        route = RouteFacts(
            tag=verdict.tag,
            recipient=recipients[0],
            recipients=recipients,
            desk=desk,
            received_at=message.received_at,
            family_told=reply is not None,
            no_reply_reason=refusal.reason if refusal else "",
            no_reply_guard=refusal.guard if refusal else "",
            unsure=verdict.unsure,
            sender_unverified=senders.spoofed(case) is not None,
            otherwise=verdict.otherwise,
        )
    labels = _labels(verdict, standing)
    draft = calls_for_draft(case, verdict)
    return Plan(labels=labels, reply=reply, no_reply=refusal, route=route, topic=verdict.topic, draft=draft)


def goes_to_office(case: Case) -> bool:
    """Whether the office gets `case`'s message where it is urgent, for all that the guards know of it."""
    return _standing(case, check(case)).routed


def reply_tag(verdict: Verdict) -> Tag:
    """Which of the three notes fits. An unsure "urgent" keeps the urgent note: the message is routed, and the ordinary
    norm would be wrong for somebody in need. An unsure "conflict" gets the routine note, which offends nobody."""
    return Tag.ROUTINE if verdict.unsure and verdict.tag is Tag.CONFLICT else verdict.tag


def reply_facts(
    tag: Tag,
    languages: tuple[str, ...],
    *,
    received_at: datetime,
    mailbox: MailboxSettings,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    crisis: bool = False,
    missing: tuple[Missing, ...] = tuple(Missing),
    office_told: bool = True,
    absences: Sequence[Absence] = (),
) -> ReplyFacts:
    """The facts that a note of `tag` is worded from, for a message received at `received_at` and answered at `now`
    (both aware). In `absences` the norm stands still, as on days without school, and nobody is offered a call. Raises
    `NoSchoolDay`, for an urgent note only where the school has none: that note promises no day."""
    closed = not calendar.office_is_open(now)
    away = () if tag is Tag.URGENT else days_away(absences, calendar, received_at)
    teachers = calendar.without(away) if away else calendar
    deadline = reply_by(received_at, settings.norm.reply_within_hours[1], teachers)
    holidays = calendar.break_between(now.astimezone(calendar.zone).date(), deadline.date())
    short_calls = ShortCalls()
    if tag is Tag.ROUTINE:
        short_calls = next_partnership_calls(mailbox.partnership_calls, now, teachers)
    return ReplyFacts(
        tag=tag,
        languages=languages,
        received_at=received_at,
        reply_by=deadline,
        same_day_closed=closed,
        office_opens_at=calendar.office_opens_at(now) if closed else None,
        crisis=crisis,
        missing=missing,
        closed_from=holidays[0] if holidays else None,
        closed_until=holidays[1] if holidays else None,
        call_windows=next_calls(mailbox.call_windows, now, deadline, teachers),
        short_calls=short_calls,
        office_told=office_told,
    )


def _is_for_the_office(verdict: Verdict, standing: Standing, refusal: NoReply | None, settings: Settings) -> bool:
    """Urgent mail of a person always. Routine mail only where the school wants its topic there, and nothing but an
    earlier answer, or a time without answers, kept it from being answered: what the teacher has answered, or a
    thank-you, is nobody's work."""
    if not standing.routed:
        return False
    if verdict.tag is Tag.URGENT:
        return True
    wanted = verdict.tag is Tag.ROUTINE and verdict.topic in settings.office.routine_topics
    return wanted and (refusal is None or refusal.guard in _STILL_THE_OFFICES)


def _standing(case: Case, refusal: NoReply | None) -> Standing:
    standing = PERSON if refusal is None else _BY_NAME.get(refusal.guard, PERSON)
    if refusal is None or not standing.routed:
        return standing
    # The chain stops at its first objection; a later guard may still know that no family wrote this.
    return next((other for guard, other in _SAY_MORE if guard(case) is not None), standing)


def _labels(verdict: Verdict, standing: Standing) -> frozenset[Label]:
    if verdict.tag not in standing.labelled:
        return frozenset()
    return verdict.labels | {Label.CHECK} if standing.to_check else verdict.labels


def languages_for(message: Message, written: str, home: str | None, settings: Settings) -> tuple[str, ...]:
    """The family's language, then the school's first; all of the school's where nobody wrote a note in the family's.
    `written` is the message's language, as the classifier tells it, `home` the one on the roster."""
    school = settings.school.languages
    if written == "zh":
        written = script_of(f"{message.subject}\n{message.newest}")
    family = next((code for code in (written, home) if code and is_written(code)), None)
    return written_languages((family, *school[:1]) if family else school)
