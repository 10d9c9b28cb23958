"""Does the school's day look right from here: the clock, the calendar, the office?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from autoresponder.wording_check import check_wording
from config import ConfigError, NoSchoolDay, SchoolCalendar
from config.settings import Settings
from service.doctor.finding import Finding, Level

_AHEAD_DAYS = 60
_LONG_BREAK_DAYS = 21


def clock(settings: Settings, now: datetime) -> Finding:
    """What time it is for the school: a person sees at once whether that is true."""
    local = now.astimezone(settings.school.zone)
    return Finding("clock", Level.OK, f"it is {local:%A, %Y-%m-%d %H:%M} in {settings.school.timezone}")


def calendar(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Which days have school: the promise that families get is counted in them."""
    about = "calendar"
    try:
        days = SchoolCalendar.of(settings.school, settings.office)
        today = now.astimezone(days.zone).date()
        upcoming = days.next_school_day(today)
    except ConfigError as error:
        yield Finding(about, Level.FAIL, str(error), "Correct the holiday file, or school.holidays_ics.")
        return
    except NoSchoolDay as error:
        yield Finding(about, Level.FAIL, str(error), "Correct school.days, school.holidays or the holiday file.")
        return
    count = days.school_days_between(today, today + timedelta(days=_AHEAD_DAYS))
    seen = f"next school day {upcoming:%A, %Y-%m-%d}; {count} school days in the next {_AHEAD_DAYS} days"
    if (upcoming - today).days > _LONG_BREAK_DAYS:
        fix = "In a long break that is right; otherwise look at school.holidays and the holiday file."
        yield Finding(about, Level.WARN, seen, fix)
    else:
        yield Finding(about, Level.OK, seen)
    for warning in days.warnings:
        yield Finding(about, Level.WARN, warning, "Look at that event in the holiday file.")
    ahead = [stretch for stretch in days.breaks if stretch[1] >= today]
    if ahead:
        last = ahead[-1][1]
        yield Finding(about, Level.OK, f"{len(ahead)} holidays and breaks ahead, the last ends {last:%Y-%m-%d}")
    else:
        fix = "Add this school year's to school.holidays, or name an iCalendar file in school.holidays_ics."
        seen = "no holidays ahead: families would be promised answers during breaks"
        yield Finding(about, Level.WARN, seen, fix)


def office(settings: Settings) -> Finding:
    """Where urgent mail goes."""
    address, phone = settings.office.address, settings.office.phone
    if any(address in (box.address, *box.aliases) for box in settings.mailboxes):
        fix = "Give the office a mailbox of its own in office.address, or take it out of [[mailboxes]]."
        return Finding("office", Level.WARN, f"{address} is also one of the teachers' mailboxes", fix)
    return Finding("office", Level.OK, f"urgent mail goes to {address}; families are told to call {phone}")


def wording(settings: Settings) -> Finding:
    """What the school says in its own words."""
    folder = settings.wording.folder
    if folder is None:
        return Finding("wording", Level.OK, "the built-in sentences, in every language")
    try:
        files = check_wording(settings)
    except ConfigError as error:
        count = len(error.faults)
        seen = f"{count} fault{'s'[: count > 1]} in the own sentences; the first: {error.faults[0]}"
        fix = "Correct it: `alliance wording check` says them all. Until then the built-in sentences stand in."
        return Finding("wording", Level.FAIL, seen, fix)
    counts = ", ".join(f"{file.path.stem} {len(file.says)}" for file in files) or "none yet"
    return Finding("wording", Level.OK, f"own sentences: {counts}")
