"""The life of a case, from a family's first conflict message to the agreed plan, seen through the service."""

from datetime import timedelta

import pytest

from autoresponder.cases import CaseState, CaseWord
from config.settings import Stage
from connectors.labels import Label
from store.case_tables import CaseEventKind
from store.cases import Cases
from tests.service.cases_of_maple import cases, conflict, label, maple_with_coach, teacher_writes
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple

OPEN, AGREED, NO_CONFLICT = CaseState.OPEN, CaseState.AGREED, CaseState.NO_CONFLICT


@pytest.fixture
def maple() -> Maple:
    return maple_with_coach()


def states(maple: Maple) -> list[CaseState]:
    return [view.case.state for view in cases(maple)]


def happened(maple: Maple, number: int = 0) -> list[CaseEventKind]:
    return [event.kind for event in cases(maple)[number].events]


def test_a_conflict_message_opens_a_case_with_the_page_that_brings_it(maple: Maple) -> None:
    maple.write("conflict grades")
    maple.sweep()
    (view,) = cases(maple)
    assert (view.case.state, view.case.mailbox, view.senders) == (OPEN, RIVERA, (ANA,))
    assert view.case.waiting_since == view.case.opened_at == view.first.received_at


def test_a_page_that_does_not_commit_opens_none(maple: Maple) -> None:
    class Killed(BaseException):
        pass

    def on_step(step: str, _number: int) -> None:
        if step == "page planned":
            raise Killed

    maple.write("conflict grades")
    with pytest.raises(Killed):
        maple.sweep(on_step=on_step)
    assert not cases(maple)


@pytest.mark.parametrize("subject", ["routine question", "urgent health", "thanks"])
def test_other_mail_opens_none(maple: Maple, subject: str) -> None:
    maple.write(subject)
    maple.round()
    assert not cases(maple)


def test_robots_lists_and_staff_open_none(maple: Maple) -> None:
    maple.write("conflict grades", Auto_Submitted="auto-generated")
    maple.write("conflict grades", List_Id="<parents.maple.example>")
    maple.write("conflict grades", "principal@maple.example")
    maple.round()
    assert not cases(maple)


@pytest.mark.parametrize("authenticity", [None, "mx.maple.example; dmarc=fail header.from=family.example"])
def test_old_mail_opens_none_whoever_says_that_it_is_one(authenticity: str | None) -> None:
    maple = Maple()
    old = maple.write("conflict grades", at=maple.clock() - timedelta(days=3), Authentication_Results=authenticity)
    maple.round()
    label(maple, old, Label.ROUTINE)
    label(maple, old, Label.CONFLICT)
    assert maple.records()
    assert not cases(maple)


def test_a_mailbox_that_is_only_observed_has_none(maple: Maple) -> None:
    message = maple.write("conflict grades")
    maple.sweep(stage=Stage.OBSERVE)
    maple.relabel(message, Label.ROUTINE)
    maple.sweep(stage=Stage.OBSERVE)
    maple.relabel(message, Label.CONFLICT)
    maple.sweep(stage=Stage.OBSERVE)
    assert not cases(maple)


