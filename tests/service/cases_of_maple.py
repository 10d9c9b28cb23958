"""Maple Street School with a coach, and ways to write about a hard conversation."""

import email
import email.policy
from datetime import datetime
from email.message import EmailMessage
from email.utils import getaddresses

from config.settings import CaseSettings, Coach
from connectors.labels import Label, Tag
from store.cases import Cases, CaseView
from tests.service.maple import ANA, RIVERA, Maple, letter

COACH = "coach@maple.example"


def maple_with_coach(*, early: bool = False, coach: bool = True, atomic_send: bool = False, **cases: int) -> Maple:
    """The school, connected, with a coach who is told one school day after the teacher's reminder."""
    maple = Maple(atomic_send=atomic_send)
    stands_by = Coach(name="Sam Lee", addresses=(COACH,), hours=24, early=early) if coach else None
    maple.settings = maple.settings.model_copy(update={"coach": stands_by, "cases": CaseSettings(**cases)})
    maple.round()
    return maple


def cases(maple: Maple) -> list[CaseView]:
    """Every case on record, the oldest first."""
    store = Cases(maple.database)
    views = []
    while (view := store.numbered(len(views) + 1)) is not None:
        views.append(view)
    return views


def conflict(maple: Maple, sender: str = ANA, *, follows: str | None = None, **more: object) -> str:
    """A family writes a conflict message, and the service works. Returns its Message-ID."""
    subject = f"conflict grades {len(maple.records())}"
    answered = None if follows is None else f"<{follows}>"
    message_id = maple.write(subject, sender, In_Reply_To=answered, **more)  # type: ignore[arg-type]
    maple.round()
    return message_id


def teacher_writes(
    maple: Maple,
    to: str | tuple[str, ...] = ANA,
    *,
    follows: str | None = None,
    address: str = RIVERA,
    at: datetime | None = None,
    **headers: str,
) -> str:
    """The teacher writes in their own mail program. Returns the Message-ID."""
    number = 1000 + sum(len(account.sent) for account in maple.system.accounts.values())
    everybody = (to,) if isinstance(to, str) else to
    mail = letter(number, "About Friday", address, everybody, "I would like to talk.", maple.clock(), headers)
    if follows is not None:
        mail["In-Reply-To"] = mail["References"] = f"<{follows}>"
    account = maple.system.account(address)
    maple.system.put(account, "sent", mail.as_bytes(policy=email.policy.SMTP), at)
    return str(mail["Message-ID"]).strip("<>")


def told(maple: Maple, address: str) -> list[EmailMessage]:
    """What the service told somebody of cases, oldest first: what really left."""
    mails = [
        email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        for _, raw in maple.system.departed
    ]
    return [
        mail
        for mail in mails
        if mail["X-Alliance-Inbox"] == "notice" and address in {to for _, to in getaddresses([str(mail["To"])])}
    ]


def half_sent(maple: Maple, *addresses: str) -> list[bytes]:
    """Mails of the service's in Drafts, but for the answers that the teacher may finish."""
    drafts = [raw for address in addresses or (RIVERA,) for raw in maple.drafts(address)]
    return [raw for raw in drafts if b"X-Alliance-Inbox: draft" not in raw]


def label(maple: Maple, message_id: str, *labels: Label) -> None:
    """The teacher makes these the labels of a message, and the service works."""
    maple.relabel(message_id, *labels)
    maple.round()


__all__ = ["COACH", "RIVERA", "Tag"]
