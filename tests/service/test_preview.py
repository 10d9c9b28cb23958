"""The preview tells what would have happened, and nothing happens."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.errors import ConnectFailed
from connectors.labels import Label, Tag
from service.preview import Foreseen, preview
from store.tables import DeliveryKind, DeliveryState
from tests.connectors.maildir_world import MaildirWorld
from tests.service.maple import ANA, BO, RIVERA, Maple, letter


def foreseen(maple: Maple, **back: float) -> list[Foreseen]:
    since = maple.clock() - timedelta(**(back or {"days": 7}))
    return list(preview(maple.assembly(), maple.box(), maple.mailbox(), since))


def a_week(maple: Maple) -> None:
    """Mail of several days, of several kinds, with a teacher who answers some of it."""
    for day in range(5):
        maple.write("urgent bus", f"family{day}@family.example")
        maple.clock.forward(minutes=1)
        question = maple.write(f"routine {day}", ANA)
        maple.clock.forward(hours=1)
        maple.write("news", "list@news.example", List_Id="<news.example>")
        maple.clock.forward(minutes=1)
        maple.write("conflict about grades", BO, body=f"Again, for the {day}th time.")
        maple.clock.forward(hours=1)
        maple.teacher_answers(question)
        maple.clock.forward(minutes=1)
        maple.write("routine thanks", ANA, In_Reply_To=f"<{question}>")
        maple.clock.forward(hours=22)


def test_it_tells_what_the_service_would_have_done() -> None:
    service, later = Maple(teachers=(RIVERA,)), Maple(teachers=(RIVERA,))
    service.round()
    write = service.write

    def write_and_work(*given: object, **named: object) -> str:
        message = write(*given, **named)  # type: ignore[arg-type]
        service.round()
        return message

    service.write = write_and_work  # type: ignore[method-assign, assignment]
    a_week(service)
    service.round()
    a_week(later)
    told = foreseen(later, days=6)
    received = {record.id: record for record in service.records() if record.direction == "received"}
    done = {(d.message_id, d.kind) for d in service.deliveries() if d.state is DeliveryState.DONE}
    assert [(row.received_at, row.sender, row.tag) for row in told] == [
        (record.received_at, record.sender, record.tag) for record in received.values()
    ]
    assert [row.answered for row in told] == [(number, DeliveryKind.REPLY) in done for number in received]
    assert [row.routed for row in told] == [(number, DeliveryKind.ROUTE) in done for number in received]
    assert [row.drafted for row in told] == [(number, DeliveryKind.DRAFT) in done for number in received]
    assert sum(row.drafted for row in told) == 5  # a conflict each day, each in a thread of its own
    answers = [raw for _, raw in service.system.departed if b"\nAuto-Submitted: auto-replied" in raw]
    assert sum(row.answered for row in told) == len(answers) > 5


def test_nothing_is_written_in_mailbox_or_record() -> None:
    maple = Maple(teachers=(RIVERA,))
    a_week(maple)
    before = repr(maple.system.account(RIVERA))
    assert len(foreseen(maple)) == 25
    assert repr(maple.system.account(RIVERA)) == before
    assert maple.system.departed == []
    assert maple.records() == []
    assert maple.deliveries() == []


def test_a_maildir_is_the_same_to_the_byte_and_the_nanosecond_afterwards(tmp_path: Path) -> None:
    maple, world = Maple(teachers=(RIVERA,)), MaildirWorld(tmp_path)
    for number in range(5):
        mail = letter(number, "urgent bus", ANA, [RIVERA], "Please call.", maple.clock(), {})
        world.deliver(mail.as_bytes())
    world.teacher_labels("letter-3@family.example", frozenset({Label.ROUTINE}))
    before = _everything_in(tmp_path)
    maple.clock.forward(days=3000)
    rows = list(preview(maple.assembly(), maple.box(), world.open(), maple.clock() - timedelta(days=5000)))
    assert [row.tag for row in rows] == [Tag.URGENT] * 5
    assert _everything_in(tmp_path) == before


def _everything_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        found[os.fspath(path)] = (path.stat().st_mtime_ns, content)
    return found


def test_mail_from_before_the_days_asked_for_is_left_out_however_much_there_is() -> None:
    maple = Maple(teachers=(RIVERA,))
    for number in range(500):
        maple.write(f"routine {number}", f"family{number}@family.example")
    maple.clock.forward(days=30)
    maple.write("urgent bus")
    maple.clock.forward(hours=1)
    (row,) = foreseen(maple)
    assert (row.sender, row.tag, row.answered, row.routed) == (ANA, Tag.URGENT, True, True)
    assert maple.system.calls["changes"] < 3, "all old mail was read"


def test_a_robot_is_left_alone_with_the_reason() -> None:
    maple = Maple(teachers=(RIVERA,))
    maple.write("news", "list@news.example", List_Id="<news.example>")
    maple.clock.forward(hours=1)
    (row,) = foreseen(maple)
    assert not row.answered
    assert row.reason


def test_labels_that_are_there_already_do_not_change_what_would_have_happened() -> None:
    maple = Maple(teachers=(RIVERA,))
    message = maple.write("urgent bus")
    maple.relabel(message, Label.ROUTINE)
    maple.clock.forward(hours=1)
    (row,) = foreseen(maple)
    assert (row.tag, row.answered, row.routed) == (Tag.URGENT, True, True)


def test_a_mailbox_that_cannot_be_read_says_so() -> None:
    maple = Maple(teachers=(RIVERA,))
    maple.system.fail("changes", ConnectFailed("no route to host"))
    with pytest.raises(ConnectFailed, match="no route"):
        foreseen(maple)
