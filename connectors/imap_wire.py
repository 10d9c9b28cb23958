"""The wire of IMAP: IMAPClient within bounds of size and time, signed in over TLS, and every failure named.

IMAPClient does the talking; our own is the reading, so that no server can fill the memory, and the commands of which
imaplib or IMAPClient ask more than servers give.
"""

import imaplib
import re
import ssl
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

from config.settings import ImapServer
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    MailboxError,
)
from connectors.server_words import server_words
from connectors.stream import BoundedStream
from connectors.tls import client_context, handshake_failed, reason

_SMALL_ANSWER = 16 * 1024 * 1024
"""Bytes that an answer without messages may have: room for the numbers of a million messages."""
_PORTS = {"tls": 993, "starttls": 143, "none": 143}
CHANGES = frozenset({"EXISTS", "EXPUNGE", "FETCH", "VANISHED"})
"""Untagged answers by which a server tells that the open folder has changed."""
GARBAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError, ArithmeticError)
"""What parsers raise over an answer that is no IMAP."""
_TEMPORARY = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\b", re.IGNORECASE)
_PRIVACY = re.compile(r"\[PRIVACYREQUIRED\b", re.IGNORECASE)


class _Bounded(imaplib.IMAP4):
    """imaplib with its reading replaced: `read` and `readline` are its documented points for that."""

    stream: BoundedStream | None = None
    allowance = _SMALL_ANSWER
    _timeout: float | None

    def read(self, size: int) -> bytes:
        return self._bounded().read(size)

    def readline(self) -> bytes:
        return self._bounded().readline()

    def open_folder(self, name: str) -> None:
        """SELECT, read-only folders too (imaplib's own breaks off where a folder turns out to be read-only)."""
        self.is_readonly = True
        self.state = "AUTH"
        kind, told = self._simple_command("SELECT", name)
        if kind != "OK":
            raise self.error(str(told[0], "ascii", "replace") if told and told[0] else "refused")
        self.state = "SELECTED"

    def fetch_pieces(self, *command: str) -> tuple[bool, list[Any]]:
        """(UID) FETCH: whether the server had everything, and what it gave even where it had not."""
        kind, _ = self._command_complete("FETCH", self._command(*command))
        return kind == "OK", self.untagged_responses.pop("FETCH", [])

    def begin_idle(self) -> tuple[bytes, bool]:
        """Enters IDLE (RFC 2177): the command's tag, and whether the server told of a change on the way in."""
        tag: bytes = self._command("IDLE")
        while self._get_response() is not None:
            if self.tagged_commands[tag]:
                raise self.error(f"IDLE was refused: {self.tagged_commands.pop(tag)}")
        return tag, not CHANGES.isdisjoint(self.untagged_responses)

    def end_idle(self, tag: bytes) -> None:
        """Leaves IDLE."""
        self.send(b"DONE\r\n")
        self._command_complete("IDLE", tag)

    def _bounded(self) -> BoundedStream:
        if self.stream is None or self.stream.sock is not self.sock:
            # New after STARTTLS too: what came before it in clear must not count as said under TLS.
            self.stream = BoundedStream(self.sock, self._timeout or 30.0)
            self.stream.allow(self.allowance)
        return self.stream


class _Plain(_Bounded, IMAP4WithTimeout):  # type: ignore[misc]
    pass


class _Tls(_Bounded, IMAP4_TLS):  # type: ignore[misc]
    pass


class Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient on the bounded wire."""

    _imap: _Bounded

    def __init__(self, server: ImapServer, context: ssl.SSLContext | None) -> None:
        """Connects. Raises what sockets and imaplib raise."""
        super().__init__(
            server.host,
            port_of(server),
            ssl=server.security == "tls",
            ssl_context=context,
            timeout=server.timeout_seconds,
        )
        # IMAPClient turns imaplib's tracing on, which costs more than all the rest and shows what people write.
        self._imap.debug = 0
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - IMAPClient's name
        if self.ssl:
            return _Tls(self.host, self.port, self.ssl_context, self._timeout.read)  # type: ignore[call-arg]
        return _Plain(self.host, self.port, self._timeout.read)

    @property
    def line_waits(self) -> bool:
        """Whether a line was received that nobody has read."""
        return self._imap.stream is not None and self._imap.stream.buffered

    def receive(self) -> None:
        """Takes in what the socket has, without waiting for a whole line."""
        if self._imap.stream is None or not self._imap.stream.receive_now():
            raise imaplib.IMAP4.abort("the server hung up")

    def next_line(self) -> bytes:
        """The next line of the server, as in IDLE."""
        self.allow()
        return self._imap.readline()

    def allow(self, size: int = _SMALL_ANSWER) -> None:
        """The next answer may have `size` bytes. Forgets what unasked answers have left behind."""
        if self._imap.stream is not None:
            self._imap.stream.allow(size)
        bye = self._imap.untagged_responses.pop("BYE", None)
        self._imap.untagged_responses.clear()
        if bye is not None:
            self._imap.untagged_responses["BYE"] = bye

    def hurry(self, seconds: float) -> None:
        """From here on an answer may take no longer than this."""
        if self._imap.stream is not None:
            self._imap.stream.seconds = min(seconds, self._imap.stream.seconds)

    def open_folder(self, name: str) -> dict[bytes, Any]:
        """SELECT. The answer's items by name; HIGHESTMODSEQ is absent after NOMODSEQ."""
        self.allow()
        self._imap.open_folder(self._normalise_folder(name))
        return dict(self._process_select_response(self._imap.untagged_responses))

    def fetch_pieces(self, numbers: str, items: str, *, uid: bool, size: int) -> tuple[bool, list[Any]]:
        """(UID) FETCH without IMAPClient's lexer, which reads letter by letter: whether the server had everything, and
        its answer as imaplib splits it: lines, and pairs of a line and the literal behind it. `size` bounds it."""
        self.allow(size)
        return self._imap.fetch_pieces(*(("UID", "FETCH") if uid else ("FETCH",)), numbers, items)

    def begin_idle(self) -> tuple[bytes, bool]:
        """Enters IDLE: the command's tag, and whether the server told of a change on the way in."""
        self.allow()
        return self._imap.begin_idle()

    def end_idle(self, tag: bytes) -> None:
        """Leaves IDLE."""
        self.allow()
        self._imap.end_idle(tag)

    def told(self, name: str) -> list[bytes]:
        """Untagged answers of the last command by name, e.g. VANISHED."""
        pieces = self._imap.untagged_responses.pop(name, [])
        return [piece for piece in pieces if isinstance(piece, bytes)]


