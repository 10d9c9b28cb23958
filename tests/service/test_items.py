"""The life of an item at the office, seen from outside: what people get, and what their answers do."""

import re
import sqlite3
from dataclasses import replace
from email.message import EmailMessage
from itertools import count

import pytest

from autoresponder.items import ItemState, Refusal, Word
from config.settings import Stage
from connectors.labels import Label, Tag
from service.escalation import escalate
from store.corrections import Corrections
from store.items import Items
from store.tables import DeliveryKind, DeliveryState, EventKind
from tests.service.desks_of_maple import (
    LEE,
    NURSE,
    ON_CALL,
    PRINCIPAL,
    answers,
    got,
    items,
    maple_with_desks,
    text_of,
)
from tests.service.maple import ANA, BO, OFFICE, OKAFOR, RIVERA, Maple

CLAIMED, DONE, OPEN = ItemState.CLAIMED, ItemState.DONE, ItemState.OPEN


@pytest.fixture
def maple() -> Maple:
    school = maple_with_desks()
    school.round()
    return school


def urgent(maple: Maple, topic: str = "health", **more: object) -> str:
    message_id = maple.write(f"urgent {topic}", **more)  # type: ignore[arg-type]
    maple.round()
    return message_id


def states(maple: Maple) -> list[ItemState]:
    return [view.item.state for view in items(maple)]


def happened(maple: Maple, number: int = 0) -> list[EventKind]:
    return [event.kind for event in items(maple)[number].events]


def test_urgent_mail_opens_an_item_at_the_desk_of_its_topic(maple: Maple) -> None:
    urgent(maple)
    (view,) = items(maple)
    assert (view.item.state, view.item.topic, view.path) == (OPEN, "health", ("nurse",))
    (mail,) = got(maple, NURSE)
    assert mail["To"] == f"{NURSE}, {OFFICE}"
    assert "reply to this mail with one of these" in text_of(mail)
    assert len(maple.to_office()) == 0, "the office gets the same mail, not another one"


def test_mail_that_is_not_urgent_opens_none(maple: Maple) -> None:
    maple.write("routine health")
    maple.write("conflict grades")
    maple.write("urgent health", Auto_Submitted="auto-generated")
    maple.round()
    assert not items(maple)


def test_topics_that_the_school_wants_at_the_office_are_routed_as_what_they_are() -> None:
    maple = maple_with_desks(routine_topics=("attendance",))
    maple.round()
    maple.write("routine attendance")
    maple.write("routine homework", BO)
    maple.round()
    (mail,) = got(maple, OFFICE)
    assert "urgent" not in str(mail["Subject"]).lower()
    assert mail["Importance"] is None
    assert "handles at the office" in text_of(mail)
    (view,) = items(maple)
    assert (view.item.tag, view.item.escalates_at) == (Tag.ROUTINE, None)
    assert "front office, where a person" not in text_of(maple.answers()[0])


def test_the_family_is_told_that_the_office_has_it_only_where_it_does(maple: Maple) -> None:
    urgent(maple)
    assert "passed to our front office" in text_of(maple.answers(ANA)[0])
    urgent(maple, "safety", sender=BO)
    assert "passed to our front office" not in text_of(maple.answers(BO)[0])
    assert "please call our front office now" in text_of(maple.answers(BO)[0]).lower()
    assert "that your office has the message" not in text_of(got(maple, PRINCIPAL)[0])


def test_taken_in_a_reply_takes_the_item_and_leaves_nothing_to_look_at(maple: Maple) -> None:
    urgent(maple)
    answers(maple, "Taken, thanks\n\nNurse Joy", NURSE)
    maple.rounds(6)
    (view,) = items(maple)
    assert (view.item.state, view.item.holder) == (CLAIMED, NURSE)
    assert len(got(maple, OFFICE)) == 1, "what somebody has taken goes no further"
    assert maple.records()[-1].labels == ""


def rewrites_message_ids(maple: Maple) -> None:
    """From now on the server gives every mail that it sends a Message-ID of its own, as Gmail is known to."""
    numbers = count(1)

    def hook(address: str, step: str) -> None:
        drafts = maple.system.account(address).drafts
        for id_, stored in drafts.items() if step == "send_draft" else ():
            own_id = f"Message-ID: <CA{next(numbers)}@mail.server.example>".encode()
            renamed = re.sub(rb"^Message-ID: <alliance.*?>", own_id, stored.raw, count=1, flags=re.MULTILINE)
            drafts[id_] = replace(stored, raw=renamed)

    maple.system.hooks.append(hook)


