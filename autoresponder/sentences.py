"""Sentences that stand in more than one text."""

from autoresponder.plan import ShortCalls
from autoresponder.wording import Wording
from config.crisis import numbers_of
from config.settings import Settings


def norm_hours(settings: Settings) -> str:
    """The norm in school hours as a family reads it, "24–48"."""
    low, high = settings.norm.reply_within_hours
    return f"{low}–{high}" if low < high else f"{high}"


def office_for_today(words: Wording, settings: Settings) -> str:
    """Where to turn with what cannot wait."""
    _ = words.gettext
    office, school = settings.office, settings.school
    return _(
        "If it is about today or tomorrow morning, such as a pickup, a bus or your child's health or safety, please do "
        "not wait for me: call the front office at {phone}. They answer on school days from {opens} to {closes}."
    ).format(
        phone=office.phone,
        opens=words.clock(office.opens or school.opens),
        closes=words.clock(office.closes or school.closes),
    )


def danger(words: Wording, settings: Settings) -> str:
    """What to do where somebody is in danger now."""
    _ = words.gettext
    emergency = numbers_of(settings).emergency
    if emergency:
        return _("If someone is in danger right now, please call {number}.").format(number=emergency)
    return _("If someone is in danger right now, please call your local emergency number.")


def short_call_times(words: Wording, calls: ShortCalls, settings: Settings) -> str:
    """The times for short calls, in words; empty where there are none."""
    zone = settings.school.zone
    spans = [words.span(span.begins.astimezone(zone), span.ends.astimezone(zone)) for span in calls.spans]
    return words.list(spans, either=True) if spans else ""


def short_calls(words: Wording, calls: ShortCalls, settings: Settings, times: str = "") -> str:
    """The offer of a call of a few minutes, empty where there are no times for it; with `times` in place of the words
    for these times."""
    _ = words.gettext
    if not calls.spans:
        return ""
    # Translators: {times} is one time or two, such as on Tuesday, October 6, from 3:40 PM to 4:00 PM.
    return _("You can also call me for {length} minutes {times}: {phone}.").format(
        length=calls.minutes,
        times=times or short_call_times(words, calls, settings),
        phone=settings.office.phone,
    )
