"""Guards about times in which this mailbox gives no answers: too many have gone out, or the teacher's own is on."""

from autoresponder.guards.case import Case
from autoresponder.plan import Answering
from connectors.labels import Tag


def teacher_away(case: Case) -> str | None:
    """While the teacher's own out-of-office answer goes to families, a second note beside it would contradict it; an
    urgent one still goes, since it says who is there. Rule: this product's own (the teacher's own answer comes first);
    mailboxes.away, and what the mail system says."""
    if case.tag is Tag.URGENT:
        return None
    moments = (case.message.received_at, case.now)
    if any(absence.to_families and absence.covers(at) for absence in case.history.absences for at in moments):
        return "The teacher's own out-of-office answer is on."
    return None


def answers_stopped(case: Case) -> str | None:
    """A mailbox that gave too many answers gives none until somebody has looked; a few are kept for urgent mail. Rule:
    RFC 3834 §2 (rate limits, against loops); norm.answers_per_hour."""
    answering = case.history.answering
    if answering is Answering.ALL or (answering is Answering.URGENT and case.tag is Tag.URGENT):
        return None
    return "Answers from this mailbox are stopped, because too many went out."
