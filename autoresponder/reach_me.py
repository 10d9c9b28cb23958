"""How to reach a teacher: one paragraph for the syllabus and the class update, from the norms that answers state."""

from autoresponder.note import Block, Note, Paragraph, Section
from autoresponder.own_wording import words_for
from autoresponder.sentences import danger, norm_hours, office_for_today
from autoresponder.wording import Wording
from config.crisis import numbers_of
from config.settings import WEEKDAYS, MailboxSettings, Settings

__all__ = ["reach_me"]


def reach_me(language: str, mailbox: MailboxSettings, settings: Settings) -> Note:
    """A heading and one paragraph in `language`, one of `wording.LANGUAGES`. Raises KeyError for another."""
    words = words_for(language, settings)
    _ = words.gettext
    sentences = [
        _(
            "Please write to {address}. I read every message myself and answer within {norm} school hours; days "
            "without school do not count."
        ).format(address=mailbox.address, norm=norm_hours(settings)),
        *_calls(words, mailbox),
        _("It helps me answer well if your message says {things}.").format(things=_things(words, settings)),
        office_for_today(words, settings),
        danger(words, settings),
    ]
    blocks: list[Block] = [Paragraph(_("How to reach me"), strong=True), Paragraph(words.sentences(sentences))]
    numbers = tuple(filter(None, (settings.office.phone, numbers_of(settings).emergency)))
    section = Section(words.language, words.direction, tuple(blocks))
    return Note(title=settings.school.name, sections=(section,), phones=numbers)


def _calls(words: Wording, mailbox: MailboxSettings) -> list[str]:
    _ = words.gettext
    times = [
        _("on {weekday}s from {opens} to {closes}").format(
            weekday=words.weekday(WEEKDAYS.index(window.day)),
            opens=words.clock(window.opens),
            closes=words.clock(window.closes),
        )
        for window in mailbox.call_windows
    ]
    if not times:
        return []
    offer = _("If you would rather talk, write to me, and I can call you {times}.")
    return [offer.format(times=words.list(times, either=True))]


def _things(words: Wording, settings: Settings) -> str:
    _ = words.gettext
    things = [_("your student's name")]
    if settings.school.class_periods:
        things.append(_("the class period"))
    return words.list(things)
