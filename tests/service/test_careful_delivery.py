"""What counts as a death of whoever carries a delivery out, what does not, and what becomes of one that kills."""

from datetime import timedelta

import pytest

from connectors.errors import SendUncertain
from connectors.labels import Label
from connectors.message import MARKER
from service.careful_delivery import in_hand
from service.caution import after_unclean_ends
from service.process_name import process_name
from service.web.reading import Texts, Trouble
from store.operating_tables import RunningProcess
from store.outbox import Due, Outbox
from store.processes import Processes
from store.tables import Delivery, DeliveryKind, DeliveryState
from store.vitals import read_vitals
from tests.service.maple import OFFICE, RIVERA, Maple
from tests.service.notices_of_maple import text
from tests.service.questions import questions
from tests.service.test_delivery import connected
from tests.service.test_teachers_drafts import ANGRY

ROUTE, REPLY, TAG, DRAFT = DeliveryKind.ROUTE, DeliveryKind.REPLY, DeliveryKind.TAG, DeliveryKind.DRAFT
ELSEWHERE = "elsewhere.7.aaaa"
ONCE_HERE = f"{process_name().rpartition('.')[0]}.feed"
"""A process of this machine that is no more."""
LEASE = timedelta(minutes=2)


@pytest.fixture
def maple() -> Maple:
    return connected()


def runs(maple: Maple, process: str = ELSEWHERE) -> None:
    """A process of the service says that it is there."""
    seen = RunningProcess(name=process, role="run", version="1", began_at=maple.clock(), seen_at=maple.clock())
    Processes(maple.database).is_there(seen)


def takes(maple: Maple, kind: DeliveryKind, process: str = ELSEWHERE) -> Due:
    """A process takes the delivery of a kind that is due."""
    outbox = Outbox(maple.database, f"{process}:1", LEASE)
    (offered,) = [due for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is kind]
    taken = outbox.claim(offered, maple.clock())
    assert taken is not None
    return taken


def dies_with(maple: Maple, kind: DeliveryKind, times: int = 1) -> None:
    """A process takes the delivery of a kind, and dies with it in hand; everybody notices."""
    for _ in range(times):
        runs(maple)
        takes(maple, kind)
        maple.clock.forward(minutes=3)
        Processes(maple.database).is_gone(ELSEWHERE)
        with maple.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET deaths = deaths + 1 WHERE state = 'working'")


def only(maple: Maple, kind: DeliveryKind) -> Delivery:
    (delivery,) = maple.deliveries(kind)
    return delivery


def words_to(maple: Maple, person: str) -> list[str]:
    """The short mails that really left for one of the staff, on one line each, their subjects first."""
    found = [mail for mail in maple._departed() if mail["To"] == person and mail[MARKER] == "tell"]
    return [f"{mail['Subject']} {text(mail)}" for mail in found]


