"""A real SMTP server for a test: keeps every message that really arrived, passes it on to LMTP, fails on demand."""

import asyncio
import smtplib
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from config.settings import Security, SmtpServer
from tests.servers.certificates import Certificates
from tests.servers.required import free_ports

Stage = Literal["mail", "rcpt", "data", "end"]
"""Where in the dialogue something is scripted: at MAIL, at RCPT, at DATA, or after the final dot."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message that the server took: envelope sender ("" for the null sender), recipients, content."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    options: tuple[str, ...] = ()
    """Parameters of MAIL FROM, e.g. SMTPUTF8 and BODY=8BITMIME."""


@dataclass
class SmtpSink:
    """One SMTP server. `running` is the way to make one."""

    username: str | None = None
    """With a password, signing in is demanded."""
    password: str | None = None
    certificates: Certificates | None = None
    security: Security = "none"
    smtputf8: bool = True
    eight_bit: bool = True
    """Whether it offers 8BITMIME (RFC 6152); without, it refuses everything but ASCII."""
    folder: Path | None = None
    """Where every message is also kept as a numbered file, for tests that outlive this process."""
    lmtp: tuple[str, int] | None = None
    """Where every message is passed on to."""
    then: Callable[[Arrived], None] | None = None
    """What else the server does with a message, before it answers."""
    arrived: list[Arrived] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Every command that clients sent, without passwords."""
    port: int = 0
    _script: dict[tuple[Stage, str], str] = field(default_factory=dict)
    _arrival: threading.Condition = field(default_factory=threading.Condition)
    _controller: Controller | None = None

    def say(self, stage: Stage, answer: str, *, about: str = "") -> None:
        """From now on this answer is given at `stage`: a reply such as "451 4.3.0 later", or "close" to hang up, or
        "hang" to say nothing until the client goes. `about` restricts it to one address ("<>" for the null sender)."""
        self._script[stage, about] = answer

    def behave(self) -> None:
        """Forgets every `say`."""
        self._script.clear()

    def settings(self, **more: Any) -> SmtpServer:
        """Settings for this server, with the tests' own authority."""
        values: dict[str, Any] = {
            "host": "127.0.0.1" if self.security == "none" else "localhost",
            "port": self.port,
            "security": self.security,
            "allow_insecure": self.security == "none",
            "ca_file": self.certificates.authority if self.certificates else None,
            "authenticate": self.username is not None,
        }
        return SmtpServer.model_validate(values | more)

    def wait_for(self, count: int, seconds: float = 30) -> list[Arrived]:
        """Waits until at least `count` messages have arrived, and returns all."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.arrived) >= count, seconds):
                raise TimeoutError(f"{len(self.arrived)} of {count} messages arrived")
            return list(self.arrived)

    def start(self) -> None:
        """Starts it, on the same port as before if it ran before."""
        self.port = self.port or free_ports(1)[0]
        context = None
        if self.certificates is not None and self.security != "none":
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        self._controller = _Controller(
            _Handler(self),
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=context if self.security == "tls" else None,
            enable_SMTPUTF8=self.smtputf8,
            decode_data=not self.eight_bit,
            tls_context=context if self.security == "starttls" else None,
            require_starttls=self.security == "starttls",
            authenticator=self._authenticate if self.username is not None else None,
            auth_required=self.username is not None,
            auth_require_tls=False,
            data_size_limit=64 * 1024 * 1024,
        )
        self._controller.start()

    def stop(self) -> None:
        """Stops it; connections are closed."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def answer(self, stage: Stage, *about: str) -> str | None:
        """What was scripted for `stage` and one of these addresses, or for all."""
        return next((self._script[stage, who] for who in (*about, "") if (stage, who) in self._script), None)

    def take(self, envelope: Envelope) -> None:
        """Keeps a message, and passes it on."""
        content = envelope.original_content or b""
        message = Arrived(
            (envelope.mail_from or "").strip("<>"), tuple(envelope.rcpt_tos), content, tuple(envelope.mail_options)
        )
        with self._arrival:
            if self.folder is not None:
                name = self.folder / f"{len(list(self.folder.iterdir())):06}.eml"
                name.write_bytes(content)
            self.arrived.append(message)
            self._arrival.notify_all()
        if self.then is not None:
            self.then(message)
        if self.lmtp is not None:
            with smtplib.LMTP(*self.lmtp, local_hostname="localhost", timeout=30) as lmtp:
                for recipient in message.recipients:  # LMTP answers once for each, smtplib reads one answer
                    lmtp.sendmail(message.sender, [recipient], content)

    def _authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        right = (
            isinstance(given, LoginPassword)
            and given.login.decode() == self.username
            and given.password.decode() == self.password
        )
        return AuthResult(success=right, handled=False)


class _Controller(Controller):
    def factory(self) -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # signing in without TLS is what some tests are about
            return _Server(self.handler, **self.SMTP_kwargs)


class _Server(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        answer = self.event_handler.sink.answer("data")
        if answer is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(await _answered(self, answer))


class _Handler:
    def __init__(self, sink: SmtpSink) -> None:
        self.sink = sink

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str) -> str:  # noqa: N802 - aiosmtpd's name
        self.sink.said.append(f"EHLO {hostname}")
        session.host_name = hostname
        return "250 HELP"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        sender = "" if address == "<>" else address
        self.sink.said.append(f"MAIL FROM:<{sender}>")
        answer = self.sink.answer("mail", sender or "<>")
        if answer is not None:
            return await _answered(server, answer)
        envelope.mail_from = address  # for aiosmtpd nothing would mean that no MAIL came
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.sink.said.append(f"RCPT TO:<{address}>")
        answer = self.sink.answer("rcpt", address, envelope.mail_from or "<>")
        if answer is not None:
            return await _answered(server, answer)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.sink.answer("end")
        if answer is not None and answer.startswith("after "):
            # The message is taken, and then the answer is lost: the case that nobody can tell from a refusal.
            await asyncio.to_thread(self.sink.take, envelope)
            answer = answer.removeprefix("after ")
        if answer is not None:
            return await _answered(server, answer)
        await asyncio.to_thread(self.sink.take, envelope)
        return "250 OK"


async def _answered(server: SMTP, answer: str) -> str:
    if answer == "close" and server.transport is not None:
        server.transport.abort()
    if answer in ("close", "hang"):
        await asyncio.Future()  # until the connection is gone, which cancels this
    return answer


@contextmanager
def running(**options: Any) -> Iterator[SmtpSink]:
    """An SMTP server that runs as long as the block; `options` are the fields of `SmtpSink`."""
    sink = SmtpSink(**options)
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()