def test_further_conflict_mail_of_a_family_within_the_span_is_the_same_case(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(days=10)
    conflict(maple)
    maple.clock.forward(days=10)
    conflict(maple)
    assert [len(view.messages) for view in cases(maple)] == [3]


def test_after_the_span_another_thread_is_another_case_and_the_same_thread_is_not(maple: Maple) -> None:
    first = conflict(maple)
    maple.clock.forward(days=20)
    conflict(maple)
    conflict(maple, follows=first)
    assert [len(view.messages) for view in cases(maple)] == [2, 1]


def test_another_family_in_the_same_thread_has_a_case_of_its_own(maple: Maple) -> None:
    first = conflict(maple)
    conflict(maple, BO, follows=first)
    assert [view.senders for view in cases(maple)] == [(ANA,), (BO,)]


def test_each_teacher_who_gets_a_message_has_a_case(maple: Maple) -> None:
    conflict(maple, to=(RIVERA, OKAFOR))
    assert [view.case.mailbox for view in cases(maple)] == [RIVERA, OKAFOR]


def test_a_resync_a_second_copy_and_a_second_reading_change_nothing(maple: Maple) -> None:
    message = conflict(maple)
    maple.system.renumber(maple.system.account(RIVERA))
    maple.round()
    account = maple.system.account(RIVERA)
    raw = account.inbox[maple.system.id_of(account, message)].raw
    maple.system.put(account, "inbox", raw)
    label(maple, message, Label.CONFLICT, Label.PLAN_AGREED)
    maple.system.put(account, "inbox", raw)
    maple.round()
    assert states(maple) == [AGREED]
    assert len(cases(maple)[0].messages) == 3


def test_the_teacher_answers_in_the_thread_or_to_the_family(maple: Maple) -> None:
    first = conflict(maple)
    maple.clock.forward(hours=1)
    teacher_writes(maple, follows=first)
    maple.round()
    assert cases(maple)[0].case.waiting_since is None
    conflict(maple, BO)
    maple.clock.forward(hours=1)
    teacher_writes(maple, BO)
    maple.round()
    assert cases(maple)[1].case.waiting_since is None
    assert happened(maple, 1) == [CaseEventKind.OPENED, CaseEventKind.ANSWERED]


def test_an_answer_in_the_thread_counts_at_whatever_address_it_reaches_the_family(maple: Maple) -> None:
    first = conflict(maple)
    maple.clock.forward(hours=1)
    teacher_writes(maple, "ana.at.work@elsewhere.example", follows=first)
    maple.round()
    assert cases(maple)[0].case.waiting_since is None


def test_one_change_may_say_that_it_is_a_conflict_and_that_the_plan_is_agreed(maple: Maple) -> None:
    first = conflict(maple)
    second = maple.write("routine question", In_Reply_To=f"<{first}>")
    maple.round()
    label(maple, second, Label.CONFLICT, Label.PLAN_AGREED)
    assert states(maple) == [AGREED]
    assert len(cases(maple)[0].messages) == 2


def test_an_agreed_plan_stands_where_the_tag_is_tidied_away_with_it(maple: Maple) -> None:
    first = conflict(maple)
    label(maple, first, Label.ROUTINE, Label.PLAN_AGREED)
    assert states(maple) == [AGREED]


def test_an_answer_counts_whichever_is_read_first(maple: Maple) -> None:
    maple.write("conflict grades", at=maple.clock() + timedelta(minutes=1))
    teacher_writes(maple, at=maple.clock() + timedelta(minutes=5))
    maple.clock.forward(minutes=10)
    maple.round()
    assert cases(maple)[0].case.waiting_since is None
    maple.write("conflict grades", at=maple.clock() - timedelta(minutes=3))
    maple.round()
    assert cases(maple)[0].case.waiting_since is not None, "this came after the teacher wrote"


def test_what_the_family_writes_after_an_answer_waits_anew(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=1)
    teacher_writes(maple)
    maple.round()
    maple.clock.forward(hours=1)
    again = conflict(maple)
    (view,) = cases(maple)
    assert view.waiting is not None
    assert view.waiting.rfc_message_id == again


def test_a_circular_an_automatic_answer_and_mail_to_another_family_answer_nobody(maple: Maple) -> None:
    first = conflict(maple)
    conflict(maple, BO, follows=first)
    maple.clock.forward(hours=1)
    teacher_writes(maple, (ANA, BO, "c@family.example", "d@family.example"))
    teacher_writes(maple, ANA, Auto_Submitted="auto-replied")
    maple.round()
    assert all(view.waiting for view in cases(maple))
    teacher_writes(maple, ANA, follows=first)
    maple.round()
    assert [view.waiting is None for view in cases(maple)] == [True, False], "the thread alone does not tell"


def test_the_label_on_any_message_of_the_thread_says_that_a_plan_is_agreed(maple: Maple) -> None:
    first = conflict(maple)
    yes = maple.write("routine yes", body="Thank you, that helps.", In_Reply_To=f"<{first}>")
    maple.round()
    label(maple, yes, Label.ROUTINE, Label.PLAN_AGREED)
    (view,) = cases(maple)
    assert (view.case.state, view.case.agreed_at, view.case.agreed_by) == (AGREED, maple.clock(), None)
    label(maple, yes, Label.ROUTINE)
    assert states(maple) == [OPEN]
    assert happened(maple)[-2:] == [CaseEventKind.AGREED, CaseEventKind.REOPENED]


def test_the_label_is_no_correction_of_the_tag(maple: Maple) -> None:
    first = conflict(maple)
    label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
    label(maple, first, Label.CONFLICT)
    assert states(maple) == [OPEN]


def test_a_new_conflict_after_the_plan_is_a_new_case_that_the_old_label_does_not_close(maple: Maple) -> None:
    first = conflict(maple)
    label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
    second = conflict(maple, follows=first)
    assert states(maple) == [AGREED, OPEN]
    label(maple, first, Label.PLAN_AGREED, Label.CONFLICT, Label.CHECK)
    assert states(maple) == [AGREED, OPEN]
    label(maple, second, Label.CONFLICT, Label.PLAN_AGREED)
    assert states(maple) == [AGREED, AGREED]
    label(maple, first, Label.CONFLICT)
    assert states(maple) == [OPEN, AGREED]


def test_a_matter_that_is_open_again_is_not_opened_twice(maple: Maple) -> None:
    first = conflict(maple)
    label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
    conflict(maple, follows=first)
    label(maple, first, Label.CONFLICT)
    assert states(maple) == [AGREED, OPEN]


def test_the_teacher_says_that_none_of_it_is_a_conflict(maple: Maple) -> None:
    first, second = conflict(maple), conflict(maple)
    label(maple, first, Label.ROUTINE)
    assert states(maple) == [OPEN]
    label(maple, second, Label.ROUTINE)
    assert states(maple) == [NO_CONFLICT]
    label(maple, second, Label.CONFLICT)
    assert states(maple) == [OPEN]


def test_the_teacher_says_that_a_routine_message_is_a_conflict(maple: Maple) -> None:
    message = maple.write("routine question")
    maple.round()
    label(maple, message, Label.CONFLICT)
    (view,) = cases(maple)
    assert (view.case.state, view.case.opened_at) == (OPEN, view.first.received_at)


def test_a_conflict_that_is_called_urgent_stays_a_case(maple: Maple) -> None:
    message = conflict(maple)
    label(maple, message, Label.URGENT)
    assert states(maple) == [OPEN]
    label(maple, message, Label.ROUTINE)
    assert states(maple) == [NO_CONFLICT]


def test_a_message_that_becomes_a_conflict_again_joins_the_case_that_is_open_by_then(maple: Maple) -> None:
    first = conflict(maple)
    label(maple, first, Label.ROUTINE)
    conflict(maple, follows=first)
    label(maple, first, Label.CONFLICT)
    assert states(maple) == [NO_CONFLICT, OPEN]
    assert [len(view.messages) for view in cases(maple)] == [0, 2]


def test_a_family_s_yes_is_proposed_and_never_assumed(maple: Maple) -> None:
    first = conflict(maple)
    maple.write("routine yes", body="That works, see you Thursday.", In_Reply_To=f"<{first}>")
    maple.round()
    assert cases(maple)[0].proposed_at is None, "the teacher proposed nothing yet"
    maple.clock.forward(hours=1)
    teacher_writes(maple, follows=first)
    maple.clock.forward(hours=1)
    maple.write("routine yes", body="That works, see you Thursday.", In_Reply_To=f"<{first}>")
    maple.round()
    (view,) = cases(maple)
    assert view.proposed_at == maple.clock()
    assert view.case.state is OPEN
    Cases(maple.database).say(view.id, CaseWord.NOT_YET, RIVERA, maple.clock())
    assert cases(maple)[0].proposed_at is None


def test_a_conflict_after_a_yes_takes_it_back(maple: Maple) -> None:
    first = conflict(maple)
    maple.clock.forward(hours=1)
    teacher_writes(maple, follows=first)
    maple.clock.forward(hours=1)
    maple.write("routine yes", body="Sounds good.", In_Reply_To=f"<{first}>")
    maple.round()
    assert cases(maple)[0].proposed_at is not None
    maple.clock.forward(hours=1)
    conflict(maple, follows=first)
    assert cases(maple)[0].proposed_at is None


def test_the_page_says_the_same_as_the_label(maple: Maple) -> None:
    conflict(maple)
    store = Cases(maple.database)
    for word, state in (
        (CaseWord.AGREED, AGREED),
        (CaseWord.AGREED, AGREED),
        (CaseWord.NO_CONFLICT, AGREED),
        (CaseWord.REOPENED, OPEN),
        (CaseWord.NO_CONFLICT, NO_CONFLICT),
        (CaseWord.REOPENED, OPEN),
    ):
        said = store.say(1, word, RIVERA, maple.clock())
        assert said is not None
        assert said.case.state is state, word
    assert store.say(99, CaseWord.AGREED, RIVERA, maple.clock()) is None


def test_what_is_known_of_a_family_goes_into_a_draft(maple: Maple) -> None:
    conflict(maple)
    teacher_writes(maple, BO)
    maple.clock.forward(days=2)
    teacher_writes(maple, ANA)
    maple.clock.forward(hours=1)
    maple.write("thanks", body="Thank you so much!")
    maple.round()
    maple.clock.forward(days=30)
    conflict(maple)
    store, zone = Cases(maple.database), maple.settings.school.zone
    family = cases(maple)[0].case.family
    known = store.known(RIVERA, family, zone, before=maple.clock())
    assert [day.isoformat() for day in known.earlier_cases] == ["2026-03-03"]
    assert known.last_positive_contact is not None
    assert known.last_positive_contact.isoformat() == "2026-03-05"
    assert store.count(RIVERA, family, maple.clock() - timedelta(days=90)) == 2
    assert store.known(OKAFOR, family, zone).earlier_cases == ()