class TestWhatCounts:
    def test_a_process_that_says_nothing_any_more_died_with_what_it_held(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        runs(maple)
        takes(maple, REPLY)
        maple.clock.forward(minutes=3)
        maple.deliver()
        assert (only(maple, REPLY).deaths, len(maple.answers())) == (1, 1)

    @pytest.mark.parametrize(
        "process",
        [ELSEWHERE, process_name(), f"{ELSEWHERE.rpartition('.')[0]}.bbbb"],
        ids=["elsewhere", "this", "the next there"],  # the same in every process that runs tests
    )
    def test_one_that_left_in_good_order_or_lives_did_not(self, maple: Maple, process: str) -> None:
        maple.write()
        maple.sweep()
        takes(maple, REPLY, process)  # nobody of this name is on record: it said that it ends
        maple.clock.forward(minutes=3)
        maple.deliver()
        assert (only(maple, REPLY).deaths, len(maple.answers())) == (0, 1)

    def test_one_that_is_slow_and_alive_did_not(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        takes(maple, REPLY)
        maple.clock.forward(minutes=3)
        runs(maple)
        maple.deliver()
        assert only(maple, REPLY).deaths == 0

    def test_what_was_put_down_in_good_order_killed_nobody_who_dies_later(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        maple.system.fail("send_draft handed over", SendUncertain("scripted"))
        maple.deliver()
        assert (only(maple, REPLY).state, only(maple, REPLY).lease_holder) == (DeliveryState.WORKING, None)

    def test_whoever_starts_again_counts_it_and_nobody_after_that(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        runs(maple, ONCE_HERE)
        takes(maple, REPLY, ONCE_HERE)
        after_unclean_ends(maple.database, [RIVERA], maple.clock())
        maple.deliver()
        assert only(maple, REPLY).deaths == 1

    def test_two_that_notice_a_death_at_once_count_one(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        runs(maple, ONCE_HERE)
        takes(maple, REPLY, ONCE_HERE)
        maple.clock.forward(minutes=3)
        outbox = maple.assembly().outbox()
        (offered,) = [due for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is REPLY]
        assert maple.assembly().pipeline.cautious.died_with(offered.delivery)
        after_unclean_ends(maple.database, [RIVERA], maple.clock())
        assert outbox.claim(offered, maple.clock(), died=True) is None
        assert only(maple, REPLY).deaths == 1

    def test_after_a_restart_what_was_not_handed_over_waits_for_no_lease_and_what_was_does(self, maple: Maple) -> None:
        maple.write()
        maple.write("routine trip", "bo@family.example")
        maple.sweep()
        runs(maple, ONCE_HERE)
        outbox = Outbox(maple.database, f"{ONCE_HERE}:1", LEASE)
        first, second = (due for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is REPLY)
        for due in (first, second):
            assert outbox.claim(due, maple.clock()) is not None
        with maple.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE delivery SET step = 'sending' WHERE id = {second.id}")
        after_unclean_ends(maple.database, [RIVERA], maple.clock())
        waiting = [due.id for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is REPLY]
        assert waiting == [first.id]
        assert [delivery.deaths for delivery in maple.deliveries(REPLY)] == [1, 1]


class TestTakingWithCare:
    def test_what_nobody_left_costs_no_question_and_hinders_nobody(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        assembly = maple.assembly()
        outbox, cautious = assembly.outbox(), assembly.pipeline.cautious
        offered = next(due for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is REPLY)
        with questions(maple) as asked, in_hand(outbox, cautious, offered, maple.clock) as due:
            assert due is not None
            assert asked == ["UPDATE", "SELECT"]
            assert not cautious._lock.locked()

    def test_what_somebody_may_have_died_of_is_alone_in_the_hands_of_its_process(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        dies_with(maple, REPLY)
        assembly = maple.assembly()
        outbox, cautious = assembly.outbox(), assembly.pipeline.cautious
        offered = next(due for due in outbox.due(RIVERA, maple.clock()) if due.delivery.kind is REPLY)
        with in_hand(outbox, cautious, offered, maple.clock) as due:
            assert due is not None
            assert cautious._lock.locked(), "no message is read with care, and nothing else is carried out with care"
        assert not cautious._lock.locked()


class TestWhatBecomesOfIt:
    def test_after_the_third_death_it_is_left_and_the_office_hears_of_it_once(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        dies_with(maple, REPLY, times=3)
        maple.rounds(3)
        assert (only(maple, REPLY).state, maple.answers()) == (DeliveryState.SET_ASIDE, [])
        (word,) = words_to(maple, OFFICE)
        assert word.startswith("Please look: a family that wrote to Ms. Rivera got no note")

    def test_two_deaths_are_an_accident(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        dies_with(maple, REPLY, times=2)
        maple.rounds(2)
        assert (len(maple.answers()), words_to(maple, OFFICE)) == (1, [])

    def test_an_urgent_message_goes_without_its_text_and_is_fetched_no_more(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.sweep()
        dies_with(maple, ROUTE, times=3)
        maple.system.fail("fetch", MemoryError("this would end the process"), times=1000)
        maple.deliver()
        (mail,) = maple.to_office()
        assert "It is in Ms. Rivera's mailbox; please ask for it at once." in text(mail)
        assert "attached" not in text(mail).replace("could not be attached", "")
        assert list(mail.iter_attachments()) == []
        assert only(maple, ROUTE).last_error == "carrying it out ended the service 3 times"

    def test_a_draft_of_the_mail_as_it_was_does_not_leave_in_its_place(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.sweep()
        maple.system.fail("send_draft", SystemExit())
        with pytest.raises(SystemExit):
            maple.deliver()
        assert len(maple.drafts()) == 1
        with maple.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET deaths = 3, draft_id = '' WHERE kind = 'route'")
        maple.clock.forward(minutes=5)
        maple.deliver()
        assert (len(maple.to_office()), maple.routed(), maple.unsent()) == (1, [], [])

    def test_urgent_mail_that_kills_in_its_simplest_form_too_is_what_the_administrator_is_told_of(
        self, maple: Maple
    ) -> None:
        maple.write("urgent bus")
        maple.sweep()
        dies_with(maple, ROUTE, times=5)
        maple.deliver()
        assert only(maple, ROUTE).state is DeliveryState.SET_ASIDE
        given_up = read_vitals(maple.database, maple.clock(), answers_pause=LEASE).given_up
        assert [number for number, _ in given_up] == [only(maple, ROUTE).id]

    def test_a_label_is_left_after_two_deaths_since_it_leaves_a_trace_only_with_care(self, maple: Maple) -> None:
        message = maple.write()
        maple.sweep()
        dies_with(maple, TAG, times=2)
        maple.rounds(2)
        assert (only(maple, TAG).state, maple.labels(message)) == (DeliveryState.SET_ASIDE, set())
        assert [word.partition(" It")[0][:47] for word in words_to(maple, OFFICE)] == [
            "Please look: a message for Ms. Rivera has no la"
        ]

    def test_a_label_that_fails_with_care_is_tried_again_as_ever(self, maple: Maple) -> None:
        message = maple.write()
        maple.sweep()
        dies_with(maple, TAG)
        maple.system.fail("tag", RuntimeError("scripted"))
        maple.rounds(2)
        assert (only(maple, TAG).state, only(maple, TAG).attempts) == (DeliveryState.DONE, 3)
        assert maple.labels(message) == {Label.ROUTINE}

    @pytest.mark.parametrize(
        ("values", "state", "told"),
        [
            ("deaths = 3", DeliveryState.SET_ASIDE, 1),
            ("deaths = 3, step = 'sending'", DeliveryState.UNCERTAIN, 1),
            ("deaths = 3, step = 'drafted', draft_id = '7'", DeliveryState.DONE, 0),
        ],
    )
    def test_of_a_draft_the_teacher_hears_and_not_the_office(
        self, maple: Maple, values: str, state: DeliveryState, told: int
    ) -> None:
        maple.write(ANGRY)
        maple.sweep()
        with maple.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE delivery SET {values} WHERE kind = 'draft'")
        maple.rounds(2)
        assert only(maple, DRAFT).state is state
        assert (len(words_to(maple, RIVERA)), words_to(maple, OFFICE)) == (told, [])

    def test_who_retries_it_has_it_carried_out_with_care(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        dies_with(maple, REPLY, times=3)
        maple.rounds(2)
        assert Outbox(maple.database, "admin", LEASE).retry(None, maple.clock()) == 1
        assert (only(maple, REPLY).deaths, only(maple, REPLY).state) == (1, DeliveryState.WAITING)
        maple.rounds(2)
        assert len(maple.answers()) == 1

    def test_the_pages_do_not_read_it_either(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        texts = Texts(maple.settings, maple.assembly().open, maple.database)
        (record,) = maple.records()
        assert not isinstance(texts.fetch(record), Trouble)
        dies_with(maple, REPLY, times=3)
        assert texts.fetch(record) is Trouble.UNREADABLE

    def test_a_school_that_writes_spanish_to_its_staff_is_told_in_spanish(self, maple: Maple) -> None:
        school = maple.settings.school.model_copy(update={"languages": ("es", "en")})
        maple.settings = maple.settings.model_copy(update={"school": school})
        maple.write()
        maple.sweep()
        dies_with(maple, REPLY, times=3)
        maple.rounds(2)
        (word,) = words_to(maple, OFFICE)
        assert word.startswith("Por favor, mire: una familia que escribió a Ms. Rivera no recibió ninguna nota")
        assert "Es de ana@family.example, recibido el martes 3 de marzo" in word
        for english in ("message", "please", "family that"):
            assert english not in word
