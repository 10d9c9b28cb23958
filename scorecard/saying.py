"""The figures in words, for the page and the weekly mail: so many of so many, and how that compares. Pure.

A figure that is withheld is never worded: what is asked for here goes through `shown` first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, format_percent

from autoresponder.wording import Wording
from scorecard.report import Group, GroupFigures, Indicator, Report, Resolution, Share, Standing
from store.scorecard_tables import Grouping

NO_FIGURE = "–"


class Turn(StrEnum):
    """Which way a figure went since the term before."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    NONE = "none"
    """There is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Said:
    """A figure of a group, ready to be read."""

    indicator: Indicator
    title: str
    figure: str
    """The number itself; a dash where there is none."""
    unit: str
    """What stands behind the number, smaller; may be empty."""
    sentence: str
    comparison: str
    """With the term before; empty where there is none."""
    turn: Turn
    withheld: bool = False
    """Whether it is kept back; `sentence` says why."""


def title_of(group: Group, words: Wording) -> str:
    """What a group is called."""
    if group.grouping is Grouping.ALL:
        return words.gettext("Everybody")
    return group.title or group.key


def titled(groups: Sequence[GroupFigures], words: Wording) -> list[tuple[str, GroupFigures]]:
    """Groups by what they are called, no two the same."""
    titles = Counter(title_of(each.group, words) for each in groups)

    def name(group: Group) -> str:
        title = title_of(group, words)
        return title if titles[title] == 1 else f"{title} ({group.key})"

    return [(name(each.group), each) for each in groups]


def title_before(report: Report, words: Wording) -> str:
    """What the term before is called, never as this one is; empty where there is none."""
    if report.before is None:
        return ""
    title = report.before.title
    return title if title != report.term.title else words.gettext("{term} before").format(term=title)


def shown(figures: GroupFigures | None, indicator: Indicator) -> bool:
    """Whether a figure may be shown at all."""
    return figures is not None and not figures.withheld and indicator not in figures.hidden


def share_of(figures: GroupFigures, indicator: Indicator) -> Share:
    """One of the three indicators that are shares. Raises KeyError for the fourth."""
    return {
        Indicator.FIRST_CONTACT: figures.first_contact,
        Indicator.TWO_WAY: figures.two_way,
        Indicator.RECOVERY: figures.recovery,
    }[indicator]


def whole_percent(share: Share) -> int | None:
    """Rounded half up, but 100 only where it is all and 0 only where it is none; None of nothing."""
    if not share.of:
        return None
    rounded = (200 * share.met + share.of) // (2 * share.of)
    if share.met < share.of:
        rounded = min(rounded, 99)
    return max(rounded, 1) if share.met else 0


def percent(share: Share, words: Wording) -> str:
    """A share as people read it: "80%", "80 %"; a dash of nothing."""
    whole = whole_percent(share)
    return NO_FIGURE if whole is None else percent_of(whole, words)


def percent_of(whole: int, words: Wording) -> str:
    """So many in a hundred: "80%", "80 %"."""
    return str(format_percent(whole / 100, locale=words.locale))


def number(value: float | None, words: Wording) -> str:
    """A number with one place behind the point where it needs one; a dash for None."""
    return NO_FIGURE if value is None else str(format_decimal(value, "#,##0.#", locale=words.locale))


def name_of(indicator: Indicator, words: Wording) -> str:
    """What an indicator is called."""
    _ = words.gettext
    return {
        Indicator.FIRST_CONTACT: _("Good news by week 4"),
        Indicator.TWO_WAY: _("Two-way conversation"),
        Indicator.RESOLUTION: _("Conflicts to a plan"),
        Indicator.RECOVERY: _("Back to baseline"),
    }[indicator]


def definition_of(indicator: Indicator, words: Wording) -> str:
    """What an indicator counts, of what, and until when; docs/scorecard.md has all of it."""
    _ = words.gettext
    return {
        Indicator.FIRST_CONTACT: _(
            "Families with at least one positive contact before the end of the term's fourth school week, of all "
            "families enrolled then. A contact is a mail in the teacher's own words that was judged positive, to at "
            "most three families, or a call, text, note or meeting that was logged as good news."
        ),
        Indicator.TWO_WAY: _(
            "Families who wrote or replied in the term, of those who were written to in it. A reaction such as a "
            "thumbs-up counts, and so does a call in which they were reached. Automatic answers do not count as "
            "writing to a family."
        ),
        Indicator.RESOLUTION: _(
            "School days from the first message of a conflict to the agreed plan, for conflicts that began in the "
            "term; a plan agreed on the same day counts as 0. The large number is the median of those with a plan. "
            "The median with the open ones counted in is Kaplan and Meier's: an open conflict has taken at least as "
            "long as it is open."
        ),
        Indicator.RECOVERY: _(
            "Students who were back to their baseline within 14 days of their latest incident, of all students with "
            "an incident in the term whose 14 days are over. Where nobody noted a day, no further incident within 14 "
            "days counts as recovered."
        ),
    }[indicator]


def withheld_because(report: Report, words: Wording) -> str:
    """Why a figure is kept back."""
    return words.gettext(
        "Not shown, so that nobody can be recognized: it stands for too few (fewer than {threshold} families, or three "
        "conflicts), or would give away a figure that does."
    ).format(threshold=report.threshold)


def said(indicator: Indicator, figures: GroupFigures, report: Report, words: Wording) -> Said:
    """A group's figure, with the term before where there is one."""
    title = name_of(indicator, words)
    if not shown(figures, indicator):
        reason = withheld_because(report, words)
        return Said(indicator, title, NO_FIGURE, "", reason, "", Turn.NONE, withheld=True)
    before = report.before_of(figures.group)
    known = before if before is not None and shown(before, indicator) else None
    if indicator is Indicator.RESOLUTION:
        comparison, turn = _days_compared(figures.resolution, known.resolution if known else None, report, words)
        figure = number(figures.resolution.median, words)
        unit = _unit(figures.resolution.median, words)
        return Said(indicator, title, figure, unit, _resolved(figures.resolution, words), comparison, turn)
    share = share_of(figures, indicator)
    then, term = _at_the_same_time(indicator, figures, known, report, words)
    comparison, turn = _points_compared(share, then, term, report, words)
    return Said(indicator, title, percent(share, words), "", _of_all(indicator, share, report, words), comparison, turn)


