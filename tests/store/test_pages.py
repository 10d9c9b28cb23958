"""A page of changes is recorded whole or not at all, and only once."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from store.database import Database
from store.outbox import LeaseLost, Outbox
from store.pages import CursorMoved, Entry, Identity, Page, Pages, Relabelled, reply_key, route_key
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, MessageRecord

BOX = "rivera@maple.example"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def record(provider_id: str, **values: object) -> MessageRecord:
    given = {
        "mailbox": BOX,
        "provider_id": provider_id,
        "direction": Direction.RECEIVED,
        "rfc_message_id": f"{provider_id}@family.example",
        "fingerprint": f"print-{provider_id}",
        "thread": f"{provider_id}@family.example",
        "sender": "ana@family.example",
        "received_at": NOW,
        "recorded_at": NOW,
        "tag": Tag.ROUTINE,
        "labels": "routine",
    }
    return MessageRecord(**(given | values))


def delivery(kind: DeliveryKind, key: str, **values: object) -> Delivery:
    given = {"mailbox": BOX, "message_id": 0, "next_attempt_at": NOW, "created_at": NOW}
    return Delivery(kind=kind, dedupe_key=key, **(given | values))


@pytest.fixture
def database() -> Database:
    return Database.in_memory()


@pytest.fixture
def pages(database: Database) -> Pages:
    pages = Pages(database)
    pages.connect(BOX, NOW)
    return pages


def count(database: Database, table: type) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_page_moves_the_cursor_and_records_messages_and_deliveries_together(database: Database, pages: Pages) -> None:
    tag = delivery(DeliveryKind.TAG, "tag:1")
    pages.commit(Page(BOX, None, "one", [Entry(record("1"), (tag,)), Entry(record("2"))]))
    assert pages.connect(BOX, NOW).cursor == "one"
    assert count(database, MessageRecord) == 2
    with database.read() as connection:
        owner = connection.execute(
            select(col(MessageRecord.provider_id)).join(Delivery, col(Delivery.message_id) == col(MessageRecord.id))
        ).scalar_one()
    assert owner == "1"


def test_of_two_workers_with_the_same_page_one_records_it_and_the_other_writes_nothing(
    database: Database, pages: Pages
) -> None:
    pages.commit(Page(BOX, None, "one", [Entry(record("1"))]))
    with pytest.raises(CursorMoved):
        pages.commit(Page(BOX, None, "one", [Entry(record("1")), Entry(record("2"))]))
    assert count(database, MessageRecord) == 1


def test_a_page_without_messages_is_refused_too_where_the_cursor_has_moved_on(pages: Pages) -> None:
    pages.commit(Page(BOX, None, "one", [Entry(record("1"))]))
    pages.commit(Page(BOX, "one", "two", removed=["1"], at=NOW))
    with pytest.raises(CursorMoved):
        pages.commit(Page(BOX, "one", "elsewhere"))
    assert pages.connect(BOX, NOW).cursor == "two"


def test_a_message_that_is_on_record_stops_the_page_even_where_the_cursor_did_not_move(
    database: Database, pages: Pages
) -> None:
    pages.commit(Page(BOX, None, "same", [Entry(record("1"))]))
    with pytest.raises(CursorMoved):
        pages.commit(Page(BOX, "same", "same", [Entry(record("2")), Entry(record("1"))]))
    assert count(database, MessageRecord) == 1


def test_one_message_in_two_mailboxes_is_routed_and_answered_once(database: Database, pages: Pages) -> None:
    other = "okafor@maple.example"
    pages.connect(other, NOW)
    key, answer = route_key("print-1"), reply_key("ana@family.example", "1@family.example")
    both = (delivery(DeliveryKind.ROUTE, key), delivery(DeliveryKind.REPLY, answer, facts="{}"))
    pages.commit(Page(BOX, None, "one", [Entry(record("1"), both)]))
    again = (
        delivery(DeliveryKind.ROUTE, key, mailbox=other),
        delivery(DeliveryKind.REPLY, answer, mailbox=other),
        delivery(DeliveryKind.TAG, "tag:other", mailbox=other),
    )
    pages.commit(Page(other, None, "one", [Entry(record("1", mailbox=other), again)]))
    assert count(database, Delivery) == 3
    assert count(database, MessageRecord) == 2


def test_the_background_tells_threads_answers_and_keys(pages: Pages) -> None:
    facts = '{"tag":"routine","languages":["en"],"received_at":"2026-03-02T15:00:00Z",'
    facts += '"reply_by":"2026-03-04T15:00:00Z","same_day_closed":false}'
    answer = delivery(
        DeliveryKind.REPLY,
        reply_key("ana@family.example", "1@family.example"),
        recipient="ana@family.example",
        facts=facts,
    )
    sent = record("s", direction=Direction.SENT, thread="1@family.example", received_at=NOW + timedelta(hours=1))
    pages.commit(Page(BOX, None, "one", [Entry(record("1"), (answer,)), Entry(sent)]))
    follow_up = Identity("2", "2@f", "print-2", ("s@family.example",), "ana@family.example", Direction.RECEIVED)
    background = pages.background(BOX, [follow_up], ["1"], answers_since=NOW - timedelta(days=1), read_since=NOW)
    assert background.thread_of(follow_up) == "1@family.example"
    assert background.teacher_wrote == {"1@family.example": NOW + timedelta(hours=1)}
    assert [given.tag for given in background.answers.to_person["ana@family.example"]] == [Tag.ROUTINE]
    assert background.seen["1"].labels == {Label.ROUTINE}


def test_our_own_mail_in_sent_is_not_the_teachers_answer(pages: Pages) -> None:
    own = record("s", direction=Direction.SENT, thread="1@family.example", own=True)
    pages.commit(Page(BOX, None, "one", [Entry(record("1")), Entry(own)]))
    assert pages.teacher_wrote_at(BOX, "1@family.example") is None


def test_a_correction_changes_the_tag_and_cancels_what_has_not_left(database: Database, pages: Pages) -> None:
    waiting = delivery(DeliveryKind.ROUTE, "route:1")
    pages.commit(Page(BOX, None, "one", [Entry(record("1", tag=Tag.URGENT, labels="urgent"), (waiting,))]))
    correction = Correction(mailbox=BOX, message_id=1, from_tag=Tag.URGENT, to_tag=Tag.ROUTINE, at=NOW)
    change = Relabelled(
        id=1, labels=frozenset({Label.ROUTINE}), before=frozenset({Label.URGENT}), correction=correction
    )
    pages.commit(Page(BOX, "one", "two", relabelled=[change], at=NOW))
    assert count(database, Correction) == 1
    with database.read() as connection:
        assert connection.execute(select(col(MessageRecord.tag))).scalar_one() is Tag.ROUTINE
        assert connection.execute(select(col(Delivery.state))).scalar_one() is DeliveryState.CANCELLED


def test_known_leaves_out_what_was_removed(pages: Pages) -> None:
    pages.commit(Page(BOX, None, "one", [Entry(record("1")), Entry(record("2"))]))
    pages.commit(Page(BOX, "one", "two", removed=["2"], at=NOW))
    assert pages.known(BOX, ["1", "2", "3"]) == {"1": frozenset({Label.ROUTINE})}


def test_the_secret_of_fingerprints_is_made_once(database: Database) -> None:
    first, second = Pages(database).fingerprint_key(), Pages(database).fingerprint_key()
    assert first == second
    assert len(first) == 32


class TestOutbox:
    """Deliveries are handed out once, come back when their worker is gone, and urgent routes go first."""

    @pytest.fixture
    def outbox(self, database: Database, pages: Pages) -> Outbox:
        planned = (
            delivery(DeliveryKind.REPLY, "reply:x"),
            delivery(DeliveryKind.TAG, "tag:x"),
            delivery(DeliveryKind.ROUTE, "route:x"),
        )
        pages.commit(Page(BOX, None, "one", [Entry(record("1"), planned)]))
        return Outbox(database, "first", timedelta(minutes=2))

    def test_urgent_routes_come_before_labels_and_labels_before_replies(self, outbox: Outbox) -> None:
        kinds = [due.delivery.kind for due in outbox.due(BOX, NOW)]
        assert kinds == [DeliveryKind.ROUTE, DeliveryKind.TAG, DeliveryKind.REPLY]

    def test_what_one_worker_has_claimed_no_other_gets_until_the_lease_ends(
        self, database: Database, outbox: Outbox
    ) -> None:
        second = Outbox(database, "second", timedelta(minutes=2))
        offered = second.due(BOX, NOW)[0]
        assert outbox.claim(offered, NOW) is not None
        assert second.claim(offered, NOW) is None
        later = NOW + timedelta(minutes=2)
        again = next(due for due in second.due(BOX, later) if due.id == offered.id)
        assert second.claim(again, later) is not None

    def test_a_worker_that_lost_its_lease_cannot_write_any_more(self, database: Database, outbox: Outbox) -> None:
        mine = outbox.claim(outbox.due(BOX, NOW)[0], NOW)
        assert mine is not None
        later = NOW + timedelta(minutes=2)
        second = Outbox(database, "second", timedelta(minutes=2))
        theirs = second.claim(next(due for due in second.due(BOX, later) if due.id == mine.id), later)
        assert theirs is not None
        with pytest.raises(LeaseLost):
            outbox.sending(mine)
        second.sending(theirs)

    def test_an_uncertain_reply_is_never_put_back_in_line(self, database: Database, outbox: Outbox) -> None:
        reply = next(due for due in outbox.due(BOX, NOW) if due.delivery.kind is DeliveryKind.REPLY)
        claimed = outbox.claim(reply, NOW)
        assert claimed is not None
        outbox.finish(claimed, DeliveryState.UNCERTAIN, NOW)
        assert outbox.retry(None, NOW) == 0
        assert outbox.retry([claimed.id], NOW) == 0

    def test_what_was_set_aside_comes_back_on_retry(self, outbox: Outbox) -> None:
        claimed = outbox.claim(outbox.due(BOX, NOW)[0], NOW)
        assert claimed is not None
        outbox.finish(claimed, DeliveryState.SET_ASIDE, NOW, "550 no such user")
        assert claimed.id not in {due.id for due in outbox.due(BOX, NOW)}
        assert outbox.retry([claimed.id], NOW) == 1
        assert claimed.id in {due.id for due in outbox.due(BOX, NOW)}

    def test_the_next_delivery_is_the_earliest_of_those_waiting_and_those_in_work(self, outbox: Outbox) -> None:
        claimed = outbox.claim(outbox.due(BOX, NOW)[0], NOW)
        assert claimed is not None
        assert outbox.next_due_at(BOX) == NOW
        assert outbox.next_due_at("nobody@maple.example") is None
