"""Contacts on a real PostgreSQL, with workers at once: each is on record once, and no two wait for each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from autoresponder.contacts import ContactKind, ContactTone
from scorecard.contact_list import ListedContact
from scorecard.list_import import import_contacts
from store.contact_record import NewContact
from store.contact_replies import ReplyHeard, hear_reply
from store.contact_tables import Contact, ContactSource, HeardReply
from store.contacts import Contacts
from store.database import Database
from store.pages import Pages
from store.scorecard_tables import Mark
from tests.scorecard.test_list_import import ZONE
from tests.servers.postgres import Postgres
from tests.service.maple import RIVERA
from tests.service.roster_of_maple import MAYA, THEO, fill_roster

pytestmark = pytest.mark.server("postgres")
NOW = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
WORKERS = 4


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[Database]:
    made = postgres_server.school()
    Pages(made).fingerprint_key()
    fill_roster(made)
    yield made
    made.close()


def new(reference: str, student: str = MAYA.id) -> NewContact:
    return NewContact(
        reference=reference,
        mailbox=RIVERA,
        student=student,
        on_day=date(2026, 3, 4),
        kind=ContactKind.CALL,
        tone=ContactTone.GOOD_NEWS,
        reached=True,
        source=ContactSource.REPLY,
        over_at=NOW,
    )


def at_once(act: Callable[[int], object]) -> list[object]:
    """Several workers do the same at the same time."""
    together = Barrier(WORKERS)

    def one(number: int) -> object:
        together.wait(30)
        return act(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, range(WORKERS)))


def count(database: Database, table: type) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_workers_who_note_the_same_contact_at_once_note_it_once(database: Database) -> None:
    done = at_once(lambda _: Contacts(database).log(new("page:1"), NOW, act="noted a contact"))
    assert sorted(done, key=str) == [False, False, False, True]
    assert (count(database, Contact), count(database, Mark)) == (1, 1)


def test_workers_who_take_it_back_at_once_take_it_back_once(database: Database) -> None:
    Contacts(database).log(new("page:1"), NOW, act="noted a contact")
    assert at_once(lambda _: Contacts(database).withdraw(1, RIVERA, NOW)) == [True] * WORKERS
    assert count(database, Mark) == 2


def test_copies_of_an_answer_that_are_read_at_once_are_heard_once(database: Database) -> None:
    reply = ReplyHeard(RIVERA, "print", date(2026, 3, 4), NOW, contacts=(new("reply:1"), new("reply:2", THEO.id)))

    def hear(_: int) -> None:
        with database.write() as connection:
            hear_reply(connection, reply)

    at_once(hear)
    assert (count(database, HeardReply), count(database, Contact), count(database, Mark)) == (1, 2, 2)


def test_a_list_that_is_imported_by_several_at_once_is_on_record_once(database: Database) -> None:
    rows = [
        ListedContact(
            reference=f"file:id:{number}",
            mailbox=RIVERA,
            student=MAYA.id,
            on_day=date(2026, 3, 4),
            kind=ContactKind.CALL,
            tone=ContactTone.NEUTRAL,
            reached=True,
            withdrawn=False,
        )
        for number in range(20)
    ]
    at_once(lambda number: import_contacts(database, rows[:: (-1) ** number], now=NOW, zone=ZONE))
    assert count(database, Contact) == len(rows)
    import_contacts(database, rows, now=NOW, zone=ZONE, dry_run=True)
    with database.read() as connection:
        assert connection.execute(select(col(Contact.withdrawn_at))).scalars().first() is None
