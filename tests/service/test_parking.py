"""A mailbox whose credentials fail is parked, the administrator hears of it once, and the others go on."""

import email
import email.policy
import sqlite3
import threading
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog
from alembic import command
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner, Result

from config import ConfigError, Fault
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    PermissionDenied,
    SendFailed,
    SendUncertain,
    Throttled,
)
from service.cli import app
from service.parking import AT_ONCE, Attendant, needs_a_person, notices_box, settling_time
from service.runner import Runner
from store.database import Database, migrations_of
from store.parking import ParkingLot
from tests.servers import dovecot, smtp_sink
from tests.servers import graph as microsoft
from tests.service.connecting_home import Home, words
from tests.service.maple import OFFICE, OKAFOR, RIVERA, Maple
from tests.service.notices_of_maple import ALLIANCE, IT, Crash, attendant, notices, text

REFUSED = AuthenticationFailed("imap.maple.example refused the password")
TOLD = {"administrator": IT, "notices_from": ALLIANCE, "poll_seconds": 60}
MANY = tuple(f"teacher{number}@maple.example" for number in range(60))
PATIENCE = 30.0


@pytest.fixture
def maple() -> Maple:
    return Maple(settings=TOLD)


def time_for_notices(maple: Maple, **amount: float) -> None:
    """Some time passes, with somebody looking after notices all the while."""
    end = maple.clock.now + timedelta(**(amount or {"hours": 2}))
    somebody = attendant(maple)
    while maple.clock.now < end:
        somebody.tell()
        maple.clock.forward(minutes=1)


