"""Logs go to standard error as it is at the time, and their trouble is nobody else's."""

import io
import logging
import sys

import pytest
import structlog

from service.logs import configure, place


def test_a_line_goes_to_standard_error_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    configure()
    now = io.StringIO()
    monkeypatch.setattr(sys, "stderr", now)
    structlog.get_logger().warning("mailbox failed", mailbox="rivera@maple.example")
    assert "mailbox failed" in now.getvalue()
    assert "rivera@maple.example" in now.getvalue()


def test_a_closed_terminal_does_not_stop_who_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    configure()
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    structlog.get_logger().error("a delivery failed")


def test_the_place_of_an_error_does_not_quote_it() -> None:
    with pytest.raises(ValueError, match="father") as raised:
        int("his father may not pick him up")
    assert "father" not in place(raised.value)
    assert "ValueError" in place(raised.value)


def test_a_familys_address_in_a_mail_servers_answer_does_not_reach_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    configure()
    lines = io.StringIO()
    monkeypatch.setattr(sys, "stderr", lines)
    refused = "smtp.maple.example refused the recipient ana@family.example: 550 <ana@family.example>: no such user"
    structlog.get_logger().warning("a mail could not be sent", mailbox="rivera@maple.example", error=refused)
    logging.getLogger("connectors.imap_drafts").warning("a message to %s still lies in Drafts", "ana@family.example")
    assert "ana@" not in lines.getvalue()
    assert lines.getvalue().count("550") == lines.getvalue().count("rivera@maple.example") == 1
    assert "still lies in Drafts" in lines.getvalue()
