"""The one question about a mailbox and the parts that ask for themselves agree, on SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, SQLModel

from autoresponder.cases import CaseState
from autoresponder.items import ItemState
from connectors.labels import Tag
from connectors.mailbox import Direction
from store.agenda import Agenda, Agendas
from store.answer_tables import OwnAnswer
from store.case_tables import CaseMail, ConflictCase
from store.cases import Cases
from store.database import Database
from store.digest_tables import DigestRecord
from store.digests import Digests
from store.follow_ups import FollowUps
from store.glow_drafts import GlowDrafts
from store.glow_tables import GlowDraft, GlowWish
from store.glow_wishes import GlowWishes
from store.items import Items
from store.outbox import Outbox
from store.pages import Pages
from store.parking import ParkingLot
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Item,
    MessageRecord,
    Notice,
    NoticeKind,
    Parking,
)
from tests.servers.postgres import Postgres

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
TODAY = NOW.date()
LEASE = timedelta(minutes=2)
TIMES = tuple(
    NOW + by
    for by in (
        -timedelta(days=1),
        timedelta(0),
        timedelta(seconds=1),
        timedelta(minutes=9),
        timedelta(minutes=11),
        timedelta(minutes=21),
        timedelta(hours=3),
    )
)
"""On either side of now and of what only a clock that was ahead can have written."""
STATES = (
    *((DeliveryState.WAITING, at, None) for at in TIMES),
    *((DeliveryState.WORKING, NOW, lease) for lease in TIMES),
    *((state, NOW, NOW) for state in DeliveryState),
)
"""With when to try it next, and when its worker's lease ends."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database.open("alliance.db", folder=tmp_path)
    else:
        postgres_server: Postgres = request.getfixturevalue("postgres_server")
        found = postgres_server.school()
    yield found
    found.close()


