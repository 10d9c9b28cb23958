"""The programs that live in the world of the loop test, each a kind that has driven autoresponders into loops.

`ONE_MARK` is the other half: for each way in which a program may show that it is one, a program that shows nothing
else, and whose address never wrote anything else: known by one guard alone, and hidden by no earlier answer.
"""

import email.policy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from tests.service.loop_world import Correspondent, Mail, World, address_of

_KEPT = frozenset({"from", "to", "subject", "date", "message-id", "content-type", "content-transfer-encoding"})


def mailing_list(world: World, address: str, members: Sequence[str]) -> Correspondent:
    """A list as Mailman keeps one: its marks in the header, a prefix in the subject, answers to the list."""
    name, _, domain = address.partition("@")

    def spread(mail: Mail) -> Iterable[Mail]:
        post = mail.parsed
        if address in post.get_all("X-BeenThere", []):
            return
        for field_name in ("Reply-To", "Sender", "List-Id", "Precedence", "DKIM-Signature"):
            del post[field_name]
        subject = str(post["Subject"])
        if f"[{name}]" not in subject:
            post.replace_header("Subject", f"[{name}] {subject}")
        post["List-Id"] = f"<{name}.{domain}>"
        post["List-Post"] = f"<mailto:{address}>"
        post["List-Unsubscribe"] = f"<mailto:{name}-leave@{domain}>"
        post["X-BeenThere"] = address
        post["X-Mailman-Version"] = "3.3.8"
        post["Precedence"] = "list"
        post["Sender"] = post["Errors-To"] = f"{name}-bounces@{domain}"
        post["Reply-To"] = address
        for member in members:
            post.replace_header("To", member)  # Mailman's "personalize"
            if member != address_of(str(post["From"])):
                yield Mail(f"{name}-bounces@{domain}", member, post.as_bytes(policy=email.policy.SMTP), "list")

    return spread


def bare_list(
    world: World, address: str, members: Sequence[str], *, hides_authors: bool = False, path: str = ""
) -> Correspondent:
    """A list that leaves nothing of a header but who, whom, what and when, gives each copy a Message-ID of its own, and
    names each member in To. Where it `hides_authors`, everything comes from the list itself. `path` is the return path,
    where the list keeps an address for bounces; without one nothing tells its mail from a person's."""

    def spread(mail: Mail) -> Iterable[Mail]:
        post = mail.parsed
        author = address_of(str(post["From"]))
        body = post.get_body(("plain",))
        text = body.get_content() if body is not None else "(no text)"
        for member in members:
            if member not in {author, mail.sender}:
                sender = f"A neighbour <{address}>" if hides_authors else str(post["From"])
                kind = "stripped list" if path else "bare list"
                yield world.write(sender, member, str(post["Subject"]), text, kind=kind, envelope=path or address)

    return spread


def robot(world: World, address: str) -> Correspondent:
    """Answers everything, and looks like a person who does."""

    def answer(mail: Mail) -> Iterable[Mail]:
        yield world.write(f"Pat <{address}>", _author(mail), _about(mail), "Thanks. What else?", kind="robot")

    return answer


def ticket_system(world: World, domain: str) -> Correspondent:
    """Opens a ticket for every mail, answers from an address of the ticket's own, and refers to nothing."""
    numbers = count(100)

    def acknowledge(mail: Mail) -> Iterable[Mail]:
        sender = f"Help desk <case.{next(numbers)}@{domain}>"
        yield world.write(
            sender, _author(mail), _about(mail), "We look into it. What class is it about?", kind="ticket"
        )

    return acknowledge


def forwarder(world: World, address: str, to: str) -> Correspondent:
    """Passes everything on as it came (RFC 5321 §3.9.1)."""

    def forward(mail: Mail) -> Iterable[Mail]:
        yield Mail(mail.sender, to, mail.raw, f"forwarded {mail.kind}")

    return forward


def resender(world: World, address: str, to: str) -> Correspondent:
    """Writes a mail of its own for every one that comes, with the text in it."""

    def send_on(mail: Mail) -> Iterable[Mail]:
        body = mail.parsed.get_body(("plain",))
        text = body.get_content() if body is not None else "(no text)"
        yield world.write(address, to, f"Fwd: {mail.parsed['Subject']}", text, kind="sent on")

    return send_on


