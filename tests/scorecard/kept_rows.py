"""The scorecard's rows as plain tuples, one for each group: what tests compare, whatever the tables look like."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from scorecard.packing import groups_in, numbers_in, standings_in
from store.scorecard_tables import OF_TERMS, CaseStanding, FamilyStanding, IncidentStanding, Measure, Tally

Rows = set[tuple[Any, ...]]


def families(connection: Connection) -> Rows:
    """Term, group, family, whether enrolled, and three days."""
    return {
        (row.term, *group, row.family, each.enrolled, each.positive_on, each.written_on, each.answered_on)
        for row in connection.execute(select(FamilyStanding.__table__))  # type: ignore[attr-defined]
        for group, each in standings_in(row.standings).items()
    }


def cases(connection: Connection) -> Rows:
    """Term, group, case, when it opened, and when a plan was agreed."""
    return {
        (row.term, *group, row.case_id, row.opened_on, row.agreed_on)
        for row in connection.execute(select(CaseStanding.__table__))  # type: ignore[attr-defined]
        for group in groups_in(row.groups)
    }


def incidents(connection: Connection) -> Rows:
    """Term, group, incident, student, its day, the baseline day, and the next incident's."""
    return {
        (row.term, *group, row.incident_id, row.student, row.on_day, row.baseline_day, row.again_on)
        for row in connection.execute(select(IncidentStanding.__table__))  # type: ignore[attr-defined]
        for group in groups_in(row.groups)
    }


def numbers(connection: Connection) -> dict[tuple[str, str, str, Measure, str], int]:
    """By term, group, measure, and what it is counted by."""
    return {
        (row.term, row.grouping, row.key, *counted): n
        for row in connection.execute(select(Tally.__table__))  # type: ignore[attr-defined]
        for counted, n in numbers_in(row.numbers).items()
    }


def weekly(connection: Connection) -> dict[tuple[str, str, str, date, Measure], int]:
    """Of those what is counted by week: by term, group, Monday and measure."""
    return {
        (term, grouping, key, date.fromisoformat(by), measure): n
        for (term, grouping, key, measure, by), n in numbers(connection).items()
        if measure not in OF_TERMS
    }
