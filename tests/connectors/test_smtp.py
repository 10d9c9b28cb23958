"""Sending over SMTP: how far it came is always known, and nothing goes out that should not."""

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.mails import reply
from connectors.errors import (
    AuthenticationFailed,
    InsecureConnection,
    MailboxError,
    SendFailed,
    SendRejected,
    SendUncertain,
)
from connectors.smtp import SmtpSender, outgoing
from tests.servers import smtp_sink
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.smtp_sink import SmtpSink

ADDRESS = "rivera@maple.example"
FAMILY = "mia.okafor@family.example"
SECRET = "gründlich geheim 密"


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with smtp_sink.running() as sink:
        yield sink


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def sender(sink: SmtpSink, *, password: str | None = None, **settings: object) -> SmtpSender:
    return SmtpSender(sink.settings(**settings), ADDRESS, "rivera", password)


def mail(body: str = "Hello.\n", **fields: str) -> bytes:
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    for name, value in ({"From": ADDRESS, "To": FAMILY, "Subject": "Re: Question"} | fields).items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


@pytest.mark.parametrize(
    ("stage", "answer", "error", "arrived"),
    [
        ("mail", "451 4.3.0 later", SendFailed, 0),
        ("mail", "550 5.7.1 no", SendRejected, 0),
        ("mail", "421 4.3.2 closing", SendFailed, 0),
        ("mail", "close", SendFailed, 0),
        ("mail", "hang", SendFailed, 0),
        ("rcpt", "450 4.2.1 greylisted", SendFailed, 0),
        ("rcpt", "550 5.1.1 unknown", SendRejected, 0),
        ("rcpt", "close", SendFailed, 0),
        ("data", "451 4.3.0 later", SendFailed, 0),
        ("data", "554 5.6.0 no", SendRejected, 0),
        ("data", "close", SendFailed, 0),
        ("data", "hang", SendFailed, 0),
        ("end", "451 4.3.0 later", SendFailed, 0),
        ("end", "554 5.7.1 spam", SendRejected, 0),
        ("end", "close", SendUncertain, 0),
        ("end", "after close", SendUncertain, 1),
        ("end", "after hang", SendUncertain, 1),
        ("end", "¿?", SendUncertain, 0),
        ("end", "after 199 odd", SendUncertain, 1),
    ],
)
def test_every_failure_says_whether_the_message_may_be_out(
    sink: SmtpSink, stage: smtp_sink.Stage, answer: str, error: type[MailboxError], arrived: int
) -> None:
    sink.say(stage, answer)
    with pytest.raises(MailboxError) as told:
        sender(sink, timeout_seconds=0.4 if "hang" in answer else 30).send(reply(1, ADDRESS))
    assert type(told.value) is error
    assert len(sink.arrived) == arrived
    sink.behave()
    sender(sink).send(reply(1, ADDRESS))
    assert len(sink.arrived) == arrived + 1


def test_a_server_that_is_not_there_means_that_nothing_is_out(sink: SmtpSink) -> None:
    away = sender(sink)
    sink.stop()
    with pytest.raises(SendFailed) as told:
        away.send(reply(1, ADDRESS))
    assert told.value.transient


def test_who_was_refused_is_named_and_nobody_else_gets_it(sink: SmtpSink) -> None:
    sink.say("rcpt", "550 5.1.1 unknown", about="gone@family.example")
    with pytest.raises(SendRejected, match=r"gone@family\.example"):
        sender(sink).send(mail(Cc="gone@family.example, aunt@family.example"))
    assert sink.arrived == []
    sink.say("rcpt", "451 4.2.1 later", about="gone@family.example")
    with pytest.raises(SendFailed, match=r"gone@family\.example"):
        sender(sink).send(mail(Cc="gone@family.example"))
    assert sink.arrived == []


def test_to_cc_and_bcc_get_it_and_nobody_sees_bcc(sink: SmtpSink) -> None:
    folded = mail(Cc="aunt@family.example").replace(
        b"Subject:", b"Bcc: a@family.example,\r\n b@family.example\r\nSubject:"
    )
    sender(sink).send(folded)
    (arrived,) = sink.arrived
    assert set(arrived.recipients) == {FAMILY, "aunt@family.example", "a@family.example", "b@family.example"}
    assert b"\nbcc:" not in arrived.content.lower()
    assert b"a@family.example" not in arrived.content
    assert arrived.content.count(b"Subject: Re: Question\r\n") == 1


def test_an_automatic_answer_has_the_null_return_path_and_other_mail_the_teachers(sink: SmtpSink) -> None:
    sender(sink).send(mail(Auto_Submitted="auto-replied"))
    sender(sink).send(mail(Auto_Submitted="auto-generated"))
    sender(sink).send(mail())
    assert [message.sender for message in sink.arrived] == ["", ADDRESS, ADDRESS]


@pytest.mark.parametrize("stage", ["mail", "rcpt"])
def test_a_server_that_refuses_the_null_return_path_gets_the_teachers(sink: SmtpSink, stage: smtp_sink.Stage) -> None:
    sink.say(stage, "553 5.7.1 sender not owned by user", about="<>")
    sender(sink).send(mail(Auto_Submitted="auto-replied"))
    assert [message.sender for message in sink.arrived] == [ADDRESS]


