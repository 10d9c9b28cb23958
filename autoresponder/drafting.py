"""Whether a message calls for a draft of the teacher's answer, and what is on record of one that is planned. Pure.

A draft is help for a hard conversation that nobody has begun. Unasked the teacher gets one about a sure conflict; about
any other family mail where they ask for it. Never about what is urgent: that is a call, not a letter.
"""

from pydantic import BaseModel, ConfigDict

from autoresponder.conversation import WAYS
from autoresponder.guards import GUARDS, Case, Guard, automatic, content, past, reports, senders, standstill
from classifier.verdict import Verdict
from connectors.labels import Tag

__all__ = ["DraftPlan", "calls_for_draft", "why_no_draft"]

_NO_OBSTACLES: frozenset[Guard] = frozenset(
    {
        # About automatic answers, or about another answer that the family has: a draft is neither.
        automatic.auto_response_suppress,
        past.answered_in_other_mailbox,
        past.answered_lately,
        past.family_answered,
        standstill.answers_stopped,
    }
)
_NOBODY_TO_ANSWER: tuple[Guard, ...] = (
    content.unreadable,
    automatic.own_mail,
    automatic.auto_submitted,
    automatic.null_return_path,
    reports.delivery_report,
    automatic.precedence,
    automatic.mailing_list,
    senders.no_usable_sender,
    senders.system_sender,
    senders.no_reply_sender,
    senders.staff,
    senders.spoofed,
    content.encrypted,
)
"""Whose objection stands also where the teacher asks."""


class DraftPlan(BaseModel):
    """All that is on record of a draft; the rest is found when it is written, from the message in its mailbox."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = 1
    """Which draft about this message, counted from 1."""
    asked: bool = False
    """Whether the teacher asked for it."""

    @property
    def alternative(self) -> int:
        """Which of the alternatives it is, from 1; after the last the first comes again."""
        return (self.number - 1) % len(WAYS) + 1


def calls_for_draft(case: Case, verdict: Verdict) -> bool:
    """Whether the teacher gets a draft unasked: about a sure conflict that a family wrote to them, lately, and that
    they have not answered."""
    if verdict.tag is not Tag.CONFLICT or verdict.unsure:
        return False
    return all(guard(case) is None for guard in GUARDS if guard not in _NO_OBSTACLES)


def why_no_draft(case: Case) -> str | None:
    """Why there is no draft although the teacher asks for one, a sentence for the record; None where there is one."""
    if case.tag is Tag.URGENT:
        return "It is urgent: a call, not a letter."
    return next((reason for guard in _NOBODY_TO_ANSWER if (reason := guard(case)) is not None), None)
