"""A tag that a person changed holds everywhere, cancels what is not yet sent, is counted, and calls for the office."""

from datetime import UTC, datetime

import pytest

from autoresponder.items import ItemState, Word
from config.settings import Stage
from connectors.errors import ConnectFailed, FetchFailed, MailboxError
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from scorecard.keeping import bring_up_to_date
from service.following import follow
from store.corrections import Corrections
from store.items import Items
from store.scorecard_tables import Grouping, Measure
from store.tables import DeliveryKind, DeliveryState, EventKind
from tests.scorecard import kept_rows
from tests.service.desks_of_maple import NURSE, PRINCIPAL, answers, got, items, maple_with_desks, text_of
from tests.service.maple import ANA, OFFICE, OKAFOR, RIVERA, Maple

BOTH = (RIVERA, OKAFOR)


@pytest.fixture
def maple() -> Maple:
    school = maple_with_desks(routine_topics=("attendance",))
    school.round()
    return school


def routine(maple: Maple, topic: str = "health", to: tuple[str, ...] = (RIVERA,), **more: object) -> str:
    message_id = maple.write(f"routine {topic}", to=to, **more)  # type: ignore[arg-type]
    maple.round()
    return message_id


def said(maple: Maple) -> list[tuple[str, str | None, str | None]]:
    with maple.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT mailbox, from_tag, to_tag FROM correction ORDER BY id").all()
    return [tuple(row) for row in rows]


def tags(maple: Maple) -> list[Tag | None]:
    return [record.tag for record in maple.records() if record.direction is Direction.RECEIVED]


def cases(maple: Maple) -> list[str]:
    """Mailboxes with an open case, one entry for each."""
    with maple.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT mailbox FROM conflict_case WHERE state = 'open' ORDER BY id").all()
    return [row.mailbox for row in rows]