def week_share(week: Standing, indicator: Indicator) -> Share:
    """One of the shares of families, as it stood at the end of a week. Raises KeyError for another indicator."""
    return {Indicator.FIRST_CONTACT: week.first_contact, Indicator.TWO_WAY: week.two_way}[indicator]


def _at_the_same_time(
    indicator: Indicator, now: GroupFigures, before: GroupFigures | None, report: Report, words: Wording
) -> tuple[Share | None, str]:
    """The share of the term before, and what that is called. A running term is compared with the same week: more
    families are heard from in a whole term than in half of one."""
    term = title_before(report, words)
    if before is None:
        return None, term
    if indicator is not Indicator.RECOVERY and now.weeks and len(now.weeks) < len(before.weeks):
        then = week_share(before.weeks[len(now.weeks) - 1], indicator)
        return then, words.gettext("{term} at the same time").format(term=term)
    return share_of(before, indicator), term


def _of_all(indicator: Indicator, share: Share, report: Report, words: Wording) -> str:
    _ = words.gettext
    if not share.of:
        sentence = {
            Indicator.FIRST_CONTACT: _("No families are on the roster yet."),
            Indicator.TWO_WAY: _("No family has been written to yet."),
            Indicator.RECOVERY: _("No incident lies two weeks back yet."),
        }[indicator]
    elif indicator is Indicator.FIRST_CONTACT and report.as_of.date() <= report.term.fourth_week_ends:
        sentence = _("{met} of {of} families have had good news so far. Week 4 ends on {day}.")
    else:
        sentence = {
            Indicator.FIRST_CONTACT: _("{met} of {of} families had good news by the end of week 4."),
            Indicator.TWO_WAY: _("{met} of {of} families who were written to wrote back."),
            Indicator.RECOVERY: _("{met} of {of} students were back to baseline within two weeks."),
        }[indicator]
    day = words.day(report.term.fourth_week_ends)
    whole = sentence.format(met=count(share.met, words), of=count(share.of, words), day=day)
    if not share.pending:
        return whole
    waiting = _("Still within their two weeks: {count}.").format(count=count(share.pending, words))
    return words.sentences((whole, waiting))