@pytest.mark.parametrize("minutes", [0, 16, 47], ids=["the first mail", "the next desk's", "the last desk's"])
def test_an_answer_is_heard_also_where_the_server_gave_our_mail_another_message_id(minutes: int) -> None:
    maple = maple_with_desks(atomic_send=True)
    rewrites_message_ids(maple)
    maple.round()
    urgent(maple)
    for _ in range(minutes):
        maple.rounds(1, minutes=1)
    who = {0: NURSE, 16: OFFICE, 47: PRINCIPAL}[minutes]
    mail = got(maple, who)[-1]
    assert str(mail["Message-ID"]).endswith("@mail.server.example>")
    answers(maple, "taken", who, to=mail)
    maple.round()
    assert items(maple)[0].item.holder == who


def test_the_mails_of_an_item_stay_one_thread_where_the_server_renames_them() -> None:
    maple = maple_with_desks(atomic_send=True)
    rewrites_message_ids(maple)
    maple.round()
    urgent(maple)
    maple.rounds(60, minutes=1)
    first, step = got(maple, OFFICE)[:2]
    assert set(str(first["References"]).split()) & set(str(step["References"]).split())


def test_whoever_answers_for_the_office_may_take_it_from_an_address_of_her_own(maple: Maple) -> None:
    urgent(maple)
    answers(maple, "taken", LEE, to=got(maple, OFFICE)[0])
    maple.round()
    assert items(maple)[0].item.holder == LEE


def test_of_two_who_take_it_at_once_one_has_it_and_the_other_is_told_who(maple: Maple) -> None:
    urgent(maple)
    answers(maple, "taken", NURSE)
    answers(maple, "I'll take it", OFFICE, to=got(maple, OFFICE)[0])
    maple.rounds(3)
    assert items(maple)[0].item.holder == NURSE
    told = got(maple, OFFICE)[1:]
    assert [mail["Subject"] for mail in told] == [f"{NURSE} has it already"]
    assert told[0]["Auto-Submitted"] == "auto-generated"
    assert len(got(maple, NURSE)) == 1
    assert happened(maple) == [EventKind.OPENED, EventKind.TAKEN, EventKind.REFUSED]


def test_what_is_not_understood_changes_nothing_and_stays_visible(maple: Maple) -> None:
    urgent(maple)
    answers(maple, "Which class is she in?", NURSE)
    maple.round()
    assert states(maple) == [OPEN]
    assert happened(maple)[-1] is EventKind.UNCLEAR


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        (ANA, {}),
        ("stranger@elsewhere.example", {}),
        ("okafor@maple.example", {}),
        (NURSE, {"Authentication_Results": "mx.maple.example; dmarc=fail header.from=maple.example"}),
        (NURSE, {"Auto_Submitted": "auto-replied"}),
        (NURSE, {"In_Reply_To": None, "References": None}),
    ],
    ids=["the family", "a stranger", "a colleague who did not get it", "forged", "a robot", "no reply at all"],
)
def test_nobody_else_has_a_say(maple: Maple, sender: str, headers: dict[str, str | None]) -> None:
    urgent(maple)
    answers(maple, "Done", sender, to=got(maple, NURSE)[0], **headers)
    maple.round()
    assert states(maple) == [OPEN]


def test_not_urgent_changes_the_tag_everywhere_and_is_learned_from(maple: Maple) -> None:
    first = maple.write("urgent health", to=(RIVERA, OKAFOR))
    maple.round()
    assert maple.labels(first, OKAFOR) == {Label.URGENT}
    answers(maple, "Not urgent", NURSE)
    maple.rounds(4)
    assert states(maple) == [ItemState.NOT_URGENT]
    assert maple.labels(first, RIVERA) == maple.labels(first, OKAFOR) == {Label.ROUTINE}
    (judged,) = Corrections(maple.database).judged()
    assert judged.tag is Tag.ROUTINE
    maple.rounds(8)
    assert maple.labels(first, RIVERA) == {Label.ROUTINE}, "our own old label is no correction"
    assert len(Corrections(maple.database).judged()) == 1
    assert not [kind for kind in happened(maple) if kind is EventKind.NEXT_DESK]


def test_not_urgent_cancels_what_is_not_yet_sent(maple: Maple) -> None:
    maple.write("urgent health")
    maple.sweep()
    Items(maple.database).say(1, Word.NOT_URGENT, NURSE, maple.clock())
    maple.rounds(3)
    assert not got(maple, NURSE)
    assert not maple.answers()


def test_a_label_that_still_shows_the_old_tag_takes_the_offices_word_not_back(maple: Maple) -> None:
    first = maple.write("urgent health")
    maple.sweep()
    maple.deliver()
    Items(maple.database).say(1, Word.NOT_URGENT, NURSE, maple.clock())
    maple.sweep()
    assert maple.records()[0].tag is Tag.ROUTINE
    maple.rounds(2)
    assert maple.labels(first) == {Label.ROUTINE}


