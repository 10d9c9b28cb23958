"""Sends a message over SMTP (RFC 5321) as a mail program does (RFC 6409), and says exactly how far it came.

The whole of it turns on one byte: until the final dot has left, the server must not deliver the message (RFC 5321
§4.1.1.4), so every failure before it is certain; after it only the server's answer tells.
"""

import base64
import contextlib
import email.parser
import email.policy
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import idna

from config.settings import SmtpServer
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    MailboxError,
    SendFailed,
    SendRejected,
    SendUncertain,
)
from connectors.server_words import server_words
from connectors.stream import BoundedStream
from connectors.tls import client_context, handshake_failed, reason

_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_ANSWER = 64 * 1024
"""Bytes that one answer of a server may have."""
_FAREWELL_SECONDS = 2.0
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BCC = re.compile(rb"^bcc[ \t]*:.*\r\n(?:[ \t].*\r\n)*", re.IGNORECASE | re.MULTILINE)
_AUTO_REPLY = re.compile(r"\s*auto-replied\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it goes over the wire: envelope and content (CRLF, no Bcc)."""

    sender: str
    """Empty for the null return path."""
    recipients: tuple[str, ...]
    content: bytes


def outgoing(mime: bytes, address: str) -> Outgoing:
    """Envelope and content of a complete message written by the owner of `address`.

    Recipients are To, Cc and Bcc. An automatic answer leaves with the null return path, so that no bounce of it can
    start a loop (RFC 3834 §3.3, RFC 5230 §5.1); everything else bounces to `address`. Raises SendRejected where nobody
    is addressed.
    """
    content = _LINE_END.sub(b"\r\n", mime)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    head, blank, body = content.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "replace")  # RFC 6532
    headers = email.parser.HeaderParser(policy=email.policy.default).parsestr(text + "\r\n\r\n")
    recipients: dict[str, None] = {}
    try:
        for name in ("To", "Cc", "Bcc"):
            for value in headers.get_all(name, []):
                recipients.update((_in_ascii_domain(each.addr_spec), None) for each in value.addresses if each.domain)
        automatic = any(_AUTO_REPLY.match(str(value)) for value in headers.get_all("Auto-Submitted", []))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise SendRejected("the draft's recipients cannot be read: discard it and write it anew") from error
    if not recipients:
        raise SendRejected("the draft names no recipient in To, Cc or Bcc")
    shown = _BCC.sub(b"", head + b"\r\n")
    return Outgoing("" if automatic else address, tuple(recipients), shown + blank[2:] + body)


