"""The scorecard of a district: the leader's page, and the same indicators computed in pandas, from the same database.

`python -m benchmarks.scorecard` makes two districts of 50,000 students, one of a million messages in an SQLite file and
one of five million in a PostgreSQL of its own, has the scorecard bring its figures up to date once and again after a
thousand new messages, and then asks for the page, signed in, over and over. pandas reads what it needs of the running
term by SQL and counts it; what both show must be equal, or the benchmark fails.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import pandas as pd
from fastapi.testclient import TestClient
from sqlalchemy import Connection, func, insert, select, text
from sqlmodel import col

from benchmarks import machine
from benchmarks.scorecard_district import LEADER, NOW, Size, fill, settings_of
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings
from config.wallclock import instant
from connectors.mailbox import Direction
from scorecard.keeping import bring_up_to_date
from scorecard.readers import reader_of
from scorecard.reading import OVERVIEW, Scope, read_report
from scorecard.report import Report, SchoolTerm
from scorecard.terms import running, terms_of
from service.web.app import create_app
from service.web.cookies import SESSION
from store.access import new_secret
from store.contact_tables import Judgement, LetterRecipient
from store.database import Database
from store.marks import mark
from store.scorecard_tables import Grouping, MarkKind
from store.tables import MessageRecord
from tests.servers.postgres import postgres

_DURABLE = ("shared_buffers=1GB", "max_wal_size=4GB", "work_mem=32MB")
"""Otherwise as it comes: nothing that risks data is turned off."""
_NEW = 1000
_PLACES = (Grouping.ALL, Grouping.SCHOOL)
_Figures = Mapping[tuple[Grouping, str], tuple[int, int, int, int]]
"""By group: positive and enrolled, two-way and written."""


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=50_000)
    parser.add_argument("--sqlite", type=int, default=1_000_000, metavar="MESSAGES")
    parser.add_argument("--postgresql", type=int, default=5_000_000, metavar="MESSAGES")
    parser.add_argument("--pages", type=int, default=40)
    options = parser.parse_args()
    print(machine.describe())
    print(f"beside    pandas {version('pandas')}")
    with tempfile.TemporaryDirectory(prefix="district-") as folder:
        if options.sqlite:
            _measure("SQLite", str(Path(folder) / "alliance.db"), Size(options.students, options.sqlite), options.pages)
    if options.postgresql:
        with postgres(settings=_DURABLE) as server:
            size = Size(options.students, options.postgresql)
            _measure("PostgreSQL", server.database(), size, options.pages)


def _measure(name: str, location: str, size: Size, pages: int) -> None:
    print(
        f"\n{name}: {size.students:,} students, {size.families:,} families, {size.schools} schools, "
        f"{size.teachers:,} mailboxes, {size.messages:,} messages",
        flush=True,
    )
    database, settings = Database.open(location), settings_of(size, location)
    calendar = SchoolCalendar.of(settings.school, settings.office)
    with _told("district made"):
        fill(database, size)
    with _told("figures from nothing"):
        bring_up_to_date(database, settings, calendar, NOW)
    with database.write() as connection:
        _new_mail(connection)
    with _told(f"figures after {_NEW:,} new messages"):
        bring_up_to_date(database, settings, calendar, NOW)
    with database.read() as connection:
        term = running(terms_of(connection, settings, calendar, NOW.date()), NOW.date())
    if term is None:
        raise SystemExit("no term runs")

    def count() -> _Figures:
        with database.read() as connection:
            return _in_pandas(connection, term, settings)

    beside, figures = _timed(count, 3)
    print(f"pandas    {beside * 1000:,.0f} ms at the median of 3: two indicators, everybody and by school")
    with database.read() as connection:
        report = read_report(connection, settings, calendar, NOW, reader_of(settings, LEADER), scope=OVERVIEW)
    _compare(report, figures)
    for path, get in _pages(database, settings):
        seconds, _ = _timed(get, pages)
        print(
            f"page      {seconds * 1000:,.0f} ms at the median of {pages}, {beside / seconds:.1f} times as fast: {path}"
        )
    with database.read() as connection:
        school = next(each.group.key for each in (report.groups if report else ()) if each.group.key)

        def read() -> Report | None:
            reader = reader_of(settings, LEADER)
            return read_report(connection, settings, calendar, NOW, reader, scope=Scope(school=school))

        seconds, _ = _timed(read, pages)
    print(
        f"figures   {seconds * 1000:,.0f} ms at the median of {pages}: one school's grades and teams, without the page"
    )
    database.close()


@contextmanager
def _told(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began:,.1f} s", flush=True)


def _timed(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    """The median of so many times in seconds, and what came of the last."""
    taken, found = [], None
    for _ in range(times):
        began = time.perf_counter()
        found = work()
        taken.append(time.perf_counter() - began)
    return median(taken), found


def _new_mail(connection: Connection) -> None:
    """So many more mails of teachers as the latest ones, with the marks that the service would leave."""
    latest = select(*MessageRecord.__table__.columns).where(  # type: ignore[attr-defined]
        col(MessageRecord.direction) == Direction.SENT
    )
    rows = connection.execute(latest.order_by(col(MessageRecord.id).desc()).limit(_NEW)).mappings().all()
    recipients = select(col(LetterRecipient.message_id), col(LetterRecipient.address))
    told_before = recipients.where(col(LetterRecipient.message_id).in_([row["id"] for row in rows]))
    addresses = {row.message_id: row.address for row in connection.execute(told_before)}
    first = connection.execute(select(func.max(col(MessageRecord.id)))).scalar_one() + 1
    numbered = list(enumerate(rows, first))
    connection.execute(
        insert(MessageRecord),
        [
            dict(row) | {"id": n, "provider_id": f"p{n}", "rfc_message_id": f"<m{n}@district.example>"}
            for n, row in numbered
        ],
    )
    told = [{"message_id": n, "address": addresses[row["id"]]} for n, row in numbered]
    connection.execute(insert(LetterRecipient), told)
    connection.execute(insert(Judgement), [{"message_id": n, "positive": True, "at": NOW} for n, _ in numbered])
    mark(connection, MarkKind.MESSAGE, (str(n) for n, _ in numbered))


def _pages(database: Database, settings: Settings) -> Iterator[tuple[str, Callable[[], None]]]:
    """The leader's pages, each with what asks for it."""

    def no_mailbox(box: MailboxSettings) -> NoReturn:
        raise RuntimeError(f"{box.address} was opened")

    app = create_app(settings, database, open_box=no_mailbox, clock=lambda: NOW)
    secret = new_secret()
    app.state.site.access.admit(LEADER, secret, "benchmark", now=NOW, lasting=timedelta(hours=12))
    browser = TestClient(
        app, base_url=settings.web.origin if settings.web else "", headers={"Cookie": f"{SESSION}={secret}"}
    )
    for path in ("/scorecard",):

        def get(path: str = path) -> None:
            answer = browser.get(path)
            if answer.status_code != 200 or "<table" not in answer.text:
                raise SystemExit(f"{path} answered {answer.status_code}")

        yield path, get
    app.state.site.post.close()


