"""From mailbox to mailbox on real servers; judged by what lies in the mailboxes of families, office and teachers."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.service.town import ANA, BO, CARLA, OFFICE, OKAFOR, RIVERA, ROBOT, Town, town

URGENT = "Please do not let Leo get on the bus today. His father may not pick him up, call me before the bell rings."
ROUTINE = "Could you tell me which pages are for homework this week? Thank you."
LATER = timedelta(minutes=10)
STEPS = (
    "page planned",
    "page recorded",
    "tag written",
    "tag recorded",
    "claimed",
    "draft saved",
    "draft recorded",
    "sending recorded",
    "sent",
    "done recorded",
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as made:
        made.run()  # connects the mailboxes
        yield made


def test_each_family_is_answered_once_and_the_office_gets_each_urgent_message_once(place: Town) -> None:
    urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT)
    routine = place.write(BO, RIVERA, "homework", ROUTINE)
    spanish = place.write(CARLA, OKAFOR, "tarea", "Buenos días maestro, ¿qué páginas son para la tarea? Gracias.")
    place.run(calls=3)
    place.run()
    assert place.keywords(RIVERA)[urgent] >= {"AllianceUrgent"}
    assert place.keywords(RIVERA)[routine] >= {"AllianceRoutine"}
    assert place.keywords(OKAFOR)[spanish] >= {"AllianceRoutine"}
    assert place.routed() == [urgent]
    for family, original in ((ANA, urgent), (BO, routine), (CARLA, spanish)):
        (answer,) = place.answers(family)
        assert answer["In-Reply-To"] == f"<{original}>"
    assert "escuela" in place.answers(CARLA)[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert not place.mails(RIVERA, "Drafts")
    assert len(place.mails(RIVERA, "Sent")) == 3


def test_a_family_that_writes_three_times_gets_one_answer(place: Town) -> None:
    for number in range(3):
        place.write(BO, RIVERA, f"question {number}", ROUTINE)
    place.run(calls=2)
    place.write(BO, RIVERA, "one more", ROUTINE)
    place.run(calls=2)
    assert len(place.answers(BO)) == 1
    assert len(place.keywords(RIVERA)) == 4


def test_one_mail_to_two_teachers_is_answered_once_and_routed_once(place: Town) -> None:
    urgent = place.write(ANA, [RIVERA, OKAFOR], "Leo and the bus", URGENT)
    place.run(calls=2)
    assert place.routed() == [urgent]
    assert len(place.answers(ANA)) == 1
    assert place.keywords(RIVERA)[urgent] == place.keywords(OKAFOR)[urgent]


ROBOTS = {
    "a list": {"List_Id": "<news.example>", "Precedence": "list"},
    "an autoresponder": {"Auto_Submitted": "auto-replied"},
    "a newsletter": {"List_Unsubscribe": "<https://news.example/u>"},
    "Exchange": {"X_Auto_Response_Suppress": "All"},
}


def test_nothing_answers_a_bounce_a_list_or_a_robot(place: Town) -> None:
    for name, headers in ROBOTS.items():
        place.write(ROBOT, RIVERA, name, ROUTINE, **headers)
    place.write("MAILER-DAEMON@news.example", RIVERA, "Undelivered Mail Returned to Sender", "550 no such user")
    place.run(calls=2)
    assert not place.answers(ROBOT)
    assert not place.routed()
    assert not [arrived for arrived in place.smtp.arrived if arrived.sender in {"", RIVERA}]


def test_mail_from_before_the_connection_is_read_and_never_answered(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        place.write(ANA, RIVERA, "Leo and the bus", URGENT)
        place.run(calls=2)
        assert not place.answers(ANA)
        assert not place.routed()
        assert place.keywords(RIVERA) == {"letter-1@family.example": set()}
        assert "alliance.db" in {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("stage", ["observe", "tag"])
def test_a_stage_does_no_more_than_it_says(tmp_path: Path, stage: str) -> None:
    with town(tmp_path) as place:
        place.configure(stage)
        place.run()
        urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT)
        place.run(calls=2)
        assert not place.answers(ANA)
        assert place.routed() == ([] if stage == "observe" else [urgent])
        assert bool(place.keywords(RIVERA)[urgent]) == (stage == "tag")


def test_a_teacher_who_answers_first_is_not_followed_by_a_robot(place: Town) -> None:
    question = place.write(BO, RIVERA, "homework", ROUTINE)
    client = place.dovecot.client(RIVERA)
    client.append(
        "Sent",
        f"From: {RIVERA}\r\nTo: {BO}\r\nSubject: Re: homework\r\nMessage-ID: <own@maple.example>\r\n"
        f"In-Reply-To: <{question}>\r\nReferences: <{question}>\r\n\r\nPages 4 and 5.\r\n".encode(),
    )
    client.logout()
    place.run(calls=2)
    assert not place.answers(BO)


def test_a_correction_in_the_mail_program_takes_the_tag_back(place: Town) -> None:
    urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT)
    place.run(calls=2)
    client = place.dovecot.client(RIVERA)
    client.select_folder("INBOX")
    client.remove_flags(client.search(), [b"AllianceUrgent", b"AllianceCheck"])
    client.add_flags(client.search(), [b"AllianceRoutine"])
    client.logout()
    place.run(calls=2)
    assert place.keywords(RIVERA)[urgent] == {"AllianceRoutine"}
    assert _scalar(place, "SELECT from_tag || '>' || to_tag FROM correction") == "urgent>routine"
    assert _scalar(place, "SELECT tag FROM message WHERE direction = 'received' AND tag IS NOT NULL") == "routine"


@pytest.mark.parametrize("occurrence", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_lost_and_nothing_doubled(place: Town, step: str, occurrence: int) -> None:
    """The first occurrence is the route's (or Ms. Rivera's), the second the reply's (or Mr. Okafor's)."""
    urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT)
    other = place.write(BO, OKAFOR, "homework", ROUTINE)
    assert place.run(die_at=step, occurrence=occurrence, calls=2) == -9
    place.run(later=LATER, calls=3)
    assert place.routed() == [urgent]
    assert place.keywords(RIVERA)[urgent] >= {"AllianceUrgent"}
    assert place.keywords(OKAFOR)[other] >= {"AllianceRoutine"}
    # Over SMTP nobody can say whether a reply in hand at the crash is out: it is not sent a second time (decision 3).
    in_hand = step == "sending recorded" and occurrence == 2
    assert len(place.answers(ANA)) == (0 if in_hand else 1)
    assert len(place.answers(BO)) == 1
    assert not place.mails(RIVERA, "Drafts")
    place.run(later=2 * LATER, calls=2)
    assert len(place.answers(ANA)) <= 1
    assert place.routed() == [urgent]


def test_when_the_server_took_the_mail_and_hung_up_a_reply_is_not_repeated_and_a_route_is(place: Town) -> None:
    place.smtp.say("end", "after close")
    urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT, past_smtp=True)
    place.run(calls=1)
    assert place.routed() == [urgent]
    place.smtp.behave()
    place.run(later=LATER, calls=2)
    assert set(place.routed()) == {urgent}
    assert len(place.answers(ANA)) == 1
    assert len(place.mails(OFFICE)) == 2


def test_while_the_mail_server_refuses_everything_waits_and_then_goes_out_once(place: Town) -> None:
    urgent = place.write(ANA, RIVERA, "Leo and the bus", URGENT)
    place.smtp.say("mail", "451 4.3.0 try again later")
    place.run(calls=2)
    assert not place.routed()
    assert not place.mails(RIVERA, "Drafts")
    place.smtp.behave()
    place.run(later=LATER, calls=3)
    assert place.routed() == [urgent]
    assert len(place.answers(ANA)) == 1


def test_no_words_of_a_message_are_in_the_database(place: Town) -> None:
    place.write(ANA, RIVERA, "canarysubject about Leo", f"{URGENT} canarybody")
    place.run(calls=2)
    for file in place.folder.glob("alliance.db*"):
        content = file.read_bytes()
        assert b"canarybody" not in content
        assert b"canarysubject" not in content


def _scalar(place: Town, query: str) -> object:
    with sqlite3.connect(place.folder / "alliance.db") as connection:
        return connection.execute(query).fetchone()[0]
