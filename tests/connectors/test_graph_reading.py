"""Reading a Microsoft 365 mailbox beyond the contract: delta links, large and damaged mail, the number of requests."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors import graph_http
from connectors.contract.mails import FAMILY, family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of
from connectors.errors import ChangesFailed, ConnectFailed, FetchFailed, Throttled
from connectors.graph_cursor import Cursor, parse_cursor
from connectors.labels import Label
from connectors.mailbox import Direction
from connectors.mime import parse_message
from tests.connectors.graph_world import GraphWorld, new_address, rested
from tests.servers.graph import Box, GraphServer, running
from tests.servers.graph import server as serving
from tests.servers.graph.wire import Answer, Request

DELTA = "/users/{user}/mailFolders/{folder}/messages/delta"
VALUE = "/users/{user}/messages/{id}/$value"
MESSAGE = "/users/{user}/messages/{id}"


@pytest.fixture(scope="module")
def shared() -> Iterator[GraphServer]:
    with running() as server:
        yield server


@pytest.fixture
def server(shared: GraphServer) -> GraphServer:
    return rested(shared)


@pytest.fixture
def world(server: GraphServer) -> Iterator[GraphWorld]:
    world = GraphWorld(server, new_address())
    yield world
    world.close()


def cursor_of(reader: Reader) -> Cursor:
    cursor = parse_cursor(reader.cursor)
    assert cursor is not None
    return cursor


class TestRequests:
    def test_a_look_at_a_mailbox_in_which_nothing_happened_is_one_request_and_writes_nothing(
        self, world: GraphWorld
    ) -> None:
        reader = Reader(world.open())
        world.deliver(family_mail(1, world.address))
        reader.sync()
        reader.sync()
        before = reader.cursor
        world.server.log.clear()
        for _ in range(3):
            assert reader.sync() == []
        assert world.server.count(parts=False) == 3
        assert reader.cursor == before

    def test_twenty_small_messages_come_in_one_request(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        world.deliver(*(family_mail(number, world.address) for number in range(40)))
        world.server.log.clear()
        assert len(reader.sync()) == 40
        assert world.server.count("GET", VALUE) == 40
        assert world.server.count(parts=False) == 3

    def test_every_request_asks_for_immutable_ids(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        world.deliver(family_mail(1, world.address))
        reader.sync()
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        reader.mailbox.send_draft(reader.mailbox.save_draft(reply(1, world.address)))
        asked = [one for one in world.server.log if "{user}" in one.template]
        assert asked
        assert [one for one in asked if 'IdType="ImmutableId"' not in one.prefer] == []

    def test_a_mailbox_where_much_is_new_is_listed_once_and_told_in_pages(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        world.deliver(*(family_mail(number, world.address) for number in range(30)))
        world.server.log.clear()
        pages = reader.pages(limit=10)
        told = [message_id_of(found.raw) for page in pages for found in page.messages]
        assert told == [family_id(number) for number in range(30)]
        assert world.server.count("GET", DELTA) <= 6
        assert world.server.count("GET", VALUE) == 30

    def test_after_a_restart_within_a_round_nothing_is_lost_or_told_twice(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        world.deliver(*(family_mail(number, world.address) for number in range(9)))
        told: list[str] = []
        for _ in range(4):
            page = reader.look(limit=2)
            reader.commit(page)
            told += [message_id_of(found.raw) for found in page.messages]
            reader = reader.restarted(world.open())
            world.deliver(family_mail(100 + len(told), world.address))
        told += [message_id_of(found.raw) for found in reader.sync(limit=2)]
        expected = [family_id(number) for number in [*range(9), 102, 104, 106, 108]]
        assert told == expected


class TestLinks:
    def test_a_link_that_leads_away_from_the_endpoint_is_not_followed(
        self, world: GraphWorld, server: GraphServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        true_delta = serving.delta

        def elsewhere(request: Request, box: Box, folder: str) -> Answer:
            answer = true_delta(request, box, folder)
            for name in ("@odata.nextLink", "@odata.deltaLink"):
                if name in answer.body:
                    answer.body[name] = answer.body[name].replace(request.base, "https://graph.evil.example")
            return answer

        monkeypatch.setattr(serving, "delta", elsewhere)
        with pytest.raises(ConnectFailed, match="leads away"):
            Reader(world.open()).sync()

    def test_a_cursor_holds_no_address_that_a_token_could_be_sent_to(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        assert world.server.url not in (reader.cursor or "")
        evil = cursor_of(reader).model_copy(
            update={"inbox": cursor_of(reader).inbox.model_copy(update={"link": "//graph.evil.example/v1.0/x"})}
        )
        reader.cursor = evil.text()
        world.server.log.clear()
        assert reader.pages()[0].resync
        assert {one.target.partition("/v1.0")[0] for one in world.server.log} == {""}
        world.server.violations.clear()

    @pytest.mark.parametrize("code", ["SyncStateNotFound", "SyncStateInvalid", "resyncRequired"])
    def test_a_link_that_is_gone_begins_anew_and_tells_what_nobody_saw(self, world: GraphWorld, code: str) -> None:
        reader = Reader(world.open())
        world.deliver(family_mail(0, world.address))
        world.teacher_sends(reply(0, world.address))
        reader.sync()
        world.deliver(family_mail(1, world.address))
        world.teacher_sends(reply(1, world.address))
        world.teacher_labels(family_id(0), frozenset({Label.CONFLICT}))
        world.box.forget_delta_tokens(code)
        pages = reader.pages()
        told = {message_id_of(found.raw): found for page in pages for found in page.messages}
        assert pages[0].resync
        assert {id_: found.backfill for id_, found in told.items()} == {family_id(1): False, reply_id(1): False}
        assert reader.labels_of(family_id(0)) == {Label.CONFLICT}

    def test_old_mail_stays_old_when_links_are_gone_in_the_middle_of_it(self, world: GraphWorld) -> None:
        world.deliver(*(family_mail(number, world.address) for number in range(8)))
        reader = Reader(world.open())
        told = list(reader.look(limit=3).messages)
        reader.commit(reader.look(limit=3))
        world.box.forget_delta_tokens()
        world.deliver(family_mail(50, world.address))
        told += reader.restarted(world.open()).sync(limit=3)
        news = [message_id_of(found.raw) for found in told if not found.backfill]
        assert news == [family_id(50)]
        assert sorted(message_id_of(found.raw) for found in told if found.backfill) == [
            family_id(number) for number in range(8)
        ]

    def test_mail_that_comes_while_old_mail_is_read_is_told_once(self, world: GraphWorld) -> None:
        world.deliver(*(family_mail(number, world.address) for number in range(10)))
        reader = Reader(world.open())
        told: list[tuple[str, bool]] = []
        for number in range(100, 104):
            page = reader.look(limit=2)
            reader.commit(page)
            told += [(message_id_of(found.raw), found.backfill) for found in page.messages]
            world.deliver(family_mail(number, world.address))
        told += [(message_id_of(found.raw), found.backfill) for found in reader.sync(limit=2)]
        assert sorted(told) == sorted(
            [(family_id(n), True) for n in range(10)] + [(family_id(n), False) for n in range(100, 104)]
        )
        assert cursor_of(reader).backlog is None

    def test_a_label_on_mail_from_before_the_mailbox_was_connected_is_told_too(self, world: GraphWorld) -> None:
        world.box.deliver(family_mail(1, world.address), received=datetime.now(UTC) - timedelta(days=30))
        reader = Reader(world.open())
        reader.sync()
        world.teacher_labels(family_id(1), frozenset({Label.URGENT}))
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == {Label.URGENT}

    def test_a_round_that_is_told_in_parts_goes_on_even_for_a_store_that_knows_nothing(self, world: GraphWorld) -> None:
        cursor = world.open().changes(None).cursor
        world.deliver(*(family_mail(number, world.address) for number in range(7)))
        told: list[str] = []
        for _ in range(4):
            page = world.open().changes(cursor, limit=2)
            told += [message_id_of(found.raw) for found in page.messages]
            cursor = page.cursor
        assert told == [family_id(number) for number in range(7)]
        assert not page.more

    def test_old_mail_that_the_teacher_moves_into_the_inbox_is_not_new(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        world.box.put("junkemail", family_mail(1, world.address), received=datetime.now(UTC) - timedelta(days=3))
        world.box.move(family_id(1), "inbox")
        (found,) = reader.sync()
        assert found.backfill

    def test_mail_that_was_only_read_before_it_was_told_is_told_whole(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        reader.sync()
        world.deliver(family_mail(1, world.address))
        reader.sync()
        world.box.mark(family_id(1), read=True)
        reader.recorded.clear()  # a store that lost its record
        (again,) = reader.restarted(world.open()).sync()
        assert message_id_of(again.raw) == family_id(1)
        assert abs(again.received_at - datetime.now(UTC)) < timedelta(minutes=5)

    def test_the_query_over_sent_mail_begins_anew_before_it_gets_too_long(self) -> None:
        with running() as server:
            world = GraphWorld(server)
            reader = Reader(world.open())
            world.teacher_sends(reply(1, world.address))
            reader.sync()
            since = cursor_of(reader).sent_since
            server.advance(timedelta(days=70))
            world.teacher_sends(reply(2, world.address))
            assert [message_id_of(found.raw) for found in reader.sync()] == [reply_id(2)]
            assert cursor_of(reader).sent_since > since
            world.teacher_sends(reply(3, world.address))
            assert [message_id_of(found.raw) for found in reader.sync()] == [reply_id(3)]
            world.close()

    def test_sent_mail_of_five_weeks_is_read_when_a_mailbox_is_connected(self, world: GraphWorld) -> None:
        now = datetime.now(UTC)
        for days in (1, 34, 37):
            world.box.put("sentitems", reply(days, world.address), received=now - timedelta(days=days))
        found = Reader(world.open()).sync()
        assert [(message_id_of(one.raw), one.direction, one.backfill) for one in found] == [
            (reply_id(1), Direction.SENT, True),
            (reply_id(34), Direction.SENT, True),
        ]


class TestContent:
    def test_large_mail_is_loaded_alone_and_cut(self, world: GraphWorld) -> None:
        big = family_mail(1, world.address) + b"x" * 76 + b"\r\n" * 1_500_000
        world.deliver(family_mail(0, world.address), big, family_mail(2, world.address))
        world.server.log.clear()
        found = {message_id_of(one.raw): one for one in Reader(world.open()).sync()}
        assert [(one.part) for one in world.server.log if one.template == VALUE].count(False) >= 1
        cut = found[family_id(1)]
        assert (len(cut.raw), cut.size) == (1024 * 1024, len(big))

    def test_a_page_ends_early_where_its_mail_is_large(self, world: GraphWorld) -> None:
        body = ("x" * 70 + "\n") * 14_000
        world.deliver(*(family_mail(number, world.address, body=body) for number in range(30)))
        pages = Reader(world.open()).pages(limit=200)
        assert max(sum(len(found.raw) for found in page.messages) for page in pages) < 20 * 1024 * 1024
        assert sum(len(page.messages) for page in pages) == 30

    def test_mail_that_the_server_cannot_convert_comes_from_its_properties(self, world: GraphWorld) -> None:
        mime = family_mail(7, world.address, subject="Über den Bus", body="Der Bus kam nicht.\nשלום 🚌")
        world.box.deliver(mime, mime_fails=True)
        reader = Reader(world.open())
        (found,) = reader.sync()
        assert message_id_of(found.raw) == family_id(7)
        whole = reader.mailbox.fetch(found.id)
        assert whole.raw == found.raw
        message = parse_message(
            found.raw, mailbox=world.address, id=found.id, received_at=found.received_at, size=found.size
        )
        assert (message.subject, message.sender and message.sender.email) == ("Über den Bus", FAMILY)
        assert "Der Bus kam nicht.\nשלום 🚌" in message.newest
        assert not message.truncated

    def test_mail_of_which_the_server_can_tell_nothing_is_not_taken_for_an_empty_one(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.box.deliver(family_mail(1, world.address), mime_fails=True)
        world.deliver(family_mail(2, world.address))
        server.fail(500, "ErrorCorruptData", on=f"GET {MESSAGE}", times=None)
        reader = Reader(world.open())
        newest, odd = reader.sync()
        assert message_id_of(newest.raw) == family_id(2)
        assert odd.raw == b""
        assert odd.size > 0
        with pytest.raises(FetchFailed):
            reader.mailbox.fetch(odd.id)

    def test_one_damaged_message_does_not_use_up_the_patience_of_the_page(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.box.deliver(family_mail(1, world.address), mime_fails=True)
        world.deliver(*(family_mail(number, world.address) for number in range(2, 12)))
        assert len(Reader(world.open()).sync()) == 11
        assert len(world.slept) <= 2

    def test_mime_that_stands_as_text_in_a_batch_comes_through_unharmed(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        server.batched_mime = "text"
        latin = b"From: a@family.example\r\nMessage-ID: <latin@family.example>\r\nSubject: Gr\xfc\xdfe\r\n\r\n\xe4\r\n"
        world.deliver(family_mail(1, world.address, body="שלום 🚌"), latin)
        found = {message_id_of(one.raw): one.raw for one in Reader(world.open()).sync()}
        assert found["latin@family.example"] == latin
        assert "שלום 🚌".encode() in found[family_id(1)] or b"base64" in found[family_id(1)]

    def test_a_message_that_vanishes_between_listing_and_loading_holds_nothing_up(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.deliver(family_mail(1, world.address), family_mail(2, world.address))
        server.fail(404, "ErrorItemNotFound", on=f"GET {VALUE}", times=1)
        assert len(Reader(world.open()).sync()) == 1

    def test_a_moved_message_can_still_be_fetched_for_the_office(self, world: GraphWorld) -> None:
        reader = Reader(world.open())
        world.deliver(family_mail(1, world.address))
        reader.sync()
        id_ = reader.id_of(family_id(1))
        world.move_away(family_id(1))
        (page,) = reader.pages()
        assert page.removed == (id_,)
        assert message_id_of(reader.mailbox.fetch(id_).raw) == family_id(1)


class TestTrouble:
    def test_parts_of_a_batch_that_are_throttled_are_asked_again_alone_after_the_pause(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.deliver(*(family_mail(number, world.address) for number in range(10)))
        server.throttle(retry_after="7", on=f"GET {VALUE}", times=3)
        assert len(Reader(world.open()).sync()) == 10
        assert server.count("GET", VALUE) == 13
        assert world.slept == [7.0]

    def test_a_batch_that_overruns_the_mailbox_is_made_smaller(self, world: GraphWorld, server: GraphServer) -> None:
        server.batches_overrun = True
        world.deliver(*(family_mail(number, world.address) for number in range(30)))
        assert len(Reader(world.open()).sync()) == 30
        assert len(world.slept) < 8

    def test_a_mailbox_that_stays_busy_is_left_to_the_runner_with_the_pause_it_asks_for(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        server.throttle(retry_after="300", times=None)
        with pytest.raises(Throttled) as caught:
            world.open().changes(None)
        assert caught.value.retry_after == 300
        assert sum(world.slept) <= 60

    def test_throttling_of_one_mailbox_does_not_touch_the_others(self, world: GraphWorld, server: GraphServer) -> None:
        other = GraphWorld(server, "okafor@school.example")
        server.throttle(mailbox=world.address, retry_after="120", times=None)
        with pytest.raises(Throttled):
            Reader(world.open()).sync()
        other.deliver(family_mail(1, other.address))
        assert len(Reader(other.open()).sync()) == 1
        assert other.slept == []

    def test_a_server_that_refuses_to_begin_is_an_error_that_names_it(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        server.fail(400, "ErrorInvalidRequest", on=f"GET {DELTA}", times=None)
        with pytest.raises(ChangesFailed, match="ErrorInvalidRequest"):
            world.open().changes(None)

    def test_an_answer_without_end_is_not_held_in_memory(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(graph_http.content_of, "__defaults__", (10_000,))
        world.deliver(*(family_mail(number, world.address) for number in range(100)))
        with pytest.raises(ConnectFailed, match="more than 10000 bytes"):
            Reader(world.open()).sync()

    @pytest.mark.parametrize("body", [b"[]", b'{"value": 7}', b'{"value": [{"nothing": 1}]}', b"{}", b"null", b'"x"'])
    def test_an_answer_that_is_no_page_is_an_error_and_not_a_crash(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch, body: bytes
    ) -> None:
        monkeypatch.setattr(serving, "delta", lambda request, box, folder: Answer(200, json.loads(body)))
        with pytest.raises(ConnectFailed, match="answers"):
            world.open().changes(None)