class District:
    """Mailboxes with one thing in each, as the parts would have put it there."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.mailboxes: list[str] = []
        self.expected: dict[str, datetime | None] = {}
        """When something comes due next."""
        self._pages = Pages(database)

    def mailbox(self, next_at: datetime | None = None) -> str:
        address = f"t{len(self.mailboxes)}@district.example"
        self.expected[address] = next_at
        self.mailboxes.append(address)
        self._pages.connect(address, NOW - timedelta(days=30))
        return address

    def add(self, *rows: SQLModel) -> None:
        with self.database.write() as connection, Session(bind=connection) as session:
            for row in rows:
                session.add(row)
                session.flush()

    def message(self, mailbox: str) -> int:
        record = MessageRecord(
            mailbox=mailbox,
            provider_id="m",
            direction=Direction.RECEIVED,
            fingerprint=mailbox,
            thread="t",
            received_at=NOW,
            recorded_at=NOW,
        )
        with self.database.write() as connection, Session(bind=connection, expire_on_commit=False) as session:
            session.add(record)
            session.flush()
            return record.id or 0

    def says_the_same(self, mailbox: str, agenda: Agenda) -> None:
        database = self.database
        outbox, items, cases = Outbox(database, "worker", LEASE), Items(database), Cases(database)
        glow, digests = GlowDrafts(database, LEASE), Digests(database, LEASE)
        assert agenda.follow_ups is bool(FollowUps(database).of(mailbox))
        assert agenda.items is bool(items.due(mailbox, NOW))
        assert agenda.cases is bool(cases.due(mailbox, NOW))
        assert agenda.deliveries is bool(outbox.due(mailbox, NOW))
        times = (agenda.delivery_at, agenda.step_at, agenda.good_news_at, agenda.morning_mail_at)
        assert [at for at in times if at is not None] == [at for at in (self.expected[mailbox],) if at is not None]
        # Last, since they take what is there.
        lot = ParkingLot(database, LEASE)
        assert agenda.parked is (lot.lift(mailbox, NOW, sent=True) is not None)
        wishes = bool(GlowWishes(database).open(mailbox))
        assert agenda.good_news is (wishes or glow.take(mailbox, NOW) is not None)
        assert agenda.morning_mail is (digests.take(mailbox, NOW) is not None)

    def all_say_the_same(self) -> list[Agenda]:
        agendas = Agendas(self.database)
        alone = [agendas.of(mailbox, NOW) for mailbox in self.mailboxes]
        together = agendas.of_all(self.mailboxes, NOW)
        assert [together[mailbox] for mailbox in self.mailboxes] == alone
        for mailbox, agenda in together.items():
            self.says_the_same(mailbox, agenda)
        return alone


@pytest.fixture
def district(database: Database) -> District:
    return District(database)


def test_deliveries_of_every_state_and_time(district: District) -> None:
    for state, at, lease in STATES:
        mailbox = district.mailbox({DeliveryState.WAITING: at, DeliveryState.WORKING: lease}.get(state))
        delivery = Delivery(
            mailbox=mailbox,
            message_id=district.message(mailbox),
            kind=DeliveryKind.TAG,
            state=state,
            dedupe_key=mailbox,
            next_attempt_at=at,
            lease_until=lease,
            created_at=NOW,
        )
        district.add(delivery)
    said = district.all_say_the_same()
    assert {each.deliveries for each in said} == {True, False}


def test_items_of_every_state_and_time(district: District) -> None:
    for state, at, stepped in (
        *product((ItemState.OPEN,), (None, *TIMES[1:3]), TIMES[2:5]),
        *product(ItemState, (NOW,), (NOW,)),
    ):
        mailbox = district.mailbox(at if state is ItemState.OPEN else None)
        item = Item(
            reference=mailbox,
            mailbox=mailbox,
            family="f",
            topic="other",
            tag=Tag.URGENT,
            state=state,
            path="office",
            opened_at=NOW,
            last_mail_at=NOW,
            changed_at=NOW,
            stepped_at=stepped,
            escalates_at=at,
        )
        district.add(item)
    assert {each.items for each in district.all_say_the_same()} == {True, False}


def test_cases_of_every_state_and_time(district: District) -> None:
    for state, at, looked in (
        *product((CaseState.OPEN,), (None, *TIMES[1:3]), TIMES[2:5]),
        *product(CaseState, (NOW,), (NOW,)),
    ):
        mailbox = district.mailbox(at if state is CaseState.OPEN else None)
        case = ConflictCase(
            mailbox=mailbox,
            reference="r",
            family="f",
            state=state,
            opened_at=NOW,
            last_mail_at=NOW,
            takes_until=NOW,
            changed_at=NOW,
            looks_at=at,
            looked_at=looked,
        )
        district.add(case)
        district.add(CaseMail(message_id=district.message(mailbox), case_id=case.id or len(district.mailboxes)))
    assert {each.cases for each in district.all_say_the_same()} == {True, False}


def test_drafts_of_good_news_and_wishes(district: District) -> None:
    for state, at, lease in STATES:
        mailbox = district.mailbox({DeliveryState.WAITING: at, DeliveryState.WORKING: lease}.get(state))
        draft = GlowDraft(
            mailbox=mailbox,
            term="spring",
            family="f",
            day=TODAY,
            asked_at=NOW,
            state=state,
            rfc_message_id=mailbox,
            next_attempt_at=at,
            lease_until=lease,
        )
        district.add(draft)
    for done_at in (None, NOW):
        district.add(GlowWish(mailbox=district.mailbox(), morning=TODAY, asked_at=NOW, done_at=done_at))
    assert {each.good_news for each in district.all_say_the_same()} == {True, False}


def test_mails_of_the_morning(district: District) -> None:
    for number, (at, lease, told) in enumerate(
        (*product(TIMES[1:3], (None, *TIMES[1:3], TIMES[-1]), (None,)), (NOW, None, NOW), (NOW, None, NOW)), start=1
    ):
        mailbox, told_out = district.mailbox(at if told is None else None), told is not None and number % 2 == 0
        notice = Notice(
            id=number,
            kind=NoticeKind.DIGEST,
            rfc_message_id=mailbox,
            created_at=NOW,
            next_attempt_at=at,
            lease_until=lease,
            told_at=told,
        )
        record = DigestRecord(
            mailbox=mailbox, day=TODAY, decided_at=NOW, notice_id=number, sent_at=NOW if told_out else None
        )
        district.add(notice, record)
    said = district.all_say_the_same()
    assert {each.morning_mail for each in said} == {True, False}
    assert {each.morning for each in said} == {TODAY}


def test_the_last_morning_that_was_decided_on_counts_whether_there_was_something_to_tell_or_not(
    district: District,
) -> None:
    mailbox = district.mailbox()
    for day in (date(2026, 3, 2), TODAY, date(2026, 2, 27)):
        district.add(DigestRecord(mailbox=mailbox, day=day, decided_at=NOW))
    (said,) = district.all_say_the_same()
    assert said.morning == TODAY
    assert not said.morning_mail


def test_corrections_that_are_still_to_be_followed(district: District) -> None:
    for followed in (None, NOW):
        mailbox = district.mailbox()
        message = district.message(mailbox)
        district.add(
            Correction(
                mailbox=mailbox, message_id=message, from_tag=None, to_tag=Tag.URGENT, at=NOW, followed_at=followed
            )
        )
    assert [each.follow_ups for each in district.all_say_the_same()] == [True, False]


def test_parked_mailboxes(district: District) -> None:
    for lifted in (None, NOW):
        district.add(Parking(mailbox=district.mailbox(), since=NOW, reason="refused", lifted_at=lifted))
    assert [each.parked for each in district.all_say_the_same()] == [True, False]


def test_when_the_mail_system_was_last_asked_for_the_teachers_own_answer(district: District) -> None:
    never, once = district.mailbox(), district.mailbox()
    district.add(OwnAnswer(mailbox=once, asked_at=NOW))
    agendas = Agendas(district.database)
    assert agendas.of(never, NOW).asked_at is None
    assert agendas.of(once, NOW).asked_at == NOW


def test_a_mailbox_in_which_nothing_waits_has_its_state_and_nothing_else(district: District) -> None:
    mailbox = district.mailbox()
    said = Agendas(district.database).of(mailbox, NOW)
    assert said.state == Pages(district.database).connect(mailbox, NOW)
    flags = (said.follow_ups, said.items, said.cases, said.deliveries, said.good_news, said.morning_mail, said.parked)
    assert not any(flags)
    assert not said.due


def test_of_a_mailbox_that_is_not_on_record_everything_may_wait(database: Database) -> None:
    said = Agendas(database).of("new@district.example", NOW)
    assert said.state is None
    assert said.due
    assert said.good_news
    assert said.morning_mail
    assert said.parked
    assert Agendas(database).of_all(["new@district.example"], NOW) == {"new@district.example": said}


def test_a_mailbox_connected_by_a_clock_that_was_ahead_has_to_be_connected_again(district: District) -> None:
    mailbox = "ahead@district.example"
    Pages(district.database).connect(mailbox, NOW + timedelta(days=1))
    assert Agendas(district.database).of(mailbox, NOW).state is None


def test_more_mailboxes_than_one_statement_has_room_for(district: District) -> None:
    with district.database.write() as connection:
        connection.execute(
            text("INSERT INTO mailbox (address, connected_at) VALUES (:address, :at)"),
            [{"address": f"m{n}", "at": NOW.replace(tzinfo=None)} for n in range(1201)],
        )
    said = Agendas(district.database).of_all([f"m{n}" for n in range(1201)], NOW)
    assert len(said) == 1201
    assert not any(each.due for each in said.values())


def test_a_glance_leaves_connections_as_other_transactions_need_them(database: Database) -> None:
    Agendas(database).of("a@district.example", NOW)

    def fail_half_way() -> None:
        with database.write() as connection:
            values = {"at": NOW.replace(tzinfo=None)}
            connection.execute(text("INSERT INTO mailbox (address, connected_at) VALUES ('lost', :at)"), values)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert Agendas(database).of("lost", NOW).state is None
