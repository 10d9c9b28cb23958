"""The morning mail on a real IMAP server: it arrives in the mailbox that it left, once, and nobody mistakes it."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from tests.servers import dovecot, smtp_sink
from tests.service.maple import ANA, OFFICE, RIVERA

_SIX = 6
_SCHOOL = """
[school]
name = "Maple Street School"
timezone = "{zone}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = "09:00"

[office]
address = "office@maple.example"
phone = "555 0100"

[digest]
at = "05:00"

[imap]
host = "127.0.0.1"
port = {imap}
security = "none"
allow_insecure = true

[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
allow_insecure = true
authenticate = false

[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
stage = "tag"
"""


def where_it_is_six() -> str:
    """A time zone in which it is between six and seven in the morning now: the server's clock is the real one."""
    hours = (_SIX - datetime.now(UTC).hour + 12) % 24 - 12  # from -12 to 11
    return f"Etc/GMT{-hours:+d}"  # whose signs are turned around


@pytest.mark.server("dovecot")
def test_on_a_real_server_it_arrives_once_and_is_nobodys_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = (RIVERA, OFFICE)
    with dovecot.running(users=users) as imap, smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp:
        config = tmp_path / "alliance.toml"
        config.write_text(_SCHOOL.format(zone=where_it_is_six(), imap=imap.ports[0], smtp=smtp.port))
        monkeypatch.setenv("ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE", dovecot.PASSWORD)

        def run() -> Result:
            return CliRunner().invoke(app, ["run", "--once", "--config", str(config)])

        def there(folder: str) -> list[tuple[EmailMessage, set[bytes]]]:
            with imap.client(RIVERA) as client:
                client.select_folder(folder, readonly=True)
                found = client.fetch(client.search(), ["BODY.PEEK[]", "FLAGS"])
            return [
                (
                    email.message_from_bytes(each[b"BODY[]"], _class=EmailMessage, policy=email.policy.default),
                    set(each[b"FLAGS"]),
                )
                for _, each in sorted(found.items())
            ]

        monkeypatch.setenv("ALLIANCE_DIGEST__ENABLED", "false")
        assert run().exit_code == 0  # connects: what comes from now on is to be answered
        monkeypatch.delenv("ALLIANCE_DIGEST__ENABLED")
        imap.deliver(
            f"From: {ANA}\r\nTo: {RIVERA}\r\nSubject: Homework\r\nMessage-ID: <1@family.example>\r\n\r\n"
            "Could you tell me which pages Leo has to read by Friday?\r\n".encode(),
            to=RIVERA,
        )
        for _ in range(3):
            assert run().exit_code == 0
        (family, family_flags), (morning, flags) = there("INBOX")
        assert family["From"] == ANA
        assert b"AllianceRoutine" in family_flags
        assert morning["Subject"] == "Good morning: 1 waiting"
        assert morning["From"] == f"Alliance Inbox <{RIVERA}>"
        body = morning.get_body(("plain",))
        assert body is not None
        assert ANA in body.get_content()
        assert not any(flag.startswith(b"Alliance") for flag in flags)
        assert b"\\Seen" not in flags
        ((sent, _),) = there("Sent")
        assert sent["Message-ID"] == morning["Message-ID"]
        assert there("Drafts") == []
