"""What the administrator of the maple school is told."""

import email
import email.policy
from email.message import EmailMessage

from service.parking import Attendant
from tests.service.maple import Maple

IT, ALLIANCE = "it@maple.example", "alliance@maple.example"


class Crash(BaseException):
    """The process is gone: nothing catches it."""


def attendant(maple: Maple, die_at: str = "") -> Attendant:
    """A fresh process's attendant, that dies at a step if told so."""

    def step(name: str, _notice: int) -> None:
        if name == die_at:
            raise Crash

    return Attendant(maple.assembly(), environ={}, on_step=step)


def notices(maple: Maple) -> list[EmailMessage]:
    """What really left for the administrator."""
    mails = [
        email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        for _, raw in maple.system.departed
    ]
    return [mail for mail in mails if mail["To"] == IT]


def text(mail: EmailMessage) -> str:
    """Its plain text, on one line."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())
