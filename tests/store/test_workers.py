"""Whose turn it is, who lives, and what is shared: on a real PostgreSQL, whose clock it all goes by."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from sqlalchemy import Connection, event, text

from connectors.labels import Tag
from connectors.mailbox import Direction
from store.allowances import Allowances
from store.database import Database
from store.mailbox_turns import Ended, MailboxTurns, Turn
from store.push_tickets import PushTickets
from store.queue_schema import QueueSchema
from store.tables import Delivery, DeliveryKind, DeliveryState, DeliveryStep, Item, MessageRecord
from store.worker_tables import Pace
from store.workers import NOW, Workers
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server("postgres")

BO, VICTOR = "host.1.aa", "host.2.bb"
LIVE = (Pace.LIVE, Pace.FAILING)


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[Database]:
    opened = postgres_server.school()
    yield opened
    opened.close()


def alive(database: Database, *workers: str) -> None:
    for worker in workers:
        Workers(database).sign(worker, "1")


def set_up(database: Database, *mailboxes: str, worker: str = BO) -> MailboxTurns:
    """A worker that lives, and mailboxes that are due now."""
    alive(database, worker)
    turns = MailboxTurns(database, worker)
    turns.add(dict.fromkeys(mailboxes, "imap"), 0)
    return turns


def say(database: Database, statement: str, **values: object) -> None:
    with database.write() as connection:
        connection.execute(text(statement.replace("NOW", NOW)), values)


def names(turns: list[Turn]) -> list[str]:
    return [turn.mailbox for turn in turns]


def test_taking_turns_reads_no_mailboxes_that_are_not_due(database: Database) -> None:
    turns = set_up(database, "first@maple.example")
    turns.add({f"later{number}@maple.example": "imap" for number in range(3000)}, 0)
    say(database, "UPDATE mailbox_turn SET due_at = NOW + interval '1 hour' WHERE mailbox LIKE 'later%'")
    say(database, "ANALYZE mailbox_turn")
    read: list[int] = []
    asking = count()

    def rows_read(connection: Connection, *_: object) -> None:
        if next(asking) in {0, 3}:  # before the taking and after it, and not around our own question
            query = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'mailbox_turn'"
            read.append(int(connection.exec_driver_sql(query).scalar_one()))

    for moment in ("before_cursor_execute", "after_cursor_execute"):
        event.listen(database.engine, moment, rows_read)
    assert names(turns.take("imap", 8, LIVE)) == ["first@maple.example"]
    before, after = read
    assert 0 < after - before < 100


class TestTurns:
    """Mailboxes are handed out a batch at a time, the longest due first."""

    def test_a_batch_is_the_mailboxes_of_one_system_that_are_due(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example", "b@maple.example")
        turns.add({"c@maple.example": "gmail"}, 0)
        turns.add({"later@maple.example": "imap"}, 0)
        say(database, "UPDATE mailbox_turn SET due_at = NOW + interval '1 hour' WHERE mailbox LIKE 'later%'")
        assert turns.waiting() == {"imap": 2, "gmail": 1}
        assert sorted(names(turns.take("imap", 10, LIVE))) == ["a@maple.example", "b@maple.example"]
        assert turns.waiting() == {"gmail": 1}

    def test_first_turns_are_spread_over_the_time_between_two(self, database: Database) -> None:
        turns = MailboxTurns(database, BO)
        turns.add({f"{number}@maple.example": "imap" for number in range(60)}, 60)
        with database.read() as connection:
            spread = connection.execute(
                text("SELECT extract(epoch FROM max(due_at) - min(due_at)) FROM mailbox_turn")
            ).scalar_one()
        assert 58 <= float(spread) <= 60

    def test_adding_them_again_changes_nothing(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        (turn,) = turns.take("imap", 1, LIVE)
        turns.add({"a@maple.example": "imap"}, 0)
        assert turns.take("imap", 1, LIVE) == []
        assert turns.give_back([Ended(turn, Pace.LIVE, 60)]) == 1

    def test_many_workers_at_once_never_hold_the_same_mailbox(self, database: Database) -> None:
        boxes = [f"{number}@maple.example" for number in range(200)]
        set_up(database, *boxes)
        workers = [f"host.{number}.cc" for number in range(8)]
        alive(database, *workers)

        def take_all(worker: str) -> list[str]:
            turns, taken = MailboxTurns(database, worker), list[str]()
            while some := turns.take("imap", 7, LIVE):
                taken += names(some)
            return taken

        with ThreadPoolExecutor(8) as pool:
            taken = [name for each in pool.map(take_all, workers) for name in each]
        assert sorted(taken) == sorted(boxes)

    def test_a_busy_mailbox_has_one_turn_while_each_quiet_one_has_its_own(self, database: Database) -> None:
        quiet = [f"quiet{number}@maple.example" for number in range(9)]
        turns = set_up(database, "busy@maple.example", *quiet)
        order: list[str] = []
        for _ in range(30):
            (turn,) = turns.take("imap", 1, (*LIVE, Pace.BACKLOG))
            order.append(turn.mailbox)
            busy = turn.mailbox.startswith("busy")
            turns.give_back([Ended(turn, Pace.BACKLOG if busy else Pace.LIVE, 0.0, at_once=True)])
        for begin in range(0, 30, 10):
            assert set(order[begin : begin + 10]) == {"busy@maple.example", *quiet}

    def test_old_mail_waits_while_only_new_mail_is_asked_for(self, database: Database) -> None:
        turns = set_up(database, "old@maple.example", "new@maple.example")
        for turn in turns.take("imap", 2, LIVE):
            pace = Pace.BACKLOG if turn.mailbox.startswith("old") else Pace.LIVE
            turns.give_back([Ended(turn, pace, 0.0, at_once=True)])
        assert names(turns.take("imap", 2, LIVE)) == ["new@maple.example"]
        assert names(turns.take("imap", 2, (Pace.BACKLOG,))) == ["old@maple.example"]

    def test_turns_come_at_their_pace_however_long_one_takes(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        say(database, "UPDATE mailbox_turn SET due_at = NOW - interval '20 seconds'")
        (turn,) = turns.take("imap", 1, LIVE)
        assert 19 < turn.late < 40
        turns.give_back([Ended(turn, Pace.LIVE, 60)])
        with database.read() as connection:
            wait = connection.execute(text(f"SELECT extract(epoch FROM due_at - {NOW}) FROM mailbox_turn")).scalar_one()
        assert 20 < float(wait) <= 40

    def test_a_mailbox_is_left_for_a_moment_to_the_worker_that_is_connected_to_it(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        alive(database, VICTOR)
        (turn,) = turns.take("imap", 1, LIVE)
        turns.give_back([Ended(turn, Pace.LIVE, 0.0, at_once=True)])
        other = MailboxTurns(database, VICTOR)
        assert other.take("imap", 1, LIVE) == []
        say(database, "UPDATE mailbox_turn SET due_at = NOW - interval '4 seconds'")
        assert names(other.take("imap", 1, LIVE)) == ["a@maple.example"]

    def test_a_mailbox_of_another_configuration_is_left_to_others(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example", "theirs@maple.example")
        strangers = turns.strangers({"a@maple.example"})
        assert strangers == ["theirs@maple.example"]
        assert turns.waiting(strangers) == {"imap": 1}
        assert names(turns.take("imap", 9, LIVE, strangers)) == ["a@maple.example"]

    def test_a_mailbox_that_no_configuration_has_is_forgotten_after_a_day(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example", "gone@maple.example", "theirs@maple.example")
        say(database, "UPDATE mailbox_turn SET due_at = NOW - interval '25 hours' WHERE mailbox NOT LIKE 'theirs%'")
        turns.forget(["gone@maple.example", "theirs@maple.example"])
        assert sorted(turns.strangers(())) == ["a@maple.example", "theirs@maple.example"]

    def test_what_happens_during_a_turn_brings_another_right_after_it(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        (turn,) = turns.take("imap", 1, LIVE)
        turns.wake(["a@maple.example"])
        turns.give_back([Ended(turn, Pace.LIVE, 3600)])
        (again,) = turns.take("imap", 1, LIVE)
        turns.give_back([Ended(again, Pace.LIVE, 3600)])
        assert turns.take("imap", 1, LIVE) == []
        turns.wake(["a@maple.example"])
        assert len(turns.take("imap", 1, LIVE)) == 1

    def test_waking_does_not_shorten_the_pause_of_one_that_fails(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        (turn,) = turns.take("imap", 1, LIVE)
        turns.give_back([Ended(turn, Pace.FAILING, 900, failures=1)])
        turns.wake(["a@maple.example"])
        assert turns.take("imap", 1, LIVE) == []
        assert turns.waiting() == {}


class TestDeath:
    """Who is dead holds nothing; who was only taken for dead does no harm."""

    def dies(self, database: Database, worker: str) -> None:
        say(database, "UPDATE worker SET alive_until = NOW - interval '1 second' WHERE id = :id", id=worker)

    def test_the_mailboxes_of_a_dead_worker_are_anybodys(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        alive(database, VICTOR)
        turns.take("imap", 1, LIVE)
        other = MailboxTurns(database, VICTOR)
        assert other.take("imap", 1, LIVE) == []
        self.dies(database, BO)
        assert names(other.take("imap", 1, LIVE)) == ["a@maple.example"]

    def test_a_clock_that_jumps_ahead_has_nobody_take_what_is_in_hand_until_they_said_that_they_live(
        self, database: Database
    ) -> None:
        bo = set_up(database, "a", "b")
        alive(database, VICTOR)
        assert len(bo.take("imap", 10, LIVE)) == 2
        say(database, "UPDATE worker SET alive_until = NOW - interval '1 hour'")
        victor = MailboxTurns(database, VICTOR)
        assert [bo.take("imap", 10, LIVE), victor.take("imap", 10, LIVE)] == [[], []]
        alive(database, BO, VICTOR)
        assert [bo.take("imap", 10, LIVE), victor.take("imap", 10, LIVE)] == [[], []]

    def test_who_was_taken_for_dead_cannot_end_the_turn_of_another(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        alive(database, VICTOR)
        (mine,) = turns.take("imap", 1, LIVE)
        self.dies(database, BO)
        (theirs,) = MailboxTurns(database, VICTOR).take("imap", 1, LIVE)
        alive(database, BO)
        assert turns.give_back([Ended(mine, Pace.LIVE, 0.0, at_once=True)]) == 0
        assert turns.take("imap", 1, LIVE) == []
        assert MailboxTurns(database, VICTOR).give_back([Ended(theirs, Pace.LIVE, 0.0)]) == 1

    def test_a_turn_that_never_ends_is_given_to_somebody_else(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        turns.take("imap", 1, LIVE)
        assert turns.take("imap", 1, LIVE) == []
        say(database, "UPDATE mailbox_turn SET taken_at = NOW - interval '11 minutes'")
        assert len(turns.take("imap", 1, LIVE)) == 1

    def test_a_worker_that_leaves_gives_all_back_at_once(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        alive(database, VICTOR)
        turns.take("imap", 1, LIVE)
        Workers(database).leave(BO)
        assert [each.id for each in Workers(database).alive()] == [VICTOR]
        assert len(MailboxTurns(database, VICTOR).take("imap", 1, LIVE)) == 1

    @pytest.mark.parametrize(
        ("step", "freed"), [(DeliveryStep.PLANNED, 1), (DeliveryStep.DRAFTED, 1), (DeliveryStep.SENDING, 0)]
    )
    def test_mail_in_a_dead_workers_hands_is_free_unless_a_server_may_have_it(
        self, database: Database, step: DeliveryStep, freed: int
    ) -> None:
        alive(database, BO, VICTOR)
        give_work(database, DeliveryKind.ROUTE, holder=f"{BO}:140", step=step)
        give_work(database, DeliveryKind.ROUTE, holder=f"{VICTOR}:140", step=step)
        assert Workers(database).bury() == 0
        self.dies(database, BO)
        assert Workers(database).bury() == freed
        assert Workers(database).bury() == 0


def give_work(
    database: Database,
    kind: DeliveryKind,
    *,
    mailbox: str = "a@maple.example",
    holder: str | None = None,
    step: DeliveryStep = DeliveryStep.PLANNED,
    ago: timedelta = timedelta(seconds=10),
) -> None:
    """A delivery that came due so long ago; in the hands of `holder`, whose lease has not ended."""
    with database.read() as connection:
        now: datetime = connection.execute(text(f"SELECT {NOW}")).scalar_one().replace(tzinfo=UTC)
    name = f"{kind} {mailbox} {holder} {step}"
    message = MessageRecord(
        mailbox=mailbox,
        provider_id=name,
        direction=Direction.RECEIVED,
        fingerprint=name,
        thread=name,
        received_at=now,
        recorded_at=now,
    )
    with database.write() as connection:
        table = MessageRecord.__table__  # type: ignore[attr-defined]
        number = connection.execute(table.insert().values(message.model_dump(exclude={"id"}))).inserted_primary_key[0]
        delivery = Delivery(
            mailbox=mailbox,
            message_id=number,
            kind=kind,
            state=DeliveryState.WAITING if holder is None else DeliveryState.WORKING,
            step=step,
            dedupe_key=name,
            lease_holder=holder,
            lease_until=None if holder is None else now + timedelta(minutes=2),
            next_attempt_at=now - ago,
            created_at=now,
        )
        connection.execute(Delivery.__table__.insert().values(delivery.model_dump(exclude={"id"})))  # type: ignore[attr-defined]


class TestWhatComesDue:
    """What no change in a mailbox announces is found in the record, urgent mail first."""

    def later(self, database: Database, *mailboxes: str) -> MailboxTurns:
        turns = set_up(database, *mailboxes)
        say(database, "UPDATE mailbox_turn SET due_at = NOW + interval '1 hour'")
        return turns

    def test_a_delivery_that_is_due_hastens_its_mailbox_and_no_other(self, database: Database) -> None:
        turns = self.later(database, "a@maple.example", "b@maple.example")
        assert turns.hasten() == 0
        give_work(database, DeliveryKind.REPLY)
        assert turns.hasten() == 1
        assert names(turns.take("imap", 9, LIVE)) == ["a@maple.example"]

    def test_urgent_mail_that_nobody_delivers_is_found_and_a_reply_is_not_urgent(self, database: Database) -> None:
        turns = self.later(database, "a@maple.example", "b@maple.example")
        give_work(database, DeliveryKind.REPLY, mailbox="b@maple.example")
        assert turns.urgent() == []
        give_work(database, DeliveryKind.ROUTE)
        assert turns.urgent() == ["a@maple.example"]

    def test_urgent_mail_is_left_for_a_moment_to_whoever_planned_it(self, database: Database) -> None:
        turns = self.later(database, "a@maple.example")
        give_work(database, DeliveryKind.ROUTE, ago=timedelta(seconds=1))
        assert turns.urgent() == []

    def test_urgent_mail_in_living_hands_is_left_to_them(self, database: Database) -> None:
        turns = self.later(database, "a@maple.example")
        give_work(database, DeliveryKind.ROUTE, holder=f"{BO}:1")
        assert turns.urgent() == []

    def test_a_mailbox_that_fails_is_not_knocked_at_for_its_urgent_mail(self, database: Database) -> None:
        turns = set_up(database, "a@maple.example")
        give_work(database, DeliveryKind.ESCALATE)
        (turn,) = turns.take("imap", 1, LIVE)
        turns.give_back([Ended(turn, Pace.FAILING, 900, failures=1)])
        assert turns.urgent() == []
        assert turns.hasten() == 0

    def test_an_item_that_nobody_took_in_time_is_urgent(self, database: Database) -> None:
        turns = self.later(database, "a@maple.example")
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        times = dict.fromkeys(("opened_at", "last_mail_at", "changed_at", "stepped_at", "escalates_at"), long_ago)
        item = Item(
            reference="r", mailbox="a@maple.example", family="f", topic="bus", tag=Tag.URGENT, path="office", **times
        )
        with database.write() as connection:
            connection.execute(Item.__table__.insert().values(item.model_dump(exclude={"id"})))  # type: ignore[attr-defined]
        assert turns.urgent() == ["a@maple.example"]


class TestAllowances:
    """What a provider allows is shared by all workers, by the database's clock."""

    def test_no_more_is_handed_out_at_once_than_a_burst_and_then_only_as_time_goes_by(self, database: Database) -> None:
        workers = [Allowances(database, worker) for worker in (BO, VICTOR)]

        def book(number: int) -> float:
            return workers[number % 2].book("gmail maple", 100, 6000, 5)

        with ThreadPoolExecutor(4) as pool:
            waits = sorted(pool.map(book, range(40)))
        # A second's worth each: five at once, and each further one a second later than the one before.
        assert waits[:4] == [0.0] * 4
        assert waits[-1] > 40 - 5 - 10
        assert all(later - sooner <= 1.001 for sooner, later in pairwise(waits))

    def test_accounts_do_not_take_from_each_other(self, database: Database) -> None:
        allowances = Allowances(database, BO)
        assert allowances.book("gmail maple", 6000, 60, 5) == 0.0
        assert allowances.book("gmail maple", 60, 60, 5) > 50
        assert allowances.book("gmail oak", 60, 60, 5) == 0.0

    def test_what_would_be_waited_for_too_long_is_not_booked(self, database: Database) -> None:
        bo, victor = Allowances(database, BO), Allowances(database, VICTOR)
        assert bo.book("gmail new", 60, 60, 5, at_most=2) == 0.0
        waits = [victor.book("gmail new", 60, 60, 5, at_most=2) for _ in range(5)]
        assert all(50 < wait <= 60 for wait in waits)
        assert bo.book("gmail new", 60, 60, 5, at_most=70) <= 60

    def test_of_many_at_once_no_more_book_than_there_is_soon(self, database: Database) -> None:
        workers = [Allowances(database, worker) for worker in (BO, VICTOR)]

        def book(number: int) -> float:
            return workers[number % 2].book("graph app", 100, 600, 20, at_most=0)

        with ThreadPoolExecutor(8) as pool:
            assert sorted(wait == 0 for wait in pool.map(book, range(16))) == [False] * 14 + [True] * 2

    def test_an_account_that_a_provider_asks_to_leave_alone_is_so_for_every_worker(self, database: Database) -> None:
        bo, victor = Allowances(database, BO), Allowances(database, VICTOR)
        asked = ["gmail maple", "gmail oak"]
        assert victor.paused(asked) == {}
        bo.pause("gmail maple", 60)
        bo.pause("gmail maple", 5)  # another worker was told something shorter a moment later
        (found,) = victor.paused(asked).items()
        assert found[0] == "gmail maple"
        assert 50 < found[1] <= 60
        say(database, "UPDATE allowance SET paid_at = NOW - interval '1 second'")
        assert victor.paused(asked) == {}

    def test_a_chore_is_one_workers_at_a_time(self, database: Database) -> None:
        workers = [Allowances(database, f"host.{number}.dd") for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(lambda each: each.turn("chore notices", 3600), workers))
        assert sorted(wait == 0 for wait in waits) == [False] * 7 + [True]
        assert all(3000 < wait <= 3600 for wait in waits if wait)

    def test_connections_are_shared_and_those_of_the_dead_are_free(self, database: Database) -> None:
        alive(database, BO, VICTOR)
        bo, victor = Allowances(database, BO), Allowances(database, VICTOR)
        assert bo.hold("imap mail.example", 10, 10) == 10
        assert victor.hold("imap mail.example", 5, 10) == 0
        assert bo.hold("imap mail.example", 5, 10) == 5
        assert victor.hold("imap mail.example", 5, 10) == 5
        assert victor.hold("imap other.example", 5, 10) == 5
        say(database, "UPDATE worker SET alive_until = NOW - interval '1 second' WHERE id = :id", id=BO)
        assert victor.hold("imap mail.example", 10, 10) == 10

    def test_workers_that_ask_at_once_never_hold_more_than_there_is(self, database: Database) -> None:
        workers = [f"host.{number}.ee" for number in range(6)]
        alive(database, *workers)
        with ThreadPoolExecutor(6) as pool:
            held = list(pool.map(lambda name: Allowances(database, name).hold("imap", 4, 10), workers))
        assert sum(held) == 10


