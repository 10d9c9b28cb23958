"""What Gmail asks beyond the contract: history, old mail, labels by id, drafts in conversations, and few requests."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from connectors.contract.mails import FAMILY, family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of
from connectors.errors import AuthenticationFailed, MessageGone, SendRejected, SendUncertain, TagFailed
from connectors.gmail import GmailMailbox
from connectors.gmail_labels import COLORS, memory_name
from connectors.gmail_quota import UNITS
from connectors.labels import NAMES, SERVICES, Label
from connectors.mailbox import Direction, DraftState
from tests.connectors.gmail_world import GmailWorld, google
from tests.servers import network
from tests.servers.gmail_front import GmailFront, Refusing, encoded
from tests.servers.network import Fate, Fault

USERS = [f"t{number}@school.example" for number in range(80)]
URGENT, ROUTINE = frozenset({Label.URGENT}), frozenset({Label.ROUTINE})
_numbers = count()


@pytest.fixture(scope="module")
def front() -> Iterator[GmailFront]:
    with google(USERS) as front:
        yield front


@pytest.fixture
def world(front: GmailFront) -> Iterator[GmailWorld]:
    world = GmailWorld(front, USERS[next(_numbers)])
    yield world
    world.close()
    front.refusing.clear()
    front.rewrites_message_ids = False


def methods(world: GmailWorld) -> list[str]:
    """What was asked since the list was last cleared, without the names' common beginning."""
    return [asked.method.removeprefix("gmail.users.") for asked in world.front.asked]


def mail_from_family(world: GmailWorld, number: int = 1) -> tuple[Reader, str]:
    """A mailbox that is read up to one message of a family's; the message's id."""
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(number, world.address))
    reader.sync()
    return reader, reader.id_of(family_id(number))


# Reading


def test_an_idle_poll_is_one_request_of_two_units_and_leaves_the_cursor_as_it_is(world: GmailWorld) -> None:
    reader, _ = mail_from_family(world)
    before = reader.cursor
    world.front.asked.clear()
    assert reader.sync() == []
    assert reader.cursor == before
    assert methods(world) == ["history.list"]
    assert world.front.units(UNITS) == 2


def test_new_mail_costs_two_round_trips_however_many_messages_it_is(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(number, world.address) for number in range(30)))
    trips = world.front.round_trips
    assert len(reader.sync()) == 30
    assert world.front.round_trips - trips == 2


def test_mail_that_a_filter_keeps_out_of_the_inbox_is_read_like_any_other(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(1, world.address), labels=("UNREAD", world.label_id("Parents")))
    (found,) = reader.sync()
    assert (message_id_of(found.raw), found.direction) == (family_id(1), Direction.RECEIVED)


@pytest.mark.parametrize("place", ["SPAM", "TRASH", "DRAFT"])
def test_spam_trash_and_drafts_are_no_mail(world: GmailWorld, place: str) -> None:
    world.deliver(family_mail(0, world.address), labels=(place,))
    reader = Reader(world.open())
    assert reader.sync() == []
    world.deliver(family_mail(1, world.address), labels=(place,))
    assert reader.sync() == []


def test_a_family_that_the_teacher_finds_in_spam_is_told_as_new(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(1, world.address), labels=("SPAM",))
    assert reader.sync() == []
    world.modify(family_id(1), addLabelIds=["INBOX"], removeLabelIds=["SPAM"])
    (found,) = reader.sync()
    assert message_id_of(found.raw) == family_id(1)
    assert not found.backfill


