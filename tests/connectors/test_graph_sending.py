"""Drafts and labels in Microsoft 365 beyond the contract: nothing is sent twice, whatever breaks, and nobody's category
is lost."""

from collections.abc import Iterator

import pytest

from connectors import graph_drafts
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of, unwrapped
from connectors.errors import (
    ConnectFailed,
    DraftFailed,
    MessageGone,
    PermissionDenied,
    SendFailed,
    SendRejected,
    SendUncertain,
    TagFailed,
    Throttled,
)
from connectors.graph_labels import labels_in, relabelled
from connectors.labels import NAMES, Label
from connectors.mailbox import DraftState
from tests.connectors.graph_world import GraphWorld, new_address, rested
from tests.servers.graph import Box, GraphServer, running
from tests.servers.graph import messages as serving
from tests.servers.graph.item import Item
from tests.servers.graph.wire import Answer, Request

SEND = "POST /users/{user}/messages/{id}/send"
REPLY = "/users/{user}/messages/{id}/createReply"
CREATE = "/users/{user}/messages"
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


def answer_to(number: int, world: GraphWorld) -> bytes:
    """An automatic answer to the family's message, as the service composes one."""
    headers = (
        f"In-Reply-To: <{family_id(number)}>\r\nReferences: <{family_id(number)}>\r\n"
        "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n"
    )
    return headers.encode() + reply(number, world.address)


