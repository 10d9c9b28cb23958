"""Brings drafts of good news into teachers' Drafts, and never touches one again.

The promise. A draft is saved at most once, and never sent by the service. What is to be saved is on record before it
is saved; after a crash in between the mailbox is asked for its Message-ID, and where neither Drafts nor Sent has it,
nobody knows whether it was never saved, or whether the teacher has edited or deleted it: then it is left at that. Where
the family has good news meanwhile, or a hard time, a draft that was not yet saved is dropped; one that lies in Drafts
is the teacher's.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from autoresponder.calls import next_partnership_calls
from autoresponder.glow import GlowFacts, compose_glow
from autoresponder.outgoing import as_bytes
from autoresponder.wording import written_languages
from config.settings import MailboxSettings, Stage
from connectors.errors import BROKEN
from connectors.mailbox import DraftState, Mailbox
from service.good_news import REASONS, FamilyStands, GoodNews, Obstacle
from service.logs import place, said
from service.steps import OnStep, no_step
from store.glow_tables import GlowDraft
from store.outbox import LeaseLost
from store.tables import DeliveryState

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(minutes=15)
_GIVEN_UP_AFTER = timedelta(days=2)
"""What a teacher asked for longer ago they have forgotten."""
_INTERRUPTED = "interrupted while the draft was being saved: the teacher may have had it, and gets no second"


class GlowWriter:
    """Writes the drafts of good news of one installation. Threads share it, each with its own mailbox. Raises nothing:
    what it cannot do is logged and tried again."""

    def __init__(self, assembly: "Assembly", *, on_step: OnStep | None = None) -> None:
        """`on_step` is told of each step as soon as its effect stands."""
        self._settings = assembly.settings
        self._calendar = assembly.calendar
        self._clock = assembly.clock
        self._on_step = on_step or no_step
        self._news = GoodNews(assembly.settings, assembly.calendar, assembly.database)

    def look_after(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """Writes the mailbox's drafts whose time has come."""
        try:
            self._news.fulfil(box, self._clock())
            while (draft := self._news.drafts.take(box.address, self._clock())) is not None:
                self._on_step("glow draft taken", draft.id or 0)
                if not self._bring(box, mailbox, draft):
                    return
        except Exception as failure:  # noqa: BLE001 - families' mail must not wait for this one
            log.error("drafts of good news could not be looked after", mailbox=box.address, error=place(failure))

    def _bring(self, box: MailboxSettings, mailbox: Mailbox, draft: GlowDraft) -> bool:
        """Brings one draft into Drafts, or puts it off. False where the mailbox cannot be worked on any more."""
        try:
            state, reason = self._written(box, mailbox, draft)
            self._news.drafts.finish(draft, state, self._clock(), reason)
            self._on_step("glow draft told", draft.id or 0)
        except LeaseLost as error:
            log.warning("a draft of good news took longer than its lease", mailbox=box.address, error=said(error))
        except Exception as error:  # noqa: BLE001 - one draft must not stop the others
            self._put_off(box, draft, error)
            return not isinstance(error, BROKEN)
        return True

    def _written(self, box: MailboxSettings, mailbox: Mailbox, draft: GlowDraft) -> tuple[DeliveryState, str | None]:
        """How bringing a draft into Drafts ended, and why where it is not there."""
        if mailbox.draft_state("", draft.rfc_message_id) is not DraftState.GONE:
            return DeliveryState.DONE, None
        if draft.saving:
            return DeliveryState.UNCERTAIN, _INTERRUPTED
        if box.stage is Stage.OBSERVE:
            return DeliveryState.CANCELLED, "the mailbox is in stage observe, in which nothing is written"
        stands = self._stands(box, draft)
        obstacle = Obstacle.GONE if stands is None else stands.obstacle
        if stands is None or obstacle is not None:
            return DeliveryState.CANCELLED, REASONS[obstacle or Obstacle.GONE]
        mime = self._composed(box, stands, draft)
        self._news.drafts.saving(draft)
        self._on_step("glow draft saving recorded", draft.id or 0)
        try:
            mailbox.save_draft(mime)
        except Exception:
            draft.saving = not self._is_not_there(mailbox, draft)
            raise
        self._on_step("glow draft saved", draft.id or 0)
        return DeliveryState.DONE, None

    def _stands(self, box: MailboxSettings, draft: GlowDraft) -> FamilyStands | None:
        view = self._news.view(box, self._clock())
        return view.of(draft.family) if view is not None and view.term.id == draft.term else None

    @staticmethod
    def _is_not_there(mailbox: Mailbox, draft: GlowDraft) -> bool:
        """Whether a draft that could not be saved a moment ago is certainly not there: the teacher, too, has had no
        time to touch it. False where that cannot be asked now."""
        try:
            return mailbox.draft_state("", draft.rfc_message_id) is DraftState.GONE
        except Exception as error:  # noqa: BLE001 - the failure to save is what is told
            log.warning("it is not known whether a draft was saved", mailbox=mailbox.address, error=place(error))
            return False

    def _composed(self, box: MailboxSettings, stands: FamilyStands, draft: GlowDraft) -> bytes:
        now, family = self._clock(), stands.family
        home = [each.language for each in family.guardians if each.language]
        facts = GlowFacts(
            students=family.students,
            languages=written_languages((*self._settings.school.languages[:1], *home)),
            short_calls=next_partnership_calls(box.partnership_calls, now, self._calendar),
        )
        mail = compose_glow(
            facts,
            stands.recipients,
            mailbox=box,
            settings=self._settings,
            now=now,
            message_id=draft.rfc_message_id,
        )
        return as_bytes(mail)

    def _put_off(self, box: MailboxSettings, draft: GlowDraft, error: Exception) -> None:
        reason = said(error)
        now, wait = self._clock(), min(_FIRST_WAIT * float(2 ** min(draft.attempts - 1, 10)), _LONGEST_WAIT)
        log.warning("a draft of good news could not be written", mailbox=box.address, draft=draft.id, error=reason)
        try:
            if now - draft.asked_at < _GIVEN_UP_AFTER:
                self._news.drafts.postpone(draft, now + wait, reason)
                return
            # What may have been saved is never tried again; what certainly was not may be asked for again.
            state = DeliveryState.UNCERTAIN if draft.saving else DeliveryState.CANCELLED
            self._news.drafts.finish(draft, state, now, reason)
            log.error("a draft of good news was given up", mailbox=box.address, draft=draft.id)
        except LeaseLost as lost:
            log.warning("a draft of good news took longer than its lease", mailbox=box.address, error=said(lost))
