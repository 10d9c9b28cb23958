"""The promise of `connectors.mailbox.Mailbox` as a test suite that any connector, ours or a third party's, must pass.

A connector's tests subclass `MailboxContract` and provide the fixture `harness`:

    class TestMyMailbox(MailboxContract):
        @pytest.fixture
        def harness(self, tmp_path):
            return MyHarness(tmp_path)

See docs/write-a-connector.md. Needs pytest, which the service itself does not.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"connectors.contract.{part}"
        for part in ("absence", "reader", "reading", "labelling", "sent_labelling", "sending", "robustness", "trouble")
    )
)

from connectors.contract.absence import AbsenceContract  # noqa: E402 - asserts come first
from connectors.contract.harness import MailboxHarness, MailboxWorld, Marks  # noqa: E402
from connectors.contract.labelling import LabellingContract  # noqa: E402
from connectors.contract.reader import Reader  # noqa: E402
from connectors.contract.reading import ReadingContract  # noqa: E402
from connectors.contract.robustness import RobustnessContract  # noqa: E402
from connectors.contract.sending import SendingContract  # noqa: E402
from connectors.contract.sent_labelling import SentLabellingContract  # noqa: E402
from connectors.contract.trouble import TroubleContract  # noqa: E402

__all__ = ["MailboxContract", "MailboxHarness", "MailboxWorld", "Marks", "Reader"]


class MailboxContract(
    ReadingContract,
    LabellingContract,
    SentLabellingContract,
    SendingContract,
    AbsenceContract,
    RobustnessContract,
    TroubleContract,
):
    """Every promise of `Mailbox`. Subclasses provide the fixture `harness`."""
