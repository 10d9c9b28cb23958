"""The draft for a hard conversation in the teacher's Drafts: when there is one, and that nobody gets it twice."""

import email
import email.policy
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from config.settings import Stage
from connectors.errors import AuthenticationFailed, ConnectFailed, DraftFailed, FetchFailed, TagFailed
from connectors.labels import Label
from scorecard.roster import Roster
from store.outbox import Outbox
from store.tables import DeliveryKind, DeliveryState
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple
from tests.service.test_delivery import connected, killed_at

DRAFT = DeliveryKind.DRAFT
ANGRY = "conflict behavior quarrel"


@pytest.fixture
def maple() -> Maple:
    """A connected school."""
    return connected()


def drafts(maple: Maple, address: str = RIVERA) -> list[EmailMessage]:
    """What the teacher finds in Drafts."""
    return [
        email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default) for raw in maple.drafts(address)
    ]


def number_of(draft: EmailMessage) -> int:
    """Which of the alternatives a draft says that it is."""
    body = draft.get_body(("plain",))
    assert body is not None
    return int(body.get_content().partition("Unfinished draft, ")[2][0])


def ask(maple: Maple, message: str, *, address: str = RIVERA) -> None:
    """The teacher sets the label by which they ask, beside what stands there."""
    maple.relabel(message, *maple.labels(message, address), Label.ANOTHER_DRAFT, address=address)


def teacher_deletes(maple: Maple, address: str = RIVERA) -> None:
    """Drafts is emptied."""
    maple.system.account(address).drafts.clear()


def teacher_edits(maple: Maple, address: str = RIVERA) -> None:
    """The teacher writes on in their mail program, which saves the draft under another name."""
    account = maple.system.account(address)
    (id_,) = account.drafts
    mail = email.message_from_bytes(account.drafts.pop(id_).raw, policy=email.policy.SMTP)
    mail.replace_header("Message-ID", "<edited@maple.example>")
    maple.system.put(account, "drafts", mail.as_bytes())


def teacher_sends(maple: Maple, *, keeps_name: bool = True, address: str = RIVERA) -> None:
    """The teacher sends what lies in Drafts, in their own mail program."""
    account = maple.system.account(address)
    (id_,) = account.drafts
    mail = email.message_from_bytes(account.drafts.pop(id_).raw, policy=email.policy.SMTP)
    if not keeps_name:
        mail.replace_header("Message-ID", "<another@maple.example>")
    maple.system.put(account, "sent", mail.as_bytes())


