"""A plan is its seed and nothing else, and a few dozen seeds have everything that may break."""

import re
from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import event

from store.database import Database
from store.pages import Entry, Page, Pages
from tests.faults.plan import AT_CURSOR, AT_PAGE, FAMILIES, STORM, WITNESSES, Base, Kind, plan_of
from tests.faults.test_storms import SEEDS
from tests.store.test_pages import BOX, record


def test_a_seed_is_always_the_same_plan() -> None:
    assert [plan_of(seed) for seed in range(50)] == [plan_of(seed) for seed in range(50)]


def test_the_seeds_of_every_test_run_have_every_fault_on_every_database_and_by_every_command() -> None:
    plans = [plan_of(seed) for seed in SEEDS]
    assert {fault.kind for plan in plans for fault in plan.faults} == set(Kind)
    assert {(plan.base, plan.command) for plan in plans} == {
        (Base.SQLITE, "run"),
        (Base.POSTGRESQL, "run"),
        (Base.POSTGRESQL, "worker"),
    }
    assert {plan.processes for plan in plans} == {1, 2}
    assert {plan.stage for plan in plans} == {"observe", "tag", "reply"}


def test_most_seeds_answer_families_and_all_have_letters() -> None:
    plans = [plan_of(seed) for seed in range(300)]
    assert Counter(plan.stage for plan in plans).most_common(1)[0][0] == "reply"
    assert all(plan.letters for plan in plans)


def test_somebody_whom_nobody_has_answered_yet_writes_into_every_fault() -> None:
    for plan in map(plan_of, range(300)):
        first = {letter.family: letter for letter in reversed(plan.letters)}
        written = [letter for family, letter in first.items() if FAMILIES <= family < FAMILIES + WITNESSES]
        for fault in plan.faults:
            assert any(0 < letter.at - fault.at <= 0.2 for letter in written), str(plan)


def test_what_stands_still_or_dies_over_a_page_is_let_come_so_far() -> None:
    plans = [plan_of(seed) for seed in range(300)]
    for plan in plans:
        kinds = {fault.kind for fault in plan.faults}
        if Kind.STAND_STILL in kinds:
            assert plan.processes == 1
            assert not {Kind.BASE_CUT, Kind.BASE_CRASH, Kind.MAIL_CUT, Kind.KILL, Kind.RESTORE} & kinds
    assert {fault.wire for plan in plans for fault in plan.faults if fault.kind is Kind.STAND_STILL} == {
        *("imap", "smtp", "postgresql")
    }


def test_everything_breaks_and_is_mended_while_the_storm_lasts() -> None:
    for plan in map(plan_of, range(300)):
        for fault in plan.faults:
            assert 0 < fault.at <= fault.at + fault.seconds <= STORM * 2.1
            assert f"{fault.at:4.1f} s  {fault.kind.value}" in str(plan)


def test_nothing_keeps_what_is_out_from_sent_where_a_restored_record_has_forgotten_it() -> None:
    for plan in map(plan_of, range(300)):
        kinds = {fault.kind for fault in plan.faults}
        if Kind.RESTORE in kinds:
            assert not kinds & {
                Kind.MAIL_LIES,
                Kind.MAIL_CUT,
                Kind.MAIL_CRASH,
                Kind.POST_TAKES,
                Kind.KILL,
                Kind.KILL_AT,
            }
            assert all(len(letter.teachers) == 1 for letter in plan.letters)


def test_who_is_hit_over_a_page_is_hit_before_its_cursor_or_between_its_cursor_and_its_messages() -> None:
    database, said = Database.in_memory(), list[str]()
    pages = Pages(database)
    pages.connect(BOX, datetime.now(UTC))
    event.listen(database.engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement))
    pages.commit(Page(BOX, None, "one", [Entry(record("1"))]))
    cursor, page = ([bool(re.match(each, statement)) for statement in said] for each in (AT_CURSOR, AT_PAGE))
    assert (cursor.count(True), page.count(True)) == (1, 1)
    assert cursor.index(True) < page.index(True)
