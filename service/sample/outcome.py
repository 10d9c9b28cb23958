"""The demo's last words: the scorecard that the history makes, its page, and the principal's mail of the week."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autoresponder.wording import OFFICE, wording
from config import SchoolCalendar
from config.settings import Settings
from scorecard.keeping import bring_up_to_date
from scorecard.readers import LEADER
from scorecard.reading import read_report
from scorecard.report import Report
from scorecard.weekly_mail import week_of, weekly_message_id, weekly_note
from service.notices import mail_to_staff, staff_words
from service.sample.front_office import PRINCIPAL
from service.sample.school import PAGE_FILE, WEEKLY_FILE, WEEKLY_PAGE, SampleSchool
from service.scorecard_table import Screen
from service.web.scorecard_file import scorecard_as_file
from store.database import Database
from store.marks import monday_of
from store.scorecard_tables import Grouping

_PRINCIPAL_CALLED = "Dr. Quintana"
_SENDER = "alliance@maple.example"
_SHOWN = (Grouping.ALL, Grouping.GRADE, Grouping.TEAM)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was written beside the school. `mail` is the weekly mail as a page, None where the week has nothing to
    tell."""

    report: Report
    page: Path
    mail: Path | None


def write_outcome(
    school: SampleSchool, database: Database, settings: Settings, calendar: SchoolCalendar, now: datetime
) -> Outcome | None:
    """Brings the figures up to date, as the service does, and writes the page and the mail as it writes them. None
    where there are no figures."""
    bring_up_to_date(database, settings, calendar, now)
    with database.read() as connection:
        report = read_report(connection, settings, calendar, now, LEADER)
    if report is None:
        return None
    page = school.folder / PAGE_FILE
    page.write_text(scorecard_as_file(report, zone=calendar.zone), encoding="utf-8")
    return Outcome(report, page, _write_mail(school.folder, report, settings, calendar, now))


def _write_mail(
    folder: Path, report: Report, settings: Settings, calendar: SchoolCalendar, now: datetime
) -> Path | None:
    today = now.astimezone(calendar.zone).date()
    week = week_of(report, today)
    if week is None:
        return None
    note = weekly_note(week, _PRINCIPAL_CALLED, "", staff_words(settings))
    raw = mail_to_staff(
        note,
        rfc_message_id=weekly_message_id(PRINCIPAL, monday_of(today), _SENDER),
        sender=_SENDER,
        recipient=PRINCIPAL,
        now=now,
    )
    (folder / WEEKLY_FILE).write_bytes(raw)
    (folder / WEEKLY_PAGE).write_text(_as_page(raw), encoding="utf-8")
    return folder / WEEKLY_PAGE


def _as_page(raw: bytes) -> str:
    """The mail as a mail program shows it: its HTML, with the pictures that it refers to (RFC 2392) inside."""
    mime = message_from_bytes(raw, policy=policy.default)
    page = next(part for part in mime.walk() if part.get_content_type() == "text/html").get_content()
    for part in mime.walk():
        if part.get_content_maintype() == "image" and part["Content-ID"]:
            picture = b64encode(part.get_content()).decode()
            cid = str(part["Content-ID"]).strip().strip("<>")
            page = page.replace(f"cid:{cid}", f"data:{part.get_content_type()};base64,{picture}")
    return str(page)


def show_outcome(console: Console, outcome: Outcome, settings: Settings) -> None:
    """The figures by grade and team, and the one link to the page."""
    report = outcome.report
    console.print()
    groups = [each for each in report.groups if each.group.grouping in _SHOWN]
    Screen(console, report, groups, wording("en", OFFICE), settings.norm.reply_within_hours[1]).show()
    if outcome.mail is not None:
        console.print(Text(f"The principal's mail of the week: {outcome.mail}", "dim"), soft_wrap=True)
    uri = outcome.page.resolve().as_uri()
    console.print(Text.assemble("The page: ", (uri, f"cyan link {uri}")), soft_wrap=True)
