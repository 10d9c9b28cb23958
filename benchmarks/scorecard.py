"""The scorecard of a district: the leader's pages, and the same indicators computed in pandas, from the same database.

`python -m benchmarks.scorecard` makes two districts of 50,000 students, one of a million messages in an SQLite file and
one of five million in a PostgreSQL of its own. The scorecard makes its figures from nothing, and brings them up to date
after twenty messages that come one by one and a thousand that come together; then the pages are asked for, signed in,
over and over. pandas reads what it needs of the running term by SQL and counts it; what both show must be equal, or the
benchmark fails.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NoReturn
from urllib.parse import urlencode

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
from scorecard.keeping import Brought, bring_up_to_date
from scorecard.readers import reader_of
from scorecard.reading import OVERVIEW, read_report
from scorecard.report import Report, SchoolTerm
from scorecard.terms import before, running, terms_of
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
_SINGLE = 20
_SOON = 0.3
"""Seconds in which a page is to answer, at the median."""
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

    def bring() -> Brought:
        return bring_up_to_date(database, settings, calendar, NOW)

    with _told("figures from nothing"):
        made = bring()
    print(f"          {made.steps:,} steps, {made.rows:,} rows")
    _one_by_one(database, bring)
    _together(database, bring)
    with database.read() as connection:
        terms = terms_of(connection, settings, calendar, NOW.date())
    term = running(terms, NOW.date())
    if term is None:
        raise SystemExit("no term runs")

    def count() -> _Figures:
        with database.read() as connection:
            return _in_pandas(connection, term, settings)

    beside, figures = _timed(count, 3)
    print(f"pandas    {beside}: two indicators, everybody and by school")
    with database.read() as connection:
        report = read_report(connection, settings, calendar, NOW, reader_of(settings, LEADER), scope=OVERVIEW)
    _compare(report, figures)
    earlier = before(terms, term)
    for path, get in _pages(database, settings, earlier.id if earlier else ""):
        first, _ = _timed(get, 1)
        taken, _ = _timed(get, pages)
        ratio = beside.wall / taken.wall
        print(f"page      {taken}; the first look {first.wall * 1000:,.0f} ms; {ratio:.0f} times as fast: {path}")
        if taken.wall > _SOON:
            print(f"          over {_SOON * 1000:,.0f} ms")
    database.close()


@dataclass(frozen=True, slots=True)
class _Taken:
    """Seconds at the median."""

    wall: float
    processor: float
    """Of this process."""
    times: int

    def __str__(self) -> str:
        return f"{self.wall * 1000:,.0f} ms at the median of {self.times} ({self.processor * 1000:,.0f} of processor)"


@contextmanager
def _told(what: str) -> Iterator[None]:
    began, busy = time.perf_counter(), time.process_time()
    yield
    wall, processor = time.perf_counter() - began, time.process_time() - busy
    print(f"{what}: {wall:,.1f} s ({processor:,.1f} of processor)", flush=True)


def _timed(work: Callable[[], Any], times: int) -> tuple[_Taken, Any]:
    """The median of so many times, and what came of the last."""
    walls, busy, found = [], [], None
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        found = work()
        walls.append(time.perf_counter() - began)
        busy.append(time.process_time() - used)
    return _Taken(median(walls), median(busy), times), found


def _one_by_one(database: Database, bring: Callable[[], Brought]) -> None:
    """Messages that come one at a time, each with the figures brought up to date behind it."""
    rows: list[int] = []

    def one() -> None:
        with database.write() as connection:
            _new_mail(connection, 1)
        rows.append(bring().rows)

    taken, _ = _timed(one, _SINGLE)
    print(f"one new message: {taken}, {median(rows):,.0f} rows of figures")


def _together(database: Database, bring: Callable[[], Brought]) -> None:
    """Messages that come together."""
    with database.write() as connection:
        _new_mail(connection, _NEW)
    taken, brought = _timed(bring, 1)
    each = taken.wall * 1000 / _NEW, taken.processor * 1000 / _NEW, brought.rows / _NEW
    print(f"{_NEW:,} new messages: {each[0]:.1f} ms each ({each[1]:.1f} of processor), {each[2]:.1f} rows each")


def _new_mail(connection: Connection, number: int) -> None:
    """So many more mails of teachers, to families all over the district, marked as the service would mark them."""
    of = MessageRecord
    last = connection.execute(select(func.max(col(of.id)))).scalar_one()
    ids = [last - 1 - each * 131 for each in range(number * 3)]
    columns = of.__table__.columns  # type: ignore[attr-defined]
    sent = select(*columns).where(col(of.direction) == Direction.SENT, col(of.id).in_(ids))
    rows = connection.execute(sent.order_by(col(of.id).desc()).limit(number)).mappings().all()
    recipients = select(col(LetterRecipient.message_id), col(LetterRecipient.address))
    told_before = recipients.where(col(LetterRecipient.message_id).in_([row["id"] for row in rows]))
    addresses = {row.message_id: row.address for row in connection.execute(told_before)}
    numbered = list(enumerate(rows, last + 1))
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


def _pages(database: Database, settings: Settings, earlier: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """The pages that a leader comes by, each with what asks for it: the first, a school's, a grade's, a team's, a
    teacher's, and the term before. Each has its trend by week and the comparison with the term before it."""

    def no_mailbox(box: MailboxSettings) -> NoReturn:
        raise RuntimeError(f"{box.address} was opened")

    app = create_app(settings, database, open_box=no_mailbox, clock=lambda: NOW)
    secret = new_secret()
    app.state.site.access.admit(LEADER, secret, "benchmark", now=NOW, lasting=timedelta(hours=12))
    browser = TestClient(
        app, base_url=settings.web.origin if settings.web else "", headers={"Cookie": f"{SESSION}={secret}"}
    )
    box = settings.mailboxes[1]
    asked = {
        Grouping.SCHOOL: "school1",
        Grouping.GRADE: "school1/05",
        Grouping.TEAM: box.team,
        Grouping.TEACHER: box.address,
    }
    paths = ["/scorecard", *(f"/scorecard/{kind}?{urlencode({'of': key})}" for kind, key in asked.items())]
    paths += [f"/scorecard?{urlencode({'term': earlier})}"]
    for path in paths:

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
