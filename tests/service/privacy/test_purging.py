"""What is older than it is kept goes by itself; no promise and no figure of a term that is over goes with it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from autoresponder.items import ItemState
from config.settings import Retention
from config.settings import Term as TermSettings
from connectors.labels import Tag
from scorecard.contact_list import ListedContact
from scorecard.incident_list import ListedIncident
from scorecard.keeping import bring_up_to_date
from scorecard.list_import import import_contacts, import_incidents
from scorecard.report import SchoolTerm
from scorecard.roster import Roster
from service.privacy.purging import PURGED, Purge, cutoffs
from store import audit, erasure_tables
from store.contact_tables import ContactKind, ContactTone
from store.database import Database
from store.marks import mark
from store.scorecard_tables import FamilyStanding, MarkKind, Tally
from store.tables import Item, MailboxState
from tests.service.maple import ANA, OKAFOR, RIVERA, Maple
from tests.service.roster_of_maple import MAYA, fill_roster

SPRING = TermSettings(title="Spring", first=date(2026, 1, 5), last=date(2026, 6, 12))
FALL = TermSettings(title="Fall", first=date(2026, 8, 17), last=date(2026, 12, 18))
NEXT = TermSettings(title="Next", first=date(2027, 8, 16), last=date(2027, 12, 17))


@pytest.fixture
def maple(tmp_path: Path) -> Iterator[Maple]:
    database = Database.open(str(tmp_path / "alliance.db"))
    fill_roster(database)
    maple = Maple(database=database)
    maple.settings = maple.settings.model_copy(update={"terms": (SPRING, FALL, NEXT)})
    maple.roster = Roster.of(database)
    maple.round()
    maple.clock.forward(minutes=5)
    yield maple
    database.close()


def purge(maple: Maple) -> Purge:
    return Purge(maple.database, maple.settings, maple.assembly().calendar, maple.clock)


def figures(maple: Maple) -> dict[tuple[str, str, str], str]:
    bring_up_to_date(maple.database, maple.settings, maple.assembly().calendar, maple.clock())
    with maple.database.read() as connection:
        of = Tally
        rows = connection.execute(select(col(of.term), col(of.grouping), col(of.key), col(of.numbers)))
        return {(row.term, row.grouping, row.key): row.numbers for row in rows}


def office_closes_everything(maple: Maple) -> None:
    with maple.database.write() as connection:
        connection.execute(update(Item).values(state=ItemState.DONE))


def a_spring_and_a_fall(maple: Maple) -> None:
    maple.write("routine", sender=ANA)
    maple.write("urgent", sender=ANA, to=(OKAFOR,))
    maple.teacher_writes("Well done!", ANA)
    maple.rounds(6, minutes=10)
    office_closes_everything(maple)
    maple.clock.forward(days=200)
    maple.write("conflict", sender=ANA)
    maple.rounds(4, minutes=10)


def test_old_mail_goes_and_closed_figures_stay_whatever_is_counted_again(maple: Maple) -> None:
    a_spring_and_a_fall(maple)
    maple.clock.forward(days=300)
    before = figures(maple)
    assert any("Spring" in term for term, *_ in before)
    erased = purge(maple).carry_out()
    assert erased["message"] >= 2
    left = [record.tag for record in maple.records() if record.sender == ANA]
    assert left == [Tag.URGENT, Tag.CONFLICT], "an item is kept longer, and the other is of the fall"
    assert figures(maple) == before
    with maple.database.write() as connection:
        mark(connection, MarkKind.EVERYTHING, [""])
        mark(connection, MarkKind.MAILBOX, [RIVERA, OKAFOR])
    assert figures(maple) == before
    maple.clock.forward(days=500)
    purge(maple).carry_out()
    assert [record for record in maple.records() if record.sender == ANA and record.tag] == [], "nor the case's"
    with maple.database.write() as connection:
        mark(connection, MarkKind.EVERYTHING, [""])
    assert {key: n for key, n in figures(maple).items() if key in before} == before
    with maple.database.read() as connection:
        assert connection.execute(select(col(FamilyStanding.term))).scalars().all() in ([], ["settings:Next"])
    assert audit.check(maple.database).broken_at is None
    assert PURGED in {entry.act for entry in audit.entries(maple.database)}


def test_a_dry_run_says_what_goes_and_changes_nothing(maple: Maple) -> None:
    a_spring_and_a_fall(maple)
    maple.clock.forward(days=300)
    said = purge(maple).would_go()
    assert purge(maple).would_go() == said
    erased = purge(maple).carry_out()
    assert {table: erased[table] for table in said} == said
    assert purge(maple).would_go() == {}
    assert purge(maple).carry_out() == {}


def test_mail_that_was_purged_is_not_answered_or_routed_when_it_turns_up_again(maple: Maple) -> None:
    maple.write("routine", sender=ANA)
    maple.write("urgent", sender=ANA, to=(OKAFOR,))
    maple.rounds(6, minutes=10)
    answers, routed = len(maple.answers(ANA)), len(maple.to_office())
    assert (answers, routed > 0) == (2, True)
    office_closes_everything(maple)
    maple.clock.forward(days=900)
    purge(maple).carry_out()
    purge(maple).carry_out()
    assert [record for record in maple.records() if record.sender == ANA] == []
    with maple.database.write() as connection:
        connection.execute(MailboxState.__table__.update().values(cursor=None))  # type: ignore[attr-defined]
    maple.rounds(6, minutes=10)
    assert (len(maple.answers(ANA)), len(maple.to_office())) == (answers, routed)


def test_what_the_office_has_not_taken_stays(maple: Maple) -> None:
    maple.write("urgent", sender=ANA)
    maple.rounds(6, minutes=10)
    maple.clock.forward(days=2000)
    purge(maple).carry_out()
    assert [record.sender for record in maple.records() if record.sender == ANA] == [ANA]


def test_a_term_that_runs_is_kept_whole() -> None:
    settings: Any = SimpleNamespace(
        retention=Retention(mail_days=180), school=SimpleNamespace(zone=None), norm=SimpleNamespace()
    )
    year = SchoolTerm("y", "Year", date(2025, 8, 18), date(2026, 6, 12), date(2025, 9, 14))
    held = cutoffs(settings, [year], date(2026, 6, 1), erasure_tables.Retention())
    assert held.mail == date(2025, 8, 18)
    assert cutoffs(settings, [year], date(2026, 7, 1), erasure_tables.Retention()).mail == date(2025, 12, 29)
    assert held.roster < held.mail
    assert held.mail - held.cases >= timedelta(0)


def test_the_service_does_it_once_a_day(maple: Maple) -> None:
    work = purge(maple)
    assert work.is_due()
    work.daily()
    assert not work.is_due()
    maple.clock.forward(hours=21)
    assert work.is_due()


def test_a_contact_that_was_purged_does_not_come_back_with_the_schools_list(maple: Maple) -> None:
    old, zone = maple.clock().date(), maple.settings.school.zone
    call = (ContactKind.CALL, ContactTone.NEUTRAL)
    row = ListedContact("c-1", RIVERA, MAYA.id, old, *call, reached=True, withdrawn=False)
    late = ListedIncident("i-1", MAYA.id, old, "late", None, withdrawn=False)
    assert import_contacts(maple.database, [row], now=maple.clock(), zone=zone).added == 1
    assert import_incidents(maple.database, [late], now=maple.clock()).added == 1
    maple.clock.forward(days=900)
    assert purge(maple).carry_out()["contact"] == 1
    assert import_contacts(maple.database, [row], now=maple.clock(), zone=zone).added == 0
    assert import_incidents(maple.database, [late], now=maple.clock()).added == 0
    fresh = replace(row, reference="c-2", on_day=maple.clock().date())
    assert import_contacts(maple.database, [fresh], now=maple.clock(), zone=zone).added == 1
