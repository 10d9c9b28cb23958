"""What erased records had counted in a mailbox's weeks: numbers that stay, with nobody behind them.

A week is counted from its messages, also long afterwards, when a calendar or a team changes. What was erased for its
age, or forgotten, would be missing then; so what it had counted in terms that were over is kept, and added.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select
from sqlmodel import col

from scorecard.report import SchoolTerm
from scorecard.roster_slice import Query, rows_in
from store.database import dialect_of
from store.erasure_tables import CarriedWeek, Retention
from store.scorecard_tables import FamilyStanding, Grouping, Measure, Tally


def carried_weeks(
    connection: Connection, weeks: Collection[tuple[str, Any]], mailboxes: Collection[str]
) -> Mapping[tuple[str, Any], Counter[Any]]:
    """What is carried of each of `weeks`, and of every week of `mailboxes`."""
    of = CarriedWeek
    query: Query = select(col(of.mailbox), col(of.monday), col(of.numbers))
    wanted = set(weeks)
    return {
        (row.mailbox, row.monday): _numbers(row.numbers)
        for row in rows_in(connection, query, of.mailbox, {*mailboxes, *(mailbox for mailbox, _ in weeks)})
        if row.mailbox in mailboxes or (row.mailbox, row.monday) in wanted
    }


def carry(connection: Connection, more: Mapping[tuple[str, Any], Counter[Any]]) -> None:
    """Adds to what is carried."""
    before = carried_weeks(connection, more.keys(), ())
    for (mailbox, monday), numbers in more.items():
        together = Counter(before.get((mailbox, monday), Counter()))
        together.update(numbers)
        values = {"mailbox": mailbox, "monday": monday, "numbers": _text(together)}
        put = dialect_of(connection).insert(CarriedWeek).values(**values)
        put = put.on_conflict_do_update(index_elements=["mailbox", "monday"], set_={"numbers": values["numbers"]})
        connection.execute(put)


def _numbers(text: str) -> Counter[Any]:
    return Counter(
        {(term, Grouping(grouping), key, Measure(measure)): n for term, grouping, key, measure, n in json.loads(text)}
    )


def _text(numbers: Counter[Any]) -> str:
    rows = sorted(
        (term, str(grouping), key, str(measure), n) for (term, grouping, key, measure), n in numbers.items() if n
    )
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def unsealed(connection: Connection, terms: Sequence[SchoolTerm], zone: ZoneInfo) -> list[SchoolTerm]:
    """The terms whose figures can still be counted: of those that began before the oldest mail on record, only the
    numbers are left, and nothing may be taken from them or added."""
    before = connection.execute(select(col(Retention.mail_before))).scalar()
    return [term for term in terms if before is None or term.first >= before.astimezone(zone).date()]


def sealed(connection: Connection, terms: Collection[str]) -> frozenset[str]:
    """Of these terms, by identifier, those that have numbers and nothing that they could be counted from, since their
    records were erased for their age."""
    if connection.execute(select(col(Retention.mail_before))).scalar() is None:
        return frozenset()
    counted = {row.term for row in rows_in(connection, select(col(Tally.term)), Tally.term, terms)}
    standing = {row.term for row in rows_in(connection, select(col(FamilyStanding.term)), FamilyStanding.term, terms)}
    return frozenset(counted - standing)
