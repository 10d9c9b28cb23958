"""Writes drafts of the teacher's own answer into their Drafts, and never touches one again.

The promise. A draft is saved at most once. What is to be saved is on record before it is saved; after a crash in
between the mailbox is asked for its Message-ID, and where neither Drafts nor Sent has it, nobody knows whether it was
never saved, or whether the teacher has edited or deleted it: then it is left at that. The teacher asks for another by
a label. What lies in Drafts is the teacher's: it is not changed, not withdrawn and not sent by the service.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from autoresponder.drafting import DraftPlan, why_no_draft
from autoresponder.grow import Known, compose_draft, draft_facts, draft_message_id
from autoresponder.guards import Case
from autoresponder.outgoing import as_bytes
from autoresponder.plan import History
from config import SchoolCalendar
from config.calendar import NoSchoolDay
from config.settings import MailboxSettings, Settings, Stage
from connectors.errors import MessageGone
from connectors.labels import Label, Tag
from connectors.mailbox import DraftState, Mailbox
from connectors.message import Message
from connectors.mime import parse_message
from service.families import Families
from service.letters import letter_of
from service.logs import place
from service.pipeline import Reader
from service.steps import OnStep
from store.cases import Cases
from store.deadly import is_deadly
from store.outbox import Due, Outbox
from store.pages import Pages
from store.tables import DeliveryState, DeliveryStep, MessageRecord

log = structlog.get_logger()

_ASKED_BY = frozenset({Label.ANOTHER_DRAFT})
_ATTEMPTS = 30
_GONE_ATTEMPTS = 3
"""So often a message is looked for that the mailbox's changes do not call gone: it may just have got another id."""


