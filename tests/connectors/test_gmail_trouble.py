"""Google on a bad day: parts of batches that fail, quota that ends, tokens that end in between; and push."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from config.secrets import Secrets
from connectors import bells
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of
from connectors.contract.robustness import RobustnessContract
from connectors.errors import MailboxError, Throttled
from connectors.gmail_access import KEY_NAME, pubsub_access
from connectors.gmail_push import Channel, Puller, Subscription
from connectors.gmail_quota import UNITS, Pace
from connectors.labels import Label
from connectors.mailbox import DraftState
from tests.connectors.gmail_world import GmailWorld, google
from tests.servers import gmail_front, network
from tests.servers.gmail_front import SUBSCRIPTION, TOPIC, GmailFront, Refusing
from tests.servers.network import Exchange, Fate, Fault

USERS = [f"t{number}@school.example" for number in range(60)]
URGENT = frozenset({Label.URGENT})
PATIENCE = 30.0
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
    front.token_seconds = 3600


def five_messages(world: GmailWorld) -> Reader:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(number, world.address) for number in range(5)))
    return reader


QUOTA = [
    (403, "rateLimitExceeded"),
    (403, "userRateLimitExceeded"),
    (403, "dailyLimitExceeded"),
    (429, "rateLimitExceeded"),
    (503, "backendError"),
]


@pytest.mark.parametrize(("status", "reason"), QUOTA)
def test_only_the_parts_of_a_batch_that_were_refused_are_asked_again(
    world: GmailWorld, status: int, reason: str
) -> None:
    reader = five_messages(world)
    slow = world.id_of(family_id(2))
    world.front.refusing.append(Refusing(status, reason, retry_after="4", times=2, id=slow))
    world.front.asked.clear()
    found = reader.sync()
    assert [message_id_of(message.raw) for message in found] == [family_id(number) for number in range(5)]
    asked = [each.path["id"] for each in world.front.asked if each.method.endswith("messages.get")]
    assert [asked.count(message.id) for message in found] == [1, 1, 3, 1, 1]
    assert [seconds for seconds in world.slept if seconds >= 4] == [4, 4]


def test_a_part_that_stays_refused_is_the_failure_of_that_message_alone_when_tagging(world: GmailWorld) -> None:
    reader = five_messages(world)
    reader.sync()
    ids = [reader.id_of(family_id(number)) for number in range(5)]
    method = "gmail.users.messages.modify"
    world.front.refusing.append(Refusing(429, "rateLimitExceeded", times=99, method=method, id=ids[3]))
    failed = reader.mailbox.tag_many(dict.fromkeys(ids, URGENT))
    assert {id_: type(error) for id_, error in failed.items()} == {ids[3]: Throttled}
    assert [world.marks(family_id(n)).labels for n in range(5)] == [URGENT, URGENT, URGENT, frozenset(), URGENT]


def test_a_part_that_stays_refused_keeps_the_page_from_being_told_half(world: GmailWorld) -> None:
    reader = five_messages(world)
    before = reader.cursor
    rule = Refusing(429, "rateLimitExceeded", times=99, id=world.id_of(family_id(3)))
    world.front.refusing.append(rule)
    with pytest.raises(Throttled):
        reader.look()
    rule.times = 0
    assert reader.cursor == before
    assert len(reader.sync()) == 5


def test_a_whole_batch_that_is_refused_is_asked_again(world: GmailWorld) -> None:
    reader = five_messages(world)
    world.front.refusing.append(Refusing(503, retry_after="3", times=2, whole_batch=True))
    assert len(reader.sync()) == 5
    assert world.slept == [3, 3]


@pytest.mark.parametrize("part", [0.5, 0.97])
@pytest.mark.parametrize("request_line", ["/history?", "/batch", "/messages?", "/profile?"])
def test_an_answer_that_is_cut_short_is_never_taken_for_an_empty_one(
    world: GmailWorld, request_line: str, part: float
) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(3)))
    seen: list[str] = []

    def weather(exchange: Exchange) -> Fate:
        seen.extend([exchange.request] if request_line in exchange.request else [])
        return Fate(Fault.TRUNCATE, part=part) if len(seen) == 1 and seen[0] == exchange.request else Fate()

    with network.running(weather) as line:
        reader = Reader(world.open(line))
        reader.sync()
        world.deliver(family_mail(3, world.address))
        reader.sync()
    assert [fate.fault for _, fate in line.happened], "nothing was cut short"
    assert sorted(reader.message_ids.values()) == [family_id(number) for number in range(4)]


def test_a_token_that_ends_within_a_batch_is_renewed_and_its_parts_asked_again(world: GmailWorld) -> None:
    reader = five_messages(world)
    given = world.front.given
    # Five parts, and the client library asks for them once more by itself.
    world.front.refusing.append(Refusing(401, "authError", times=10, method="gmail.users.messages.get"))
    assert len(reader.sync()) == 5
    assert world.front.given == given + 1


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(world: GmailWorld) -> None:
    world.front.token_seconds = 1
    mailbox = world.open()
    given = world.front.given
    mailbox.check()
    assert world.front.given - given > 1


def test_quota_units_are_counted_as_google_counts_them(world: GmailWorld) -> None:
    world.front.asked.clear()
    reader = five_messages(world)
    reader.sync()
    reader.mailbox.tag_many(dict.fromkeys(reader.recorded, URGENT))
    draft = reader.mailbox.save_draft(reply(1, world.address))
    reader.mailbox.send_draft(draft)
    reader.mailbox.draft_state(draft, reply_id(1))
    assert world.pace.spent(world.address) == world.front.units(UNITS) > 100


def test_a_mailbox_with_much_old_mail_waits_for_its_quota_and_lets_new_mail_pass(world: GmailWorld) -> None:
    now = [0.0]
    world.pace = Pace(10**9, 600, clock=lambda: now[0])
    world.deliver(*(family_mail(number, world.address) for number in range(60)))
    reader = Reader(world.open())
    first = reader.look()
    reader.commit(first)
    assert 0 < len(first.messages) < 60, "a whole page of old mail is read at one go, whatever the quota says"
    now[0] += 30
    world.deliver(family_mail(100, world.address))
    second = reader.look()
    assert message_id_of(second.messages[0].raw) == family_id(100)
    assert sum(world.slept) < 60


def test_a_message_that_google_cannot_hand_over_is_told_beside_the_others(world: GmailWorld) -> None:
    reader = five_messages(world)
    world.deliver_unreadable()
    found = reader.sync()
    assert len(found) == 6
    assert (found[5].raw, found[5].size > 0) == (b"", True)
    with pytest.raises(MailboxError) as told:
        reader.mailbox.fetch(found[5].id)
    assert not isinstance(told.value, Throttled)


def test_a_google_that_hands_over_no_message_at_all_loses_no_text(world: GmailWorld) -> None:
    reader = five_messages(world)
    ids = [world.id_of(family_id(number)) for number in range(5)]
    unreadable = world.front.accounts[world.address].unreadable
    unreadable.update(ids)
    with pytest.raises(Throttled):
        reader.look()
    unreadable.clear()
    assert all(message.raw for message in reader.sync())


def test_a_google_that_is_down_loses_no_text(world: GmailWorld) -> None:
    reader = five_messages(world)
    rule = Refusing(503, "backendError", times=999)
    world.front.refusing.append(rule)
    with pytest.raises(Throttled):
        reader.look()
    rule.times = 0
    assert all(message.raw for message in reader.sync())


def test_sending_that_google_puts_off_is_done_later_and_once(world: GmailWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    method = "gmail.users.drafts.send"
    world.front.refusing.append(Refusing(429, "rateLimitExceeded", retry_after="5", times=2, method=method))
    mailbox.send_draft(draft)
    assert world.slept == [5, 5]
    assert [message_id_of(raw) for raw in world.departed()] == [reply_id(1)]
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT


# Push


@pytest.fixture
def pushed(front: GmailFront) -> Iterator[GmailWorld]:
    """A world that Gmail tells of new mail, with a subscription that nobody else pulls."""
    with gmail_front.running(front.emulator) as own:
        world = PushedWorld(own, USERS[next(_numbers)])
        yield world
        world.close()


class PushedWorld(GmailWorld):
    """A world with a topic; its mailboxes share what pulls the subscription."""

    push = True

    def open(self, *args: object, **settings: object) -> object:
        self.secrets.put(KEY_NAME, self.front.key())
        if not hasattr(self, "puller"):
            self.puller = Puller(
                Channel(TOPIC, SUBSCRIPTION, f"{self.front.url}/"), lambda: pubsub_access(self.secrets)
            )
        return super().open(*args, push=self.puller, topic=TOPIC, subscription=SUBSCRIPTION, **settings)


class TestPush(RobustnessContract):
    """The part of the contract that waits."""

    @pytest.fixture
    def harness(self, pushed: GmailWorld) -> GmailWorld:
        return pushed

    test_a_large_message_is_cut_in_changes_and_whole_in_fetch = None
    test_what_is_not_mail_comes_all_the_same_and_holds_nothing_up = None

    def test_new_mail_ends_waiting(self, harness: GmailWorld) -> None:
        """Gmail tells from the first watch on: mail that comes before it is found by the next look."""
        harness.open().wait(0)
        super().test_new_mail_ends_waiting(harness)


def test_a_watch_is_renewed_each_day_and_not_before(pushed: GmailWorld) -> None:
    now = [datetime.now(UTC)]
    mailbox = pushed.open(clock=lambda: now[0])
    pushed.front.asked.clear()
    for hours in (0, 1, 22, 2, 1):
        now[0] += timedelta(hours=hours)
        mailbox.wait(0)
    watches = [asked for asked in pushed.front.asked if asked.method == "gmail.users.watch"]
    assert [asked.body for asked in watches] == [{"topicName": TOPIC}] * 2


def test_where_gmail_may_not_tell_the_topic_mail_is_polled_and_the_check_says_why(pushed: GmailWorld) -> None:
    method = "gmail.users.watch"
    text = "Error sending test message to Cloud PubSub: User not authorized to perform this action."
    pushed.front.refusing.append(Refusing(403, "forbidden", text, times=9, method=method))
    mailbox = pushed.open()
    assert mailbox.wait(PATIENCE * 10) is False
    assert any("gmail-api-push@system.gserviceaccount.com" in fact for fact in mailbox.check())


def test_where_nothing_can_be_pulled_waiting_is_left_to_the_caller_and_the_check_says_why(pushed: GmailWorld) -> None:
    pulling = "pubsub.projects.subscriptions.pull"
    pushed.front.refusing.append(Refusing(403, "forbidden", "Not authorized", times=9, method=pulling))
    mailbox = pushed.open()
    said = _Said()
    logging.getLogger("connectors.gmail_push").addHandler(said)
    mailbox.wait(0)
    assert said.happened.wait(PATIENCE)
    assert mailbox.wait(PATIENCE * 10) is False
    assert any(f"Subscriber on {SUBSCRIPTION}" in fact for fact in mailbox.check())


class _Said(logging.Handler):
    """Tells that something was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.happened = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.happened.set()


