"""The draft for a hard conversation in a real mailbox, beside a teacher who uses another mail program."""

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.service.town import ANA, RIVERA, Town, town

ANGRY = (
    "I am furious. You gave Leo a zero although he handed the essay in on time, and you told him in front of the whole "
    "class that he is lazy. This is unfair, and I demand that you change the grade and apologize to him."
)
LATER = timedelta(minutes=10)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as made:
        made.run()  # connects the mailboxes
        yield made


def drafts(place: Town) -> list[EmailMessage]:
    """What lies in the teacher's Drafts."""
    return place.mails(RIVERA, "Drafts")


def alternatives(place: Town) -> list[int]:
    """Which alternatives the drafts say that they are."""
    texts = [draft.get_body(("plain",)).get_content() for draft in drafts(place)]  # type: ignore[union-attr]
    return [int(text.partition("Unfinished draft, ")[2][0]) for text in texts]


def mark(place: Town, message: str, keyword: str) -> None:
    """The teacher sets a tag in their own mail program."""
    client = place.dovecot.client(RIVERA)
    client.select_folder("INBOX")
    client.add_flags(client.search(["HEADER", "Message-ID", message]), [keyword])
    client.logout()


def take_from_drafts(place: Town) -> bytes:
    """The teacher opens the first draft and takes it out of Drafts, as mail programs do that save it anew, or send."""
    client = place.dovecot.client(RIVERA)
    client.select_folder("Drafts")
    uid = client.search()[0]
    raw: bytes = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
    client.delete_messages([uid])
    client.expunge()
    client.logout()
    return raw


def put(place: Town, folder: str, raw: bytes) -> None:
    """The teacher's mail program files something."""
    client = place.dovecot.client(RIVERA)
    client.append(folder, raw)
    client.logout()


def test_a_conflict_puts_a_draft_into_drafts_and_a_tag_asks_for_another(place: Town) -> None:
    message = place.write(ANA, RIVERA, "Leo's essay", ANGRY)
    place.run(calls=2)
    assert place.keywords(RIVERA)[message] == {"AllianceConflict"}
    (draft,) = drafts(place)
    assert draft["In-Reply-To"] == f"<{message}>"
    assert draft["To"] == ANA
    mark(place, message, "AllianceAnotherDraft")
    place.run(calls=2)
    assert alternatives(place) == [1, 2]
    assert place.keywords(RIVERA)[message] == {"AllianceConflict"}
    mark(place, message, "AlliancePlanAgreed")
    place.run()
    assert place.keywords(RIVERA)[message] == {"AllianceConflict", "AlliancePlanAgreed"}
    assert len(place.mails(ANA)) == 1  # the norm's note: no draft left


@pytest.mark.parametrize("edited", [True, False])
def test_killed_after_saving_it_does_not_bring_back_what_the_teacher_took(place: Town, *, edited: bool) -> None:
    place.write(ANA, RIVERA, "Leo's essay", ANGRY)
    # The note to the family is the first draft that is saved, the teacher's the second.
    place.run(die_at="draft saved", occurrence=2)
    (draft,) = drafts(place)
    assert draft["X-Alliance-Inbox"] == "draft"
    raw = take_from_drafts(place)
    if edited:
        put(place, "Drafts", raw.replace(b"Message-ID: <alliance.draft.", b"Message-ID: <edited."))
    left = len(drafts(place))
    place.run(later=LATER, calls=2)
    place.run(later=2 * LATER)
    assert len(drafts(place)) == left == int(edited)
    assert len(place.answers(ANA)) == 1


@pytest.mark.parametrize("step", ["saving recorded", "label taken away"])
def test_killed_at_any_step_a_wish_for_another_is_heard_at_most_once(place: Town, step: str) -> None:
    message = place.write(ANA, RIVERA, "Leo's essay", ANGRY)
    place.run(calls=2)
    mark(place, message, "AllianceAnotherDraft")
    place.run(die_at=step)
    place.run(later=LATER, calls=2)
    assert alternatives(place) == ([1] if step == "saving recorded" else [1, 2])
    assert place.keywords(RIVERA)[message] == {"AllianceConflict"}


def test_a_draft_that_the_teacher_sends_is_the_teachers_answer(place: Town) -> None:
    message = place.write(ANA, RIVERA, "Leo's essay", ANGRY)
    place.run(calls=2)
    put(place, "Sent", take_from_drafts(place))
    place.run()
    place.write(
        ANA, RIVERA, "Re: Leo's essay", ANGRY, In_Reply_To=f"<{message}>", References=f"<{message}> <x@y.example>"
    )
    place.run(calls=2)
    assert not drafts(place)
    assert len(place.answers(ANA)) == 1