class TeachersDrafts:
    """Carries out deliveries of the kind DRAFT."""

    def __init__(
        self,
        settings: Settings,
        calendar: SchoolCalendar,
        outbox: Outbox,
        pages: Pages,
        classifier: Reader,
        roster: Families,
        cases: Cases,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` tells the time, aware."""
        self._settings = settings
        self._calendar = calendar
        self._outbox = outbox
        self._pages = pages
        self._classifier = classifier
        self._roster = roster
        self._clock = clock
        self._cases = cases

    def write(self, box: MailboxSettings, mailbox: Mailbox, due: Due, on_step: OnStep) -> bool:
        """Writes one claimed draft; True where it lies in Drafts now. Raises MailboxError, LeaseLost, and whatever
        composing raises; nothing of it is recorded yet."""
        if box.stage is Stage.OBSERVE:  # where nothing is written, no label is taken away either
            self._outbox.finish(due, DeliveryState.CANCELLED, self._clock(), "the mailbox is back in stage observe")
            return False
        state, reason = DeliveryState.DONE, None
        if not due.delivery.draft_id:
            state, reason = self._brought(box, mailbox, due, on_step)
        self._take_label_away(mailbox, due, state, on_step)
        self._outbox.finish_draft(due, state, self._clock(), reason)
        on_step("done recorded", due.id)
        return state is DeliveryState.DONE

    def failed(self, due: Due, error: Exception, text: str, wait: timedelta) -> None:
        """Records a failure. Raises LeaseLost."""
        delivery, now = due.delivery, self._clock()
        gone = due.message.removed_at is not None or delivery.attempts >= _GONE_ATTEMPTS
        if isinstance(error, MessageGone) and gone:
            state = DeliveryState.DONE if delivery.draft_id else DeliveryState.CANCELLED
            self._outbox.finish_draft(due, state, now, "the message is no longer in the mailbox")
        elif delivery.attempts < _ATTEMPTS:
            self._outbox.postpone(due, now + wait, text, step=delivery.step)
        elif delivery.draft_id:
            self._outbox.finish_draft(due, DeliveryState.DONE, now, text)
        else:
            self._outbox.finish(due, DeliveryState.SET_ASIDE, now, text)
            log.error("a draft was set aside", mailbox=delivery.mailbox, delivery=due.id)

    def _save(self, mailbox: Mailbox, due: Due, name: str, mime: bytes, on_step: OnStep) -> None:
        self._outbox.saving(due)
        on_step("saving recorded", due.id)
        try:
            draft_id = mailbox.save_draft(mime)
        except Exception:
            if self._is_not_there(mailbox, name):
                due.delivery.step = DeliveryStep.PLANNED
            raise
        on_step("draft saved", due.id)
        self._outbox.drafted(due, draft_id)
        on_step("draft recorded", due.id)

    @staticmethod
    def _is_not_there(mailbox: Mailbox, name: str) -> bool:
        """Whether a draft that could not be saved a moment ago is certainly not there: the teacher, too, has had no
        time to touch it. False where that cannot be asked now."""
        try:
            return mailbox.draft_state("", name) is DraftState.GONE
        except Exception as error:  # noqa: BLE001 - the failure to save is what is told
            log.warning("it is not known whether a draft was saved", mailbox=mailbox.address, error=place(error))
            return False

    def _brought(
        self, box: MailboxSettings, mailbox: Mailbox, due: Due, on_step: OnStep
    ) -> tuple[DeliveryState, str | None]:
        """Brings a draft into Drafts, unless it is there. How that ended, and why where it is not there."""
        plan = DraftPlan.model_validate_json(due.delivery.facts)
        if (reason := self._unwanted(box, due, plan)) is not None:
            return DeliveryState.CANCELLED, reason
        raw = mailbox.fetch(due.message.provider_id)
        original = parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)
        fresh = due.delivery.step is not DeliveryStep.SENDING
        still_asked = Label.ANOTHER_DRAFT in raw.labels or not fresh
        if plan.asked and (reason := self._refusal(box, due, original, still_asked=still_asked)) is not None:
            return DeliveryState.CANCELLED, reason
        name = draft_message_id(original, box, plan.number)
        if mailbox.draft_state("", name) is not DraftState.GONE:
            return DeliveryState.DONE, None
        if not fresh:
            reason = "interrupted while the draft was being saved: the teacher may have had it, and gets no second"
            return DeliveryState.UNCERTAIN, reason
        try:
            mime = self._composed(box, due, original, plan, name)
        except NoSchoolDay as error:
            return DeliveryState.CANCELLED, f"There is no day to promise: {error}."
        self._save(mailbox, due, name, mime, on_step)
        return DeliveryState.DONE, None

    def _take_label_away(self, mailbox: Mailbox, due: Due, state: DeliveryState, on_step: OnStep) -> None:
        """The label by which the teacher asked comes off."""
        if not self._pages.carries(due.message.id, Label.ANOTHER_DRAFT):
            return
        try:
            mailbox.unmark(due.message.provider_id, _ASKED_BY)
        except MessageGone:
            if state is DeliveryState.DONE and due.message.removed_at is None:
                raise
        on_step("label taken away", due.id)

    def _unwanted(self, box: MailboxSettings, due: Due, plan: DraftPlan) -> str | None:
        """Why a draft that was planned is no longer wanted; None where it is."""
        message, now = due.message, self._clock()
        if is_deadly(message):
            return "nobody can read the message"
        if plan.asked:
            return None
        if box.stage is not Stage.REPLY:
            return f"the mailbox is back in stage {box.stage.value}"
        if self._pages.was_corrected(message) and message.tag is not Tag.CONFLICT:
            return "the tag was corrected"
        if now - message.received_at > timedelta(hours=self._settings.norm.answer_within_hours):
            return "it could not be saved in time"
        wrote = self._pages.teacher_wrote_at(message.mailbox, message.thread)
        return "the teacher answered first" if wrote is not None and wrote >= message.received_at else None

    def _refusal(self, box: MailboxSettings, due: Due, original: Message, *, still_asked: bool) -> str | None:
        """Why the teacher does not get what they asked for; None where they do."""
        if not still_asked:
            return "the teacher took the label away"
        case = Case(
            message=original,
            history=History(connected_at=original.received_at),
            norm=self._settings.norm,
            now=self._clock(),
            mailbox=box,
            staff_domains=self._settings.staff_domains,
            tag=due.message.tag,
        )
        return why_no_draft(case)

    def _known(self, message: MessageRecord) -> Known:
        """What the record knows of the family from before this message, or from before the case that it belongs to."""
        case = self._cases.of_message(message.id)
        family, before = (case.case.family, case.case.opened_at) if case else (message.family, message.recorded_at)
        if not family:
            return Known()
        return self._cases.known(message.mailbox, family, self._calendar.zone, before=before)

    def _composed(self, box: MailboxSettings, due: Due, original: Message, plan: DraftPlan, name: str) -> bytes:
        letter = letter_of(original, self._settings.school.zone)
        verdict = next(iter(self._classifier.read([letter], explain=False)))
        sender, now = due.message.sender, self._clock()
        facts = draft_facts(
            original,
            verdict,
            mailbox=box,
            settings=self._settings,
            calendar=self._calendar,
            now=now,
            home_language=self._roster.language_of(sender) if sender else None,
            students=tuple(self._roster.students_of(sender)) if sender else (),
            known=self._known(due.message),
        )
        mail = compose_draft(
            original,
            facts,
            mailbox=box,
            settings=self._settings,
            now=now,
            alternative=plan.alternative,
            message_id=name,
        )
        return as_bytes(mail)
