"""Why a family got no note, as the office reads it beside an urgent message: by the guard that said no, in the language
of the staff. Each is half a sentence, as it stands in brackets."""

from collections.abc import Mapping

from autoresponder.wording import Wording


def why_no_note(guard: str, reason: str, words: Wording) -> str:
    """What is said of a guard's objection; its own `reason`, in English, where the guard is not known here."""
    return _of_what_it_is(words).get(guard) or _of_what_was_before(words).get(guard) or reason


def _of_what_it_is(words: Wording) -> Mapping[str, str]:
    _ = words.gettext
    return {
        "unreadable": _("the message is too broken to be read"),
        "cut_off": _("the message is longer, or more intricate, than what is read"),
        "auto_response_suppress": _("the message asks for no automatic answer"),
        "reaction": _("it is an emoji reaction"),
        "no_usable_sender": _("it does not say whom to answer"),
        "spoofed": _("it may not come from the address that it names"),
        "not_addressed_to_teacher": _("it is not addressed to the teacher"),
        "encrypted": _("it is encrypted, so nobody knows what it needs"),
        "empty": _("it is empty"),
        "thanks_only": _("it says thanks, and asks for nothing"),
    }


def _of_what_was_before(words: Wording) -> Mapping[str, str]:
    _ = words.gettext
    return {
        "too_old": _("it is too old for an automatic note"),
        "answered_in_other_mailbox": _("the note to the same message comes from another teacher's mailbox"),
        "teacher_answered": _("the teacher has answered already, or is talking with the family just now"),
        "answered_lately": _("they had an automatic note in the last days"),
        "family_answered": _("somebody else of the family had a note about it"),
        "teacher_away": _("the teacher's own out-of-office answer is on"),
        "answers_stopped": _("answers from this mailbox are stopped, because too many went out"),
        "no_school_day": _("the calendar has no school day to promise"),
    }
