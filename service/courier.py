"""Brings notices to the staff on their way: saved as a draft, then sent as that draft (decision 3).

What became of a notice that somebody was sending when they stopped is asked of the mailbox first, by its Message-ID.
Where the mailbox cannot say, whoever sends the notice decides whether it may go out again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from connectors.errors import NOT_OUT
from connectors.mailbox import DraftState, Mailbox, discard_named
from service.logs import said
from service.steps import OnStep
from store.notices import Notices
from store.outbox import LeaseLost
from store.tables import Notice

log = structlog.get_logger()

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(minutes=30)


class Failure(StrEnum):
    """What the log says where a notice could not be brought."""

    ADMINISTRATOR = "the administrator could not be told by mail"
    MORNING = "a morning mail could not be sent"
    WEEK = "a principal's mail of the week could not be sent"


@dataclass(frozen=True, slots=True)
class Errand:
    """One notice to bring, and how."""

    notice: Notice
    compose: Callable[[], bytes | None]
    """The complete mail as of now; None where there is nothing to say any more."""
    may_go: Callable[[DraftState, Mailbox], bool]
    """Whether it may be handed over (again), given what the mailbox says of the last time."""
    finish: Callable[[bool], None]
    """Records the end; told whether the notice is out. Raises LeaseLost."""


@dataclass(frozen=True, slots=True)
class Courier:
    """Brings one notice at a time. Raises nothing: what fails is logged, and the notice put off."""

    notices: Notices
    clock: Callable[[], datetime]
    on_step: OnStep
    failure: Failure
    settle: timedelta = timedelta(0)
    """How long to leave a mail server in peace before asking what became of an interrupted sending."""

    def bring(self, errand: Errand, opened: Callable[[], AbstractContextManager[Mailbox]]) -> None:
        """Sends a notice that this worker holds, from the mailbox that `opened` opens, or puts it off."""
        notice, handing_over = errand.notice, False
        number = notice.id or 0
        try:
            with opened() as mailbox:
                out, draft_id = self._draft(errand, mailbox)
                if draft_id is not None:
                    self.notices.handing_over(notice)
                    handing_over = True
                    self.on_step("notice handover recorded", number)
                    mailbox.send_draft(draft_id)
                    out = True
                    self.on_step("notice sent", number)
            errand.finish(out)
            self.on_step("notice told", number)
        except LeaseLost as error:
            log.warning("a notice took longer than its lease", error=said(error))
        except Exception as error:  # noqa: BLE001 - a connector's fault must not end the telling
            self._put_off(notice, error, handing_over=handing_over)

    def _draft(self, errand: Errand, mailbox: Mailbox) -> tuple[bool, str | None]:
        """Whether the notice is out already, and the draft to send; None where there is nothing to send (any more)."""
        notice = errand.notice
        state = mailbox.draft_state("", notice.rfc_message_id)
        if state is DraftState.SENT:
            return True, None
        mime = errand.compose()
        if mime is not None and errand.may_go(state, mailbox):
            draft_id = mailbox.save_draft(mime)
            self.on_step("notice draft saved", notice.id or 0)
            return False, draft_id
        if state is DraftState.DRAFT:
            discard_named(mailbox, notice.rfc_message_id)
        if mime is not None:
            log.error("a notice was handed over so often that it is given up", handovers=notice.handovers)
        return False, None

    def _put_off(self, notice: Notice, error: Exception, *, handing_over: bool) -> None:
        wait = min(_FIRST_WAIT * float(2 ** min(notice.attempts - 1, 10)), _LONGEST_WAIT)
        not_out = handing_over and isinstance(error, NOT_OUT)
        if handing_over and not not_out:
            wait = max(wait, self.settle)
        log.error(self.failure, reason=said(error), next_try_in_seconds=int(wait.total_seconds()))
        try:
            self.notices.postpone(notice, self.clock() + wait, not_out=not_out)
        except LeaseLost as lost:
            log.warning("a notice took longer than its lease", error=said(lost))


def is_not_out(notice: Notice, state: DraftState, mailbox: Mailbox) -> bool:
    """Whether it is certain that a notice has not left yet: what an errand goes by whose notice must not come twice."""
    return notice.handovers == 0 or (mailbox.atomic_send and state is DraftState.DRAFT)
