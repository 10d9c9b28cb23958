"""Logs go to standard error as it is at the time, and their trouble is nobody else's."""

import ast
import io
import json
import logging
import re
import sqlite3
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import IntegrityError, OperationalError

from config.said import OURS
from connectors.errors import SendRejected
from connectors.server_words import server_words
from service.log_fields import FIELDS, WITHHELD
from service.logs import configure, place, said


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
    error = said(SendRejected(refused))
    structlog.get_logger().warning("a mail could not be sent", mailbox="rivera@maple.example", error=error)
    logging.getLogger("connectors.imap_drafts").warning("a message to %s still lies in Drafts", "ana@family.example")
    assert "ana@" not in lines.getvalue()
    assert lines.getvalue().count("550") == lines.getvalue().count("rivera@maple.example") == 1
    assert "still lies in Drafts" in lines.getvalue()


def lines_of(file: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    hooks = warnings.showwarning, threading.excepthook, sys.unraisablehook, sys.excepthook
    file = io.StringIO()
    configure(file=file, verbose=True)
    yield file
    warnings.showwarning, threading.excepthook, sys.unraisablehook, sys.excepthook = hooks


LETTER = "My son's father may not pick him up"


def test_a_field_that_nobody_vouched_for_is_withheld(log: io.StringIO) -> None:
    structlog.get_logger().info("read", body=LETTER, subject=LETTER, nested={"body": LETTER}, messages=3)
    [line] = lines_of(log)
    assert line["messages"] == 3
    assert line["body"] == line["subject"] == line["nested"] == WITHHELD
    assert "father" not in log.getvalue()


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_no_field_takes_a_sentence_of_a_letter(field: str, log: io.StringIO) -> None:
    structlog.get_logger().info("read", **{field: f"{LETTER}! Ring 555-0142; he's <afraid>, please."})
    assert "father" not in log.getvalue()


def test_a_sentence_that_was_put_together_is_withheld(log: io.StringIO) -> None:
    structlog.get_logger().info(f"read {LETTER}")
    structlog.get_logger().info("read %s", LETTER)
    structlog.get_logger().info("".join(("re", "ad ", LETTER)))
    logging.getLogger("some.library").warning(f"read {LETTER}")
    logging.getLogger("some.library").warning("read %s of %d", LETTER, 3)
    assert "father" not in log.getvalue()
    assert [line["event"] for line in lines_of(log)][-1] == f"read {WITHHELD} of 3"


def test_a_key_that_is_a_sentence_is_withheld_too(log: io.StringIO) -> None:
    structlog.get_logger().info("read", **{LETTER: 1})
    assert "father" not in log.getvalue()


def test_an_errors_text_stands_nowhere(log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int(LETTER)
    except ValueError as error:
        structlog.get_logger().exception("a page failed")
        structlog.get_logger().error("a page failed", exc_info=True, stack_info=True)
        structlog.get_logger().error("a page failed", error=error, reason=str(error))
        logging.getLogger("some.library").exception("a page failed")
        logging.getLogger("some.library").error("a page failed: %r", error)
        logging.getLogger("some.library").error(error)
        sys.excepthook(type(error), error, error.__traceback__)

    def failing() -> None:
        local = LETTER
        raise RuntimeError(local)

    thread = threading.Thread(target=failing)
    thread.start()
    thread.join()
    warnings.warn(LETTER, stacklevel=1)
    printed = capsys.readouterr()
    assert "father" not in log.getvalue() + printed.out + printed.err
    assert "ValueError" in printed.err
    assert "test_an_errors_text_stands_nowhere" in printed.err
    assert len(lines_of(log)) == 8


def test_what_a_mail_server_quotes_of_a_message_is_not_repeated() -> None:
    quoted = "5.7.1 Message 'The custody hearing of Zoltan Quill' was rejected as spam, see https://mx.example/8f2"
    assert server_words(quoted) == "5.7.1 Message 'The … of … was rejected as spam, see …"
    assert server_words("mailbox full (OVERQUOTA)") == "mailbox full (OVERQUOTA)"
    assert server_words("call 5550142 or 212-555-0142") == "… or …"


def test_of_a_databases_refusal_no_value_is_told() -> None:
    class UniqueViolation(Exception):
        sqlstate = "23505"

    refused = IntegrityError("INSERT", {}, UniqueViolation("Key (sender)=(ana@family.example) exists"))
    assert said(refused) == "the database refused: UniqueViolation 23505"
    locked = OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked"))
    assert said(locked) == "the database refused: database is locked"


def test_only_two_modules_say_what_words_may_be_logged() -> None:
    """`Said` is what opens the log's door: whoever makes one elsewhere goes around it."""
    root = Path(__file__).parents[2]
    makers = {
        path.relative_to(root).as_posix()
        for package in OURS
        for path in (root / package).rglob("*.py")
        for text in [path.read_text(encoding="utf-8")]
        if re.search(r"\bSaid\(", text) and re.search(r"config\.said import .*\bSaid\b|class Said\(str\)", text)
    }
    assert makers == {"config/said.py", "service/logs.py"}


def calls_of_the_log() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the packages where something is logged."""
    levels = {"debug", "info", "warning", "error", "critical", "exception"}
    root = Path(__file__).parents[2]
    for path in (file for package in OURS for file in (root / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            whose = called.value if isinstance(called, ast.Attribute) and called.attr in levels else None
            if isinstance(node, ast.Call) and isinstance(whose, ast.Name) and whose.id == "log":
                yield f"{path.relative_to(root)}:{node.lineno}", node


def test_every_sentence_that_is_logged_is_written_out_in_the_code() -> None:
    """A sentence put together would be withheld at run time; here it is found before anybody misses it."""
    together = [at for at, call in calls_of_the_log() if not isinstance(call.args[0], ast.Constant | ast.Attribute)]
    assert together == []


def test_every_field_that_is_logged_may_be() -> None:
    """Fields of text by name; numbers and enumerations stand under any, and are listed here with what they are."""
    numbers = {
        *("added", "addresses", "answered", "case", "changed", "chore", "closed", "conflict", "corrections"),
        *("deliveries", "delivery", "done", "draft", "drafted", "ended", "handovers", "item", "jobs", "kind"),
        *("labelled", "left_out", "mailboxes", "messages", "next_try_in_seconds", "notifications", "recorded"),
        *("routed", "routine", "rows", "set_aside", "since", "step", "total", "tries_left", "turns", "urgent"),
        *("times", "waiting"),
    }
    strange = {
        f"{at} {keyword.arg}"
        for at, call in calls_of_the_log()
        for keyword in call.keywords
        if keyword.arg is not None and keyword.arg not in FIELDS and keyword.arg not in numbers
    }
    assert strange == set(), "say in service/log_fields.py what it may hold, or here that it is a number"
