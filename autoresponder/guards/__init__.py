"""May this message be answered by a robot? A chain of guards, each a named function with one reason to say no.

A guard takes a `Case` and returns None (no objection) or the reason, a sentence for the record. The order of `GUARDS`
is the policy: what a message says of itself first, then who sent it, then to whom, then what happened before. The list
is what `alliance guards` prints; every guard's docstring is its description and cites its rule.
"""

from collections.abc import Callable

from autoresponder.guards import addressing, automatic, content, past, reports, senders, standstill, thanks
from autoresponder.guards.case import Case
from autoresponder.guards.past import written_at
from autoresponder.plan import NoReply

Guard = Callable[[Case], str | None]

GUARDS: tuple[Guard, ...] = (
    content.unreadable,
    content.cut_off,
    automatic.own_mail,
    automatic.auto_submitted,
    automatic.null_return_path,
    reports.delivery_report,
    reports.bounce_in_words,
    automatic.precedence,
    automatic.mailing_list,
    automatic.newsletter,
    automatic.auto_response_suppress,
    automatic.autoresponder_mark,
    content.reaction,
    content.calendar_mail,
    automatic.out_of_office_subject,
    automatic.automatic_in_words,
    senders.no_usable_sender,
    senders.system_sender,
    senders.no_reply_sender,
    senders.staff,
    senders.spoofed,
    addressing.not_addressed_to_teacher,
    content.encrypted,
    content.empty,
    thanks.thanks_only,
    past.before_connection,
    past.too_old,
    past.answered_in_other_mailbox,
    past.teacher_answered,
    past.answered_lately,
    past.family_answered,
    standstill.teacher_away,
    standstill.answers_stopped,
)
"""The guards in the order in which they are asked."""


def check(case: Case) -> NoReply | None:
    """The first objection to answering `case`, None where no guard has one."""
    for guard in GUARDS:
        reason = guard(case)
        if reason is not None:
            return NoReply(guard=guard.__name__, reason=reason)
    return None


def describe(guard: Guard) -> tuple[str, str, str]:
    """Name, description and rule of a guard, from its docstring ("What it is. Rule: where that is said.")."""
    text = " ".join((guard.__doc__ or "").split())
    description, _, rule = text.partition(" Rule: ")
    return guard.__name__, description, rule


__all__ = ["GUARDS", "Case", "Guard", "check", "describe", "written_at"]
