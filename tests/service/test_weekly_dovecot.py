"""The principal's mail on a real SMTP and IMAP server: it arrives once, whole, with its charts."""

import email
import email.policy
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from scorecard.report import Report
from service import weekly
from service.cli import app
from tests.scorecard.sample_report import sample_report
from tests.servers import dovecot, smtp_sink
from tests.service.maple import RIVERA
from tests.service.test_digest_dovecot import _SCHOOL, where_it_is_six
from tests.service.weekly_of_maple import ALLIANCE, REED

_LED = f"""
[service]
notices_from = "{ALLIANCE}"

[[staff]]
address = "{REED}"
name = "Dr. Reed"
role = "leader"
"""


def of_last_week(*_: object, **__: object) -> Report:
    """The sample's scorecard, as if its last week had just gone by: the server's clock is the real one."""
    report = sample_report()
    now = datetime.now(ZoneInfo(where_it_is_six())).date()  # where it may be Monday already
    by = now - timedelta(days=now.weekday() + 7) - report.groups[0].weeks[-1].monday
    weeks = [replace(each, monday=each.monday + by) for each in report.groups[0].weeks]
    return replace(report, groups=[replace(report.groups[0], weeks=weeks, by_week={}), *report.groups[1:]])


@pytest.mark.server("dovecot")
def test_on_a_real_server_it_arrives_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weekly, "read_report", of_last_week)
    users = (RIVERA, ALLIANCE, REED)
    with dovecot.running(users=users) as imap, smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp:
        config = tmp_path / "alliance.toml"
        text = _SCHOOL.format(zone=where_it_is_six(), imap=imap.ports[0], smtp=smtp.port)
        head, boxes, rest = text.partition("[[mailboxes]]")
        config.write_text(head + _LED.strip() + "\n\n" + boxes + rest)
        for user in (RIVERA, ALLIANCE):
            name = user.upper().replace("@", "_").replace(".", "_")
            monkeypatch.setenv(f"ALLIANCE_PASSWORD_{name}", dovecot.PASSWORD)

        def run() -> Result:
            return CliRunner().invoke(app, ["run", "--once", "--config", str(config)])

        def there(user: str, folder: str) -> list[EmailMessage]:
            with imap.client(user) as client:
                client.select_folder(folder, readonly=True)
                found = client.fetch(client.search(), ["BODY.PEEK[]"])
            return [
                email.message_from_bytes(each[b"BODY[]"], _class=EmailMessage, policy=email.policy.default)
                for _, each in sorted(found.items())
            ]

        for _ in range(3):
            done = run()
            assert done.exit_code == 0, done.output
        (mail,) = there(REED, "INBOX")
        assert mail["Subject"] == "Alliance Scorecard: good news 80%, two-way 62%"
        pictures = [part.get_content() for part in mail.walk() if part.get_content_type() == "image/png"]
        assert [each[:8] for each in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2
        page = mail.get_body(("html",))
        assert page is not None
        for part in mail.walk():
            if part.get_content_type() == "image/png":
                assert f"cid:{str(part['Content-ID']).strip('<>')}" in page.get_content()
        assert len(there(ALLIANCE, "Sent")) == 1
        assert there(ALLIANCE, "Drafts") == []
