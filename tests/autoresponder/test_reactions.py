"""An emoji that a family puts to a message: a sign of life, never answered, and no alarm by its borrowed subject."""

from zoneinfo import ZoneInfo

import pytest

from autoresponder.guards import Case, check
from autoresponder.plan import History
from classifier.verdict import Letter
from config.settings import Norm
from connectors.message import Message
from service.letters import letter_of
from tests.mails.samples import HERE, NOON, parsed

REACTION = (HERE / "robot" / "reaction_gmail.eml").read_bytes()
ALONE = REACTION.partition(b"Content-Type: multipart")[0] + (
    b'Content-Type: Text/vnd.google.email-reaction+JSON; charset="UTF-8"\n\n{"emoji":"\xf0\x9f\x91\x8d","version":1}\n'
)
ATTACHED = REACTION.replace(
    b'email-reaction+json; charset="UTF-8"',
    b'email-reaction+json; charset="UTF-8"\nContent-Disposition: attachment; filename="saved.json"',
).replace(b"8J+RjSBNaWEgcmVhY3RlZCB2aWEgR21haWwK", b"V2hlbiBkb2VzIHNjaG9vbCBzdGFydD8K")


def guard_of(message: Message) -> str | None:
    refused = check(Case(message=message, history=History(connected_at=NOON.replace(year=2000)), norm=Norm(), now=NOON))
    return refused.guard if refused else None


@pytest.mark.parametrize("raw", [REACTION, ALONE], ids=["beside text", "alone"])
def test_a_reaction_is_known_by_its_part_and_not_answered(raw: bytes) -> None:
    message = parsed(raw)
    assert message.is_reaction
    assert guard_of(message) == "reaction"
    assert message.in_reply_to == ("note-7@maple.example",)
    assert '"emoji"' not in message.text


def test_a_saved_reaction_that_somebody_attached_is_a_file() -> None:
    message = parsed(ATTACHED)
    assert not message.is_reaction
    assert guard_of(message) is None


def test_a_reaction_is_judged_by_what_stands_in_it_and_not_by_the_subject_it_borrows() -> None:
    zone = ZoneInfo("America/Chicago")
    message = parsed(REACTION)
    assert "Urgent" in message.subject
    assert letter_of(message, zone) == Letter(
        "", message.newest, message.received_at.astimezone(zone), only_newest=True
    )
    assert "Mia reacted" in message.newest