def test_the_teachers_own_correction_ends_the_item(maple: Maple) -> None:
    first = urgent(maple)
    maple.relabel(first, Label.ROUTINE)
    maple.rounds(6)
    assert states(maple) == [ItemState.NOT_URGENT]
    assert len(got(maple, OFFICE)) == 1


def test_back_to_the_teacher_tells_the_teacher(maple: Maple) -> None:
    first = urgent(maple)
    answers(maple, "Back to the teacher", NURSE)
    maple.rounds(3)
    assert states(maple) == [ItemState.RETURNED]
    (mail,) = [mail for mail in got(maple, RIVERA) if "gives a message back" in str(mail["Subject"])]
    assert mail["In-Reply-To"] == f"<{first}>"
    assert ANA in text_of(mail)


def test_several_mails_of_one_family_about_one_matter_are_one_item_for_whoever_has_it(maple: Maple) -> None:
    urgent(maple)
    answers(maple, "taken", LEE, to=got(maple, OFFICE)[0])
    maple.round()
    maple.clock.forward(minutes=20)
    maple.write("urgent health now", to=(OKAFOR,))
    maple.round()
    (view,) = items(maple)
    assert len(view.messages) == 2
    (mail,) = got(maple, LEE)
    assert str(mail["Subject"]).startswith("In addition.")
    assert f"what {LEE} has taken" in text_of(mail)
    assert len(got(maple, NURSE)) == 1


def test_another_family_another_topic_or_another_day_is_another_item(maple: Maple) -> None:
    urgent(maple)
    urgent(maple, sender=BO)
    urgent(maple, "safety")
    assert len(items(maple)) == 3
    maple.clock.forward(hours=24)
    urgent(maple)
    assert len(items(maple)) == 4


def test_mail_that_may_be_somebody_elses_is_not_added_to_what_the_family_wrote(maple: Maple) -> None:
    urgent(maple)
    urgent(maple, body="Please call.", Authentication_Results="mx.maple.example; dmarc=fail header.from=family.example")
    assert len(items(maple)) == 2


def test_the_same_mail_to_two_teachers_is_one_item_with_one_message(maple: Maple) -> None:
    urgent(maple, to=(RIVERA, OKAFOR))
    (view,) = items(maple)
    assert len(view.messages) == 1


