"""Whom teachers wrote to, and whether it was good news: recorded with the page, labelled, the teacher's to correct."""

from dataclasses import replace
from datetime import datetime

import pytest
from sqlmodel import Session, col, select
from structlog.testing import capture_logs

from classifier.good_news import GoodNews, shipped_encoder
from classifier.verdict import Letter, Opinion
from config.settings import Stage
from connectors.errors import TagFailed
from connectors.labels import Label
from connectors.mailbox import Changes, LabelState
from service.sent_letters import MOST_RECIPIENTS
from store.contact_tables import Judgement, LetterRecipient
from store.pages import Pages
from store.scorecard_tables import Mark, MarkKind
from store.tables import Correction, DeliveryKind, DeliveryState
from tests.service.mailbox_in_memory import Stored
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple
from tests.service.test_delivery import connected, killed_at

GOOD_NEWS = Label.GOOD_NEWS


class BodySays:
    """Stands in for the model: "well done" is good news, and "choke" chokes it."""

    def read(self, letter: Letter) -> Opinion | None:
        if "choke" in letter.body:
            raise RuntimeError(f"a model that quotes what it chokes on: {letter.body}")
        positive = "well done" in letter.body.lower()
        return Opinion(score=0.9 if positive else 0.1, positive=positive, model="the body says")


@pytest.fixture
def maple() -> Maple:
    return judged(connected())


def judged(school: Maple) -> Maple:
    school.judge = BodySays()
    return school


def recipients(maple: Maple) -> list[str]:
    with Session(maple.database.engine) as session:
        query = select(LetterRecipient).order_by(col(LetterRecipient.message_id), col(LetterRecipient.address))
        return [row.address for row in session.exec(query)]


def judgements(maple: Maple) -> list[Judgement]:
    with Session(maple.database.engine) as session:
        found = list(session.exec(select(Judgement).order_by(col(Judgement.message_id))))
        session.expunge_all()
    return found


def words_on(maple: Maple) -> list[tuple[bool, str | None]]:
    return [(each.positive, each.by) for each in judgements(maple)]


def corrections(maple: Maple) -> list[Correction]:
    with Session(maple.database.engine) as session:
        return list(session.exec(select(Correction)))


def marked(maple: Maple) -> list[str]:
    """Addresses that the scorecard has to look at again, and recipients of such mail; afterwards none."""
    with Session(maple.database.engine) as session:
        kinds = (MarkKind.ADDRESS, MarkKind.MESSAGE)
        found = list(session.exec(select(Mark).where(col(Mark.kind).in_(kinds)).order_by(col(Mark.id))))
        keys = [each.key for each in found if each.kind is MarkKind.ADDRESS]
        for number in dict.fromkeys(int(each.key) for each in found if each.kind is MarkKind.MESSAGE):
            written = select(LetterRecipient.address).where(col(LetterRecipient.message_id) == number)
            keys += session.exec(written.order_by(LetterRecipient.address))
        for each in found:
            session.delete(each)
        session.commit()
    return keys


