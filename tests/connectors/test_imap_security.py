"""Who we talk to, and what they may do to us: TLS, sign-in, and servers that answer with anything at all."""

import re
import tracemalloc
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract.mails import family_mail, reply, reply_id
from connectors.contract.reader import Reader
from connectors.errors import AuthenticationFailed, ConnectFailed, InsecureConnection, MailboxError
from connectors.imap import ImapMailbox
from connectors.labels import Label
from tests.servers import dovecot, imap_proxy
from tests.servers.certificates import make_certificates
from tests.servers.dovecot import Dovecot
from tests.servers.imap_proxy import ImapProxy

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(4)]
SECRET = "gründlich geheim 密"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running(users=USERS, storage=dovecot.MDBOX, password=SECRET) as server:
        yield server


@pytest.fixture
def proxy(server: Dovecot) -> Iterator[ImapProxy]:
    with imap_proxy.running(server.ports[0]) as proxy:
        yield proxy


def seen_in(error: BaseException) -> str:
    """All that a log could show of an error."""
    text, chain = "", error
    while chain is not None:
        text += repr(chain) + str(chain) + repr(vars(chain))
        chain = chain.__cause__ or chain.__context__
    return text


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_with_the_schools_own_authority_and_any_letters_in_the_password(server: Dovecot, security: str) -> None:
    mailbox = ImapMailbox(USERS[0], server.imap(security), password=SECRET)
    server.deliver(family_mail(1, USERS[0]), to=USERS[0])
    assert len(Reader(mailbox).sync()) >= 1
    assert any(security in fact for fact in mailbox.check())
    mailbox.close()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_of_another_authority_is_refused(server: Dovecot, security: str, tmp_path: Path) -> None:
    other = make_certificates(tmp_path).authority
    for authority in (other, None):
        with pytest.raises(InsecureConnection, match="does not verify") as told:
            ImapMailbox(USERS[0], server.imap(security, ca_file=authority), password=SECRET).changes(None)
        assert not told.value.transient


def test_a_certificate_for_another_name_is_refused(server: Dovecot) -> None:
    settings = server.imap("tls", host="127.1")  # the same machine under a name the certificate lacks
    with pytest.raises(InsecureConnection, match="does not verify"):
        ImapMailbox(USERS[0], settings, password=SECRET).changes(None)


def test_an_authority_that_cannot_be_read_is_named(server: Dovecot, tmp_path: Path) -> None:
    with pytest.raises(InsecureConnection, match=r"lost\.pem"):
        ImapMailbox(USERS[0], server.imap("tls", ca_file=tmp_path / "lost.pem"), password=SECRET).check()


def test_a_plain_server_is_refused_where_tls_is_demanded(server: Dovecot) -> None:
    with pytest.raises(InsecureConnection):
        ImapMailbox(USERS[0], server.imap("tls", port=server.ports[0]), password=SECRET).check()


@pytest.mark.parametrize("attack", [(b" STARTTLS", b""), (b"OK Begin TLS", b"NO later"), (b"* OK", b"* PREAUTH")])
def test_no_password_is_sent_where_somebody_prevents_starttls(proxy: ImapProxy, attack: tuple[bytes, bytes]) -> None:
    proxy.rewrite = lambda line: line.replace(*attack)
    wanted = proxy.settings(security="starttls", allow_insecure=False)
    with pytest.raises(InsecureConnection):
        ImapMailbox(USERS[0], wanted, password=SECRET).check()
    assert not any(re.search(rb"LOGIN|AUTHENTICATE", line) for line in proxy.said)


def test_a_server_that_takes_no_password_in_clear_is_told_apart(proxy: ImapProxy) -> None:
    proxy.rewrite = lambda line: re.sub(rb"AUTH=\S+ AUTH=\S+", b"LOGINDISABLED", line)
    with pytest.raises(InsecureConnection, match="LOGINDISABLED"):
        ImapMailbox(USERS[0], proxy.settings(), password=SECRET).check()
    assert not any(re.search(rb"LOGIN|AUTHENTICATE", line) for line in proxy.said)