def _in_pandas(connection: Connection, term: SchoolTerm, settings: Settings) -> _Figures:
    """First contact and two-way of everybody and of each school in one term, counted from the records."""
    zone = settings.school.zone
    begins = instant(datetime.combine(term.first, datetime.min.time()), zone).astimezone(UTC).replace(tzinfo=None)
    ends = instant(datetime.combine(term.last + timedelta(days=1), datetime.min.time()), zone)
    span = {"begins": str(begins), "ends": str(ends.astimezone(UTC).replace(tzinfo=None))}
    sent = _read(
        connection,
        "SELECT r.address, m.received_at, j.positive FROM message m JOIN letter_recipient r ON r.message_id = m.id "
        "LEFT JOIN judgement j ON j.message_id = m.id WHERE m.direction = 'sent' AND m.own = FALSE "
        "AND m.received_at >= :begins AND m.received_at < :ends",
        span,
    )
    got = _read(
        connection,
        "SELECT DISTINCT sender AS address FROM message WHERE direction = 'received' AND tag IS NOT NULL "
        "AND received_at >= :begins AND received_at < :ends",
        span,
    )
    families = _read(
        connection,
        "SELECT a.address, f.family, g.schools AS school FROM roster_address a JOIN roster_care c "
        "ON c.guardian = a.person JOIN roster_family f ON f.student = c.student JOIN roster_grade g "
        "ON g.student = c.student WHERE a.until IS NULL AND c.until IS NULL AND f.until IS NULL AND g.until IS NULL",
        {},
    ).drop_duplicates()
    early = sent["received_at"].astype("datetime64[ns]").dt.tz_localize("UTC").dt.tz_convert(str(zone))
    positive = sent[sent["positive"].fillna(False).astype(bool) & (early.dt.date <= term.fourth_week_ends)]
    families["positive"] = families["address"].isin(positive["address"])
    families["written"] = families["address"].isin(sent["address"])
    families["wrote"] = families["address"].isin(got["address"])
    found: dict[tuple[Grouping, str], tuple[int, int, int, int]] = {(Grouping.ALL, ""): _counted(families)}
    for school, rows in families.groupby("school"):
        found[Grouping.SCHOOL, str(school)] = _counted(rows)
    return found


def _counted(rows: "pd.DataFrame") -> tuple[int, int, int, int]:
    by_family = rows.groupby("family")[["positive", "written", "wrote"]].any()
    two_way = by_family["written"] & by_family["wrote"]
    return int(by_family["positive"].sum()), len(by_family), int(two_way.sum()), int(by_family["written"].sum())


def _read(connection: Connection, query: str, values: Mapping[str, str]) -> "pd.DataFrame":
    return pd.read_sql(text(query), connection, params=dict(values))


def _compare(report: Report | None, figures: _Figures) -> None:
    """What the scorecard shows must be what pandas counts."""
    if report is None:
        raise SystemExit("there is no report")
    compared = 0
    for each in report.groups:
        place = (each.group.grouping, each.group.key)
        if each.group.grouping not in _PLACES or each.withheld:
            continue
        shown = (each.first_contact.met, each.first_contact.of, each.two_way.met, each.two_way.of)
        if shown != figures[place]:
            raise SystemExit(f"{place}: the scorecard shows {shown}, pandas counts {figures[place]}")
        compared += 1
    print(f"equal     first contact and two-way of {compared} groups")


if __name__ == "__main__":
    main()