def test_where_push_works_the_check_says_so(pushed: GmailWorld) -> None:
    assert "New mail is told at once (Pub/Sub)." in pushed.open().check()


def test_one_pull_rings_every_mailbox_that_changed_and_no_other(front: GmailFront) -> None:
    addresses = [f"bell{number}@school.example" for number in range(3)]
    with gmail_front.running(front.emulator) as quiet:
        for address in (addresses[0], addresses[1], addresses[0]):
            quiet.publish(json.dumps({"emailAddress": address.upper(), "historyId": "1"}))
        for nonsense in ("", "[]", '{"emailAddress": 7}', "no json"):
            quiet.publish(nonsense)
        secrets = Secrets.in_memory({KEY_NAME: quiet.key()})
        subscription = Subscription(Channel(TOPIC, SUBSCRIPTION, f"{quiet.url}/"), pubsub_access(secrets))
        assert subscription.pull() == (addresses[0], addresses[1])
        assert [bells.wait(address, 0) for address in addresses] == [True, True, False]
        assert subscription.pull() == (), "what was told is told again"
        subscription.close()


def test_a_new_thread_pulls_when_the_last_mailbox_has_gone_and_another_comes(pushed: GmailWorld) -> None:
    first = pushed.open()
    first.wait(0)
    first.close()
    second = pushed.open()
    Reader(second).sync()
    second.wait(0)
    outcome: list[bool] = []
    waiting = threading.Thread(target=lambda: outcome.append(second.wait(PATIENCE)), daemon=True)
    waiting.start()
    pushed.deliver(family_mail(1, pushed.address))
    waiting.join(PATIENCE)
    assert outcome == [True]