class TestPushTickets:
    """A notification is known by its ticket, and believed for its secret."""

    def test_the_right_secret_names_the_mailbox_and_a_wrong_one_nobody(self, database: Database) -> None:
        tickets = PushTickets(database)
        tickets.keep("ticket.secret", "a@maple.example", datetime(2099, 1, 1, tzinfo=UTC))
        assert tickets.mailbox_of("ticket.secret") == "a@maple.example"
        assert tickets.mailbox_of("ticket.secreT") is None
        assert tickets.mailbox_of("other.secret") is None
        assert tickets.mailbox_of("") is None

    def test_the_secret_itself_is_not_on_record(self, database: Database) -> None:
        PushTickets(database).keep("ticket.topsecret", "a@maple.example", datetime(2099, 1, 1, tzinfo=UTC))
        with database.read() as connection:
            assert "topsecret" not in str(connection.execute(text("SELECT * FROM push_ticket")).all())


class TestQueueSchema:
    """Procrastinate's tables are made and brought forward as ours are."""

    def test_a_new_database_gets_all_of_it_and_needs_nothing_more(self, database: Database) -> None:
        schema = QueueSchema(database)
        assert schema.pending().first
        assert schema.migrate() == ["the whole schema"]
        assert schema.pending().first == schema.pending().last == []
        assert schema.migrate(finish=True) == []

    def test_a_newer_queue_takes_its_first_steps_beside_old_workers_and_its_last_ones_after_them(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        QueueSchema(database).migrate()
        newer = tmp_path_factory.mktemp("migrations")
        (newer / "99.00.00_01_pre_more.sql").write_text("CREATE TABLE more_queue (id int); SELECT '50%';")
        (newer / "99.00.00_50_post_less.sql").write_text("DROP TABLE more_queue;")
        monkeypatch.setattr("store.queue_schema.SchemaManager.get_migrations_path", lambda: str(newer))
        schema = QueueSchema(database)
        assert schema.migrate() == ["99.00.00_01_pre_more"]
        assert schema.pending().last == ["99.00.00_50_post_less"]
        assert schema.migrate() == []
        assert schema.migrate(finish=True) == ["99.00.00_50_post_less"]
        assert not schema.pending().first
        assert not schema.pending().last