def test_mail_that_the_teacher_writes_to_herself_too_counts_as_sent(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(reply(1, world.address), labels=("SENT", "INBOX"))
    assert [found.direction for found in reader.sync()] == [Direction.SENT]


def test_old_mail_that_is_carried_over_from_elsewhere_is_recorded_and_not_acted_on(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    years_ago = str(world.front.now_ms() - 3 * 365 * 24 * 3600 * 1000)
    body = {"raw": encoded(family_mail(1, world.address)), "labelIds": ["INBOX"], "internalDate": years_ago}
    world.front.mailbox(world.address, "POST", "messages", body)
    assert [found.backfill for found in reader.sync()] == [True]


def test_a_page_that_ends_within_one_record_of_history_goes_on_within_it(world: GmailWorld) -> None:
    reader = Reader(world.open())
    world.deliver(*(family_mail(number, world.address) for number in range(6)))
    reader.sync()
    for number in range(6):
        world.move_away(family_id(number))
    reader.sync()
    assert reader.recorded == {}
    # The emulator never puts several messages into one record; `test_gmail_parts` folds such records.
    for number in range(6):
        world.move_back(family_id(number))
    pages = reader.pages(limit=4)
    assert [len(page.messages) for page in pages] == [4, 2]


def test_a_flood_of_drafts_being_typed_hides_no_mail(world: GmailWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    for number in range(30):
        body = {"message": {"raw": encoded(reply(number, world.address))}}
        world.front.mailbox(world.address, "POST", "drafts", body)
    world.deliver(family_mail(1, world.address))
    pages = reader.pages(limit=5)
    assert [message_id_of(m.raw) for page in pages for m in page.messages] == [family_id(1)]
    assert len(pages) < 3


def test_messages_of_the_same_second_are_each_read_once(world: GmailWorld) -> None:
    at = str(world.front.now_ms() - 3_600_000)
    for number in range(23):
        body = {"raw": encoded(family_mail(number, world.address)), "labelIds": ["INBOX"], "internalDate": at}
        world.front.mailbox(world.address, "POST", "messages", body)
    found = [message_id_of(message.raw) for message in Reader(world.open()).sync(limit=4)]
    assert sorted(found) == sorted(family_id(number) for number in range(23))


def test_deleting_old_mail_while_it_is_read_skips_none_of_the_rest(world: GmailWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(12)))
    reader = Reader(world.open())
    found: list[str] = []
    for number in range(12):
        page = reader.look(limit=2)
        reader.commit(page)
        found += [message_id_of(message.raw) for message in page.messages]
        if number == 1:
            for gone in (11, 10, 0):
                world.delete(family_id(gone))
    assert {family_id(number) for number in range(1, 10)} <= set(found)
    assert len(found) == len(set(found))


def test_mail_that_the_teacher_sent_lately_comes_before_old_mail_and_older_sent_mail_not_at_all(
    world: GmailWorld,
) -> None:
    world.deliver(family_mail(1, world.address))
    world.teacher_sends(reply(1, world.address))
    for number, days in ((2, 30), (3, 40)):
        internal = str(world.front.now_ms() - days * 24 * 3600 * 1000)
        body = {"raw": encoded(reply(number, world.address)), "internalDate": internal}
        world.front.mailbox(world.address, "POST", "messages/send", body)
    found = [message_id_of(message.raw) for message in Reader(world.open()).sync()]
    assert found == [reply_id(1), reply_id(2), family_id(1)]


def test_many_large_messages_are_never_held_at_once(world: GmailWorld) -> None:
    text = "x" * 70 + "\r\n"
    large = family_mail(0, world.address, body=text * 30_000)
    for number in range(8):
        world.deliver(large.replace(b"family-0@", b"family-%d@" % number))
    answered: list[int] = []
    mailbox = world.open()
    asked = mailbox._calls.transport.request

    def request(*args: object, **kwargs: object) -> object:
        response, content = asked(*args, **kwargs)
        answered.append(len(content))
        return response, content

    mailbox._calls.transport.request = request
    found = Reader(mailbox).sync()
    assert sorted(message_id_of(m.raw) for m in found) == sorted(family_id(number) for number in range(8))
    assert all(len(m.raw) < 70_000 and m.size > 2_100_000 for m in found)
    assert max(answered) <= 12 * 1024 * 1024


def test_history_that_google_forgot_is_replaced_by_a_list_of_the_last_days_only(world: GmailWorld) -> None:
    long_ago = str(world.front.now_ms() - 40 * 24 * 3600 * 1000)
    body = {"raw": encoded(family_mail(0, world.address)), "labelIds": ["INBOX"], "internalDate": long_ago}
    world.front.mailbox(world.address, "POST", "messages", body)
    reader, _ = mail_from_family(world, 1)
    world.teacher_labels(family_id(1), URGENT)
    world.deliver(family_mail(2, world.address))
    world.teacher_sends(reply(1, world.address))
    world.break_cursor()
    world.front.asked.clear()
    pages = reader.pages()
    told = {message_id_of(m.raw): m.backfill for page in pages for m in page.messages}
    assert told == {family_id(2): False, reply_id(1): False}
    assert all(page.resync for page in pages if page.messages)
    assert reader.labels_of(family_id(1)) == URGENT, "a correction in the gap is lost"
    listed = [asked.query["q"][0] for asked in world.front.asked if asked.method.endswith("messages.list")]
    assert listed
    assert all("after:" in query for query in listed)
    read = [asked.path["id"] for asked in world.front.asked if asked.query.get("format") == ["raw"]]
    assert len(read) == 2, "what is on record is read again"


def test_history_is_forgotten_in_the_middle_of_old_mail_and_old_mail_goes_on_where_it_was(world: GmailWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(8)))
    reader = Reader(world.open())
    for _ in range(2):
        reader.commit(reader.look(limit=3))
    before = len(reader.recorded)
    assert 0 < before < 8
    world.break_cursor()
    world.deliver(family_mail(100, world.address))
    pages = reader.pages(limit=3)
    told = [message_id_of(m.raw) for page in pages for m in page.messages]
    assert sorted(told) == sorted([family_id(100), *(family_id(n) for n in range(8 - before))])
    assert [m.backfill for page in pages for m in page.messages if message_id_of(m.raw) == family_id(100)] == [False]


def test_an_idle_mailbox_moves_its_place_in_history_on_a_day_later(world: GmailWorld) -> None:
    today = datetime.now(UTC)
    reader = Reader(world.open(clock=lambda: today))
    reader.sync()
    world.deliver(family_mail(1, world.address), labels=("SPAM",))
    reader.sync()
    for days in (1, 2):
        reader = reader.restarted(world.open(clock=lambda days=days: today + timedelta(days=days)))
        reader.sync()
    world.deliver(family_mail(2, world.address))
    assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(2)]