class TestRecipients:
    """Whom a teacher wrote to."""

    def test_every_family_in_to_cc_and_bcc_is_on_record_once_and_staff_are_not(self, maple: Maple) -> None:
        maple.teacher_writes(
            "See you.", "Ana+School@Family.example", OKAFOR, cc=f"{ANA}, Bo@Family.example", bcc="chi@family.example"
        )
        maple.round()
        assert recipients(maple) == [ANA, BO, "chi@family.example"]
        assert sorted(marked(maple)) == [ANA, BO, "chi@family.example"]

    def test_mail_to_staff_alone_is_no_letter(self, maple: Maple) -> None:
        maple.teacher_writes("Well done!", OKAFOR)
        maple.round()
        assert recipients(maple) == judgements(maple) == marked(maple) == []

    def test_neither_an_automatic_answer_nor_what_the_service_sent_is_a_letter(self, maple: Maple) -> None:
        maple.teacher_writes("Well done, I am away!", Auto_Submitted="auto-replied")
        maple.write()
        maple.rounds(3)
        assert maple.answers()
        assert any(record.own for record in maple.records())
        assert recipients(maple) == judgements(maple) == []

    def test_who_observes_counts_too_and_writes_nothing(self) -> None:
        maple = judged(connected(stage=Stage.OBSERVE))
        message = maple.teacher_writes()
        maple.rounds(2)
        assert recipients(maple) == [ANA]
        assert words_on(maple) == [(True, None)]
        assert maple.labels(message) == set()
        assert maple.deliveries(DeliveryKind.TAG) == []

    def test_old_mail_counts_too_and_is_not_labelled(self) -> None:
        maple = judged(Maple(teachers=(RIVERA,)))
        message = maple.teacher_writes()
        maple.rounds(2)
        assert [record.backfill for record in maple.records()] == [True]
        assert recipients(maple) == [ANA]
        assert words_on(maple) == [(True, None)]
        assert maple.labels(message) == set()

    def test_of_a_mail_to_very_many_a_bounded_number_is_kept_and_the_log_says_so(self, maple: Maple) -> None:
        every = [f"family{number}@family.example" for number in range(MOST_RECIPIENTS + 5)]
        fields = [", ".join(every[start : start + 400]) for start in range(0, len(every), 400)]
        maple.teacher_writes("See you.", fields[0], cc=fields[1], bcc=fields[2])
        with capture_logs() as logs:
            maple.round()
        assert len(recipients(maple)) == MOST_RECIPIENTS
        (told,) = [each for each in logs if each.get("addresses") == MOST_RECIPIENTS + 5]
        assert told["recorded"] == MOST_RECIPIENTS
        assert "family" not in str({key: value for key, value in told.items() if key != "event"})

    def test_what_a_mail_says_is_nowhere_on_record(self, maple: Maple) -> None:
        maple.teacher_writes("Well done, Zanzibar!", subject="About the Nightingale")
        maple.rounds(2)
        assert words_on(maple) == [(True, None)]
        with maple.database.read() as connection:
            dump = "".join(
                str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
                for table in ("message", "delivery", "letter_recipient", "judgement", "teacher_letter", "mailbox")
            )
        assert "Zanzibar" not in dump
        assert "Nightingale" not in dump


