"""Logs go to standard error as it is at the time, and their trouble is nobody else's."""

import io
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