def test_a_recipient_that_is_refused_under_either_return_path_is_refused(sink: SmtpSink) -> None:
    sink.say("rcpt", "550 5.1.1 unknown")
    with pytest.raises(SendRejected, match="mia"):
        sender(sink).send(mail(Auto_Submitted="auto-replied"))
    assert sink.arrived == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([".", "..", ".x", "", "x" * 990, "QUIT", "\x00", "é"]), max_size=8), st.booleans())
def test_every_body_arrives_as_it_was_written(lines: list[str], bare: bool) -> None:
    end = "\n" if bare else "\r\n"
    body = end.join(["MIME-Version: 1.0", f"To: {FAMILY}", "", *lines]).encode()
    with smtp_sink.running() as sink:
        sender(sink).send(body)
        (arrived,) = sink.arrived
    assert arrived.content.replace(b"\r\n", b"\n").rstrip(b"\n") == body.replace(b"\r\n", b"\n").rstrip(b"\n")


def test_a_bare_carriage_return_cannot_smuggle_a_second_message(sink: SmtpSink) -> None:
    smuggled = b"\r.\rMAIL FROM:<x@evil.example>\rRCPT TO:<y@evil.example>\rDATA\r\nhi\n.\r\n"
    sender(sink).send(mail() + smuggled)
    (arrived,) = sink.arrived
    assert arrived.sender == ADDRESS
    assert [line for line in sink.said if line.startswith("MAIL")] == [f"MAIL FROM:<{ADDRESS}>"]


def test_letters_beyond_ascii_in_an_address_need_and_use_smtputf8(sink: SmtpSink) -> None:
    unicode = mail().replace(b"To: mia.okafor@family.example", "To: zoë@family.example".encode())
    sender(sink).send(unicode)
    assert sink.arrived[0].recipients == ("zoë@family.example",)
    assert "SMTPUTF8" in sink.arrived[0].options
    with smtp_sink.running(smtputf8=False) as old, pytest.raises(SendRejected, match="SMTPUTF8"):
        sender(old).send(unicode)


def test_a_domain_beyond_ascii_is_written_in_its_ascii_form(sink: SmtpSink) -> None:
    sender(sink).send(mail().replace(b"To: mia.okafor@family.example", "To: mia@größe.example".encode()))
    assert sink.arrived[0].recipients == ("mia@xn--gre-6ka8i.example",)


def test_mail_that_names_nobody_is_refused_before_anything_is_sent(sink: SmtpSink) -> None:
    for nobody in (b"Subject: x\r\n\r\nhi\r\n", b"To: undisclosed-recipients:;\r\n\r\nhi\r\n", b"", b"To: @@@\r\n\r\n"):
        with pytest.raises(SendRejected):
            sender(sink).send(nobody)
    assert sink.said == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: b"To: " + text.encode() + b"\r\n\r\nhi\r\n"))
def test_whatever_a_draft_holds_reading_its_recipients_gives_them_or_a_mailbox_error(mime: bytes) -> None:
    try:
        message = outgoing(mime, ADDRESS)
    except MailboxError:
        return
    assert message.recipients
    assert all("@" in recipient for recipient in message.recipients)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_sign_in_over_tls_with_any_letters_in_the_password(certificates: Certificates, security: str) -> None:
    with smtp_sink.running(username="rivera", password=SECRET, certificates=certificates, security=security) as sink:
        right = sender(sink, password=SECRET)
        right.send(reply(1, ADDRESS))
        assert len(sink.arrived) == 1
        assert sink.folder is None
        assert "rivera" in right.check()
        for wrong in ("wrong", None):
            with pytest.raises(AuthenticationFailed) as told:
                sender(sink, password=wrong).send(reply(1, ADDRESS))
            assert not told.value.transient


def test_a_certificate_of_another_authority_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    other = make_certificates(tmp_path).authority
    for security in ("tls", "starttls"):
        with (
            smtp_sink.running(username="rivera", password=SECRET, certificates=certificates, security=security) as sink,
            pytest.raises(InsecureConnection, match="does not verify"),
        ):
            sender(sink, password=SECRET, ca_file=other).send(reply(1, ADDRESS))


def test_a_server_without_tls_is_refused_where_tls_is_demanded(sink: SmtpSink) -> None:
    for security in ("tls", "starttls"):
        with pytest.raises(InsecureConnection):
            sender(sink, security=security, password=SECRET).send(reply(1, ADDRESS))
    assert not any(line.startswith("MAIL") for line in sink.said)


def test_the_password_is_in_no_error_and_no_text_of_the_sender() -> None:
    with smtp_sink.running(username="rivera", password="right") as sink:
        wrong = sender(sink, password=SECRET)
        with pytest.raises(AuthenticationFailed) as told:
            wrong.send(reply(1, ADDRESS))
    chain: BaseException | None = told.value
    seen = repr(wrong)
    while chain is not None:
        seen += repr(chain) + str(chain)
        chain = chain.__cause__ or chain.__context__
    assert SECRET not in seen
