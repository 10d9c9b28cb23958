"""The times a message names, held against the time it came: "Thursday" is urgent on Thursday, not on Monday.

What it finds are features for the models and words for the reasons, never a verdict.
"""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from classifier.mentions import Named
from config.calendar import NoSchoolDay, SchoolCalendar

USUAL = SchoolCalendar(
    zone=ZoneInfo("UTC"),
    weekdays=frozenset(range(5)),
    opens=time(8, 0),
    closes=time(15, 30),
    office_opens=time(8, 0),
    office_closes=time(15, 30),
)
"""The calendar of a school that told none: Monday to Friday, 8:00 to 15:30, on the clock of the received time."""


def arrival(received: datetime, calendar: SchoolCalendar = USUAL) -> str:
    """When it came, seen from the school day: before, early, midday, late, after, night or off (no school day). The
    school day has three parts of about the same length."""
    if not calendar.is_school_day(received.date()):
        return "off"
    hour, opens, closes = (_hours(of_day) for of_day in (received.time(), calendar.opens, calendar.closes))
    third = (closes - opens) / 3
    parts = (("night", 5.0), ("before", opens), ("early", opens + third), ("midday", closes - third), ("late", closes))
    return next((name for name, until in (*parts, ("after", 21.0)) if hour < until), "night")


def acting_day(received: datetime, calendar: SchoolCalendar = USUAL) -> int:
    """Days from the received day to the school day on which an urgent matter would have to be acted on: the same day
    until school closes, the next school day after that (docs/labelling.md, "urgent"); 1 where the calendar has none."""
    day = received.date()
    if calendar.is_school_day(day) and received.time() < calendar.closes:
        return 0
    try:
        return (calendar.next_school_day(day) - day).days
    except NoSchoolDay:
        return 1


def time_cues(found: Named, received: datetime | None, came: str, due: int) -> list[str]:
    """Features, each a word: the days and clock times that a text names (`found`), against when it came. `came` is its
    `arrival`, `due` its `acting_day`."""
    if received is None:
        return [f"names={days}" for days in sorted(found.days) if -1 <= days <= 1]
    near = {day for day in found.days if 0 <= day <= due}
    cues = []
    if near:
        cues.append("due=counts")
    if 0 in near:
        cues.append("due=today")
    if any(day > due for day in found.days):
        cues.append("due=both" if near else "due=later")
    if any(day < 0 for day in found.days):
        cues.append("due=past")
    if not found.days:
        cues.append("due=none")
    if found.clocks:
        cues.append("clock")
        hour = _hours(received.time())
        if near:
            cues.append("clock+counts")
        if due == 0 and any(hour <= clock <= hour + 7 for clock in found.hours):
            cues.append("clock=ahead")
    return [*cues, f"came={came}", *(f"{cue}|{came}" for cue in cues)]


def _hours(of_day: time) -> float:
    return of_day.hour + of_day.minute / 60