class TestTelling:
    def test_one_revoked_key_of_sixty_mailboxes_is_one_notice_that_lists_what_fits(self) -> None:
        maple = Maple(settings=TOLD, teachers=MANY)
        for address in MANY[:55]:
            attendant(maple).refused(address, AuthenticationFailed(f"the key was revoked ({address})"))
            maple.clock.forward(seconds=1)
        time_for_notices(maple)
        (notice,) = notices(maple)
        said = text(notice)
        assert notice["Subject"] == "Alliance Inbox cannot get into 55 mailboxes"
        assert "The other 5 mailboxes go on as always." in said
        assert said.count("@maple.example") == 41  # forty of them by name, one in the reason
        assert "and 15 more" in said
        assert said.count("the key was revoked") == 1

    def test_nothing_is_told_before_every_mailbox_had_its_turn(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.clock.forward(seconds=119)
        attendant(maple).tell()
        assert notices(maple) == []
        maple.clock.forward(seconds=1)
        attendant(maple).tell()
        assert len(notices(maple)) == 1

    def test_the_notice_says_which_since_when_why_and_what_to_do(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.clock.forward(hours=1)
        attendant(maple).tell()
        (notice,) = notices(maple)
        said = text(notice)
        assert notice["From"] == f"Alliance Inbox <{ALLIANCE}>"
        for said_too in (
            RIVERA,
            "Tuesday, March 3, 10:00 AM",
            str(REFUSED),
            "No mail is lost",
            "“alliance connect imap”",
            "tell the office",
        ):
            assert said_too in said

    def test_a_school_that_writes_spanish_to_its_staff_is_told_in_spanish_of_both_ends(self, maple: Maple) -> None:
        school = maple.settings.school.model_copy(update={"languages": ("es", "en")})
        maple.settings = maple.settings.model_copy(update={"school": school})
        for address in (RIVERA, OKAFOR):
            attendant(maple).refused(address, REFUSED)
        maple.clock.forward(hours=1)
        attendant(maple).tell()
        (notice,) = notices(maple)
        said = text(notice)
        assert notice["Subject"] == "Alliance Inbox no puede entrar en 2 buzones"
        for said_too in (RIVERA, OKAFOR, "Desde", "martes 3 de marzo", str(REFUSED), "«alliance connect imap»"):
            assert said_too in said
        for english in ("mailbox", "Since", "Why", "What to do", "You get", "No mail"):
            assert english not in said
        for address in (RIVERA, OKAFOR):
            attendant(maple).works(address, sent=True)
        maple.clock.forward(hours=1)
        attendant(maple).tell()
        assert notices(maple)[-1]["Subject"] == "Alliance Inbox está de vuelta en 2 buzones"
        assert "vuelven a funcionar" in text(notices(maple)[-1])

    def test_the_notice_names_the_account_that_was_refused_and_no_familys_address(self, maple: Maple) -> None:
        box = maple.box(RIVERA).model_copy(update={"username": "mail-service@maple.example"})
        others = tuple(each for each in maple.settings.mailboxes if each.address != RIVERA)
        maple.settings = maple.settings.model_copy(update={"mailboxes": (box, *others)})
        refusal = "the server refused Mail-Service@maple.example, and ana@family.example."
        attendant(maple).refused(RIVERA, AuthenticationFailed(refusal))
        attendant(maple).tell(AT_ONCE)
        (notice,) = notices(maple)
        assert "the server refused Mail-Service@maple.example, and (address)" in text(notice)
        assert "ana@" not in text(notice)

    def test_no_robot_and_no_guard_takes_the_notice_for_a_familys_mail(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        attendant(maple).tell(AT_ONCE)
        (notice,) = notices(maple)
        assert notice["Auto-Submitted"] == "auto-generated"
        maple.round()
        maple.system.deliver(notice.as_bytes(), OKAFOR)
        maple.rounds(3)
        assert maple.answers(ALLIANCE) == []
        assert maple.to_office() == []

    def test_it_is_told_once_however_often_the_mailbox_is_refused_and_the_service_restarted(self, maple: Maple) -> None:
        for _ in range(50):
            attendant(maple).refused(RIVERA, REFUSED)
            attendant(maple).tell()
            maple.clock.forward(minutes=15)
        assert len(notices(maple)) == 1

    def test_a_second_outage_while_the_first_goes_on_is_told_by_itself(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        time_for_notices(maple)
        attendant(maple).refused(OKAFOR, InsecureConnection("its certificate ran out"))
        time_for_notices(maple)
        first, second = notices(maple)
        assert RIVERA in text(first)
        assert OKAFOR not in text(first)
        assert "The other mailbox goes on as always." in text(first)
        assert OKAFOR in text(second)
        assert RIVERA not in text(second)
        assert "go" not in text(second).partition("Mailbox:")[0].partition("until somebody acts.")[2]

    def test_mailboxes_that_fail_one_after_the_other_make_few_notices(self) -> None:
        maple = Maple(settings=TOLD, teachers=MANY)
        for address in MANY:
            attendant(maple).refused(address, REFUSED)
            attendant(maple).tell()
            maple.clock.forward(minutes=1)
        time_for_notices(maple)
        assert len(notices(maple)) <= 5
        assert all(any(address in text(notice) for notice in notices(maple)) for address in MANY)

    def test_a_mailbox_that_is_read_and_cannot_send_is_told_as_that(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, PermissionDenied("the right Mail.Send lacks"), sending=True)
        attendant(maple).works(RIVERA, sent=False)
        attendant(maple).tell(AT_ONCE)
        (notice,) = notices(maple)
        assert notice["Subject"] == f"Alliance Inbox cannot send from {RIVERA}"
        assert "read and tagged" in text(notice)
        attendant(maple).works(RIVERA, sent=True)
        time_for_notices(maple)
        assert "works again" in text(notices(maple)[1])

    @pytest.mark.parametrize(
        ("error", "parks"),
        [
            (REFUSED, True),
            (PermissionDenied("a right lacks"), True),
            (InsecureConnection("no TLS"), True),
            (ConfigError([Fault("vault", "", "a key")]), True),
            (ConnectFailed("no route"), False),
            (Throttled("later", 30), False),
            (OperationalError("SELECT", {}, Exception("locked")), False),
            (KeyError("a fault"), False),
        ],
    )
    def test_only_what_a_person_must_mend_parks(self, maple: Maple, error: Exception, parks: bool) -> None:
        attendant(maple).refused(RIVERA, error)
        assert needs_a_person(error) is parks
        assert [parking.mailbox for parking in _lot(maple).all()] == ([RIVERA] if parks else [])


class TestTheEnd:
    def test_a_mailbox_that_works_again_is_told_once_when_it_has_worked_for_a_while(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        time_for_notices(maple, hours=3)
        attendant(maple).works(RIVERA, sent=False)
        time_for_notices(maple, minutes=19)
        assert len(notices(maple)) == 1
        time_for_notices(maple)
        _, end = notices(maple)
        assert end["Subject"] == f"Alliance Inbox is back in {RIVERA}"
        assert "10:00 AM" in text(end)
        assert "1:00 PM" in text(end)
        assert _lot(maple).all() == []

    def test_what_nobody_heard_of_ends_without_a_word(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        attendant(maple).works(RIVERA, sent=False)
        time_for_notices(maple)
        assert notices(maple) == []

    def test_a_mailbox_that_comes_and_goes_is_one_outage(self, maple: Maple) -> None:
        for _ in range(20):
            attendant(maple).refused(RIVERA, REFUSED)
            time_for_notices(maple, minutes=15)
            attendant(maple).works(RIVERA, sent=False)
            time_for_notices(maple, minutes=15)
        assert len(notices(maple)) == 1

    def test_the_next_outage_is_told_again(self, maple: Maple) -> None:
        for _ in range(2):
            attendant(maple).refused(RIVERA, REFUSED)
            time_for_notices(maple)
            attendant(maple).works(RIVERA, sent=False)
            time_for_notices(maple)
        subjects = [notice["Subject"].split()[2] for notice in notices(maple)]
        assert subjects == ["cannot", "is", "cannot", "is"]

    def test_an_outage_that_ended_before_its_notice_could_leave_is_told_as_over_only(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.system.fail("save_draft", ConnectFailed("no route"), mailbox=ALLIANCE, times=10**6)
        time_for_notices(maple)
        attendant(maple).works(RIVERA, sent=False)
        maple.system.heal()
        time_for_notices(maple)
        (end,) = notices(maple)
        assert end["Subject"] == f"Alliance Inbox is back in {RIVERA}"
        assert maple.drafts(ALLIANCE) == []

    @pytest.mark.parametrize("step", ["notice handover recorded", "notice sent"])
    def test_a_refusal_after_the_end_may_have_been_told_is_a_new_outage(self, maple: Maple, step: str) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        time_for_notices(maple)
        attendant(maple).works(RIVERA, sent=False)
        maple.clock.forward(hours=1)
        with pytest.raises(Crash):
            attendant(maple, step).tell()
        attendant(maple).refused(RIVERA, REFUSED)
        time_for_notices(maple)
        assert notices(maple)[-1]["Subject"] == f"Alliance Inbox cannot get into {RIVERA}"
        assert len(notices(maple)) <= 3


STEPS = (
    "notice announced",
    "notice taken",
    "notice draft saved",
    "notice handover recorded",
    "notice sent",
    "notice told",
)


class TestOnce:
    @pytest.mark.parametrize("atomic", [True, False])
    @pytest.mark.parametrize("step", STEPS)
    def test_a_crash_at_any_step_leaves_one_notice(self, step: str, atomic: bool) -> None:
        maple = Maple(settings=TOLD, atomic_send=atomic)
        attendant(maple).refused(RIVERA, REFUSED)
        maple.clock.forward(minutes=5)
        with pytest.raises(Crash):
            attendant(maple, step).tell()
        time_for_notices(maple)
        assert len(notices(maple)) == 1
        assert maple.drafts(ALLIANCE) == []

    def test_where_the_mail_server_cannot_say_it_is_rather_told_twice_than_not(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.system.fail("send_draft handed over", SendUncertain("the line broke"), mailbox=ALLIANCE)
        time_for_notices(maple)
        first, second = notices(maple)
        assert first["Message-ID"] == second["Message-ID"]

    def test_a_server_that_never_says_what_it_took_gets_it_no_more_than_six_times(self, maple: Maple) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.system.fail("send_draft handed over", SendUncertain("the line broke"), mailbox=ALLIANCE, times=10**6)
        time_for_notices(maple, hours=8)
        assert len(notices(maple)) == 6
        assert maple.drafts(ALLIANCE) == []

    @pytest.mark.parametrize(
        "error", [SendFailed("later"), AuthenticationFailed("535"), ConnectFailed("gone"), KeyError("a fault")]
    )
    @pytest.mark.parametrize("step", ["draft_state", "save_draft", "send_draft"])
    def test_a_notice_that_cannot_leave_is_tried_until_it_can(self, maple: Maple, step: str, error: Exception) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.system.fail(step, error, mailbox=ALLIANCE, times=5)
        time_for_notices(maple, hours=6)
        assert len(notices(maple)) == 1

    @pytest.mark.parametrize("step", STEPS[1:5])
    def test_while_one_worker_is_at_it_another_leaves_it_alone(self, maple: Maple, step: str) -> None:
        attendant(maple).refused(RIVERA, REFUSED)
        maple.clock.forward(minutes=5)
        left: list[int] = []

        def other(name: str, _notice: int) -> None:
            if name == step:
                before = len(notices(maple))
                attendant(maple).tell()
                left.append(len(notices(maple)) - before)

        Attendant(maple.assembly(), environ={}, on_step=other).tell()
        assert left == [0]
        assert len(notices(maple)) == 1

    def test_two_workers_at_once_send_one(self, tmp_path: Path) -> None:
        maple = Maple(settings=TOLD, teachers=MANY, database=Database.open(str(tmp_path / "a.db")))
        both = threading.Barrier(4)
        maple.clock.forward(minutes=5)

        def work() -> None:
            mine = attendant(maple)
            both.wait(PATIENCE)
            for address in MANY:
                mine.refused(address, REFUSED)
            both.wait(PATIENCE)
            for _ in range(5):
                mine.tell(AT_ONCE)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(notices(maple)) == 1
        maple.database.close()


class TestWithoutAnybodyToTell:
    @pytest.mark.parametrize("settings", [{}, {"administrator": IT}, {"notices_from": ALLIANCE}])
    def test_the_log_says_so_once_and_no_mail_leaves(self, settings: dict[str, object]) -> None:
        maple = Maple(settings=settings)
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                attendant(maple).refused(RIVERA, REFUSED)
                attendant(maple).tell(AT_ONCE)
        errors = [entry for entry in logs if entry["log_level"] == "error"]
        assert [(entry["event"], entry["mailbox"]) for entry in errors] == [("a mailbox is parked", RIVERA)]
        assert "service.administrator" in errors[0]["administrator"]
        assert maple.system.departed == []

    def test_somebody_named_later_is_told_of_what_is_still_parked(self) -> None:
        maple = Maple()
        attendant(maple).refused(RIVERA, REFUSED)
        service = maple.settings.service.model_copy(update=TOLD)
        maple.settings = maple.settings.model_copy(update={"service": service})
        time_for_notices(maple)
        assert len(notices(maple)) == 1

    def test_a_database_that_fails_raises_nothing_into_the_mailboxes_thread(self, maple: Maple) -> None:
        with maple.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE parking RENAME TO elsewhere")
        try:
            with structlog.testing.capture_logs() as logs:
                attendant(maple).refused(RIVERA, REFUSED)
                attendant(maple).works(RIVERA, sent=True)
                attendant(maple).tell(AT_ONCE)
            assert len([entry for entry in logs if entry["log_level"] == "error"]) == 3
        finally:
            with maple.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO parking")


class TestTheMailboxThatTells:
    def test_it_is_reached_as_the_schools_others_are(self, maple: Maple) -> None:
        box = notices_box(maple.settings)
        assert box is not None
        assert (box.address, box.connector, box.username) == (ALLIANCE, "imap", None)

    def test_one_that_is_listed_keeps_its_own_settings(self) -> None:
        maple = Maple(settings=TOLD, teachers=(RIVERA, ALLIANCE))
        assert notices_box(maple.settings) == maple.box(ALLIANCE)

    @pytest.mark.parametrize(("poll", "seconds"), [(1, 60), (60, 120), (3600, 900)])
    def test_the_settling_time_follows_how_often_mailboxes_are_looked_at(self, poll: int, seconds: int) -> None:
        assert settling_time(Maple(settings={"poll_seconds": poll}).settings).seconds == seconds


class TestTheTables:
    def test_a_database_of_the_version_before_is_brought_up_to_date_with_all_it_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "alliance.db"
        database = Database.at(str(path))
        with database.write() as connection:
            command.upgrade(migrations_of(connection), "0001")
            connection.exec_driver_sql(
                "INSERT INTO mailbox (address, cursor, connected_at) VALUES ('rivera@maple.example', 'c', '2026-01-01')"
            )
        database.close()
        Database.open(str(path)).close()
        with sqlite3.connect(path) as file:
            assert file.execute("SELECT cursor FROM mailbox").fetchall() == [("c",)]
            assert file.execute("SELECT count(*) FROM parking").fetchone() == (0,)
        file.close()
        again = Database.at(str(path))
        with again.write() as connection:
            command.downgrade(migrations_of(connection), "0001")
            assert connection.exec_driver_sql("SELECT cursor FROM mailbox").scalar() == "c"
        again.close()


def _lot(maple: Maple) -> ParkingLot:
    return ParkingLot(maple.database, timedelta(minutes=2))


def runner_of(maple: Maple) -> Runner:
    """A fresh service process."""
    return Runner(maple.assembly(), environ={})


def until_stopped(runner: Runner) -> None:
    """Runs it in a thread of its own and waits for its end."""
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the runner does not stop"


class TestInTheRunner:
    def test_a_refused_mailbox_is_told_of_and_the_others_urgent_mail_reaches_the_office(self, maple: Maple) -> None:
        maple.round()
        maple.write("urgent bus", to=(OKAFOR,))
        maple.write("urgent bus", to=(RIVERA,), sender="bo@family.example")
        maple.system.fail("changes", REFUSED, mailbox=RIVERA, times=10**6)
        for _ in range(3):
            assert list(runner_of(maple).run_once()) == [RIVERA]
            maple.clock.forward(minutes=30)
        assert len(maple.routed()) == 1
        (notice,) = notices(maple)
        assert RIVERA in text(notice)
        maple.system.heal()
        for _ in range(3):
            assert runner_of(maple).run_once() == {}
            maple.clock.forward(minutes=30)
        assert len(maple.routed()) == 2
        assert [mail["Subject"] for mail in notices(maple)[1:]] == [f"Alliance Inbox is back in {RIVERA}"]

    def test_a_server_that_lets_nothing_be_sent_is_told_of_while_mail_is_read_on(self, maple: Maple) -> None:
        maple.round()
        urgent = maple.write("urgent bus")
        maple.system.fail("send_draft", PermissionDenied("Mail.Send lacks"), mailbox=RIVERA, times=10**6)
        for _ in range(4):
            assert runner_of(maple).run_once() == {}
            maple.clock.forward(minutes=16)
        assert maple.labels(urgent)
        assert [mail["Subject"] for mail in notices(maple)] == [f"Alliance Inbox cannot send from {RIVERA}"]
        maple.system.heal()
        for _ in range(4):
            runner_of(maple).run_once()
            maple.clock.forward(minutes=16)
        assert maple.routed() == ["urgent bus"]
        assert [mail["Subject"] for mail in notices(maple)[1:]] == [f"Alliance Inbox is back in {RIVERA}"]

    def test_a_running_service_parks_tells_and_lifts_by_itself(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("service.runner._NOTICES_LOOKED_AFTER_EVERY", 0.02)
        monkeypatch.setattr("service.mailbox_work.PAUSE_FOR_A_PERSON", 0.02)
        monkeypatch.setattr("service.parking.settling_time", lambda _: AT_ONCE)
        monkeypatch.setattr("service.parking._WORKING_AGAIN", AT_ONCE)
        maple = Maple(settings=TOLD, database=Database.open(str(tmp_path / "a.db")))
        maple.system.fail("changes", REFUSED, mailbox=RIVERA, times=10**6)
        runner = runner_of(maple)

        def watch(address: str, step: str) -> None:
            if (address, step) == (ALLIANCE, "send_draft filed"):
                if len(notices(maple)) == 1:
                    maple.system.heal()
                    maple.system.hooks.append(watch)
                else:
                    runner.stop()

        maple.system.hooks.append(watch)
        until_stopped(runner)
        assert [notice["Subject"].split()[2] for notice in notices(maple)] == ["cannot", "is"]
        maple.database.close()


_SCHOOL = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555 0100"
[digest]
enabled = false
[service]
administrator = "it@maple.example"
notices_from = "alliance@maple.example"
[imap]
host = "127.0.0.1"
port = {imap}
security = "none"
allow_insecure = true
[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
allow_insecure = true
authenticate = false
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
stage = "tag"
[[mailboxes]]
address = "okafor@maple.example"
teacher = "Mr. Okafor"
stage = "tag"
"""
PROMPT = "Please keep Leo off the bus today and call me at once, his father is outside and may not pick him up."


@pytest.mark.server("dovecot")
def test_on_real_servers_a_changed_password_parks_one_mailbox_and_the_other_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = (RIVERA, OKAFOR, ALLIANCE, IT, OFFICE)
    with dovecot.running(users=everybody) as imap, smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp:
        config = tmp_path / "alliance.toml"
        config.write_text(_SCHOOL.format(imap=imap.ports[0], smtp=smtp.port))
        for address in everybody:
            monkeypatch.setenv(f"ALLIANCE_PASSWORD_{_variable(address)}", dovecot.PASSWORD)

        def run() -> Result:
            return CliRunner().invoke(app, ["run", "--once", "--config", str(config)])

        assert run().exit_code == 0
        monkeypatch.setenv(f"ALLIANCE_PASSWORD_{_variable(RIVERA)}", "correct horse once")
        imap.deliver(
            f"From: ana@family.example\r\nTo: {OKAFOR}\r\nSubject: Leo\r\n\r\n{PROMPT}\r\n".encode(), to=OKAFOR
        )
        ran = [run() for _ in range(3)]
        assert [result.exit_code for result in ran] == [1, 1, 1]
        assert not any("correct horse" in result.output for result in ran)
        with imap.client(IT) as client:
            client.select_folder("INBOX")
            (told,) = client.fetch(client.search(), ["BODY[]"]).values()
            notice = email.message_from_bytes(told[b"BODY[]"], _class=EmailMessage, policy=email.policy.default)
        assert notice["Subject"] == f"Alliance Inbox cannot get into {RIVERA}"
        assert "refused the sign-in of rivera@maple.example" in text(notice)
        assert b"correct horse" not in (tmp_path / "alliance.db").read_bytes() + told[b"BODY[]"]
        with imap.client(OKAFOR) as client:
            client.select_folder("INBOX")
            assert b"AllianceUrgent" in client.fetch(client.search(), ["FLAGS"]).popitem()[1][b"FLAGS"]
        with imap.client(OFFICE) as client:
            assert client.select_folder("INBOX")[b"EXISTS"] == 1
        with imap.client(ALLIANCE) as client:
            assert client.select_folder("Sent")[b"EXISTS"] == 1
            assert client.select_folder("Drafts")[b"EXISTS"] == 0
        doctor = CliRunner().invoke(app, ["doctor", "--config", str(config)])
        assert "parked since" in " ".join(doctor.output.split())


_TRAN = """
[graph]
tenant = "{tenant}"
client_id = "{client}"
endpoint = "{url}"
authority = "{url}"
[[mailboxes]]
address = "tran@maple.example"
teacher = "Ms. Tran"
stage = "tag"
connector = "graph"
"""


@pytest.mark.server("dovecot")
def test_a_client_secret_that_expires_parks_microsofts_mailboxes_and_is_over_with_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = (RIVERA, OKAFOR, ALLIANCE, IT, OFFICE)
    with (
        dovecot.running(users=everybody) as imap,
        smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp,
        microsoft.running("tran@maple.example") as server,
    ):
        home, login = Home(tmp_path), server.login
        rest = _SCHOOL.partition("[service]")[2].format(imap=imap.ports[0], smtp=smtp.port)
        graph = _TRAN.format(tenant=login.tenant, client=login.client_id, url=server.url)
        home.configure(f"[service]{rest}{graph}")
        for address in everybody:
            monkeypatch.setenv(f"ALLIANCE_PASSWORD_{_variable(address)}", dovecot.PASSWORD)
        secret = home.secret("secret", "right~secret")
        assert home.call("connect", "graph", "--yes", "--secret-file", secret).exit_code == 0
        assert home.call("run", "--once").exit_code == 0
        login.expired_secret = True
        login.revoke()
        assert [home.call("run", "--once").exit_code for _ in range(3)] == [1, 1, 1]
        doctor = words(home.call("doctor"))
        assert "The client secret has expired" in doctor
        assert "parked since" in doctor
        with imap.client(IT) as client:
            client.select_folder("INBOX")
            (told,) = client.fetch(client.search(), ["BODY[]"]).values()
            notice = email.message_from_bytes(told[b"BODY[]"], _class=EmailMessage, policy=email.policy.default)
        assert notice["Subject"] == "Alliance Inbox cannot get into tran@maple.example"
        assert "The other 2 mailboxes go on as always." in text(notice)
        assert "“alliance connect graph”" in text(notice)
        login.expired_secret, login.secret = False, "new~secret"
        renewed = home.call("connect", "graph", "--yes", "--secret-file", home.secret("new", "new~secret"))
        assert renewed.exit_code == 0, renewed.output
        assert home.call("run", "--once").exit_code == 0
        assert "parked since" not in words(home.call("doctor"))
        assert home.leaks("right~secret", "new~secret", dovecot.PASSWORD, *login.tokens) == []


def _variable(address: str) -> str:
    return address.upper().replace("@", "_").replace(".", "_")