class TestUnasked:
    """When the teacher finds a draft."""

    def test_a_conflict_puts_a_draft_into_drafts_in_the_thread_and_nothing_of_it_leaves(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(3)
        (draft,) = drafts(maple)
        assert draft["In-Reply-To"] == f"<{message}>"
        assert draft["To"] == ANA
        assert draft["Subject"] == f"Re: {ANGRY}"
        assert draft["Auto-Submitted"] is None
        assert number_of(draft) == 1
        assert len(maple.answers()) == 1  # the norm's note, and nothing else
        assert len(maple.system.departed) == 1
        assert maple.states(DRAFT) == [DeliveryState.DONE]

    def test_there_is_one_for_each_conversation(self, maple: Maple) -> None:
        first = maple.write(ANGRY)
        maple.write(ANGRY, in_reply_to=f"<{first}>", references=f"<{first}>")
        maple.round()
        maple.write(ANGRY, in_reply_to=f"<{first}>", references=f"<{first}>")
        maple.rounds(3)
        assert len(drafts(maple)) == 1
        maple.write(ANGRY, BO)
        maple.rounds(2)
        assert len(drafts(maple)) == 2

    def test_a_family_that_had_a_note_yesterday_gets_no_second_one_and_the_teacher_a_draft(self, maple: Maple) -> None:
        maple.write()
        maple.rounds(2)
        maple.write(ANGRY)
        maple.rounds(2)
        assert len(maple.answers()) == 1
        assert len(drafts(maple)) == 1

    @pytest.mark.parametrize(
        "given",
        [
            {"subject": "urgent bus"},
            {"subject": "urgent safety quarrel"},
            {"subject": "routine question"},
            {"subject": "conflict unsure grades"},
            {"sender": OKAFOR},
            {"List_Id": "<parents.family.example>"},
            {"Auto_Submitted": "auto-generated"},
            {"Authentication_Results": "mx.maple.example; dmarc=fail header.from=family.example"},
        ],
        ids=lambda given: "-".join(map(str, given.values())) or "empty",
    )
    def test_there_is_none(self, maple: Maple, given: dict[str, str]) -> None:
        maple.write(**({"subject": ANGRY} | given))  # type: ignore[arg-type]
        maple.rounds(3)
        assert not maple.deliveries(DRAFT)
        assert not drafts(maple)

    @pytest.mark.parametrize("stage", [Stage.OBSERVE, Stage.TAG])
    def test_there_is_none_before_the_mailbox_answers_families(self, stage: Stage) -> None:
        maple = connected(stage=stage)
        maple.write(ANGRY)
        maple.rounds(3)
        assert not maple.deliveries(DRAFT)
        assert not drafts(maple)

    def test_there_is_none_about_mail_from_before_the_connection(self) -> None:
        maple = Maple(teachers=(RIVERA,))
        maple.write(ANGRY)
        maple.rounds(3)
        assert maple.records()[0].backfill
        assert not drafts(maple)

    def test_there_is_none_where_the_teacher_has_answered(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.teacher_answers(message)
        maple.rounds(3)
        assert not maple.deliveries(DRAFT)

    def test_there_is_none_where_the_teacher_answers_before_it_is_written(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.sweep()
        maple.teacher_answers(message)
        maple.sweep()
        maple.rounds(3)
        assert maple.states(DRAFT) == [DeliveryState.CANCELLED]
        assert not drafts(maple)

    def test_there_is_none_where_the_teacher_corrects_the_tag_before_it_is_written(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.sweep()
        only_the_draft_is_left(maple)
        maple.system.fail("fetch", ConnectFailed("down"))
        with suppress(ConnectFailed):
            maple.deliver()
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3)
        assert maple.states(DRAFT) == [DeliveryState.CANCELLED]
        assert not drafts(maple)

    def test_there_is_none_where_it_could_not_be_written_for_days(self, maple: Maple) -> None:
        maple.write(ANGRY)
        maple.sweep()
        maple.clock.forward(days=9)
        maple.rounds(2)
        assert maple.states(DRAFT) == [DeliveryState.CANCELLED]
        assert not drafts(maple)

    def test_two_teachers_who_got_it_find_one_each(self) -> None:
        maple = connected(teachers=(RIVERA, OKAFOR))
        maple.write(ANGRY, to=(RIVERA, OKAFOR))
        maple.rounds(3)
        assert len(drafts(maple, RIVERA)) == len(drafts(maple, OKAFOR)) == 1
        assert len(maple.answers()) == 1

    def test_it_names_the_familys_children_and_no_name_is_on_record(self, tmp_path: Path) -> None:
        file = tmp_path / "roster.csv"
        file.write_text("student,guardian_email,home_language\nTomás Delgado,ana@family.example,es\n", "utf-8")
        maple = connected(roster=Roster.load(file))
        maple.write(ANGRY)
        maple.rounds(2)
        (draft,) = drafts(maple)
        body = draft.get_body(("plain",))
        assert body is not None
        assert "Tomás Delgado" in body.get_content()
        assert "Delgado" not in "".join(delivery.facts for delivery in maple.deliveries())


class TestCrashes:
    """Whatever fails or is killed, there is one draft, and what the teacher did with it stays."""

    @pytest.mark.parametrize(
        "error", [ConnectFailed, AuthenticationFailed, FetchFailed, DraftFailed, TagFailed, RuntimeError]
    )
    @pytest.mark.parametrize("step", ["fetch", "draft_state", "save_draft", "save_draft done"])
    def test_a_failure_only_delays(self, maple: Maple, step: str, error: type[Exception]) -> None:
        maple.write(ANGRY)
        maple.system.fail(step, error("scripted"), times=3)
        maple.rounds(8)
        assert len(drafts(maple)) == 1
        assert maple.states(DRAFT) == [DeliveryState.DONE]

    @pytest.mark.parametrize(
        "step",
        [
            "page planned",
            "page recorded",
            "claimed",
            "draft saved",
            "draft recorded",
            "done recorded",
            "save_draft done",
        ],
    )
    def test_killed_at_any_step_it_leaves_one_draft(self, maple: Maple, step: str) -> None:
        maple.write(ANGRY)
        maple.sweep()
        reply = maple.deliveries(DeliveryKind.REPLY)
        assert len(reply) == 1
        only_the_draft_is_left(maple)
        if step.startswith("page"):
            maple.write(ANGRY, BO)
        killed_at(maple, step)
        maple.clock.forward(minutes=10)
        maple.rounds(4)
        assert len(drafts(maple)) == (2 if step.startswith("page") else 1)
        assert set(maple.states(DRAFT)) == {DeliveryState.DONE}

    def test_killed_just_before_it_is_saved_it_is_not_saved_twice_and_the_teacher_may_ask(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.sweep()
        only_the_draft_is_left(maple)
        killed_at(maple, "saving recorded")
        maple.clock.forward(minutes=10)
        maple.rounds(3)
        assert maple.states(DRAFT) == [DeliveryState.UNCERTAIN]
        assert not drafts(maple)
        ask(maple, message)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [2]

    @pytest.mark.parametrize("step", ["draft saved", "draft recorded", "done recorded"])
    @pytest.mark.parametrize("act", [teacher_deletes, teacher_edits, teacher_sends])
    def test_what_the_teacher_did_while_the_service_was_down_stays(self, maple: Maple, act: object, step: str) -> None:
        maple.write(ANGRY)
        maple.sweep()
        only_the_draft_is_left(maple)
        killed_at(maple, step)
        act(maple)  # type: ignore[operator]
        left = maple.drafts()
        maple.clock.forward(minutes=10)
        maple.rounds(4)
        assert maple.drafts() == left

    def test_what_the_teacher_did_later_stays(self, maple: Maple) -> None:
        maple.write(ANGRY)
        maple.rounds(2)
        teacher_edits(maple)
        left = maple.drafts()
        maple.rounds(3)
        assert maple.drafts() == left
        teacher_deletes(maple)
        maple.rounds(3)
        assert not drafts(maple)

    def test_two_workers_at_once_save_one(self, maple: Maple) -> None:
        maple.write(ANGRY)
        maple.sweep()
        only_the_draft_is_left(maple)
        at_it = False

        def meanwhile(step: str, _delivery: int) -> None:
            nonlocal at_it
            if step == "claimed" and not at_it:
                at_it = True
                maple.deliver()

        maple.deliver(on_step=meanwhile)
        assert len(drafts(maple)) == 1

    def test_a_worker_that_takes_longer_than_its_lease_leaves_one(self, maple: Maple) -> None:
        maple.write(ANGRY)
        maple.sweep()
        only_the_draft_is_left(maple)
        at_it = False

        def meanwhile(step: str, _delivery: int) -> None:
            nonlocal at_it
            if step == "draft saved" and not at_it:
                at_it = True
                maple.clock.forward(hours=1)
                maple.deliver()

        maple.deliver(on_step=meanwhile)
        maple.rounds(2)
        assert len(drafts(maple)) == 1
        assert maple.states(DRAFT) == [DeliveryState.DONE]

    def test_a_record_that_is_lost_gives_no_second_draft(self) -> None:
        maple = connected()
        maple.write(ANGRY)
        maple.rounds(2)
        teacher_deletes(maple)
        with maple.database.write() as connection:
            for table in reversed(SQLModel.metadata.sorted_tables):
                if table.name != "mailbox":
                    connection.execute(table.delete())
        maple.system.renumber(maple.system.account(RIVERA))
        maple.rounds(3)
        assert not drafts(maple)


class TestTheTeachersAnswer:
    """A draft that the teacher sends is the teacher's mail."""

    @pytest.mark.parametrize("keeps_name", [True, False])
    def test_a_draft_that_the_teacher_sends_counts_as_the_teachers_answer(self, maple: Maple, keeps_name: bool) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        teacher_sends(maple, keeps_name=keeps_name)
        maple.rounds(2)
        (sent,) = [record for record in maple.records() if record.direction == "sent" and not record.own]
        assert sent.thread == message
        assert maple.assembly().pages.teacher_wrote_at(RIVERA, message) is not None
        maple.write(
            "routine thanks anyway", in_reply_to=f"<{message}>", references=f"<{message}> <{sent.rfc_message_id}>"
        )
        maple.rounds(2)
        assert len(maple.answers()) == 1, "a robot broke into the teacher's conversation"
        assert not drafts(maple)


class TestAnother:
    """The teacher asks by a label."""

    def test_each_time_the_next_alternative_lies_there_and_the_label_is_gone(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        for number in (2, 3, 1, 2):
            ask(maple, message)
            maple.rounds(2)
            assert number_of(drafts(maple)[-1]) == number
            assert maple.labels(message) == {Label.CONFLICT}
        assert len(drafts(maple)) == len({draft["Message-ID"] for draft in drafts(maple)}) == 5
        assert len(maple.system.departed) == 1
        assert not maple.assembly().pages.carries(maple.records()[0].id, Label.ANOTHER_DRAFT)

    def test_asking_twice_at_once_makes_one(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        maple.sweep()
        maple.relabel(message, Label.CONFLICT)
        maple.sweep()
        ask(maple, message)
        maple.sweep()
        maple.rounds(3)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2]
        assert maple.labels(message) == {Label.CONFLICT}

    def test_asking_again_as_soon_as_the_label_is_gone_is_heard(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        for _ in range(2):
            ask(maple, message)
            maple.sweep()
            maple.deliver()
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2, 3]
        assert maple.labels(message) == {Label.CONFLICT}

    def test_asking_is_no_correction_and_counts_for_nothing_else(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        (swept,) = maple.sweep()
        assert swept.corrections == 0
        record = maple.records()[0]
        assert (record.tag, record.unsure) == ("conflict", False)

    def test_a_label_that_is_taken_away_before_the_draft_is_written_asks_for_nothing(self, maple: Maple) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        maple.sweep()
        maple.relabel(message, Label.CONFLICT)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1]
        ask(maple, message)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2]

    def test_the_teacher_may_ask_about_any_mail_of_a_family_also_before_the_mailbox_answers(self) -> None:
        maple = connected(stage=Stage.TAG)
        message = maple.write("routine grades")
        maple.rounds(2)
        ask(maple, message)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1]
        assert maple.labels(message) == {Label.ROUTINE}

    @pytest.mark.parametrize(
        "given",
        [
            {"subject": "urgent bus"},
            {"sender": OKAFOR},
            {"Authentication_Results": "mx.maple.example; dmarc=fail header.from=family.example"},
        ],
        ids=["urgent", "staff", "forged"],
    )
    def test_where_there_is_none_to_be_had_the_label_is_taken_away(self, maple: Maple, given: dict[str, str]) -> None:
        message = maple.write(**({"subject": ANGRY} | given))  # type: ignore[arg-type]
        maple.rounds(2)
        before = maple.labels(message)
        ask(maple, message)
        maple.rounds(2)
        assert maple.states(DRAFT) == [DeliveryState.CANCELLED]
        assert not drafts(maple)
        assert maple.labels(message) == before

    def test_in_observe_nothing_is_written_and_the_label_stays(self) -> None:
        maple = connected(stage=Stage.OBSERVE)
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        maple.rounds(4)
        assert not drafts(maple)
        assert maple.labels(message) == {Label.ANOTHER_DRAFT}
        assert maple.states(DRAFT) == [DeliveryState.CANCELLED]

    @pytest.mark.parametrize(
        "step",
        ["claimed", "draft saved", "draft recorded", "label taken away", "done recorded", "unmark", "unmark done"],
    )
    def test_killed_at_any_step_it_leaves_one_more(self, maple: Maple, step: str) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        killed_at(maple, step)
        maple.clock.forward(minutes=10)
        maple.rounds(4)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2]
        assert maple.labels(message) == {Label.CONFLICT}
        ask(maple, message)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2, 3]

    @pytest.mark.parametrize("step", ["unmark", "unmark done"])
    def test_a_label_that_cannot_be_taken_away_now_is_taken_away_later(self, maple: Maple, step: str) -> None:
        message = maple.write(ANGRY)
        maple.rounds(2)
        ask(maple, message)
        maple.system.fail(step, TagFailed("scripted"), times=3)
        maple.rounds(6)
        assert [number_of(draft) for draft in drafts(maple)] == [1, 2]
        assert maple.labels(message) == {Label.CONFLICT}

    def test_mail_that_carries_the_label_before_the_service_sees_it_is_asked_about(self, maple: Maple) -> None:
        message = maple.write("routine grades")
        maple.relabel(message, Label.ANOTHER_DRAFT)
        maple.rounds(2)
        assert [number_of(draft) for draft in drafts(maple)] == [1]
        assert maple.labels(message) == {Label.ROUTINE}

    def test_what_the_administrator_retries_does_not_bring_back_what_the_teacher_deleted(self, maple: Maple) -> None:
        maple.write(ANGRY)
        maple.rounds(2)
        teacher_deletes(maple)
        assert Outbox(maple.database, "admin", timedelta(minutes=2)).retry(None, maple.clock()) == 0
        maple.rounds(2)
        assert not drafts(maple)


def only_the_draft_is_left(maple: Maple) -> None:
    """Everything but the draft was delivered: its note is out, its labels are written."""
    with maple.database.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'done' WHERE kind != 'draft'")
