"""The connector contract on Maildirs."""

from pathlib import Path

import pytest

from connectors.contract import MailboxContract
from tests.connectors.maildir_world import MaildirWorld


class TestMaildirWithOutgoingFolder(MailboxContract):
    """Sending into a Maildir that a local mail system empties."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> MaildirWorld:
        return MaildirWorld(tmp_path)