def bouncer(world: World, address: str) -> Correspondent:
    """Nobody of that name: a report to the envelope's sender, from nobody (RFC 3464, RFC 5321 §4.5.5)."""

    def bounce(mail: Mail) -> Iterable[Mail]:
        if mail.sender:
            report = world.write(
                f"MAILER-DAEMON@{address.partition('@')[2]}",
                mail.sender,
                "Undelivered Mail Returned to Sender",
                f"<{address}>: host mx.example said: 550 5.1.1 no such user\n",
                kind="bounce",
                envelope="",
            )
            yield as_report(report, "delivery-status", f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\n")

    return bounce


def bouncer_in_words(world: World, address: str) -> Correspondent:
    """The same from the address itself, in words, with an envelope sender and no mark: as old programs do."""

    def bounce(mail: Mail) -> Iterable[Mail]:
        text = f"Sorry, your message could not be delivered.\n<{address}>: 550 5.1.1 user unknown\n"
        yield world.write(address, _author(mail), "Undeliverable: your message", text, kind="bounce in words")

    return bounce


def stand_in(to: str) -> Correspondent:
    """A colleague's mailbox passes on what its own service tells her. The gateway between keeps who, what and when, and
    the mail's name, and writes the new reader into To."""

    def pass_on(mail: Mail) -> Iterable[Mail]:
        if mail.kind == "ours: notice":
            post = mail.parsed
            for name in {each for each in post if each.lower() not in _KEPT}:
                del post[name]
            post.replace_header("To", to)
            sender = address_of(str(post["From"]))
            yield Mail(sender, to, post.as_bytes(policy=email.policy.SMTP), "passed on")

    return pass_on


def as_report(mail: Mail, about: str, for_machines: str) -> Mail:
    """The same as a report with a part for machines (RFC 6522)."""
    head, _, text = mail.raw.partition(b"\r\n\r\n")
    kept = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-"))
    parts = (("text/plain", text), (f"message/{about}", for_machines.encode()))
    body = b"".join(b"--part\r\nContent-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), part) for kind, part in parts)
    form = f'Content-Type: multipart/report; report-type={about}; boundary="part"'.encode()
    return replace(mail, raw=b"%s\r\n%s\r\n\r\n%s--part--\r\n" % (kept, form, body))


def _as_receipt(mail: Mail) -> Mail:
    return as_report(mail, "disposition-notification", "Disposition: displayed\r\n")


def _as_reply_of_a_calendar(mail: Mail) -> Mail:
    return replace(mail, raw=mail.raw.replace(b"text/plain", b"text/calendar; method=REPLY", 1))


@dataclass(frozen=True)
class Shows:
    """How a program shows that it is one; whatever is left out is as with a person's mail."""

    local: str = ""
    """What stands before the @ of its address; a name like a person's where it is empty."""
    subject: str = "about your week"
    text: str = "When is the next meeting of parents? I would like to come."
    envelope: str | None = None
    """Its return path, where that is not its address."""
    named: str | None = None
    """Whom its To field names, where that is not who gets it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    made: Callable[[Mail], Mail] = lambda mail: mail
    """What is made of the mail in the end."""


ONE_MARK: Mapping[str, Shows] = {
    "own_mail": Shows(headers={"X_Alliance_Inbox": "reply"}),
    "auto_submitted": Shows(headers={"Auto_Submitted": "auto-replied"}),
    "null_return_path": Shows(envelope=""),
    "delivery_report": Shows(made=_as_receipt),
    "bounce_in_words": Shows(
        subject="Undeliverable: your message",
        text="Sorry, your message could not be delivered.\n<kim@marked.example>: 550 5.1.1 user unknown\n",
    ),
    "precedence": Shows(headers={"Precedence": "bulk"}),
    "mailing_list": Shows(headers={"List_Id": "<parents.marked.example>"}),
    "newsletter": Shows(text="You are receiving this because you subscribed.\nClick here to unsubscribe.\n"),
    "auto_response_suppress": Shows(headers={"X_Auto_Response_Suppress": "All"}),
    "autoresponder_mark": Shows(headers={"X_Autoreply": "yes"}),
    "calendar_mail": Shows(made=_as_reply_of_a_calendar),
    "out_of_office_subject": Shows(subject="Automatic reply: our week"),
    "automatic_in_words": Shows(text="This is an automated message. We have received your mail and will write back.\n"),
    "system_sender": Shows(local="postmaster"),
    "no_reply_sender": Shows(local="no-reply"),
    "not_addressed_to_teacher": Shows(named="all-parents@marked.example"),
}
"""By the name of the guard that alone knows such a mail."""


def address_of_marked(guard: str) -> str:
    """Where the program lives that shows one mark."""
    local = ONE_MARK[guard].local or f"kim{list(ONE_MARK).index(guard)}"
    return f"{local}@marked.example"


def kind_of_marked(guard: str) -> str:
    """What the world calls its mails."""
    return f"marked: {guard}"


def write_marked(world: World, guard: str, to: str) -> Mail:
    """A mail of the program that shows one mark."""
    shows = ONE_MARK[guard]
    mail = world.write(
        address_of_marked(guard),
        to,
        shows.subject,
        shows.text,
        kind=kind_of_marked(guard),
        envelope=shows.envelope,
        named=shows.named,
        **shows.headers,
    )
    return shows.made(mail)


def marked(world: World, guard: str) -> Correspondent:
    """Answers everything, and shows in one way that it is a program."""

    def answer(mail: Mail) -> Iterable[Mail]:
        yield write_marked(world, guard, _author(mail))

    return answer


def _author(mail: Mail) -> str:
    """Whom a person's mail program answers: Reply-To before From (RFC 5322 §3.6.2)."""
    return address_of(str(mail.parsed["Reply-To"] or mail.parsed["From"]))


def _about(mail: Mail) -> str:
    subject = re.sub(r"^(?:re: ?|fwd: ?)+", "", str(mail.parsed["Subject"]), flags=re.IGNORECASE)
    return subject[:120] or "routine question"
