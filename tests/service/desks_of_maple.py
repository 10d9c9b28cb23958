"""Maple Street School with a nurse, a principal and somebody on call, and ways to see and to answer what they get."""

import email
import email.policy
from email.message import EmailMessage
from email.utils import getaddresses

from sqlmodel import Session, col, select

from config.settings import Desk, Stage
from store.database import Database
from store.items import Items, ItemView
from store.tables import Item
from tests.service.maple import OFFICE, RIVERA, Maple

NURSE, PRINCIPAL, ON_CALL = "nurse@maple.example", "principal@maple.example", "oncall@maple.example"
LEE = "lee@maple.example"
"""Reads the office's mailbox and answers from an address of her own."""
DESKS = (
    Desk(name="nurse", recipients=(NURSE,), topics=("health",), minutes=15),
    Desk(name="administration", recipients=(PRINCIPAL,), topics=("safety",), minutes=10, office_too=False),
)


def maple_with_desks(
    *, database: Database | None = None, atomic_send: bool = False, stage: Stage = Stage.REPLY, **office: object
) -> Maple:
    """The school, its chain nurse, office, administration."""
    settings = {"minutes": 30, "next": "administration", "on_call": ON_CALL, "members": (LEE,), **office}
    return Maple(office=settings, desks=DESKS, database=database, atomic_send=atomic_send, stage=stage)


def items(maple: Maple) -> list[ItemView]:
    """Every item on record, oldest first."""
    with Session(maple.database.engine) as session:
        numbers = list(session.exec(select(Item.id).order_by(col(Item.id))))
    store = Items(maple.database)
    return [view for number in numbers if number and (view := store.numbered(number))]


def got(maple: Maple, address: str) -> list[EmailMessage]:
    """What really left for an address, oldest first."""
    mails = [
        email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        for _, raw in maple.system.departed
    ]
    return [mail for mail in mails if address in {each for _, each in getaddresses([str(mail["To"])])}]


def answers(maple: Maple, words: str, sender: str, *, to: EmailMessage | None = None, **headers: str | None) -> str:
    """Somebody answers a mail that they got (the last one, where `to` is left out) in their own mail program."""
    mail = to or got(maple, sender)[-1]
    address = getaddresses([str(mail["Reply-To"] or mail["From"])])[0][1]
    thread = " ".join(filter(None, (mail["References"], mail["Message-ID"])))  # RFC 5322 §3.6.4
    return maple.write(
        f"Re: {mail['Subject']}",
        sender,
        to=(address,),
        body=words,
        **{"In_Reply_To": str(mail["Message-ID"]), "References": thread, **headers},
    )


def text_of(mail: EmailMessage) -> str:
    """What a mail says, on one line."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


__all__ = ["LEE", "NURSE", "OFFICE", "ON_CALL", "PRINCIPAL", "RIVERA"]