def school_days(days: float, words: Wording) -> str:
    """So many school days, with the word."""
    return f"{number(days, words)} {_unit(days, words)}"


def _unit(days: float | None, words: Wording) -> str:
    if days is None:
        return ""
    return words.gettext("school day") if days == 1 else words.gettext("school days")


def _resolved(resolution: Resolution, words: Wording) -> str:
    _ = words.gettext
    if not resolution.resolved and not resolution.open:
        return _("No conflict began in this term.")
    sentences = [
        _("Plans agreed: {resolved}. Still open: {open}.").format(
            resolved=count(resolution.resolved, words), open=count(resolution.open, words)
        )
    ]
    if resolution.mean is not None:
        average = _("On average {mean} school days.") if resolution.mean != 1 else _("On average one school day.")
        sentences.append(average.format(mean=number(resolution.mean, words)))
    if resolution.open:
        median = resolution.censored_median
        sentences.append(
            _("With the open ones counted in, fewer than half have a plan.")
            if median is None
            else _("With the open ones counted in, the median is {median}.").format(median=number(median, words))
        )
    return words.sentences(sentences)


def _points_compared(now: Share, before: Share | None, term: str, report: Report, words: Wording) -> tuple[str, Turn]:
    _ = words.gettext
    here, there = whole_percent(now), whole_percent(before) if before else None
    if here is None or there is None:
        return _nothing_before(report, words), Turn.NONE
    points = here - there
    if not points:
        return _("The same as in {term}.").format(term=term), Turn.SAME
    if abs(points) == 1:
        sentence = _("1 point more than in {term}.") if points > 0 else _("1 point less than in {term}.")
    else:
        sentence = (
            _("{points} points more than in {term}.") if points > 0 else _("{points} points less than in {term}.")
        )
    return sentence.format(points=abs(points), term=term), Turn.BETTER if points > 0 else Turn.WORSE


def _days_compared(now: Resolution, before: Resolution | None, report: Report, words: Wording) -> tuple[str, Turn]:
    _ = words.gettext
    if now.median is None or before is None or before.median is None:
        return _nothing_before(report, words), Turn.NONE
    term = title_before(report, words)
    days = round(now.median - before.median, 1)
    if not days:
        return _("The same as in {term}.").format(term=term), Turn.SAME
    if abs(days) == 1:
        slower, faster = _("Slower than in {term}, by one school day."), _("Faster than in {term}, by one school day.")
    else:
        slower = _("Slower than in {term}, by {days} school days.")
        faster = _("Faster than in {term}, by {days} school days.")
    sentence = slower if days > 0 else faster
    return sentence.format(days=number(abs(days), words), term=term), Turn.WORSE if days > 0 else Turn.BETTER


def _nothing_before(report: Report, words: Wording) -> str:
    if report.before is None:
        return ""
    return words.gettext("Nothing to compare with in {term}.").format(term=title_before(report, words))


def as_of(report: Report, words: Wording, zone: ZoneInfo | None = None) -> str:
    """When the figures were brought up to date, by the school's clock: "Monday, November 9, 7:05 AM"."""
    at = report.as_of.astimezone(zone) if zone else report.as_of
    return words.gettext("{day}, {time}").format(day=words.day(at.date()), time=words.clock(at))


def count(number: int, words: Wording) -> str:
    """A whole number as people read it: "1,234"."""
    return str(format_decimal(number, locale=words.locale))
