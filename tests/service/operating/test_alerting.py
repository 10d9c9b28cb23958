"""The administrator hears of what is wrong once, and once when it is over; and of nothing that is not."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from config import SchoolCalendar
from config.settings import Holiday, MailboxSettings, Monitoring, Office, School, Settings
from connectors.errors import AuthenticationFailed, ConnectFailed
from connectors.mailbox import Direction
from service.operating.alerting import AlertTeller
from service.operating.monitor import Monitor
from service.operating.standing import Standing, standing_of
from service.operating.troubles import without_mail_of
from service.watcher import Quiet
from store.alerts import Alerts
from store.looks import Looks
from store.operating_tables import RunningProcess
from store.processes import Processes
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord
from store.vitals import Vitals, read_vitals
from tests.service.maple import OFFICE, OKAFOR, RIVERA, Maple
from tests.service.notices_of_maple import ALLIANCE, IT, Crash, attendant, notices, text

TOLD = {"administrator": IT, "notices_from": ALLIANCE, "poll_seconds": 60}
MANY = tuple(f"teacher{number}@maple.example" for number in range(60))


class Watch:
    """A process that watches the maple school, minute by minute."""

    def __init__(self, maple: Maple, *, die_at: str = "") -> None:
        def step(name: str, _notice: int) -> None:
            if name == die_at:
                raise Crash

        self.maple = maple
        assembly = maple.assembly()
        now = maple.clock()
        process = RunningProcess(name=now.isoformat(), role="run", version="0", began_at=now, seen_at=now)
        self.monitor = Monitor(
            maple.settings,
            assembly.calendar,
            maple.database,
            maple.clock,
            process,
            watcher=Quiet(),
            alerts=AlertTeller(assembly, environ={}, on_step=step),
        )

    def minutes(self, count: int, *, looks: tuple[str, ...] = ()) -> None:
        """Time passes; `looks` are the mailboxes that are looked at meanwhile."""
        step = 5 if count % 5 == 0 and count > 5 else 1
        for _ in range(count // step):
            Looks(self.maple.database).note(dict.fromkeys(looks, self.maple.clock()))
            self.monitor.look()
            self.maple.clock.forward(minutes=step)


@pytest.fixture
def maple() -> Maple:
    return Maple(settings=TOLD)


def connected(maple: Maple) -> Watch:
    """The school, every mailbox connected and looked at."""
    for box in maple.settings.mailboxes:
        maple.sweep(box.address)
    watch = Watch(maple)
    watch.minutes(2, looks=tuple(box.address for box in maple.settings.mailboxes))
    return watch


class TestSilence:
    def test_a_mailbox_that_nobody_gets_into_is_told_once_and_its_end_once(self, maple: Maple) -> None:
        watch = connected(maple)
        watch.minutes(55, looks=(OKAFOR,))
        assert notices(maple) == []
        watch.minutes(300, looks=(OKAFOR,))
        (alert,) = notices(maple)
        assert alert["Subject"] == "Alliance Inbox: a mailbox cannot be looked at"
        assert RIVERA in text(alert)
        assert OKAFOR not in text(alert)
        watch.minutes(200, looks=(RIVERA, OKAFOR))
        _, clear = notices(maple)
        assert clear["Subject"] == "Alliance Inbox: all is well again"
        assert RIVERA in text(clear)
        assert Alerts(maple.database, timedelta(minutes=2)).all() == []

    def test_sixty_mailboxes_behind_one_dead_server_are_one_mail(self) -> None:
        maple = Maple(settings=TOLD, teachers=MANY)
        connected(maple).minutes(180, looks=MANY[55:])
        (alert,) = notices(maple)
        assert alert["Subject"] == "Alliance Inbox: 55 mailboxes cannot be looked at"
        assert "and 35 more" in text(alert)

    def test_what_comes_and_goes_fills_nobodys_inbox(self, maple: Maple) -> None:
        watch = connected(maple)
        for _ in range(8):
            watch.minutes(70, looks=(OKAFOR,))
            watch.minutes(5, looks=(OKAFOR, RIVERA))
        assert len(notices(maple)) == 1

    def test_a_night_without_the_service_is_no_silence_of_its_mailboxes(self, maple: Maple) -> None:
        connected(maple)
        maple.clock.forward(hours=12)
        watch = Watch(maple)
        watch.minutes(1)
        watch.minutes(60, looks=(RIVERA, OKAFOR))
        assert notices(maple) == []

    def test_a_restart_is_no_look_at_a_mailbox_and_ends_nothing(self, maple: Maple) -> None:
        connected(maple).minutes(100, looks=(OKAFOR,))
        maple.clock.forward(minutes=3)  # the old process is not seen any more
        Watch(maple).minutes(10, looks=(OKAFOR,))
        (alert,) = Alerts(maple.database, timedelta(minutes=2)).all()
        assert (alert.subject, alert.over_at) == (RIVERA, None)

    def test_a_parked_mailbox_has_a_notice_of_its_own(self, maple: Maple) -> None:
        watch = connected(maple)
        attendant(maple).refused(RIVERA, AuthenticationFailed("refused"))
        watch.minutes(300, looks=(OKAFOR,))
        assert notices(maple) == []

    def test_nobody_is_told_where_the_school_does_not_want_it(self, maple: Maple) -> None:
        maple.settings = maple.settings.model_copy(update={"monitoring": Monitoring(alerts=False)})
        connected(maple).minutes(120, looks=(OKAFOR,))
        assert notices(maple) == []
        assert len(Alerts(maple.database, timedelta(minutes=2)).all()) == 1

    @pytest.mark.parametrize(
        "step", ["notice announced", "notice taken", "notice draft saved", "notice handover recorded", "notice sent"]
    )
    def test_a_crash_at_any_step_leaves_it_told(self, maple: Maple, step: str) -> None:
        maple.system.atomic_send = True
        connected(maple).minutes(65, looks=(OKAFOR,))
        dying = Watch(maple, die_at=step)
        for _ in range(5):
            try:
                dying.minutes(1, looks=(OKAFOR,))
            except Crash:
                maple.clock.forward(minutes=1)
        Watch(maple).minutes(60, looks=(OKAFOR,))
        assert len(notices(maple)) == 1

    def test_a_mail_server_that_is_down_gets_the_mail_when_it_is_back(self, maple: Maple) -> None:
        watch = connected(maple)
        maple.system.fail("draft saved", ConnectFailed("nobody there"), times=10**6)
        maple.system.fail("save_draft", ConnectFailed("nobody there"), times=10**6)
        watch.minutes(90, looks=(OKAFOR,))
        maple.system.heal()
        watch.minutes(90, looks=(OKAFOR,))
        assert len(notices(maple)) == 1


class TestUrgentMail:
    def test_urgent_mail_that_the_office_does_not_get_is_told(self, maple: Maple) -> None:
        watch = connected(maple)
        maple.write("urgent where is he")
        maple.sweep()
        watch.minutes(25, looks=(RIVERA, OKAFOR))
        assert notices(maple) == []
        watch.minutes(20, looks=(RIVERA, OKAFOR))
        (alert,) = notices(maple)
        assert alert["Subject"] == "Alliance Inbox: urgent mail does not reach the office"
        assert "ana@" not in text(alert)

    def test_urgent_mail_that_was_given_up_is_told_at_once(self, maple: Maple) -> None:
        watch = connected(maple)
        maple.write("urgent where is he")
        maple.sweep()
        with maple.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET state = 'set aside' WHERE kind = 'route'")
        watch.minutes(10, looks=(RIVERA, OKAFOR))
        (alert,) = notices(maple)
        assert alert["Subject"] == "Alliance Inbox: an urgent message was given up"
        assert "“alliance retry”" in text(alert)

    def test_an_urgent_item_that_nobody_takes_in_office_hours_is_told_and_the_night_does_not_count(
        self, maple: Maple
    ) -> None:
        watch = connected(maple)
        maple.clock.now = datetime(
            2026, 3, 3, 21, 0, tzinfo=UTC
        )  # three in the afternoon; the office closes at half past
        maple.write("urgent where is he")
        maple.round()
        watch.minutes(600, looks=(RIVERA, OKAFOR))
        assert [mail["Subject"] for mail in notices(maple)] == []
        maple.clock.now = datetime(2026, 3, 4, 14, 40, tzinfo=UTC)
        watch.minutes(10, looks=(RIVERA, OKAFOR))
        (alert,) = notices(maple)
        assert alert["Subject"] == "Alliance Inbox: nobody has taken urgent mail at the office"
        assert "Tuesday, March 3, 3:00 PM" in text(alert)
        with maple.database.write() as connection:
            connection.exec_driver_sql("UPDATE item SET state = 'claimed'")
        watch.minutes(90, looks=(RIVERA, OKAFOR))
        assert notices(maple)[-1]["Subject"] == "Alliance Inbox: all is well again"

    def test_an_office_that_never_says_taken_can_turn_it_off(self, maple: Maple) -> None:
        maple.settings = maple.settings.model_copy(update={"monitoring": Monitoring(unclaimed_minutes=0)})
        watch = connected(maple)
        maple.write("urgent where is he")
        maple.round()
        watch.minutes(120, looks=(RIVERA, OKAFOR))
        assert notices(maple) == []

    def test_answers_that_are_late_are_told_after_urgent_mail(self, maple: Maple) -> None:
        watch = connected(maple)
        maple.write("urgent where is he")
        maple.write("routine question", "bo@family.example")
        maple.sweep()
        watch.minutes(50, looks=(RIVERA, OKAFOR))
        (alert,) = notices(maple)
        said = text(alert)
        assert said.index("has not reached the office") < said.index("have not been carried out")


def test_the_mail_is_in_spanish_where_the_school_writes_to_its_staff_in_spanish() -> None:
    maple = Maple(settings=TOLD)
    school = maple.settings.school.model_copy(update={"languages": ("es", "en")})
    maple.settings = maple.settings.model_copy(update={"school": school})
    connected(maple).minutes(70, looks=(OKAFOR,))
    (alert,) = notices(maple)
    assert alert["Subject"] == "Alliance Inbox: no se puede revisar un buzón"


class TestNoMail:
    """Whether a mailbox without mail is worth a word."""

    CALENDAR_SCHOOL = School(
        name="Maple Street School",
        timezone="America/Chicago",
        holidays=(Holiday(first="2026-12-21", last="2027-01-01"),),  # type: ignore[arg-type]
    )

    def _without(self, last: str, now: str, *, every: int = 1, days: int = 3) -> bool:
        """Whether it is told at `now` where mail came every so many school days until `last`."""
        settings = Settings(
            school=self.CALENDAR_SCHOOL,
            office=Office(address=OFFICE, phone="555 0100"),
            monitoring=Monitoring(no_mail_days=days),
            mailboxes=(MailboxSettings(address=RIVERA, teacher="Ms. Rivera"),),
        )
        calendar = SchoolCalendar.of(settings.school, settings.office)
        last_at = datetime.fromisoformat(last).replace(hour=15, tzinfo=UTC)
        school_days = [
            last_at - timedelta(days=each)
            for each in range(70)
            if calendar.is_school_day((last_at - timedelta(days=each)).date())
        ]
        at = datetime.fromisoformat(now).replace(hour=16, tzinfo=UTC)
        standing = Standing(at=at, vitals=None, looked_at={RIVERA: at})
        found = without_mail_of({RIVERA: last_at}, lambda *_: school_days[::every], standing, settings, calendar)
        return bool(found)

    def test_three_school_days_without_mail_are_unusual_for_who_gets_some_every_day(self) -> None:
        assert not self._without("2026-11-02", "2026-11-05")
        assert self._without("2026-11-02", "2026-11-06")

    def test_a_weekend_does_not_count(self) -> None:
        assert not self._without("2026-11-05", "2026-11-10")

    def test_nor_do_holidays(self) -> None:
        assert not self._without("2026-12-18", "2027-01-04")
        assert not self._without("2026-12-18", "2026-12-28")

    def test_somebody_to_whom_hardly_anybody_writes_is_left_in_peace(self) -> None:
        assert not self._without("2026-11-02", "2026-11-20", every=2)

    def test_a_school_can_turn_it_off(self) -> None:
        assert not self._without("2026-11-02", "2026-11-20", days=0)


def test_many_mailboxes_without_mail_are_one_question_not_many(maple: Maple) -> None:
    """Perhaps a day off that is not in the calendar."""
    watch = connected(maple)
    for box in maple.settings.mailboxes:
        _mail_every_day(maple, box.address)
    maple.clock.forward(days=8)
    watch = Watch(maple)
    watch.minutes(5, looks=(RIVERA, OKAFOR))
    (alert,) = notices(maple)
    assert alert["Subject"] == "Alliance Inbox: most mailboxes get no mail any more"
    assert "Was the school closed?" in text(alert)
    assert RIVERA not in text(alert)


def _mail_every_day(maple: Maple, mailbox: str) -> None:
    rows = [
        {
            "mailbox": mailbox,
            "provider_id": f"{number}",
            "direction": Direction.RECEIVED,
            "fingerprint": f"{number}",
            "thread": f"{number}",
            "received_at": maple.clock() - timedelta(days=number),
            "recorded_at": maple.clock(),
            "backfill": True,
            "own": False,
            "unsure": False,
            "labels": "",
        }
        for number in range(50)
    ]
    with maple.database.write() as connection:
        connection.execute(insert(MessageRecord), rows)


def test_what_is_read_names_no_family_and_counts_what_waits(maple: Maple) -> None:
    connected(maple)
    maple.write("urgent where is he")
    maple.write("routine question", "bo@family.example")
    maple.sweep()
    vitals = read_vitals(maple.database, maple.clock(), answers_pause=timedelta(hours=24))
    waiting = {(each.kind, each.state): each.count for each in vitals.waiting}
    assert waiting[DeliveryKind.ROUTE, DeliveryState.WAITING] == 1
    assert waiting[DeliveryKind.TAG, DeliveryState.WAITING] == 2
    assert "family.example" not in repr(vitals)
    assert vitals.database_bytes > 0
    assert isinstance(vitals, Vitals)
    running = Processes(maple.database).running(maple.clock())
    standing = standing_of(maple.settings, maple.assembly().calendar, vitals, running, maple.clock())
    assert standing.never_seen == ()
    assert [delivery for delivery in maple.deliveries() if isinstance(delivery, Delivery)]