def test_a_mailbox_of_somebody_else_is_not_read(world: GmailWorld, front: GmailFront) -> None:
    other = GmailWorld(front, USERS[next(_numbers)], oauth=True)
    other.deliver(family_mail(1, other.address))
    mine = GmailWorld(front, USERS[next(_numbers)], oauth=True)
    mine.secrets.put(f"gmail/token/{mine.address}", front.consented(other.address))
    front.asked.clear()
    for work in (mine.open().check, lambda: mine.open().changes(None)):
        with pytest.raises(AuthenticationFailed, match=other.address):
            work()
    assert set(methods(world)) == {"getProfile"}


# Labels


def test_labels_are_nested_and_coloured_and_made_when_they_are_needed(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    assert not set(NAMES.values()) & set(world.labels()), "reading made labels"
    reader.tag(id_, frozenset({Label.URGENT, Label.CHECK}))
    made = {each["name"]: each for each in world.front.mailbox(world.address, "GET", "labels")["labels"]}
    assert {"Alliance", "Alliance/Urgent", "Alliance/Please check"} <= set(made)
    background, text = COLORS[Label.URGENT]
    assert made["Alliance/Urgent"]["color"] == {"backgroundColor": background, "textColor": text}


def test_a_label_that_the_teacher_renames_is_found_by_an_instance_that_has_read_nothing(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    reader.tag(id_, URGENT)
    world.teacher_renames_label(Label.URGENT, "🔥 Now")
    before = world.labels()
    world.open().tag(id_, ROUTINE)
    assert world.marks(family_id(1)).labels == ROUTINE
    world.open().tag(id_, URGENT)
    assert world.marks(family_id(1)).labels == URGENT
    assert set(world.labels()) - set(before) == {"Alliance/Routine"}, "a label stands there twice"


def test_a_renamed_label_is_found_by_the_cursor_where_the_vault_was_lost(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    reader.tag(id_, URGENT)
    reader.sync()
    world.teacher_renames_label(Label.URGENT, "🔥 Now")
    world.secrets.forget(memory_name(world.address))
    before = world.labels()
    reader = reader.restarted(world.open())
    reader.sync()
    reader.tag(id_, frozenset())
    reader.tag(id_, URGENT)
    assert world.labels() == before
    assert world.marks(family_id(1)).labels == URGENT


def test_what_the_teacher_does_with_a_renamed_label_is_still_a_correction(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    reader.tag(id_, ROUTINE)
    reader.sync()
    world.teacher_renames_label(Label.ROUTINE, "Everyday")
    reader = reader.restarted(world.open())
    reader.sync()
    world.teacher_labels(family_id(1), frozenset())
    reader.sync()
    assert reader.labels_of(family_id(1)) == frozenset()


def test_a_label_that_the_teacher_deleted_is_made_again_when_it_is_needed(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    reader.tag(id_, URGENT)
    world.front.mailbox(world.address, "DELETE", f"labels/{world.labels()['Alliance/Urgent']}")
    reader.tag(id_, URGENT)
    assert world.marks(family_id(1)).labels == URGENT


def test_two_workers_that_make_the_labels_at_once_make_them_once(world: GmailWorld) -> None:
    reader = Reader(world.open())
    world.deliver(*(family_mail(number, world.address) for number in range(4)))
    reader.sync()
    ids = [reader.id_of(family_id(number)) for number in range(4)]
    mailboxes = [world.open() for _ in ids]
    start = threading.Barrier(len(ids))

    def work(mailbox: GmailMailbox, id_: str) -> None:
        start.wait()
        mailbox.tag(id_, SERVICES)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(mailboxes, ids, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [world.marks(family_id(number)).labels for number in range(4)] == [SERVICES] * 4
    names = [each["name"] for each in world.front.mailbox(world.address, "GET", "labels")["labels"]]
    assert sorted(name for name in names if name.startswith("Alliance")) == sorted(["Alliance", *NAMES.values()])


def test_a_hundred_messages_alike_are_tagged_by_one_request_and_the_one_that_is_gone_is_named(
    world: GmailWorld,
) -> None:
    reader = Reader(world.open())
    world.deliver(*(family_mail(number, world.address) for number in range(100)))
    reader.sync()
    ids = [reader.id_of(family_id(number)) for number in range(100)]
    world.delete(family_id(7))
    world.front.asked.clear()
    failed = reader.mailbox.tag_many(dict.fromkeys(ids, URGENT))
    assert {id_: type(error) for id_, error in failed.items()} == {ids[7]: MessageGone}
    assert methods(world).count("messages.batchModify") == 1
    assert "messages.modify" not in methods(world)
    assert world.marks(family_id(99)).labels == URGENT


def test_tagging_what_is_tagged_already_writes_nothing(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    reader.tag(id_, URGENT)
    world.front.asked.clear()
    reader.tag(id_, URGENT)
    assert methods(world) == ["messages.get"]


def test_labels_that_cannot_be_made_are_the_failure_of_every_message(world: GmailWorld) -> None:
    reader, id_ = mail_from_family(world)
    text = "Label limit reached"
    world.front.refusing.append(Refusing(400, "invalidArgument", text, times=9, method="gmail.users.labels.create"))
    with pytest.raises(TagFailed, match="Alliance"):
        reader.mailbox.tag(id_, URGENT)
    assert {type(error) for error in reader.mailbox.tag_many({id_: URGENT}).values()} == {TagFailed}


# Drafts


def answer_to(world: GmailWorld, number: int, *, subject: str | None = None, marked: bool = False) -> bytes:
    """Our reply to a family's message, as the autoresponder writes it."""
    fields = [
        f"From: {world.address}",
        f"To: {FAMILY}",
        f"Subject: {subject or f'Re: Question {number}'}",
        f"Message-ID: <{reply_id(number)}>",
        f"In-Reply-To: <{family_id(number)}>",
        f"References: <older@family.example>\r\n <{family_id(number)}>",
        *(["X-Alliance-Inbox: reply"] if marked else []),
    ]
    return "\r\n".join([*fields, "", "We have your message.", ""]).encode()


def test_a_reply_lies_in_the_familys_conversation_before_and_after_it_is_sent(world: GmailWorld) -> None:
    mail_from_family(world)
    mailbox = world.open()
    draft = mailbox.save_draft(answer_to(world, 1))
    assert world.thread_of(reply_id(1)) == world.thread_of(family_id(1))
    mailbox.send_draft(draft)
    assert world.thread_of(reply_id(1)) == world.thread_of(family_id(1))


def test_a_reply_whose_conversation_was_deleted_is_saved_all_the_same(world: GmailWorld) -> None:
    mail_from_family(world)
    method = "gmail.users.drafts.create"
    world.front.refusing.append(Refusing(404, "notFound", "Requested entity was not found.", method=method))
    draft = world.open().save_draft(answer_to(world, 1))
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.DRAFT


def test_a_heavy_draft_arrives_whole(world: GmailWorld) -> None:
    mime = reply(1, world.address) + b"x" * 70 + b"\r\n" + (b"From here on: y\r\n" * 150_000)
    world.open().save_draft(mime)
    assert world.drafts() == [mime]


def test_a_draft_whose_saving_was_answered_by_nobody_is_not_saved_twice(world: GmailWorld) -> None:
    create = "POST /gmail/v1/users/me/drafts?"
    with network.running(lambda exchange: Fate(Fault.CUT_AFTER) if create in exchange.request else Fate()) as line:
        draft = world.open(line).save_draft(reply(1, world.address))
    assert len(world.drafts()) == 1
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.DRAFT


def test_a_draft_that_search_does_not_know_yet_is_found_among_the_newest(
    world: GmailWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = world.open().save_draft(reply(1, world.address))
    monkeypatch.setattr(world.front, "with_message_id", lambda *_, **__: [])
    assert world.open().save_draft(reply(1, world.address)) == draft
    assert world.open().draft_state("", reply_id(1)) is DraftState.DRAFT


def test_a_draft_that_went_out_though_nobody_said_so_is_known_to_be_out(world: GmailWorld) -> None:
    draft = world.open().save_draft(reply(1, world.address))
    with network.running(lambda exchange: Fate(Fault.CUT_AFTER) if "/send" in exchange.request else Fate()) as line:
        world.open(line).send_draft(draft)
    assert [message_id_of(raw) for raw in world.departed()] == [reply_id(1)]
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.SENT


def test_a_line_that_stays_broken_while_a_draft_is_sent_leaves_it_open_and_sends_it_once(world: GmailWorld) -> None:
    draft = world.open().save_draft(reply(1, world.address))
    dead: list[bool] = []

    def weather(exchange: network.Exchange) -> Fate:
        dead.extend([True] if "/send" in exchange.request else [])
        return Fate(Fault.CUT_AFTER) if dead else Fate()

    with network.running(weather) as line, pytest.raises(SendUncertain):
        world.open(line).send_draft(draft)
    world.open().send_draft(draft)
    assert [message_id_of(raw) for raw in world.departed()] == [reply_id(1)]


def test_a_fault_of_googles_while_sending_is_asked_about_and_not_repeated(world: GmailWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    world.front.refusing.append(Refusing(500, "backendError", method="gmail.users.drafts.send"))
    world.front.asked.clear()
    with pytest.raises(SendUncertain):
        mailbox.send_draft(draft)
    assert methods(world).count("drafts.send") == 1
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT


def test_a_draft_without_a_recipient_is_refused_for_good(world: GmailWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(b"Message-ID: <nobody@school.example>\r\nSubject: to nobody\r\n\r\nx\r\n")
    with pytest.raises(SendRejected, match="Recipient"):
        mailbox.send_draft(draft)


def test_a_sent_reply_that_gmail_gave_another_message_id_is_still_known_to_be_out(world: GmailWorld) -> None:
    mail_from_family(world)
    world.front.rewrites_message_ids = True
    mailbox = world.open()
    draft = mailbox.save_draft(answer_to(world, 1, marked=True))
    mailbox.send_draft(draft)
    assert message_id_of(world.departed()[0]) != reply_id(1)
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.SENT
    world.open().send_draft(draft)
    assert len(world.departed()) == 1


def test_a_reply_that_the_teacher_wrote_is_not_taken_for_ours_that_was_discarded(world: GmailWorld) -> None:
    mail_from_family(world)
    mailbox = world.open()
    draft = mailbox.save_draft(answer_to(world, 1, marked=True))
    by_hand = answer_to(world, 1).replace(reply_id(1).encode(), b"by-hand@school.example")
    body = {"raw": encoded(by_hand), "threadId": world.thread_of(family_id(1))}
    world.front.mailbox(world.address, "POST", "messages/send", body)
    mailbox.discard_draft(draft)
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE
    with pytest.raises(MessageGone):
        mailbox.send_draft(draft)


def test_a_sent_reply_that_the_teacher_threw_away_still_counts_as_sent(world: GmailWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    mailbox.send_draft(draft)
    world.move_away(reply_id(1))
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.SENT
    assert world.open().draft_state("", reply_id(1)) is DraftState.SENT
