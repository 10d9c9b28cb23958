"""A rich and plausible scorecard, made by hand: the autumn term of Maple Street School, half way through."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from scorecard.report import (
    Counts,
    Group,
    GroupFigures,
    Indicator,
    Report,
    Resolution,
    Restated,
    SchoolTerm,
    Share,
    Standing,
)
from store.scorecard_tables import Grouping

FALL = SchoolTerm("fall-2026", "Fall 2026", date(2026, 8, 31), date(2026, 12, 18), date(2026, 9, 27))
SPRING = SchoolTerm("spring-2026", "Spring 2026", date(2026, 1, 12), date(2026, 6, 5), date(2026, 2, 8))
AS_OF = datetime(2026, 11, 9, 13, 5, tzinfo=UTC)
"""A Monday, five past seven in Chicago."""
EVERYBODY = Group(Grouping.ALL, "", "Everybody")
GRADES = tuple(
    Group(Grouping.GRADE, f"/{grade}", title, (Grouping.ALL, ""))
    for grade, title in (("03", "Grade 3"), ("04", "Grade 4"), ("05", "Grade 5"), ("06", "Grade 6"))
)
TEAMS = tuple(Group(Grouping.TEAM, name, name, (Grouping.ALL, "")) for name in ("Blue team", "Green team"))
RIVERA = Group(Grouping.TEACHER, "rivera@maple.example", "Ms. Rivera", (Grouping.TEAM, "Blue team"))
OKAFOR = Group(Grouping.TEACHER, "okafor@maple.example", "Ms. Okafor", (Grouping.TEAM, "Blue team"))
TINY = Group(Grouping.GRADE, "/07", "Grade 7", (Grouping.ALL, ""))
"""Too few families to be shown."""
SECRET = 7
"""A number of the small group that stands nowhere else: no display may show it."""


def weeks(term: SchoolTerm, families: int, first: Sequence[int], two_way: Sequence[int]) -> tuple[Standing, ...]:
    """Standings of as many weeks as there are numbers."""
    monday = term.first - timedelta(days=term.first.weekday())
    return tuple(
        Standing(
            monday + timedelta(weeks=n),
            Share(round(families * good / 100), families),
            Share(round(families * 0.9 * wrote / 100), round(families * 0.9)),
        )
        for n, (good, wrote) in enumerate(zip(first, two_way, strict=True))
    )


def figures(
    group: Group,
    families: int,
    *,
    good: int = 80,
    wrote: int = 62,
    term: SchoolTerm = FALL,
    long: int = 10,
    days: tuple[float, float, float | None] = (3, 3.6, 4),
    open_cases: int = 2,
    back: tuple[int, int, int] = (14, 19, 2),
    counts: Counts | None = None,
) -> GroupFigures:
    """Figures of a group whose shares end at `good` and `wrote` percent after `long` weeks."""
    climb = [min(100, round(good * min(1, (n + 1) / 4.4) ** 0.7)) for n in range(long)]
    climb[4:] = [good] * max(long - 4, 0)
    talk = [round(wrote * (1 - 0.72 ** (n + 1))) for n in range(long - 1)] + [wrote]
    standings = weeks(term, families, climb, talk)
    median, mean, censored = days
    return GroupFigures(
        group=group,
        families=families,
        first_contact=standings[-1].first_contact,
        two_way=standings[-1].two_way,
        resolution=Resolution(resolved=9, open=open_cases, mean=mean, median=median, censored_median=censored),
        recovery=Share(*back),
        counts=counts or Counts(),
        weeks=standings,
        by_week={each.monday: Counts(urgent=2, routine=20) for each in standings},
    )


def withheld(group: Group) -> GroupFigures:
    """What `protect` leaves of a group that is too small."""
    return GroupFigures(group=group, hidden=frozenset(Indicator), withheld=True)


BUSY = Counts(
    urgent=41, conflict=23, routine=612, unsure=17, answered=388, routed=44, corrected=9, norm_kept=402, norm_missed=31,
    norm_open=12, claimed=40, claim_minutes=512, claimed_soon=36,
)  # fmt: skip
BUSY_BEFORE = replace(
    BUSY, urgent=58, conflict=35, norm_kept=520, norm_missed=71, claimed=52, claim_minutes=1044, claimed_soon=41
)


def sample_report() -> Report:
    """The scorecard as a leader sees it."""
    groups = [
        figures(EVERYBODY, 212, good=80, wrote=62, back=(41, 52, 6), counts=BUSY),
        figures(GRADES[0], 58, good=91, wrote=71, back=(11, 12, 1), days=(2, 2.4, 2), open_cases=0),
        figures(GRADES[1], 49, good=84, wrote=66, back=(12, 15, 2), days=(3, 3.1, 3.5)),
        figures(GRADES[2], 61, good=77, wrote=58, back=(10, 13, 1), days=(4, 4.6, 5)),
        figures(GRADES[3], 38, good=66, wrote=49, back=(8, 12, 2), days=(5, 5.2, None), open_cases=9),
        withheld(TINY),
        figures(TEAMS[0], 109, good=72, wrote=60, back=(22, 27, 3), counts=BUSY),
        figures(TEAMS[1], 103, good=64, wrote=51, back=(19, 25, 3), days=(4, 4.2, 4.5), counts=BUSY_BEFORE),
        figures(RIVERA, 56, good=75, wrote=61, back=(11, 13, 1), counts=BUSY),
        figures(OKAFOR, 53, good=68, wrote=57, back=(11, 14, 2), counts=BUSY),
    ]
    return Report(
        school="Maple Street School",
        term=FALL,
        as_of=AS_OF,
        groups=groups,
        before=SPRING,
        groups_before=[
            figures(each.group, each.families or 40, good=good, wrote=wrote, term=SPRING, long=20, days=days,
                    back=back, counts=BUSY_BEFORE)
            for each, good, wrote, days, back in (
                (groups[0], 74, 55, (4.5, 5.1, 5), (36, 55, 0)),
                (groups[1], 80, 66, (3, 3.4, 3), (9, 12, 0)),
                (groups[2], 79, 57, (4, 4.1, 4), (10, 15, 0)),
                (groups[3], 70, 50, (5, 5.3, 6), (9, 15, 0)),
                (groups[4], 69, 47, (5, 5.0, 5), (8, 13, 0)),
                (groups[6], 66, 55, (4, 4.4, 4), (18, 27, 0)),
                (groups[7], 65, 48, (5, 5.1, 5), (18, 28, 0)),
                (groups[8], 70, 58, (4, 4.4, 4), (9, 13, 0)),
            )
        ],
        restated=[Restated(EVERYBODY, Indicator.FIRST_CONTACT, date(2026, 10, 5), told=0.78, now=0.80)],
    )  # fmt: skip
