"""Sentences that stand in more than one text."""

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