def test_what_nobody_takes_goes_along_the_chain_until_somebody_does(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(minutes=16)
    maple.rounds(3, minutes=1)
    assert [str(mail["Subject"]).split(".")[0] for mail in got(maple, OFFICE)][1:] == ["Still open"]
    assert "It was with: nurse" in text_of(got(maple, OFFICE)[-1])
    maple.clock.forward(minutes=30)
    maple.rounds(3, minutes=1)
    (step,) = got(maple, PRINCIPAL)
    assert "nurse and the front office" in text_of(step)
    assert [part.get_content_type() for part in step.iter_attachments()] == ["message/rfc822"]
    answers(maple, "me encargo", PRINCIPAL)
    maple.rounds(100)
    assert items(maple)[0].item.holder == PRINCIPAL
    assert len(got(maple, OFFICE)) == 2


def test_at_the_end_of_the_chain_everybody_is_reminded_each_school_day(maple: Maple) -> None:
    urgent(maple)
    maple.rounds(24 * 6, minutes=30)
    reminders = [mail for mail in got(maple, NURSE) if "reminder" in str(mail["Subject"])]
    subjects = [str(mail["Subject"]) for mail in reminders]
    assert len(subjects) == len(set(subjects)) == 4, "one on the day itself, then one each morning"
    assert all(mail["To"] == f"{NURSE}, {OFFICE}, {PRINCIPAL}" for mail in reminders)


def test_after_hours_whoever_is_on_call_gets_it_at_once_and_the_chain_goes_on_in_the_morning(maple: Maple) -> None:
    maple.clock.forward(hours=10)
    urgent(maple)
    assert [mail["To"] for mail in got(maple, ON_CALL)] == [f"{NURSE}, {OFFICE}, {ON_CALL}"]
    maple.rounds(20)
    assert not got(maple, PRINCIPAL)
    maple.rounds(20)
    assert happened(maple)[:2] == [EventKind.OPENED, EventKind.NEXT_DESK]


def test_what_nobody_took_by_the_closing_goes_to_whoever_is_on_call(maple: Maple) -> None:
    maple.clock.forward(hours=5, minutes=20)
    urgent(maple)
    maple.clock.forward(minutes=16)
    maple.rounds(3, minutes=1)
    (mail,) = got(maple, ON_CALL)
    assert "You are on call" in text_of(mail)


def test_without_minutes_everything_stays_at_the_office_as_ever() -> None:
    maple = Maple()
    maple.round()
    urgent(maple)
    maple.rounds(200)
    assert len(maple.to_office()) == 1
    assert states(maple) == [OPEN]


def test_a_mailbox_that_goes_back_to_observe_sends_nothing_more(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(hours=1)
    assembly = maple.assembly()
    box = maple.box(stage=Stage.OBSERVE)
    assert escalate(box, assembly.items(), maple.settings, assembly.calendar, maple.clock()) == 0


def test_two_workers_take_each_step_once(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(minutes=16)
    assembly, store = maple.assembly(), Items(maple.database)
    seen = store.due(RIVERA, maple.clock())

    class Late(Items):
        def due(self, mailbox: str, now: object) -> list[object]:  # type: ignore[override]
            del mailbox, now
            return list(seen)

    took = [
        escalate(maple.box(), each, maple.settings, assembly.calendar, maple.clock())
        for each in (store, Late(maple.database), Late(maple.database))
    ]
    assert took == [1, 0, 0]
    maple.rounds(2, minutes=1)
    assert len(got(maple, OFFICE)) == 2


def test_an_addition_that_comes_while_a_step_is_taken_goes_on_with_it(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(minutes=16)
    stale = Items(maple.database).due(RIVERA, maple.clock())[0]
    maple.write("urgent health more")
    maple.sweep()
    moved = Items(maple.database).go_on(
        stale, path=("nurse", "office"), next_at=None, event=EventKind.NEXT_DESK, deliveries=(), now=maple.clock()
    )
    assert not moved
    maple.rounds(2, minutes=1)
    assert len([mail for mail in got(maple, OFFICE) if str(mail["Subject"]).startswith("Still open")]) == 2


@pytest.mark.parametrize("atomic", [False, True])
def test_a_restored_record_tells_nobody_twice_and_hears_again_what_was_said(atomic: bool) -> None:
    maple = maple_with_desks(atomic_send=atomic)
    maple.round()
    backup = sqlite3.connect(":memory:", check_same_thread=False)
    record = maple.database.engine.raw_connection().driver_connection
    assert isinstance(record, sqlite3.Connection)
    record.backup(backup)
    urgent(maple)
    maple.clock.forward(minutes=16)
    maple.rounds(2, minutes=1)
    answers(maple, "taken", OFFICE)
    answers(maple, "taken", NURSE)
    maple.rounds(2, minutes=1)
    before = len(maple.system.departed)
    backup.backup(record)
    maple.rounds(6)
    assert len(maple.system.departed) == before
    assert (items(maple)[0].item.state, items(maple)[0].item.holder) == (CLAIMED, OFFICE)


def test_a_step_that_somebody_overtakes_is_not_sent(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(minutes=16)
    assembly = maple.assembly()
    escalate(maple.box(), assembly.items(), maple.settings, assembly.calendar, maple.clock())
    Items(maple.database).say(1, Word.TAKEN, NURSE, maple.clock())
    maple.rounds(2, minutes=1)
    assert len(got(maple, OFFICE)) == 1
    assert maple.states(DeliveryKind.ESCALATE) == [DeliveryState.CANCELLED]


def test_replies_go_to_the_schools_own_mailbox_where_there_is_one() -> None:
    maple = maple_with_desks(reply_to=OKAFOR)
    maple.round()
    urgent(maple)
    (mail,) = got(maple, NURSE)
    assert mail["Reply-To"] == OKAFOR
    assert "a mailbox that only this service reads" in text_of(mail)
    answers(maple, "done", NURSE)
    maple.round()
    assert states(maple) == [DONE]


def test_an_address_that_has_died_keeps_nothing_from_the_others(maple: Maple, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.errors import SendRejected  # noqa: PLC0415
    from tests.service.mailbox_in_memory import MemoryMailbox  # noqa: PLC0415

    send = MemoryMailbox.send_draft

    def refusing(self: MemoryMailbox, draft_id: str) -> None:
        if NURSE.encode() in self._account.drafts[draft_id].raw.partition(b"\r\nSubject")[0]:
            raise SendRejected("nobody of that name")
        send(self, draft_id)

    monkeypatch.setattr(MemoryMailbox, "send_draft", refusing)
    urgent(maple)
    maple.rounds(12, minutes=10)
    assert got(maple, OFFICE)


def test_claiming_twice_by_hand_is_refused_by_name(maple: Maple) -> None:
    urgent(maple)
    store = Items(maple.database)
    said = [store.say(1, Word.TAKEN, by, maple.clock()) for by in (NURSE, OFFICE)]
    assert [each and each.refusal for each in said] == [None, Refusal.TAKEN]
    assert store.say(99, Word.TAKEN, NURSE, maple.clock()) is None


def test_what_the_office_gets_after_a_step_still_says_what_the_family_was_told(maple: Maple) -> None:
    urgent(maple)
    maple.clock.forward(minutes=16)
    maple.rounds(2, minutes=1)
    mail: EmailMessage = got(maple, OFFICE)[-1]
    assert "an automatic note, sent: that your office has the message" in text_of(mail)