class TestMarkedAsUrgent:
    """What a teacher marks as urgent goes the way of urgent mail, once."""

    def test_it_comes_to_the_desk_of_its_topic_which_reads_who_marked_it(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.rounds(3, minutes=1)
        (mail,) = got(maple, NURSE)
        assert mail["Importance"] == "high"
        assert "Ms. Rivera has marked a message as urgent. Please read it now." in text_of(mail)
        assert "Ms. Rivera marked it as urgent" in text_of(mail)
        assert "by when Ms. Rivera answers" in text_of(mail)
        (view,) = items(maple)
        assert (view.item.state, view.item.tag, view.path) == (ItemState.OPEN, Tag.URGENT, ("nurse",))
        assert len(maple.answers()) == 1, "the family has its note; the teacher is at it"

    def test_the_family_that_was_told_nothing_is_said_to_know_nothing(self, maple: Maple) -> None:
        message = maple.write("routine health")
        maple.sweep()
        maple.relabel(message, Label.URGENT)
        maple.rounds(3, minutes=1)
        assert not maple.answers()
        assert "What the family was told: nothing" in text_of(got(maple, NURSE)[0])

    def test_nobody_takes_it_and_it_goes_on(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.rounds(60, minutes=1)
        step = got(maple, PRINCIPAL)[0]
        assert "Ms. Rivera marked it as urgent" in text_of(step)

    def test_the_office_may_say_that_it_is_not_and_it_is_what_it_was(self, maple: Maple) -> None:
        message = maple.write("conflict health")
        maple.round()
        maple.relabel(message, Label.URGENT)
        maple.rounds(2, minutes=1)
        answers(maple, "not urgent", NURSE)
        maple.rounds(2, minutes=1)
        assert maple.labels(message) == {Label.CONFLICT}

    def test_a_teacher_who_is_faster_than_the_service_is_heard_too(self, maple: Maple) -> None:
        message = maple.write("routine health")
        maple.relabel(message, Label.URGENT)
        maple.rounds(3, minutes=1)
        assert len(got(maple, NURSE)) == 1
        assert said(maple) == [(RIVERA, "routine", "urgent")]
        assert not maple.answers()

    def test_a_slip_that_is_taken_back_at_once_sends_the_mail_that_was_cancelled(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.sweep()
        maple.relabel(message, Label.ROUTINE)
        maple.sweep()
        assert maple.states(DeliveryKind.ROUTE) == [DeliveryState.CANCELLED]
        maple.relabel(message, Label.URGENT)
        maple.rounds(3, minutes=1)
        assert len(got(maple, NURSE)) == 1
        assert [event.kind for event in items(maple)[0].events][-2:] == [EventKind.CORRECTED, EventKind.REOPENED]

    @pytest.mark.parametrize("word", [Word.NOT_URGENT, Word.RETURNED])
    def test_what_the_office_gave_away_comes_back_as_urgent_after_all(self, maple: Maple, word: Word) -> None:
        message = maple.write("urgent health")
        maple.round()
        Items(maple.database).say(1, word, NURSE, maple.clock())
        maple.rounds(2, minutes=1)
        maple.relabel(message, Label.ROUTINE)
        maple.round()
        for number in (1, 2):
            maple.relabel(message, Label.URGENT)
            maple.rounds(2, minutes=1)
            mail = got(maple, NURSE)[-1]
            again = "" if number == 1 else f", once more ({number})"
            assert str(mail["Subject"]).startswith(f"Urgent after all{again}. Urgent: a message from")
            assert items(maple)[0].item.state is ItemState.OPEN
            answers(maple, "not urgent", NURSE, to=mail)
            maple.rounds(2, minutes=1)
            assert items(maple)[0].item.state is ItemState.NOT_URGENT
        assert len(got(maple, NURSE)) == 3

    def test_what_the_office_has_settled_as_urgent_stays_settled(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        answers(maple, "done", NURSE)
        maple.round()
        maple.relabel(message, Label.ROUTINE)
        maple.round()
        maple.relabel(message, Label.URGENT)
        maple.rounds(3, minutes=1)
        assert len(got(maple, NURSE)) == 1
        assert items(maple)[0].item.state is ItemState.DONE

    def test_what_the_office_had_as_routine_is_urgent_there_too(self, maple: Maple) -> None:
        message = routine(maple, "attendance")
        assert items(maple)[0].item.tag is Tag.ROUTINE
        maple.relabel(message, Label.URGENT)
        maple.rounds(50, minutes=1)
        first, after_all = got(maple, OFFICE)[:2]
        assert str(first["Subject"]).startswith("For the office")
        assert str(after_all["Subject"]).startswith("Urgent after all")
        assert after_all["In-Reply-To"] == first["Message-ID"]
        (view,) = items(maple)
        assert (view.item.tag, len(view.messages)) == (Tag.URGENT, 1)
        assert "looks urgent, and nobody has taken it yet" in text_of(got(maple, PRINCIPAL)[0])

    def test_one_mail_goes_to_the_office_for_a_message_to_two_teachers(self, maple: Maple) -> None:
        message = routine(maple, to=BOTH)
        maple.relabel(message, Label.URGENT, address=OKAFOR)
        maple.rounds(3, minutes=1)
        (mail,) = got(maple, NURSE)
        assert "Ms. Okafor has marked" in text_of(mail)
        assert maple.labels(message, RIVERA) == {Label.URGENT}

    def test_mail_of_the_staff_and_old_mail_and_mail_in_observe_stay_where_they_are(self, maple: Maple) -> None:
        colleague = maple.write("routine health", OKAFOR)
        maple.round()
        maple.relabel(colleague, Label.URGENT)
        maple.rounds(2, minutes=1)
        fresh = maple_with_desks()
        old = fresh.write("routine health")
        fresh.round()
        fresh.relabel(old, Label.URGENT)
        fresh.rounds(2, minutes=1)
        watched = maple_with_desks(stage=Stage.OBSERVE)
        watched.round()
        seen = watched.write("routine health")
        watched.round()
        watched.relabel(seen, Label.URGENT)
        watched.rounds(2, minutes=1)
        assert not got(maple, NURSE) + got(fresh, NURSE) + got(watched, NURSE)
        assert not items(maple) + items(fresh) + items(watched)

    def test_what_cannot_be_read_goes_to_the_office_itself(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.sweep()
        maple.system.fail("fetch", FetchFailed("scripted"))
        follow(maple.box(), maple.mailbox(), maple.assembly())
        maple.system.heal()
        maple.rounds(2, minutes=1)
        assert items(maple)[0].path == ("office",)
        assert [part.get_content_type() for part in got(maple, OFFICE)[0].iter_attachments()] == ["message/rfc822"]

    def test_while_the_mailbox_is_away_it_waits_and_is_not_lost(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.sweep()
        maple.system.fail("fetch", ConnectFailed("scripted"))
        with pytest.raises(MailboxError):
            follow(maple.box(), maple.mailbox(), maple.assembly())
        maple.system.heal()
        maple.rounds(2, minutes=1)
        assert len(got(maple, NURSE)) == 1

    def test_of_two_workers_one_takes_it_to_the_office(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.sweep()
        took = []

        def meanwhile(_address: str, step: str) -> None:
            if step == "fetch":  # the first worker has read what is to follow, and has the message in hand
                maple.system.heal()
                took.append(follow(maple.box(), maple.mailbox(), maple.assembly()))

        maple.system.hooks.append(meanwhile)
        took.append(follow(maple.box(), maple.mailbox(), maple.assembly()))
        assert took == [1, 0]
        maple.rounds(2, minutes=1)
        assert len(got(maple, NURSE)) == 1

    def test_what_is_corrected_once_more_before_it_is_followed_calls_for_nobody(self, maple: Maple) -> None:
        message = routine(maple)
        maple.relabel(message, Label.URGENT)
        maple.sweep()
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3, minutes=1)
        assert not got(maple, NURSE)
        assert not items(maple)


class TestAConflictAfterAll:
    """What somebody calls a conflict opens a case, and the teacher gets a draft of the answer."""

    def test_the_teachers_label_opens_a_case_and_brings_a_draft_once(self, maple: Maple) -> None:
        message = routine(maple, "grades")
        maple.relabel(message, Label.CONFLICT)
        maple.rounds(4)
        assert len(cases(maple)) == 1
        assert len(maple.drafts()) == 1

    def test_it_does_so_for_every_teacher_who_has_the_message(self, maple: Maple) -> None:
        message = routine(maple, "grades", to=BOTH)
        maple.relabel(message, Label.CONFLICT, address=OKAFOR)
        maple.rounds(4)
        assert sorted(cases(maple)) == [OKAFOR, RIVERA]
        assert len(maple.drafts(RIVERA)) == len(maple.drafts(OKAFOR)) == 1

    def test_the_office_may_find_that_it_is_one(self, maple: Maple) -> None:
        maple.write("urgent health quarrel")
        maple.round()
        answers(maple, "not urgent", NURSE)
        maple.rounds(4)
        assert cases(maple) == [RIVERA]
        assert len(maple.drafts()) == 1

    def test_a_correction_away_from_conflict_takes_the_cases_of_all_teachers_with_it(self, maple: Maple) -> None:
        message = maple.write("conflict grades", to=BOTH)
        maple.rounds(2)
        assert len(cases(maple)) == 2
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3)
        assert cases(maple) == []

    def test_a_slip_that_is_taken_back_leaves_one_case_and_one_draft(self, maple: Maple) -> None:
        message = maple.write("conflict grades")
        maple.sweep()
        for label in (Label.ROUTINE, Label.CONFLICT):
            maple.relabel(message, label)
            maple.rounds(2, minutes=1)
        assert cases(maple) == [RIVERA]
        assert len(maple.drafts()) == 1

    def test_in_stage_tag_there_is_a_case_and_no_draft_and_in_observe_neither(self) -> None:
        for stage, opened in ((Stage.TAG, [RIVERA]), (Stage.OBSERVE, [])):
            maple = maple_with_desks(stage=stage)
            maple.round()
            message = routine(maple, "grades")
            maple.relabel(message, Label.CONFLICT)
            maple.rounds(3)
            assert cases(maple) == opened
            assert not maple.drafts()


class TestEverywhere:
    """A message that came to several teachers has one tag."""

    @pytest.mark.parametrize("label", [Label.ROUTINE, Label.CONFLICT])
    def test_a_correction_changes_the_tag_and_the_label_in_every_mailbox(self, maple: Maple, label: Label) -> None:
        message = maple.write("urgent health", to=BOTH)
        maple.round()
        maple.relabel(message, label, address=OKAFOR)
        maple.rounds(8)
        assert tags(maple) == [Tag(label), Tag(label)]
        assert maple.labels(message, RIVERA) == maple.labels(message, OKAFOR) == {label}
        assert items(maple)[0].item.state is ItemState.NOT_URGENT
        assert len(Corrections(maple.database).judged()) == 1

    def test_it_cancels_what_another_mailbox_has_not_yet_sent(self, maple: Maple) -> None:
        message = maple.write("urgent health", to=BOTH)
        maple.sweep(RIVERA)
        maple.sweep(OKAFOR)
        maple.relabel(message, Label.ROUTINE, address=OKAFOR)
        maple.sweep(OKAFOR)
        maple.rounds(3)
        assert not got(maple, NURSE) + maple.answers()

    def test_a_copy_that_comes_later_is_what_somebody_said_already(self, maple: Maple) -> None:
        message = maple.write("routine health", to=BOTH)
        maple.sweep(RIVERA)
        maple.relabel(message, Label.CONFLICT, address=RIVERA)
        maple.sweep(RIVERA)
        maple.rounds(4)
        assert maple.labels(message, OKAFOR) == {Label.CONFLICT}
        assert len(Corrections(maple.database).judged()) == 1

    def test_a_label_taken_away_makes_the_copies_routine(self, maple: Maple) -> None:
        message = maple.write("conflict grades", to=BOTH)
        maple.round()
        maple.relabel(message, address=RIVERA)
        maple.rounds(4)
        assert maple.labels(message, RIVERA) == set()
        assert maple.labels(message, OKAFOR) == {Label.ROUTINE}
        (judged,) = Corrections(maple.database).judged()
        assert judged.tag is None, "many take a label away when they are done: it teaches nothing"

    def test_two_teachers_who_disagree_end_with_one_tag(self, maple: Maple) -> None:
        message = maple.write("conflict grades", to=BOTH)
        maple.round()
        maple.relabel(message, Label.ROUTINE, address=RIVERA)
        maple.relabel(message, Label.URGENT, address=OKAFOR)
        maple.rounds(6)
        assert maple.labels(message, RIVERA) == maple.labels(message, OKAFOR) == {Label(tags(maple)[0] or "")}
        assert len(said(maple)) <= 4, "nothing goes back and forth"

    def test_a_mailbox_in_observe_keeps_its_labels_and_learns_the_tag(self) -> None:
        maple = maple_with_desks()
        maple.round()
        message = maple.write("conflict grades", to=BOTH)
        maple.sweep(OKAFOR, stage=Stage.OBSERVE)
        maple.sweep(RIVERA)
        maple.deliver(RIVERA)
        maple.relabel(message, Label.ROUTINE, address=RIVERA)
        maple.sweep(RIVERA)
        maple.rounds(3)
        assert maple.labels(message, OKAFOR) == set()
        assert tags(maple) == [Tag.ROUTINE, Tag.ROUTINE]

    def test_another_mail_of_the_same_words_is_another_message(self, maple: Maple) -> None:
        first = maple.write("conflict grades")
        maple.clock.forward(minutes=5)
        second = maple.write("conflict grades", to=(OKAFOR,))
        maple.round()
        maple.relabel(first, Label.ROUTINE)
        maple.rounds(3)
        assert maple.labels(second, OKAFOR) == {Label.CONFLICT}

    def test_our_own_labels_on_their_way_are_nobodys_word(self, maple: Maple) -> None:
        """Two corrections come faster than labels are written; the server still shows the first of ours."""
        message = maple.write("conflict grades", to=BOTH)
        maple.round()
        for label in (Label.ROUTINE, Label.URGENT):
            maple.relabel(message, label, address=RIVERA)
            maple.sweep(RIVERA)
        account = maple.system.account(OKAFOR)
        account.history.append(("labels", maple.system.id_of(account, message)))
        maple.sweep(OKAFOR)
        maple.rounds(3)
        assert maple.labels(message, OKAFOR) == {Label.URGENT}
        assert [mailbox for mailbox, *_ in said(maple)].count(OKAFOR) == 2


class TestCounted:
    """Corrections stand in the scorecard, and are what the classifier learns from."""

    def test_the_scorecard_counts_the_messages_that_were_corrected(self, maple: Maple) -> None:
        message = maple.write("conflict grades", to=BOTH)
        routine(maple)
        maple.round()
        for label in (Label.ROUTINE, Label.URGENT):
            maple.relabel(message, label)
            maple.round()
        now = datetime(2026, 3, 20, tzinfo=UTC)
        bring_up_to_date(maple.database, maple.settings, maple.assembly().calendar, now)
        with maple.database.read() as connection:
            weekly = kept_rows.weekly(connection)
        counts = {(key, measure): n for (_t, kind, key, _m, measure), n in weekly.items() if kind is Grouping.TEACHER}
        for mailbox in (RIVERA, OKAFOR):
            assert (counts[mailbox, Measure.CORRECTED], counts[mailbox, Measure.URGENT]) == (1, 1)

    def test_the_offices_word_goes_by_the_schools_own_threshold(self, maple: Maple) -> None:
        first, second = maple.write("urgent health quarrel"), maple.write("urgent safety", to=(OKAFOR,))
        maple.round()
        for number in (1, 2):
            Items(maple.database).say(number, Word.NOT_URGENT, NURSE, maple.clock())
        maple.rounds(2)
        assert (maple.labels(first), maple.labels(second, OKAFOR)) == ({Label.CONFLICT}, {Label.ROUTINE})

    def test_an_answer_that_is_in_hand_when_the_tag_changes_is_not_sent(self, maple: Maple) -> None:
        message = maple.write("conflict grades", ANA)
        maple.sweep()
        maple.system.fail("send_draft", ConnectFailed("scripted"))
        with pytest.raises(MailboxError):
            maple.deliver()
        maple.system.heal()
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3)
        assert not maple.answers()
        assert not maple.drafts()
