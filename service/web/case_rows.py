"""Cases as one reader sees them, in words: a teacher their own, a leader or coach those that need a hand. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from autoresponder.cases import CaseState, due_at, follow_up, school_days
from autoresponder.wording import Wording
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import Role, Settings
from scorecard.roster import Roster
from service.web.people import Person
from store.case_tables import CaseEvent, CaseEventKind
from store.cases import CaseView
from store.tables import MessageRecord


def stands_by(person: Person, settings: Settings) -> bool:
    """Whether somebody stands by teachers: a leader, or the coach whom the settings name."""
    coach = settings.coach
    return Role.LEADER in person.roles or (coach is not None and person.address in coach.addresses)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case for its teacher."""

    number: int
    version: str
    state: CaseState
    title: str
    """The children, or where the family writes from."""
    senders: tuple[str, ...]
    messages: tuple[MessageRecord, ...]
    opened_at: datetime
    days: int
    """School days since it was opened, until it was closed."""
    due: datetime | None
    """By when the norm wants an answer to what waits; None where nothing does."""
    late: bool
    waits: bool
    last_answer_at: datetime | None
    proposed_at: datetime | None
    follow_up: date | None
    hostile: bool
    lately: int
    """How many cases of this family there were within the term; 0 where that is nothing to speak of."""
    closed_at: datetime | None
    marked: bool
    """Whether the label "plan agreed" stands on a message."""
    events: tuple[tuple[CaseEvent, str], ...]


@dataclass(frozen=True, slots=True)
class CaseReader:
    """Puts cases into words. Holds for one request."""

    words: Wording
    settings: Settings
    calendar: SchoolCalendar
    roster: Roster
    now: datetime

    def row(self, view: CaseView, lately: int) -> CaseRow:
        """A case for its teacher; `lately` counts the family's cases within the term."""
        case = view.case
        due = self._due(view)
        closed = case.changed_at if case.state is not CaseState.OPEN else None
        students = dict.fromkeys(name for sender in view.senders for name in self.roster.students_of(sender))
        return CaseRow(
            number=view.id,
            version=view.version,
            state=case.state,
            title=", ".join(students or view.senders) or self.words.gettext("somebody unknown"),
            senders=view.senders,
            messages=view.messages,
            opened_at=case.opened_at,
            days=school_days(case.opened_at, closed or self.now, self.calendar),
            due=due,
            late=due is not None and self.now >= due,
            waits=case.waiting_since is not None and closed is None,
            last_answer_at=case.last_answer_at,
            proposed_at=view.proposed_at,
            follow_up=follow_up(case.last_mail_at, case.agreed_at, self.calendar),
            hostile=case.hostile,
            lately=lately if lately >= self.settings.cases.repeated else 0,
            closed_at=closed,
            marked=case.agreed_mark is not None,
            events=tuple((event, said) for event in view.events if (said := self.event(event))),
        )

    def needs_a_hand(self, row: CaseRow) -> bool:
        """Whether whoever stands by teachers is shown a case."""
        return row.late or row.hostile or row.lately > 0

    def event(self, event: CaseEvent) -> str:
        """What happened, a sentence; empty for what this version does not know."""
        _ = self.words.gettext
        coach = self.settings.coach.name if self.settings.coach else _("The coach")
        sentences = {
            CaseEventKind.OPENED: _("The family wrote about something difficult."),
            CaseEventKind.ADDED: _("The family wrote once more."),
            CaseEventKind.ANSWERED: _("You wrote to the family, or spoke with them."),
            CaseEventKind.PROPOSED: _("The family wrote something that reads like a yes."),
            CaseEventKind.NOT_YET: _("You said that nothing is agreed yet."),
            CaseEventKind.AGREED: _("You said that a plan is agreed."),
            CaseEventKind.REOPENED: _("It was opened again."),
            CaseEventKind.NO_CONFLICT: _("You said that it is no conflict."),
            CaseEventKind.REMINDED: _("You were reminded."),
            CaseEventKind.COACH_TOLD: _("{coach} heard that a family waits; not which.").format(coach=coach),
            CaseEventKind.COACH_OFFERED: _("{coach} heard that you may want help; not with which family.").format(
                coach=coach
            ),
        }
        return sentences.get(event.kind, "")

    def day(self, day: date) -> str:
        """A day in words."""
        return self.words.day(day)

    def local(self, at: datetime) -> date:
        """The day at the school."""
        return at.astimezone(self.calendar.zone).date()

    def _due(self, view: CaseView) -> datetime | None:
        case = view.case
        if case.waiting_since is None or case.state is not CaseState.OPEN:
            return None
        try:
            return due_at(case.waiting_since, self.settings, self.calendar)
        except NoSchoolDay:
            return None
