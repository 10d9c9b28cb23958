"""A plan is its seed and nothing else, and a few dozen seeds have everything that may break."""

from collections import Counter

from tests.faults.plan import STORM, Base, Kind, plan_of
from tests.faults.test_storms import SEEDS


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


def test_everything_breaks_and_is_mended_while_the_storm_lasts() -> None:
    for plan in map(plan_of, range(300)):
        for fault in plan.faults:
            assert 0 < fault.at <= fault.at + fault.seconds <= STORM * 2.1
            assert f"{fault.at:4.1f} s  {fault.kind.value}" in str(plan)


def test_a_server_does_not_lie_about_what_a_restored_record_has_forgotten() -> None:
    for plan in map(plan_of, range(300)):
        kinds = {fault.kind for fault in plan.faults}
        assert not {Kind.RESTORE, Kind.MAIL_LIES} <= kinds
        if Kind.RESTORE in kinds:
            assert all(len(letter.teachers) == 1 for letter in plan.letters)
