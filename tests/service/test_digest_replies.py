"""A teacher answers the morning mail: what they say is on record once, and the next morning mail says what was made of
it."""

import email.policy
import sqlite3
from datetime import date, timedelta
from itertools import count

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from autoresponder.contacts import ContactKind, ContactTone
from autoresponder.digest import digest_message_id
from autoresponder.identifiers import thread_id
from store.contact_tables import Contact, ContactSource, HeardReply
from store.contacts import Contacts
from store.scorecard_tables import Mark, MarkKind
from tests.service.desks_of_maple import text_of
from tests.service.maple import ANA, BO, RIVERA, Maple, letter
from tests.service.roster_of_maple import MAYA, NICO, PUPILS, THEO, fill_roster
from tests.service.test_digest import SEVEN, look, mails

WEDNESDAY, THURSDAY = date(2026, 3, 4), date(2026, 3, 5)
_NUMBERS = count(1)


@pytest.fixture
def maple() -> Maple:
    """The school on a Wednesday at half past seven, when Ms. Rivera has her morning mail."""
    maple = Maple()
    fill_roster(maple.database)
    maple.round()
    maple.write()
    maple.round()
    maple.clock.now = SEVEN
    look(maple)
    maple.round()
    assert len(mails(maple)) == 1
    maple.clock.forward(minutes=30)
    return maple


def reply(
    maple: Maple,
    body: str,
    *,
    sent: bool = True,
    received: bool = True,
    answers: str | None = None,
    sender: str = RIVERA,
    to: tuple[str, ...] = (RIVERA,),
    day: date = WEDNESDAY,
    **headers: str | None,
) -> bytes:
    """The teacher answers the morning mail: a copy in Sent, and one that arrives. Returns the mail."""
    answered = f"<{answers or digest_message_id(RIVERA, day)}>"
    fields = {
        "In_Reply_To": answered,
        "References": answered,
        "Message_ID": f"<teacher-{next(_NUMBERS)}@maple.example>",
    }
    mail = letter(900, "Re: Good morning: 1 waiting", sender, to, body, maple.clock(), {**fields, **headers})
    raw = mail.as_bytes(policy=email.policy.SMTP)
    if sent:
        maple.system.put(maple.system.account(RIVERA), "sent", raw)
    if received:
        maple.system.deliver(raw, RIVERA)
    return raw


def contacts(maple: Maple) -> list[Contact]:
    """What stands on record, the oldest first; withdrawn ones too."""
    with Session(maple.database.engine) as session:
        found = list(session.execute(select(Contact).order_by(col(Contact.id))).scalars())
        session.expunge_all()
    return found


def standing(maple: Maple) -> list[str]:
    return [each.student for each in contacts(maple) if each.withdrawn_at is None]


def next_morning(maple: Maple, days: int = 1) -> str:
    """The text of the next morning mail; empty where there is none."""
    before = len(mails(maple))
    maple.clock.now = SEVEN + timedelta(days=days)
    maple.round()
    look(maple)
    maple.round()
    return "\n".join(" ".join(text_of(mail).split()) for mail in mails(maple)[before:])