def port_of(server: ImapServer) -> int:
    """The port of `server`, the usual one where none is set."""
    return server.port or _PORTS[server.security]


def where(server: ImapServer) -> str:
    """Host and port, for people."""
    return f"{server.host}:{port_of(server)}"


def sign_in(server: ImapServer, username: str, password: str | None) -> Client:
    """A client that is connected, over TLS as `server` demands, and signed in.

    Raises ConnectFailed, InsecureConnection, AuthenticationFailed. No error holds the password.
    """
    if password is None:
        raise AuthenticationFailed(f"no password is set for {username} at {where(server)}")
    context = client_context(server.ca_file) if server.security != "none" else None
    try:
        client = Client(server, context)
    except imaplib.IMAP4.error as error:
        raise ConnectFailed(f"{where(server)} does not greet as an IMAP server: {words(error)}") from error
    except OSError as error:
        raise handshake_failed(where(server), error) from error
    except GARBAGE as error:
        raise ConnectFailed(f"{where(server)} does not greet as an IMAP server") from error
    try:
        _secure(client, server, context)
        _authenticate(client, server, username, password)
    except BaseException:
        shut(client)
        raise
    return client


def shut(client: Client) -> None:
    """Closes the socket, whatever state it is in."""
    with suppress(OSError, imaplib.IMAP4.error, *GARBAGE):
        client.shutdown()
    with suppress(OSError, *GARBAGE):
        client.socket().close()


def _secure(client: Client, server: ImapServer, context: ssl.SSLContext | None) -> None:
    if server.security != "starttls":
        return
    try:
        if not client.has_capability("STARTTLS"):
            raise InsecureConnection(
                f'{where(server)} offers no STARTTLS: try security = "tls" with port 993, or ask its administrator'
            )
        client.allow()
        client.starttls(context)
    except OSError as error:
        raise handshake_failed(where(server), error) from error
    except (imaplib.IMAP4.error, *GARBAGE) as error:
        raise InsecureConnection(f"{where(server)} announces STARTTLS and does not do it: nothing was sent") from error


def _authenticate(client: Client, server: ImapServer, username: str, password: str) -> None:
    _may_sign_in(client, server)
    refused: MailboxError | None = None
    try:
        client.allow()
        if client.has_capability("AUTH=PLAIN"):  # RFC 4616: user names and passwords in any script
            client.plain_login(username, password)
        else:
            client.login(username, password)
    except (imaplib.IMAP4.abort, OSError) as error:
        refused = ConnectFailed(f"{where(server)} hung up while signing in ({error.__class__.__name__})")
    except imaplib.IMAP4.error as error:
        # IMAPClient calls everything a refused login; a connection that broke must not look like a wrong password.
        broke = isinstance(error.__context__, imaplib.IMAP4.abort)
        hung_up = ConnectFailed(f"{where(server)} hung up while signing in")
        refused = hung_up if broke else _refusal(str(error), server, username)
    except UnicodeError:
        refused = AuthenticationFailed(f"{where(server)} takes only ASCII in user names and passwords")
    except GARBAGE as error:
        refused = ConnectFailed(f"{where(server)} answers the sign-in with nonsense ({error.__class__.__name__})")
    if refused is not None:
        raise refused  # outside the handlers: what they caught may hold the password


def _may_sign_in(client: Client, server: ImapServer) -> None:
    try:
        offered = frozenset(name.upper() for name in client.capabilities())
    except (imaplib.IMAP4.error, OSError, *GARBAGE) as error:
        raise ConnectFailed(f"{where(server)} does not say what it can do ({words(error)})") from error
    if b"LOGINDISABLED" in offered and b"AUTH=PLAIN" not in offered:  # RFC 3501 §6.2.3
        hint = 'set security = "tls" or "starttls"' if server.security == "none" else "it wants another kind of sign-in"
        raise InsecureConnection(f"{where(server)} takes no password on this connection (LOGINDISABLED): {hint}")
    if b"UTF8=ONLY" in offered:
        raise ConnectFailed(f"{where(server)} speaks only UTF8=ONLY (RFC 6855), which this connector does not")


def _refusal(told: str, server: ImapServer, username: str) -> MailboxError:
    # Response codes of RFC 5530 §3. The server's own words are left out: it was told the password, and may repeat it.
    if _TEMPORARY.search(told):
        return ConnectFailed(f"{where(server)} cannot sign {username} in for now")
    if _PRIVACY.search(told):
        return InsecureConnection(f"{where(server)} wants TLS before a password: set security = tls")
    return AuthenticationFailed(
        f"{where(server)} refused the sign-in of {username}: check user name and password, and whether the account may "
        "use IMAP"
    )


def words(error: BaseException) -> str:
    """An error in a few printable words."""
    if isinstance(error, imaplib.IMAP4.error):
        return server_words(str(error))
    text = reason(error)
    return "".join(c if c.isprintable() else " " for c in text)[:300]
