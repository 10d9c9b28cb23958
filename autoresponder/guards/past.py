"""Guards about time and what happened before: nobody is answered twice, late, or beside the teacher."""

from datetime import datetime, timedelta

from autoresponder.guards.case import Case
from connectors import headers as header_section
from connectors.labels import Tag
from connectors.message import Message

_CLOCKS_DIFFER = timedelta(hours=1)
_A_CONVERSATION = 2
"""References of a mail that answers an answer; one alone may answer the teacher's circular."""
_TALKING = timedelta(hours=2)
"""How long after the teacher's last word a robot would break into their talk even with an emergency's note; after that
nobody may be reading, and the note says who is."""


def before_connection(case: Case) -> str | None:
    """Mail from before this service was connected. Rule: this product's own (old mail is read, never answered)."""
    connected = case.history.connected_at
    if case.message.received_at < connected:
        return "It arrived before the mailbox was connected."
    written = written_at(case.message, case.now)
    if written is not None and written < connected - _CLOCKS_DIFFER:
        return "It was written before the mailbox was connected."
    return None


def too_old(case: Case) -> str | None:
    """Mail that waited too long: an answer would confuse. Rule: this product's own (norm.answer_within_hours)."""
    limit = timedelta(hours=case.norm.answer_within_hours)
    if case.now - case.message.received_at > limit:
        return f"It arrived more than {case.norm.answer_within_hours} hours ago."
    written = written_at(case.message, case.now)
    if written is not None and case.now - written > limit:
        return f"It was written more than {case.norm.answer_within_hours} hours ago and only moved here now."
    return None


def written_at(message: Message, now: datetime) -> datetime | None:
    """The latest moment that the mail itself gives for its way here: its Date, or the stamp of the last server (RFC
    5322 §3.6.7). A mail that was copied here from an old mailbox shows its age in both, a sender's wrong clock only in
    one. Moments after `now` are not believed. None where nothing is left."""
    stamps = (message.date, header_section.date(message.headers.get("received", "").rpartition(";")[2]))
    return max((stamp for stamp in stamps if stamp is not None and stamp <= now + _CLOCKS_DIFFER), default=None)


def answered_in_other_mailbox(case: Case) -> str | None:
    """A mail to several teachers is answered by one mailbox. Rule: this product's own (a family gets one answer)."""
    return "Another mailbox that got the same mail answers it." if case.history.answered_in_other_mailbox else None


def teacher_answered(case: Case) -> str | None:
    """A thread that the teacher has answered needs no robot; an urgent message is answered there again once the teacher
    has been silent for two hours. Rule: this product's own (a person comes first)."""
    wrote = case.history.teacher_wrote_at
    if wrote is None:
        return None
    if wrote >= case.message.received_at:
        return "The teacher has answered already."
    if len(case.message.references) < _A_CONVERSATION:
        return None
    if case.tag is Tag.URGENT:
        talking = case.now - wrote < _TALKING
        return "The teacher and the family are talking just now." if talking else None
    return None if _window_is_over(wrote, case) else "The teacher and the family are in conversation."


def answered_lately(case: Case) -> str | None:
    """One answer of a kind within the window; an urgent one may follow another, and the one for a crisis both. Rule:
    RFC 3834 §2 (limit per sender), RFC 5230 §4.2; norm.answer_again_after_school_days."""
    mine = gravity(case.tag, crisis=case.crisis)
    alike = [answer for answer in case.history.answers_to_sender if gravity(answer.tag, crisis=answer.crisis) >= mine]
    if any(not _window_is_over(answer.at, case) for answer in alike):
        return f"The sender had an answer within the last {case.norm.answer_again_after_school_days} school days."
    return None


def family_answered(case: Case) -> str | None:
    """Parents who write into one thread get one answer between them; with an urgent message each gets their own, since
    it says whom to call. Rule: this product's own (a family gets one answer); norm.answer_again_after_school_days."""
    if case.tag is Tag.URGENT:
        return None
    if any(not _window_is_over(answer.at, case) for answer in case.history.answers_to_family):
        return "Somebody else of the family had an answer in this thread."
    return None


def gravity(tag: Tag | None, *, crisis: bool) -> int:
    """How grave an answer is: only a graver one may follow another to the same person. An urgent note tells whom to
    call, the one for a crisis who helps at any hour; a conflict's says no more than the routine one that came first."""
    if tag is not Tag.URGENT:
        return 0
    return 2 if crisis else 1


def _window_is_over(since: datetime, case: Case) -> bool:
    """Whether as many school days as the norm asks for have come after `since`."""
    days = case.norm.answer_again_after_school_days
    if case.calendar is None:
        return case.now - since >= timedelta(days=days)
    zone = case.calendar.zone
    return case.calendar.school_days_between(since.astimezone(zone).date(), case.now.astimezone(zone).date()) >= days