@dataclass(frozen=True)
class SmtpSender:
    """The way out for one mailbox: connects anew for each message, so it keeps no state and any thread may use it."""

    server: SmtpServer
    address: str
    """The mailbox's address, envelope sender of what is not an automatic answer."""
    username: str = ""
    password: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return f"{self.server.host}:{self._port}"

    def check(self) -> str:
        """Connects and signs in, sends nothing; a sentence for `alliance doctor`. Raises what `send` would meet."""
        with self._session() as smtp:
            extensions = ", ".join(sorted(smtp.esmtp_features)) or "no extensions"
        signed_in = f"signed in as {self.username}" if self.server.authenticate else "without signing in"
        return f"Outgoing mail: {self.where} over {self.server.security}, {signed_in} ({extensions})."

    def send(self, mime: bytes) -> None:
        """Sends one complete message to the recipients in its header.

        Raises SendFailed, AuthenticationFailed or InsecureConnection where it is certainly not out, SendRejected where
        the server refused it or any recipient for good (nobody gets it then), SendUncertain where it may be out.
        """
        message = outgoing(mime, self.address)
        try:
            with self._session() as smtp:
                self._hand_over(smtp, message)
                self._finish(smtp)
        except ConnectFailed as error:
            raise SendFailed(str(error)) from error

    def _hand_over(self, smtp: smtplib.SMTP, message: Outgoing) -> None:
        try:
            self._begin(smtp, message)
            content = self._fitting(smtp, message)
            self._command(smtp, "DATA", expected=354, about="the message")
            # RFC 5321 §4.5.2: a line that begins with a dot gets another one.
            smtp.send(re.sub(rb"(?m)^\.", b"..", content))
        except (smtplib.SMTPException, OSError) as error:
            raise SendFailed(f"{self.where} hung up before the message was handed over: {reason(error)}") from error
        except ValueError as error:
            raise SendRejected(
                "the draft's addresses cannot be written in SMTP: discard it and write it anew"
            ) from error

    def _finish(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.send(b".\r\n")
            code, text = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise SendUncertain(
                f"{self.where} took the whole message and gave no answer ({reason(error)}): it may be on its way"
            ) from error
        if 200 <= code <= 299:
            return
        if 400 <= code <= 499:
            raise SendFailed(f"{self.where} did not take the message: {_said(code, text)}")
        if 500 <= code <= 599:
            raise SendRejected(f"{self.where} refused the message: {_said(code, text)}")
        raise SendUncertain(f"{self.where} took the whole message and answered with nonsense: it may be on its way")

    def _begin(self, smtp: smtplib.SMTP, message: Outgoing) -> None:
        try:
            self._address(smtp, message, message.sender)
        except SendRejected:
            if message.sender:
                raise
            # Servers that let each user send under their own address only may refuse the null one (RFC 6409 §6.1).
            self._command(smtp, "RSET", about="a second try")
            self._address(smtp, message, self.address)

    def _address(self, smtp: smtplib.SMTP, message: Outgoing, sender: str) -> None:
        options = [f"SIZE={len(message.content)}"] if smtp.has_extn("size") else []
        if not message.content.isascii() and smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")  # RFC 6152 §3
        if not all(each.isascii() for each in (sender, *message.recipients)) or _needs_utf8_header(message):
            if smtp.has_extn("smtputf8"):
                smtp.command_encoding = "utf-8"
                options.append("SMTPUTF8")  # RFC 6531 §3.4
            elif not all(each.isascii() for each in message.recipients):
                raise SendRejected(f"{self.where} cannot send to addresses with letters beyond ASCII (no SMTPUTF8)")
        self._command(smtp, " ".join((f"MAIL FROM:<{sender}>", *options)), about=f"the sender <{sender}>")
        refused: list[MailboxError] = []
        for recipient in message.recipients:
            try:
                self._command(smtp, f"RCPT TO:<{recipient}>", about=f"the recipient {recipient}")
            except (SendFailed, SendRejected) as error:
                refused.append(error)
        if refused:
            # All or nobody: what some have got already could not be sent again without doubling it for them.
            for_good = any(isinstance(error, SendRejected) for error in refused)
            raise (SendRejected if for_good else SendFailed)("; ".join(str(error) for error in refused))

    def _fitting(self, smtp: smtplib.SMTP, message: Outgoing) -> bytes:
        if message.content.isascii() or smtp.has_extn("8bitmime"):
            return message.content
        policy = email.policy.SMTP.clone(cte_type="7bit")
        content = email.parser.BytesParser(policy=policy).parsebytes(message.content).as_bytes()
        if not content.isascii():
            raise SendRejected(f"{self.where} takes only 7-bit mail, and this message cannot be written so")
        return _LINE_END.sub(b"\r\n", content)

    def _command(self, smtp: smtplib.SMTP, command: str, *, about: str, expected: int | None = None) -> None:
        smtp.putcmd(command)
        code, text = smtp.getreply()
        if code == expected or (expected is None and 200 <= code <= 299):
            return
        if 500 <= code <= 599:
            raise SendRejected(f"{self.where} refused {about}: {_said(code, text)}")
        raise SendFailed(f"{self.where} did not take {about} for now: {_said(code, text)}")

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        smtp = self._connect()
        try:
            self._sign_in(smtp)
            yield smtp
            _farewell(smtp)
        finally:
            smtp.close()

    def _connect(self) -> smtplib.SMTP:
        server = self.server
        context = client_context(server.ca_file) if server.security != "none" else None
        # The greeting's name: the mailbox's domain, since this machine's own name is nobody's business.
        name = self.address.rpartition("@")[2]
        name = name if name.isascii() and name else "[127.0.0.1]"
        smtp: smtplib.SMTP
        try:
            if server.security == "tls":
                smtp = _BoundedTls(server.host, self._port, name, timeout=server.timeout_seconds, context=context)
            else:
                smtp = _Bounded(server.host, self._port, name, timeout=server.timeout_seconds)
        except smtplib.SMTPException as error:
            raise ConnectFailed(f"{self.where} does not take mail now: {reason(error)}") from error
        except OSError as error:
            raise handshake_failed(self.where, error) from error
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                self._start_tls(smtp, context)
        except (smtplib.SMTPException, OSError) as error:
            smtp.close()
            if isinstance(error, ssl.SSLError):
                raise handshake_failed(self.where, error) from error
            raise ConnectFailed(f"{self.where} does not take mail now: {reason(error)}") from error
        except MailboxError:
            smtp.close()
            raise
        return smtp

    def _start_tls(self, smtp: smtplib.SMTP, context: ssl.SSLContext | None) -> None:
        if not smtp.has_extn("starttls"):
            raise InsecureConnection(
                f'{self.where} offers no STARTTLS: try security = "tls" with port 465, or ask its administrator'
            )
        smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()

    def _sign_in(self, smtp: smtplib.SMTP) -> None:
        if not self.server.authenticate:
            return
        if self.password is None:
            raise AuthenticationFailed(f"no password is set for {self.username} at {self.where}")
        offered = str(smtp.esmtp_features.get("auth", "")).upper().split()
        try:
            code, _ = self._offer_password(smtp, offered, self.password)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # Not chained: what smtplib keeps of a failed sign-in holds the password.
            raise SendFailed(f"{self.where} hung up while signing in ({error.__class__.__name__})") from None
        if code == 235:
            return
        if 400 <= code <= 499:
            raise SendFailed(f"{self.where} cannot sign {self.username} in for now ({code})")
        raise AuthenticationFailed(
            f"{self.where} refused the sign-in of {self.username} ({code}): check user name and password, and whether "
            "the account may send over SMTP"
        )

    def _offer_password(self, smtp: smtplib.SMTP, offered: list[str], password: str) -> tuple[int, bytes]:
        if "PLAIN" in offered:  # RFC 4954 §4, RFC 4616; UTF-8 is what smtplib's own sign-in cannot
            return smtp.docmd("AUTH", "PLAIN " + _base64(f"\0{self.username}\0{password}"))
        if "LOGIN" in offered:
            code, text = smtp.docmd("AUTH", "LOGIN " + _base64(self.username))
            return smtp.docmd(_base64(password)) if code == 334 else (code, text)
        if "CRAM-MD5" in offered:
            try:
                return smtp.login(self.username, password)
            except smtplib.SMTPResponseException as error:
                return error.smtp_code, b""
        hint = "try security = starttls or tls" if self.server.security == "none" else "set authenticate = false"
        raise AuthenticationFailed(f"{self.where} offers no sign-in with a password: {hint}")

    @property
    def _port(self) -> int:
        return self.server.port or _PORTS[self.server.security]


class _Bounded(smtplib.SMTP):
    """smtplib with bounds on the size and the time of an answer."""

    file: BoundedStream | None
    sock: socket.socket

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = BoundedStream(self.sock, float(self.timeout))
        self.file.allow(_ANSWER)
        return super().getreply()


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    pass


def _farewell(smtp: smtplib.SMTP) -> None:
    # RFC 5321 §4.1.1.10 asks for QUIT; whatever comes of it, the message's fate is known.
    with contextlib.suppress(smtplib.SMTPException, OSError):
        stream = getattr(smtp, "file", None)
        if isinstance(stream, BoundedStream):
            stream.seconds = min(stream.seconds, _FAREWELL_SECONDS)
        smtp.quit()


def _in_ascii_domain(address: str) -> str:
    # A domain in its ASCII form needs no SMTPUTF8 on the way. By IDNA 2008 (RFC 5891): Python's own codec, of 2003,
    # would send mail for größe.example to grösse.example, which is somebody else's.
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except UnicodeError as error:
        raise SendRejected(f"the recipient {address} has no valid domain") from error


def _needs_utf8_header(message: Outgoing) -> bool:
    return not message.content.partition(b"\r\n\r\n")[0].isascii()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _said(code: int, text: bytes) -> str:
    return f"{code} {server_words(text.decode('utf-8', 'replace'))}".strip()