def test_one_line_is_one_contact_with_what_it_says(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news")
    maple.round()
    (contact,) = contacts(maple)
    assert (contact.student, contact.on_day, contact.mailbox) == (MAYA.id, WEDNESDAY, RIVERA)
    assert (contact.kind, contact.tone, contact.reached) == (ContactKind.CALL, ContactTone.GOOD_NEWS, True)
    assert (contact.source, contact.logged_by) == (ContactSource.REPLY, RIVERA)


@pytest.mark.parametrize(("sent", "received"), [(True, False), (False, True), (True, True)])
def test_it_counts_once_whichever_copy_of_it_the_mailbox_shows(maple: Maple, sent: bool, received: bool) -> None:
    reply(maple, "met with Theo's mother", sent=sent, received=received)
    maple.rounds(3)
    assert standing(maple) == [THEO.id]


def test_a_copy_that_arrives_a_page_later_adds_nothing(maple: Maple) -> None:
    raw = reply(maple, "met with Theo's mother\nundo 7", received=False)
    maple.round()
    maple.system.deliver(raw, RIVERA)
    maple.rounds(2)
    assert standing(maple) == [THEO.id]
    with maple.database.read() as connection:
        assert len(connection.execute(select(HeardReply)).all()) == 1


def test_several_lines_are_several_contacts_in_two_languages(maple: Maple) -> None:
    reply(
        maple,
        "called the family of Maya Lopez, good news\nDejé un mensaje para la familia de Nico Díaz\n\nKind regards",
    )
    maple.round()
    assert [(each.student, each.reached) for each in contacts(maple)] == [(MAYA.id, True), (NICO.id, False)]


def test_it_is_no_family_mail_and_nobody_answers_it(maple: Maple) -> None:
    departed = len(maple.system.departed)
    reply(maple, "called the family of Maya Lopez, good news. It is urgent, conflict, and so on.")
    maple.rounds(3)
    own = [each for each in maple.records() if each.rfc_message_id and each.rfc_message_id.startswith("teacher-")]
    assert [(each.tag, each.labels, each.family) for each in own] == [(None, "", None)] * 2
    assert len(maple.system.departed) == departed


def test_a_name_that_two_families_have_is_never_guessed(maple: Maple) -> None:
    reply(maple, "left a message for the Diaz family")
    maple.round()
    assert contacts(maple) == []
    assert "line 1 of your answer of Wednesday, March 4: I could not tell which family you meant" in next_morning(maple)


def test_a_name_that_nobody_has_is_said_and_kept_nowhere(maple: Maple) -> None:
    reply(maple, "called Zacharias Umbridge, good news")
    maple.round()
    text = next_morning(maple)
    assert "I found no student of yours with that name" in text
    raw = maple.database.engine.raw_connection().driver_connection
    assert isinstance(raw, sqlite3.Connection)
    dump = "\n".join(raw.iterdump()).casefold()
    assert "umbridge" not in dump


def test_a_student_of_another_teacher_is_nobody_of_hers(maple: Maple) -> None:
    reply(maple, "called the family of Mina Cho, good news")
    maple.round()
    assert contacts(maple) == []


def test_somebody_without_classes_may_name_every_student() -> None:
    maple = Maple()
    fill_roster(maple.database, classes=False)
    maple.round()
    maple.clock.now = SEVEN
    reply(maple, "called the family of Mina Cho, good news")
    maple.round()
    assert standing(maple) == ["s-mina"]


def test_the_next_morning_mail_says_what_was_noted_and_only_once(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news")
    text = next_morning(maple)
    assert "Noted from your answer: 1. family of Maya Lopez: call, good news, Wednesday, March 4" in text
    assert "undo" in text
    assert "1 noted" in str(mails(maple)[-1]["Subject"])
    assert "Maya" not in str(mails(maple)[-1]["Subject"])
    assert "Noted from your answer" not in next_morning(maple, 2)


def test_undo_takes_back_what_the_morning_mail_told_of(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news\nmet with Theo's mother")
    next_morning(maple)
    maple.clock.forward(minutes=10)
    reply(maple, "undo 2", day=THURSDAY)
    maple.round()
    assert standing(maple) == [MAYA.id]
    assert "Taken back, as you said: family of Theo Brandt: meeting" in next_morning(maple, 2)


def test_undo_alone_takes_back_all_of_it_and_what_was_just_said(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news\nmet with Theo's mother")
    maple.round()
    maple.clock.forward(minutes=10)
    reply(maple, "undo")
    maple.round()
    assert standing(maple) == []


def test_undo_of_one_of_two_things_that_it_may_mean_is_not_guessed(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news")
    next_morning(maple)
    maple.clock.forward(minutes=10)
    reply(maple, "met with Theo's mother", day=THURSDAY)
    maple.round()
    maple.clock.forward(minutes=10)
    reply(maple, "undo", day=THURSDAY)
    maple.round()
    assert standing(maple) == [MAYA.id, THEO.id]
    assert "I could not tell what to take back" in next_morning(maple, 2)


@pytest.mark.parametrize("number", ["3", "0", "99"])
def test_undo_of_a_number_that_there_is_not_does_nothing(maple: Maple, number: str) -> None:
    reply(maple, "called the family of Maya Lopez, good news")
    next_morning(maple)
    reply(maple, f"undo {number}", day=THURSDAY)
    maple.round()
    assert standing(maple) == [MAYA.id]


def test_what_was_put_back_stays_when_the_undo_is_read_again(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news")
    maple.round()
    maple.clock.forward(minutes=10)
    raw = reply(maple, "undo", received=False)
    maple.round()
    reply(maple, "called the family of Maya Lopez, good news")
    maple.round()
    maple.system.deliver(raw, RIVERA)
    maple.round()
    assert len(standing(maple)) == 1


def test_an_answer_is_understood_where_the_server_gave_our_mail_another_message_id(maple: Maple) -> None:
    carried = thread_id(digest_message_id(RIVERA, WEDNESDAY))
    reply(
        maple,
        "met with Theo's mother",
        In_Reply_To="<renamed-1@mail.maple.example>",
        References=f"<{carried}> <renamed-1@mail.maple.example>",
    )
    maple.round()
    assert standing(maple) == [THEO.id]


def test_the_morning_mail_carries_what_such_an_answer_is_known_by(maple: Maple) -> None:
    (mail,) = mails(maple)
    assert thread_id(str(mail["Message-ID"]).strip("<>")) in str(mail["References"])


@pytest.mark.parametrize(
    "change",
    [
        {"sender": ANA, "sent": False},
        {"to": (RIVERA, BO)},
        {"answers": "something-else@maple.example"},
        {"answers": digest_message_id("okafor@maple.example", WEDNESDAY)},
        {"Auto_Submitted": "auto-replied"},
        {"sent": False, "Authentication_Results": "mx.maple.example; dmarc=fail"},
        {"day": WEDNESDAY - timedelta(days=200)},
    ],
    ids=["a family", "to others too", "no morning mail", "another's", "a program", "forged", "long ago"],
)
def test_nobody_else_and_nothing_else_is_heard(maple: Maple, change: dict[str, object]) -> None:
    reply(maple, "met with Theo's mother", **change)  # type: ignore[arg-type]
    maple.round()
    assert contacts(maple) == []


def test_the_morning_mail_itself_read_as_an_answer_says_nothing(maple: Maple) -> None:
    reply(maple, "called the family of Maya Lopez, good news\nleft a message for the Diaz family\nmet with Bob")
    next_morning(maple)
    before = len(contacts(maple))
    for body in (text_of(mails(maple)[-1]), text_of(mails(maple)[0])):
        reply(maple, body, day=THURSDAY)
        maple.round()
    assert len(contacts(maple)) == before


def test_the_page_that_brings_it_can_be_read_again_after_a_crash(maple: Maple) -> None:
    class Killed(BaseException):
        pass

    def die(name: str, _delivery: int) -> None:
        if name == "page planned":
            raise Killed

    reply(maple, "met with Theo's mother")
    with pytest.raises(Killed):
        maple.sweep(on_step=die)
    assert contacts(maple) == []
    maple.round()
    assert standing(maple) == [THEO.id]


def test_two_workers_that_read_it_at_once_record_it_once(maple: Maple) -> None:
    there = False

    def meanwhile(name: str, _delivery: int) -> None:
        nonlocal there
        if name == "page planned" and not there:
            there = True
            maple.sweep()

    reply(maple, "met with Theo's mother")
    maple.sweep(on_step=meanwhile)
    maple.round()
    assert standing(maple) == [THEO.id]


def test_an_answer_is_read_again_after_a_record_was_restored(maple: Maple) -> None:
    backup = sqlite3.connect(":memory:", check_same_thread=False)
    raw = maple.database.engine.raw_connection().driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.backup(backup)
    reply(maple, "met with Theo's mother")
    maple.round()
    backup.backup(raw)
    assert contacts(maple) == []
    maple.round()
    assert standing(maple) == [THEO.id]


def test_the_scorecard_learns_of_it_in_the_same_transaction(maple: Maple) -> None:
    reply(maple, "met with Theo's mother")
    maple.round()
    with maple.database.read() as connection:
        marked = connection.execute(select(col(Mark.key)).where(col(Mark.kind) == MarkKind.STUDENT)).scalars().all()
    assert THEO.id in marked


def test_a_family_that_was_called_waits_no_longer_in_the_next_morning_mail(maple: Maple) -> None:
    assert ANA in text_of(mails(maple)[0])
    reply(maple, "called the family of Maya Lopez, good news")
    text = next_morning(maple)
    assert "Noted from your answer" in text
    assert "Waiting for your answer" not in text


def test_a_message_left_is_no_answer_to_what_they_wrote(maple: Maple) -> None:
    reply(maple, "left a message for the family of Maya Lopez")
    assert "Waiting for your answer" in next_morning(maple)


def test_thanks_alone_say_nothing_and_what_nobody_understands_is_said_to_be_so(maple: Maple) -> None:
    reply(maple, "Thank you!")
    assert "Not noted" not in next_morning(maple)
    reply(maple, "Please move my conference with the principal.", day=THURSDAY)
    assert "I was not sure what it means" in next_morning(maple, 2)


def test_an_old_answer_that_lay_there_before_the_mailbox_was_connected_is_left_alone() -> None:
    maple = Maple()
    fill_roster(maple.database, PUPILS)
    maple.clock.now = SEVEN
    reply(maple, "met with Theo's mother")
    maple.clock.forward(days=3)
    maple.round()
    assert Contacts(maple.database).listing() == []