class TestReplies:
    def test_a_reply_lands_in_the_familys_conversation_exactly_as_it_was_composed(self, world: GraphWorld) -> None:
        world.deliver(family_mail(1, world.address))
        mailbox = world.open()
        mailbox.send_draft(mailbox.save_draft(answer_to(1, world)))
        assert world.server.count("POST", REPLY) == 1
        assert world.thread_of(reply_id(1)) == world.thread_of(family_id(1))
        (out,) = world.departed()
        assert unwrapped(out) == unwrapped(answer_to(1, world))

    def test_a_reply_to_mail_that_is_not_here_is_a_mail_of_its_own(self, world: GraphWorld) -> None:
        mailbox = world.open()
        mailbox.send_draft(mailbox.save_draft(answer_to(1, world)))
        assert world.server.count("POST", REPLY) == 0
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    def test_a_reply_to_mail_that_is_deleted_at_that_moment_is_saved_all_the_same(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.deliver(family_mail(1, world.address))
        server.fail(404, "ErrorItemNotFound", on=f"POST {REPLY}")
        world.open().save_draft(answer_to(1, world))
        assert [message_id_of(found) for found in world.drafts()] == [reply_id(1)]

    @pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after it was done"])
    def test_a_reply_stays_in_the_conversation_when_saving_it_breaks_off(
        self, world: GraphWorld, server: GraphServer, after: bool
    ) -> None:
        world.deliver(family_mail(1, world.address))
        server.cut(on=f"POST {REPLY}", after=after)
        mailbox = world.open()
        mailbox.send_draft(mailbox.save_draft(answer_to(1, world)))
        assert world.thread_of(reply_id(1)) == world.thread_of(family_id(1))
        assert ([message_id_of(out) for out in world.departed()], world.drafts()) == ([reply_id(1)], [])

    def test_nobody_gets_a_reply_whom_it_was_not_written_to(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        everybody = family_mail(1, world.address).replace(b"Subject:", b"Reply-To: all@parents.example\r\nSubject:", 1)
        world.deliver(everybody)
        create = serving.create_reply

        def to_the_list(request: Request, box: Box, id_: str, now: object) -> Answer:
            create(request, box, id_, now)
            item = list(box.items.values())[-1]
            item.replace_mime(item.mime.replace(b"To: mia.okafor@family.example", b"To: all@parents.example"))
            return Answer(201, item.shown(None, immutable=True))

        monkeypatch.setattr(serving, "create_reply", to_the_list)
        mailbox = world.open()
        mailbox.send_draft(mailbox.save_draft(answer_to(1, world)))
        (out,) = world.departed()
        assert b"To: mia.okafor@family.example" in out
        assert b"all@parents.example" not in out
        assert world.drafts() == []

    def test_a_server_that_gives_a_draft_its_own_message_id_gets_ours_written(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _forgets_message_ids(monkeypatch)
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        assert [message_id_of(found) for found in world.drafts()] == [reply_id(1)]
        assert world.open().save_draft(reply(1, world.address)) == draft

    def test_a_server_that_does_not_keep_our_message_id_gets_nothing_to_send(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _forgets_message_ids(monkeypatch, for_good=True)
        with pytest.raises(DraftFailed, match="does not keep the Message-ID"):
            world.open().save_draft(reply(1, world.address))
        assert world.drafts() == []

    @pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after it was done"])
    @pytest.mark.parametrize("trouble", [{"cut": 0}, {"cut": 30}, {"status": 502}, {"status": 504}], ids=str)
    def test_saving_that_breaks_off_leaves_one_draft(
        self, world: GraphWorld, server: GraphServer, trouble: dict[str, int], after: bool
    ) -> None:
        server.fail(on=f"POST {CREATE}", after=after, **trouble)
        draft = world.open().save_draft(reply(1, world.address))
        assert [message_id_of(found) for found in world.drafts()] == [reply_id(1)]
        assert world.open().draft_state(draft, reply_id(1)) is DraftState.DRAFT

    def test_a_draft_without_message_id_is_refused(self, world: GraphWorld) -> None:
        with pytest.raises(DraftFailed, match="Message-ID"):
            world.open().save_draft(b"To: a@family.example\r\n\r\nHello\r\n")

    @pytest.mark.parametrize("odd", ["it's+here=1/2@a.example", "50%off&more#1?@a.example", "x@[127.0.0.1]"])
    def test_any_message_id_finds_its_draft_again(self, world: GraphWorld, odd: str) -> None:
        mime = f"Message-ID: <{odd}>\r\nTo: a@family.example\r\n\r\nHello\r\n".encode()
        mailbox = world.open()
        draft = mailbox.save_draft(mime)
        assert world.open().save_draft(mime) == draft
        assert mailbox.draft_state(draft, odd) is DraftState.DRAFT


class TestSendingOnce:
    def test_a_draft_that_is_found_nowhere_for_a_moment_is_looked_for_again(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.hold_sending("nowhere")
        mailbox.send_draft(draft)
        after_crash = world.open()

        def arrives(seconds: float) -> None:
            world.slept.append(seconds)
            world.box.release_sending()

        after_crash._drafts._sleep = arrives
        world.slept.clear()
        assert after_crash.draft_state(draft, reply_id(1)) is DraftState.SENT
        assert world.slept == [1.0]

    def test_looking_for_a_draft_ends(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.hold_sending("nowhere")
        mailbox.send_draft(draft)
        world.slept.clear()
        assert world.open().draft_state(draft, reply_id(1)) is DraftState.GONE
        assert 0 < sum(world.slept) < 10
        world.slept.clear()
        assert world.open().draft_state("", reply_id(1)) is DraftState.GONE
        assert world.slept == [], "every reply would wait before its first draft"

    def test_what_was_accepted_is_not_handed_over_again_while_it_still_looks_like_a_draft(
        self, world: GraphWorld
    ) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.hold_sending("draft")
        mailbox.send_draft(draft)
        mailbox.send_draft(draft)
        world.box.release_sending()
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    def test_of_what_was_accepted_the_newest_is_remembered_and_not_all_of_years(
        self, world: GraphWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(graph_drafts, "ACCEPTED_KEPT", 2)
        mailbox = world.open()
        world.box.hold_sending("draft")
        drafts = [mailbox.save_draft(reply(number, world.address)) for number in range(4)]
        for draft in drafts:
            mailbox.send_draft(draft)
        mailbox.send_draft(drafts[-1])
        assert len(mailbox._drafts._accepted) == 2
        world.box.release_sending()
        assert sorted(message_id_of(out) for out in world.departed()) == sorted(map(reply_id, range(4)))

    @pytest.mark.parametrize(
        "trouble", [{"cut": 0}, {"cut": 20}, {"status": 500, "code": "X"}, {"status": 504}], ids=str
    )
    def test_an_answer_that_is_lost_after_sending_sends_nothing_twice(
        self, world: GraphWorld, server: GraphServer, trouble: dict[str, int]
    ) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        server.fail(on=SEND, after=True, **trouble)
        mailbox.send_draft(draft)  # the copy in Sent tells that it is out
        assert server.count(template="/users/{user}/messages/{id}/send") == 1
        world.open().send_draft(draft)
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    @pytest.mark.parametrize("trouble", [{"cut": 0}, {"status": 503}], ids=str)
    def test_an_answer_that_is_lost_before_sending_leaves_the_question_open_and_the_draft_there(
        self, world: GraphWorld, server: GraphServer, trouble: dict[str, int]
    ) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        server.fail(on=SEND, **trouble)
        with pytest.raises(SendUncertain):
            mailbox.send_draft(draft)
        assert (world.departed(), world.open().draft_state(draft, reply_id(1))) == ([], DraftState.DRAFT)
        world.open().send_draft(draft)
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    def test_a_lost_answer_while_the_mail_is_on_its_way_is_uncertain(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.hold_sending("nowhere")
        server.cut(on=SEND, after=True)
        with pytest.raises(SendUncertain):
            mailbox.send_draft(draft)
        world.box.release_sending()
        assert world.open().draft_state(draft, reply_id(1)) is DraftState.SENT
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    def test_two_workers_sending_one_draft_at_once_send_it_once(self, world: GraphWorld) -> None:
        one, two = world.open(), world.open()
        draft = one.save_draft(reply(1, world.address))
        state = two._drafts._looked

        def overtaken(*given: object, **more: object) -> object:
            found = state(*given, **more)
            if not world.departed():
                one.send_draft(draft)  # between the other's look and its sending
            return found

        two._drafts._looked = overtaken
        two.send_draft(draft)
        assert [message_id_of(out) for out in world.departed()] == [reply_id(1)]

    def test_a_draft_that_the_server_is_sending_is_neither_draft_nor_gone(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.move(reply_id(1), "outbox")
        with pytest.raises(DraftFailed, match="about to send"):
            mailbox.draft_state(draft, reply_id(1))
        with pytest.raises(SendFailed):
            mailbox.send_draft(draft)
        world.box.move(reply_id(1), "drafts")
        world.box.find(reply_id(1)).extended["Integer 0x0E07"] = str(0x4 | 0x8)
        with pytest.raises(DraftFailed, match="about to send"):
            mailbox.draft_state(draft, reply_id(1))

    def test_a_draft_that_the_teacher_deleted_is_not_sent(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        world.box.move(reply_id(1), "deleteditems")
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE
        with pytest.raises(MessageGone):
            mailbox.send_draft(draft)
        assert world.slept == []

    def test_a_sent_copy_that_the_teacher_files_elsewhere_still_counts(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        mailbox.send_draft(draft)
        world.move_away(reply_id(1))
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
        assert mailbox.draft_state("", reply_id(1)) is DraftState.SENT
        mailbox.discard_draft(draft)
        assert len(world.box.contents("archive")) == 1

    def test_throttled_sending_is_left_to_the_runner(self, world: GraphWorld, server: GraphServer) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        server.throttle(retry_after="17", on=SEND)
        with pytest.raises(Throttled) as caught:
            mailbox.send_draft(draft)
        assert (caught.value.retry_after, world.slept, world.departed()) == (17, [], [])

    @pytest.mark.parametrize(
        ("status", "code", "error"),
        [
            (400, "ErrorInvalidRecipients", SendRejected),
            (403, "ErrorSendAsDenied", SendRejected),
            (413, "ErrorMessageSizeExceeded", SendRejected),
            (403, "ErrorExceededMessageLimit", SendFailed),
            (507, "ErrorQuotaExceeded", SendFailed),
            (403, "ErrorAccessDenied", PermissionDenied),
        ],
    )
    def test_a_refusal_tells_whether_it_may_be_tried_again(
        self, world: GraphWorld, server: GraphServer, status: int, code: str, error: type[Exception]
    ) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        server.fail(status, code, on=SEND)
        with pytest.raises(error, match=code):
            mailbox.send_draft(draft)
        assert world.departed() == []

    def test_a_server_that_cannot_be_reached_was_certainly_not_handed_anything(self, world: GraphWorld) -> None:
        mailbox = world.open()
        draft = mailbox.save_draft(reply(1, world.address))
        gone = world.open(endpoint="http://127.0.0.1:1")
        with pytest.raises(SendFailed):
            gone.send_draft(draft)
        with pytest.raises(ConnectFailed):
            gone.draft_state(draft, reply_id(1))


class TestLabels:
    def test_a_category_that_the_teacher_sets_at_the_same_moment_is_kept(
        self, world: GraphWorld, server: GraphServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.deliver(family_mail(1, world.address))
        reader = Reader(world.open())
        reader.sync()
        _honours_if_match(monkeypatch)
        interfering = iter(["Family", "Important"])
        original = serving.update_message

        def teacher_first(request: Request, box: Box, id_: str, now: object) -> Answer:
            if (name := next(interfering, None)) is not None:
                box.set_categories(family_id(1), [*box.categories_of(family_id(1)), name])
            return original(request, box, id_, now)

        monkeypatch.setattr(serving, "update_message", teacher_first)
        reader.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        assert world.box.categories_of(family_id(1)) == ["Family", "Important", "Alliance/Urgent"]

    def test_a_message_that_is_changed_all_the_time_is_left_for_later(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.deliver(family_mail(1, world.address))
        reader = Reader(world.open())
        reader.sync()
        server.fail(412, "ErrorIrresolvableConflict", on=f"PATCH {MESSAGE}", times=None)
        with pytest.raises(TagFailed, match="changed"):
            reader.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        assert server.count("PATCH", MESSAGE) < 10

    def test_tagging_many_is_two_requests_for_twenty(self, world: GraphWorld, server: GraphServer) -> None:
        world.deliver(*(family_mail(number, world.address) for number in range(20)))
        reader = Reader(world.open())
        reader.sync()
        reader.mailbox.tag(reader.id_of(family_id(0)), frozenset({Label.ROUTINE}))
        server.log.clear()
        wanted = {reader.id_of(family_id(number)): frozenset({Label.ROUTINE}) for number in range(20)}
        assert reader.mailbox.tag_many(wanted) == {}
        assert server.count(parts=False) == 2
        assert server.count("PATCH", MESSAGE) == 19, "what is right already is not written"
        server.log.clear()
        assert reader.mailbox.tag_many(wanted) == {}
        assert server.count(parts=False) == 1

    def test_what_fails_of_many_is_named_and_the_rest_is_written(self, world: GraphWorld, server: GraphServer) -> None:
        world.deliver(*(family_mail(number, world.address) for number in range(4)))
        reader = Reader(world.open())
        reader.sync()
        ids = [reader.id_of(family_id(number)) for number in range(4)]
        world.delete(family_id(1))
        world.move_away(family_id(2))
        failed = reader.mailbox.tag_many(dict.fromkeys([*ids, "no such id", "x" * 60], frozenset({Label.URGENT})))
        assert {id_: type(error) for id_, error in failed.items()} == dict.fromkeys(
            [ids[1], ids[2], "no such id", "x" * 60], MessageGone
        )
        assert [world.marks(family_id(number)).labels for number in (0, 3)] == [{Label.URGENT}] * 2

    def test_a_line_that_stays_broken_is_the_failure_of_every_message(self, world: GraphWorld) -> None:
        mailbox = world.open(endpoint="http://127.0.0.1:1")
        failed = mailbox.tag_many(dict.fromkeys(["x" * 60, "y" * 60], frozenset({Label.URGENT})))
        assert [type(error) for error in failed.values()] == [ConnectFailed, ConnectFailed]

    def test_categories_are_created_once_with_a_colour_each(self, world: GraphWorld, server: GraphServer) -> None:
        world.deliver(family_mail(1, world.address))
        for _ in range(2):
            reader = Reader(world.open())
            reader.sync()
            for labels in ({Label.URGENT}, {Label.CONFLICT}):
                reader.mailbox.tag(reader.id_of(family_id(1)), frozenset(labels))
        assert {(one.name, one.colour) for one in world.box.categories} == {
            ("Alliance/Urgent", "preset0"),
            ("Alliance/Conflict", "preset1"),
            ("Alliance/Routine", "preset4"),
            ("Alliance/Please check", "preset3"),
            ("Alliance/Plan agreed", "preset8"),
            ("Alliance/Another draft", "preset7"),
            ("Alliance/Handled by office", "preset12"),
            ("Alliance/Good news", "preset5"),
        }
        assert len(world.box.categories) == len(Label)

    def test_two_workers_that_create_categories_at_once_are_both_content(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        world.deliver(family_mail(1, world.address))
        reader = Reader(world.open())
        reader.sync()
        server.fail(409, "ErrorItemExists", on="POST /users/{user}/outlook/masterCategories", times=len(Label))
        reader.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        assert world.marks(family_id(1)).labels == {Label.URGENT}

    def test_without_the_right_to_settings_labels_are_written_in_grey_and_check_says_so(
        self, world: GraphWorld, server: GraphServer
    ) -> None:
        server.login.rights.discard("MailboxSettings.ReadWrite")
        server.login.expire_tokens()
        try:
            world.deliver(family_mail(1, world.address))
            reader = Reader(world.open())
            reader.sync()
            reader.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
            assert world.marks(family_id(1)).labels == {Label.URGENT}
            assert any("MailboxSettings.ReadWrite lacks" in fact for fact in reader.mailbox.check())
        finally:
            server.login.rights.add("MailboxSettings.ReadWrite")
            server.login.expire_tokens()

    def test_categories_that_differ_in_case_are_ours_and_others_keep_their_order(self) -> None:
        given = ["Zebra", "alliance/URGENT", "apple"]
        assert labels_in(given) == {Label.URGENT}
        assert relabelled(given, frozenset({Label.CHECK, Label.CONFLICT})) == [
            "Zebra",
            "apple",
            NAMES[Label.CONFLICT],
            NAMES[Label.CHECK],
        ]


def _forgets_message_ids(monkeypatch: pytest.MonkeyPatch, *, for_good: bool = False) -> None:
    """A Graph that gives drafts its own Message-IDs."""
    create, update = serving.create_message, serving.update_message

    def renamed(item: Item) -> None:
        item.replace_mime(b"Message-ID: <its-own@graph.example>\r\n" + item.mime.replace(b"Message-ID:", b"X-Was:", 1))

    def create_message(request: Request, box: Box, now: object, folder: str = "drafts") -> Answer:
        create(request, box, now, folder)
        item = list(box.items.values())[-1]
        renamed(item)
        return serving.get_message(_asking(request), box, item.immutable_id)

    def update_message(request: Request, box: Box, id_: str, now: object) -> Answer:
        update(request, box, id_, now)
        renamed(box.item(id_))
        return serving.get_message(_asking(request), box, id_)

    monkeypatch.setattr(serving, "create_message", create_message)
    if for_good:
        monkeypatch.setattr(serving, "update_message", update_message)


def _asking(request: Request) -> Request:
    return Request("GET", request.target, request.segments, {}, request.headers, b"", request.base)


def _honours_if_match(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Graph that refuses to write over what changed since it was read (412), as Exchange Online does."""
    original = serving.update_message

    def guarded(request: Request, box: Box, id_: str, now: object) -> Answer:
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted != box.item(id_).etag:
            raise serving.GraphError(412, "ErrorIrresolvableConflict", "The change key does not match.")
        return original(request, box, id_, now)

    monkeypatch.setattr(serving, "update_message", guarded)