class TestTheLabel:
    """What the service writes on good news."""

    @pytest.mark.parametrize("stage", [Stage.TAG, Stage.REPLY])
    def test_good_news_is_labelled_and_other_mail_is_not(self, stage: Stage) -> None:
        maple = judged(connected(stage=stage))
        good, plain = maple.teacher_writes(), maple.teacher_writes("Please bring the form.")
        maple.rounds(3)
        assert maple.labels(good) == {GOOD_NEWS}
        assert maple.labels(plain) == set()
        assert [each.score for each in judgements(maple)] == [0.9, 0.1]
        assert [each.model for each in judgements(maple)] == ["the body says"] * 2
        assert maple.system.calls["tag"] == 1
        assert corrections(maple) == []

    def test_the_model_that_is_shipped_judges_the_newest_text_alone(self) -> None:
        maple = connected()
        maple.judge = GoodNews(shipped_encoder)
        good = maple.teacher_writes("Great job today, Ana! She helped a friend and I'm so proud of her.")
        quoted = "Noted, thanks.\n\nOn Monday Ana wrote:\n> Great job today! She is so proud, what a wonderful day.\n"
        plain = maple.teacher_writes(quoted, subject="Re: Great job today, I am so proud")
        mixed = maple.teacher_writes("She's a bright girl. However, she hit a classmate today and we need to meet.")
        maple.rounds(2)
        assert [maple.labels(each) for each in (good, plain, mixed)] == [{GOOD_NEWS}, set(), set()]

    @pytest.mark.parametrize("step", ["page planned", "page recorded", "tag", "tag done", "tag written"])
    def test_whatever_moment_it_is_killed_the_label_is_there_once_and_is_nobodys_word(
        self, maple: Maple, step: str
    ) -> None:
        message = maple.teacher_writes()
        killed_at(maple, step)
        maple.rounds(3)
        assert maple.labels(message) == {GOOD_NEWS}
        assert words_on(maple) == [(True, None)]
        assert recipients(maple) == [ANA]

    def test_other_labels_on_the_mail_stay_and_correct_nothing(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.relabel(message, Label.URGENT, Label.PLAN_AGREED)
        maple.rounds(3)
        assert maple.labels(message) == {Label.URGENT, Label.PLAN_AGREED, GOOD_NEWS}
        maple.relabel(message, Label.CONFLICT, GOOD_NEWS)
        maple.rounds(2)
        assert corrections(maple) == []
        assert [record.tag for record in maple.records()] == [None]
        assert words_on(maple) == [(True, None)]

    def test_a_mail_that_the_judge_chokes_on_is_recorded_without_a_judgement(self, maple: Maple) -> None:
        choked, good = maple.teacher_writes("choke on this secret"), maple.teacher_writes()
        with capture_logs() as logs:
            maple.rounds(2)
        assert recipients(maple) == [ANA, ANA]
        assert words_on(maple) == [(True, None)]
        assert maple.labels(good) == {GOOD_NEWS}
        assert "secret" not in str(logs)
        assert any(each["event"] == "a sent mail could not be judged" for each in logs)
        maple.relabel(choked, GOOD_NEWS)
        maple.round()
        assert (True, RIVERA) in words_on(maple)


class TestTheTeachersWord:
    """The teacher corrects by the label, and what they say stands."""

    def test_taking_the_label_away_says_that_it_is_no_good_news(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.rounds(2)
        marked(maple)
        maple.relabel(message)
        maple.rounds(3)
        assert words_on(maple) == [(False, RIVERA)]
        assert [each.score for each in judgements(maple)] == [0.9]
        assert maple.labels(message) == set()
        assert marked(maple) == [ANA]
        assert corrections(maple) == []

    @pytest.mark.parametrize("stage", list(Stage))
    @pytest.mark.parametrize("old", [False, True])
    def test_setting_it_says_that_it_is(self, stage: Stage, old: bool) -> None:
        maple = judged(Maple(stage=stage, teachers=(RIVERA,)) if old else connected(stage=stage))
        message = maple.teacher_writes("Please bring the form.", ANA, BO)
        maple.rounds(2)
        assert words_on(maple) == [(False, None)]
        marked(maple)
        maple.relabel(message, GOOD_NEWS)
        maple.rounds(2)
        assert words_on(maple) == [(True, RIVERA)]
        assert maple.labels(message) == {GOOD_NEWS}
        assert sorted(marked(maple)) == [ANA, BO]
        assert corrections(maple) == []

    def test_the_teacher_may_change_their_mind(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.rounds(2)
        for labels, word in (((), False), ((GOOD_NEWS,), True), ((), False)):
            maple.relabel(message, *labels)
            maple.rounds(2)
            assert words_on(maple) == [(word, RIVERA)]
            assert maple.labels(message) == set(labels)

    def test_a_teacher_who_is_faster_than_the_service_is_heard(self, maple: Maple) -> None:
        message = maple.teacher_writes("Please bring the form.")
        maple.relabel(message, GOOD_NEWS)
        maple.rounds(2)
        assert words_on(maple) == [(True, RIVERA)]
        same = maple.teacher_writes()
        maple.relabel(same, GOOD_NEWS)
        maple.rounds(2)
        assert words_on(maple) == [(True, RIVERA), (True, None)]

    def test_it_says_nothing_on_received_mail(self, maple: Maple) -> None:
        message = maple.write("routine question")
        maple.rounds(2)
        maple.relabel(message, Label.ROUTINE, GOOD_NEWS)
        maple.rounds(2)
        assert judgements(maple) == []
        assert corrections(maple) == []
        assert maple.labels(message) == {Label.ROUTINE, GOOD_NEWS}

    def test_moved_out_of_sent_and_back_the_mail_keeps_what_the_teacher_said(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.rounds(2)
        maple.relabel(message)
        maple.rounds(2)
        account = maple.system.account(RIVERA)
        raw = account.sent[maple.system.id_of(account, message)].raw
        maple.delete(message)
        maple.rounds(1)
        maple.system.put(account, "sent", raw)
        maple.rounds(3)
        assert words_on(maple) == [(False, RIVERA), (False, RIVERA)]
        assert maple.labels(message) == set()
        assert maple.records()[-1].labels == ""


class TestReadAgain:
    """Mailboxes that are read again neither lose a word nor invent one."""

    @pytest.mark.parametrize("word", [True, False])
    def test_a_word_outlives_new_numbers(self, maple: Maple, word: bool) -> None:
        message = maple.teacher_writes("Please bring the form." if word else "Well done!")
        maple.rounds(2)
        maple.relabel(message, *([GOOD_NEWS] if word else []))
        maple.rounds(2)
        maple.system.renumber(maple.system.account(RIVERA))
        maple.rounds(3)
        assert words_on(maple) == [(word, RIVERA)]
        assert maple.labels(message) == ({GOOD_NEWS} if word else set())
        assert len(maple.records()) == 1

    def test_a_label_that_went_with_the_numbers_is_written_anew_and_is_nobodys_word(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.rounds(2)
        lose_labels(maple)
        maple.rounds(3)
        assert words_on(maple) == [(True, None)]
        assert maple.labels(message) == {GOOD_NEWS}

    def test_where_it_is_not_written_anew_nothing_later_passes_for_a_word(self, maple: Maple) -> None:
        message = maple.teacher_writes()
        maple.rounds(2)
        lose_labels(maple)
        maple.sweep(stage=Stage.OBSERVE)
        maple.relabel(message, Label.PLAN_AGREED)
        maple.sweep(stage=Stage.OBSERVE)
        assert words_on(maple) == [(True, None)]
        assert maple.records()[0].labels == "plan-agreed"

    def test_a_lost_record_takes_a_label_that_it_would_not_give_for_the_teachers(self, maple: Maple) -> None:
        ours, theirs = maple.teacher_writes(), maple.teacher_writes("Please bring the form.")
        maple.rounds(2)
        maple.relabel(theirs, GOOD_NEWS)
        maple.rounds(2)
        afresh = judged(Maple(teachers=(RIVERA,)))
        afresh.system, afresh.clock = maple.system, maple.clock
        afresh.rounds(3)
        assert words_on(afresh) == [(True, None), (True, RIVERA)]
        assert afresh.labels(ours) == afresh.labels(theirs) == {GOOD_NEWS}
        assert recipients(afresh) == [ANA, ANA]

    def test_what_was_read_before_the_label_was_written_is_no_word(self, maple: Maple) -> None:
        maple.teacher_writes()
        began = maple.clock()
        maple.clock.forward(seconds=5)
        maple.round()
        told_unlabelled(maple, read_since=began)
        assert words_on(maple) == [(True, None)]
        maple.clock.forward(seconds=5)
        told_unlabelled(maple, read_since=maple.clock())
        assert words_on(maple) == [(False, RIVERA)]

    def test_a_label_that_could_not_be_written_is_nobodys_word(self, maple: Maple) -> None:
        maple.system.fail("tag", TagFailed("the folder takes no labels"), times=100)
        maple.teacher_writes()
        for _ in range(40):
            maple.round()
            maple.clock.forward(minutes=20)
        assert maple.states(DeliveryKind.TAG) == [DeliveryState.SET_ASIDE]
        told_unlabelled(maple, read_since=maple.clock())
        assert words_on(maple) == [(True, None)]

    def test_mail_that_was_set_aside_and_is_read_after_all_is_judged_then(self, maple: Maple) -> None:
        maple.teacher_writes()
        parse_fails(maple)
        (aside,) = Pages(maple.database).set_aside()
        assert recipients(maple) == judgements(maple) == []
        maple.relabel("letter-1@maple.example", GOOD_NEWS)
        maple.round()
        maple.relabel("letter-1@maple.example")
        maple.round()
        assert words_on(maple) == [(False, RIVERA)]
        maple.assembly().pipeline.reread(maple.box(), maple.mailbox(), [aside])
        maple.rounds(2)
        assert recipients(maple) == [ANA]
        assert words_on(maple) == [(False, RIVERA)]
        assert maple.labels("letter-1@maple.example") == set()


def lose_labels(maple: Maple) -> None:
    """The server numbers every message anew, and forgets the labels."""
    account = maple.system.account(RIVERA)
    maple.system.renumber(account)
    for folder in (account.inbox, account.sent):
        for id_, stored in folder.items():
            folder[id_] = Stored(stored.raw, stored.received_at)


def told_unlabelled(maple: Maple, *, read_since: datetime) -> None:
    """A page that was asked for at a time says that the sent message carries no label."""
    pages = Pages(maple.database)
    state = pages.connect(RIVERA, maple.clock())
    (record,) = maple.records()
    page = Changes(cursor=f"{state.cursor} ", labels=(LabelState(record.provider_id, frozenset()),))
    maple.assembly().pipeline.record(maple.box(), maple.mailbox(), state, page, read_since=read_since)
    with maple.database.write() as connection:  # the mail system's own words again
        connection.exec_driver_sql("UPDATE mailbox SET cursor = ?", (state.cursor,))


def parse_fails(maple: Maple) -> None:
    """A round in which the mail server cannot hand the sent message over."""
    told = maple.mailbox().__class__._told

    def empty(*args: object, **how: object) -> object:
        raw = told(*args, **how)  # type: ignore[arg-type]
        return raw and replace(raw, raw=b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maple.mailbox().__class__, "_told", empty)
        maple.round()
