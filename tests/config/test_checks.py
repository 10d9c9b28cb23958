"""What must hold between settings, asked of many mailboxes at once."""

import pytest

from config.checks import mailbox_misfits
from config.settings import MailboxSettings


def test_the_disk_is_asked_for_connectors_once_however_many_mailboxes_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def entry_points(*, group: str) -> tuple[()]:
        asked.append(group)
        return ()

    monkeypatch.setattr("config.checks.entry_points", entry_points)
    boxes = [(n, MailboxSettings(address=f"t{n}@maple.example", teacher="T")) for n in range(50)]
    assert list(mailbox_misfits(boxes, imap=True, smtp=True)) == []
    assert len(asked) == 1
