"""Does a mailbox give answers: have they stopped, and is the teacher's own out-of-office answer on?"""

from collections.abc import Iterator
from datetime import datetime

from autoresponder.away import configured_absences
from config.settings import MailboxSettings, Settings, Stage
from connectors.away import Absence, TellsAbsence
from connectors.errors import BROKEN, MailboxError, PermissionDenied
from connectors.mailbox import Mailbox
from service.doctor.finding import Finding, Level
from service.notices import when
from service.stopping import stop_reason
from store.ceiling import Ceiling
from store.database import Database, Shape


def stopped(settings: Settings, box: MailboxSettings, database: Database | None, now: datetime) -> Iterator[Finding]:
    """Whether the mailbox's answers have stopped. `now` is aware."""
    if database is None or database.shape() is not Shape.CURRENT:
        return
    (standing,) = Ceiling(database, settings.norm).standings([box.address], now)
    if standing.stopped_at is None or standing.until is None or standing.cause is None:
        return
    seen = (
        f"families get no answers since {when(standing.stopped_at, settings)}: {stop_reason(standing.cause, settings)}"
    )
    fix = (
        f"Look into its Sent folder for a loop; then `alliance answers resume {box.address}`. "
        f"By itself it answers again on {when(standing.until, settings)}. Urgent mail reaches the office all the same."
    )
    yield Finding(box.address, Level.WARN, seen, fix)


def own_answer(settings: Settings, box: MailboxSettings, mailbox: Mailbox, now: datetime) -> Iterator[Finding]:
    """What is known of the teacher's own out-of-office answer, from the configuration and from the open `mailbox`.
    `now` is aware. Raises MailboxError only where the connection broke."""
    for absence in configured_absences(box, settings.school.zone):
        if absence.ends is not None and absence.ends > now:
            yield Finding(box.address, Level.OK, f"mailboxes.away: {_told(absence, now, settings)}")
    if not isinstance(mailbox, TellsAbsence):
        return
    try:
        told = mailbox.absence()
    except BROKEN:
        raise
    except MailboxError as error:
        level = Level.WARN if box.stage is Stage.REPLY else Level.OK
        seen = f"whether the teacher's own out-of-office answer is on cannot be asked: {error}"
        fix = "Until then name the days in mailboxes.away; else a family may get two notes."
        if isinstance(error, PermissionDenied):
            fix = f"Grant it: docs/connect/{_page(box)}. {fix}"
        yield Finding(box.address, level, seen, fix)
        return
    if told is None or (told.ends is not None and told.ends <= now):
        yield Finding(box.address, Level.OK, "the teacher's own out-of-office answer is off")
    else:
        yield Finding(box.address, Level.OK, f"the teacher's own out-of-office answer: {_told(told, now, settings)}")


def _told(absence: Absence, now: datetime, settings: Settings) -> str:
    end = "" if absence.ends is None else f" until {when(absence.ends, settings)}"
    if absence.covers(now):
        beside = "only urgent messages are answered beside it"
        return f"on{end}; {beside if absence.to_families else 'not for families, who get the usual note'}"
    begin = "" if absence.begins is None else f" from {when(absence.begins, settings)}"
    return f"will be on{begin}{end}"


def _page(box: MailboxSettings) -> str:
    pages = {"graph": "microsoft-365.md", "gmail": "gmail.md", "exchange": "exchange.md"}
    return f"{pages.get(box.connector, 'index.md')}, “Out-of-office answers”"