@pytest.mark.parametrize("offer", [rb"", rb" AUTH=PLAIN AUTH=LOGIN"])
def test_a_wrong_password_parks_the_mailbox_and_is_shown_nowhere(
    proxy: ImapProxy, offer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    wrong = "very wrong indeed"
    proxy.rewrite = lambda line: line.replace(offer, b"") if offer else line
    mailbox = ImapMailbox(USERS[0], proxy.settings(), password=wrong)
    with pytest.raises(AuthenticationFailed) as told:
        mailbox.changes(None)
    assert not told.value.transient
    with pytest.raises(AuthenticationFailed, match="password"):
        ImapMailbox(USERS[0], proxy.settings()).changes(None)
    assert wrong not in seen_in(told.value) + repr(mailbox) + repr(vars(mailbox)) + caplog.text


@pytest.mark.parametrize(
    "change",
    [
        (b"NO [AUTHENTICATIONFAILED]", b"NO [UNAVAILABLE]"),
        (b"* OK [CAPABILITY", b"* BYE too many connections [CAPABILITY"),
    ],
)
def test_a_server_that_cannot_sign_anybody_in_for_now_is_tried_again(
    proxy: ImapProxy, change: tuple[bytes, bytes]
) -> None:
    proxy.rewrite = lambda line: line.replace(*change)
    with pytest.raises(ConnectFailed) as told:
        ImapMailbox(USERS[0], proxy.settings(), password="wrong").check()
    assert told.value.transient


def test_a_line_that_breaks_while_signing_in_is_no_wrong_password(proxy: ImapProxy) -> None:
    proxy.hang_up_on = re.compile(rb"AUTHENTICATE")
    with pytest.raises(ConnectFailed) as told:
        ImapMailbox(USERS[0], proxy.settings(), password=SECRET).check()
    assert told.value.transient


def test_a_server_that_repeats_the_password_does_not_get_it_into_an_error(proxy: ImapProxy) -> None:
    wrong = "very-wrong-indeed"
    proxy.rewrite = lambda line: line.replace(b"Authentication failed.", b"no, not " + wrong.encode())
    with pytest.raises(AuthenticationFailed) as told:
        ImapMailbox(USERS[0], proxy.settings(), password=wrong).check()
    assert wrong not in str(told.value)


@pytest.mark.parametrize(
    "bomb",
    [
        b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n",
        b"* 1 FETCH (UID 1 BODY[]<0> {-5}\r\n",
        b"* " + b"x" * (40 * 1024 * 1024),
        b"* 1 FETCH (UID 99999999999999999999 FLAGS (" + b"(" * 10_000 + b"\r\n",
        b'* 1 FETCH (UID 1 RFC822.SIZE -1 INTERNALDATE "99-Foo-0000 99:99:99 +9999" FLAGS ())\r\n',
    ],
)
def test_an_answer_that_never_ends_fills_no_memory_and_sets_at_most_its_message_aside(
    server: Dovecot, proxy: ImapProxy, bomb: bytes
) -> None:
    server.deliver(family_mail(1, USERS[1]), to=USERS[1])
    proxy.rewrite = lambda line: bomb if re.match(rb"\* \d+ FETCH", line) else line
    mailbox = ImapMailbox(USERS[1], proxy.settings(timeout_seconds=0.5), password=SECRET)
    tracemalloc.start()
    try:
        page = mailbox.changes(None)
    except MailboxError:
        page = None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert page is None or not any(message.raw for message in page.messages)
    assert peak < 10 * 1024 * 1024


GARBAGE = st.one_of(
    st.binary(max_size=60).map(lambda junk: junk + b"\r\n"),
    st.sampled_from(
        [
            b"",
            b"* OK [UIDVALIDITY -1] x\r\n",
            b"* OK [HIGHESTMODSEQ 99999999999999999999] x\r\n",
            b"* 4294967295 EXISTS\r\n",
            b"* VANISHED (EARLIER) 1:4294967295\r\n",
            b"* SEARCH 1 2 3 x\r\n",
            b"* SEARCH 4294967296\r\n",
            b'* LIST (\\Sent) "/" ' + b"(" * 3000 + b"\r\n",
            b"* STATUS Sent (UIDNEXT 5 UIDVALIDITY x)\r\n",
            b"* 7 FETCH (UID 7 FLAGS (AllianceUrgent) MODSEQ (x))\r\n",
            b"* 1 FETCH (UID 1 BODY[]<0> {3}\r\nabc)\r\n",
            b"* BYE\r\n",
            b"+ \r\n",
        ]
    ),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40), GARBAGE, st.booleans())
def test_whatever_a_server_says_it_ends_in_an_answer_or_a_mailbox_error(
    server: Dovecot, proxy: ImapProxy, at: int, garbage: bytes, instead: bool
) -> None:
    lines = count()
    proxy.rewrite = lambda line: (garbage if instead else garbage + line) if next(lines) == at else line
    mailbox = ImapMailbox(USERS[2], proxy.settings(timeout_seconds=0.15), password=SECRET)
    calls = (
        lambda: mailbox.changes(None),
        lambda: mailbox.tag("INBOX/1/1", frozenset({Label.URGENT})),
        lambda: mailbox.save_draft(reply(1, USERS[2])),
        lambda: mailbox.draft_state("", reply_id(1)),
        lambda: mailbox.wait(0),
    )
    for call in calls:
        try:
            call()
        except MailboxError:
            continue
    mailbox.close()
