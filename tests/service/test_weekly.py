"""The principal's mail of the week: once, before the first bell, with the chart in it, and what it told on record."""

import email
import email.policy
import threading
from dataclasses import replace
from datetime import UTC, date, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog
from sqlmodel import Session, col, select

from autoresponder.wording import OFFICE, wording
from config.settings import Holiday, Role, Scorecard, Staff
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, SendFailed, SendUncertain
from scorecard.report import GroupFigures, Indicator, Report, Share
from scorecard.weekly_mail import Week, week_of, weekly_note
from service.weekly import leaders
from store.database import Database
from store.scorecard_tables import Grouping, Told
from store.weekly_tables import WeeklyMailRecord
from tests.scorecard.sample_report import EVERYBODY, SECRET, figures, sample_report, withheld
from tests.servers import gmime
from tests.servers.postal_mime import read_all
from tests.service.desks_of_maple import text_of
from tests.service.maple import Maple
from tests.service.weekly_of_maple import ALLIANCE, HALE, MONDAY, REED, STEPS, Crash, led_maple, look, mails, weekly

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
PATIENCE = 30.0
ENGLISH = wording("en", OFFICE)


def told(maple: Maple) -> list[Told]:
    """What is on record as told."""
    with Session(maple.database.engine) as session:
        found = list(session.exec(select(Told).order_by(col(Told.measure))))
        session.expunge_all()
    return found


def records(maple: Maple) -> list[WeeklyMailRecord]:
    with Session(maple.database.engine) as session:
        found = list(session.exec(select(WeeklyMailRecord).order_by(col(WeeklyMailRecord.id))))
        session.expunge_all()
    return found


@pytest.fixture
def maple() -> Maple:
    """The school on a Monday, five past seven."""
    return led_maple()


class TestWhen:
    @pytest.mark.parametrize(("minutes", "sent"), [(-6, 0), (-5, 1), (54, 1), (55, 0), (300, 0)])
    def test_from_an_hour_before_school_up_to_the_first_bell(self, maple: Maple, minutes: int, sent: int) -> None:
        maple.clock.forward(minutes=minutes)
        look(maple)
        assert len(mails(maple)) == sent

    def test_once_a_week_however_often_somebody_looks(self, maple: Maple) -> None:
        for _ in range(15 * 24 * 2):
            report = sample_report()
            shift = (maple.clock.now - MONDAY).days // 7
            weeks = [replace(each, monday=each.monday + shift * WEEK) for each in report.groups[0].weeks]
            look(maple, report=replace(report, groups=[replace(report.groups[0], weeks=weeks)]))
            maple.clock.forward(minutes=30)
        days = [mail["Date"].datetime.astimezone(UTC).date() for mail in mails(maple)]
        assert days == [date(2026, 11, 9), date(2026, 11, 16), date(2026, 11, 23)]

    def test_where_monday_has_no_school_on_the_first_day_that_has(self, maple: Maple) -> None:
        school = maple.settings.school.model_copy(update={"holidays": (Holiday(first=date(2026, 11, 9)),)})
        maple.settings = maple.settings.model_copy(update={"school": school})
        look(maple)
        assert mails(maple) == []
        maple.clock.forward(days=1)
        look(maple)
        assert len(mails(maple)) == 1

    def test_a_service_that_stood_still_on_monday_sends_it_the_next_morning(self, maple: Maple) -> None:
        maple.clock.forward(days=1)
        look(maple)
        assert len(mails(maple)) == 1

    def test_on_days_without_school_nothing_leaves(self, maple: Maple) -> None:
        maple.clock.now = MONDAY - DAY
        look(maple)
        assert mails(maple) == []
        assert records(maple) == []


class TestWhoGetsIt:
    def test_every_leader_and_each_once_whatever_else_they_are(self) -> None:
        maple = led_maple(leaders=(REED, HALE, REED))
        office = Staff(address=HALE, name="Hale", role=Role.OFFICE)
        maple.settings = maple.settings.model_copy(update={"staff": (office, *maple.settings.staff)})
        assert [each.address for each in leaders(maple.settings)] == [REED, HALE]
        look(maple)
        assert (len(mails(maple)), len(mails(maple, HALE))) == (1, 1)
        assert "Good morning, Dr. Hale." in text_of(mails(maple, HALE)[0])

    def test_each_gets_what_is_theirs_to_see(self) -> None:
        maple = led_maple(leaders=(REED, HALE))
        whole = sample_report()
        part = replace(whole, groups=[whole.groups[0], whole.groups[6]])
        weekly(maple, report=lambda leader, _now: part if leader == HALE else whole).tell()
        assert "Grade 3" in text_of(mails(maple)[0])
        assert "Grade 3" not in text_of(mails(maple, HALE)[0])
        assert "Blue team" in text_of(mails(maple, HALE)[0])

    @pytest.mark.parametrize("change", ["off", "nobody", "no mailbox"])
    def test_none_where_it_is_off_nobody_leads_or_the_service_has_no_mailbox(self, maple: Maple, change: str) -> None:
        changes: dict[str, object] = {
            "off": {"scorecard": Scorecard(weekly_mail=False)},
            "nobody": {"staff": ()},
            "no mailbox": {"service": maple.settings.service.model_copy(update={"notices_from": None})},
        }
        maple.settings = maple.settings.model_copy(update=changes[change])  # type: ignore[arg-type]
        look(maple)
        assert (mails(maple), records(maple)) == ([], [])

    def test_who_leads_no_more_when_it_is_to_leave_gets_none(self, maple: Maple) -> None:
        with pytest.raises(Crash):
            look(maple, die_at="notice draft saved")
        maple.settings = maple.settings.model_copy(update={"staff": ()})
        maple.clock.forward(minutes=5)
        look(maple)
        assert mails(maple) == []
        assert maple.drafts(ALLIANCE) == []
        assert told(maple) == []


class TestNothingToTell:
    @pytest.mark.parametrize(
        "report",
        [
            replace(sample_report(), groups=[]),
            replace(sample_report(), groups=[GroupFigures(EVERYBODY)]),
            replace(sample_report(), groups=[withheld(EVERYBODY)]),
            replace(sample_report(), groups=[figures(EVERYBODY, 200, long=1)]),
            replace(
                sample_report(), groups=[replace(figures(EVERYBODY, 200), hidden=frozenset(Indicator))], restated=()
            ),
        ],
        ids=["no groups", "no roster", "too small", "first weeks only, long past", "all withheld"],
    )
    def test_no_mail_leaves_and_that_is_decided_once(self, maple: Maple, report: Report) -> None:
        look(maple, report=report)
        assert mails(maple) == []
        assert [each.notice_id for each in records(maple)] == [None]
        look(maple)
        assert mails(maple) == []

    def test_after_two_weeks_without_school_there_is_none(self, maple: Maple) -> None:
        maple.clock.forward(days=14)
        look(maple)
        assert mails(maple) == []

    def test_in_the_first_week_of_a_term_there_is_none(self) -> None:
        report = replace(sample_report(), groups=[figures(EVERYBODY, 200, long=1)])
        monday = report.groups[0].weeks[0].monday
        assert week_of(report, monday) is None
        assert week_of(report, monday + 6 * DAY) is None
        assert week_of(report, monday + WEEK) is not None


class TestOnce:
    @pytest.mark.parametrize("atomic", [False, True], ids=["smtp", "atomic"])
    @pytest.mark.parametrize("step", STEPS)
    def test_a_crash_at_any_step_leaves_one_mail_or_none_and_never_two(self, step: str, atomic: bool) -> None:
        maple = led_maple(atomic_send=atomic)
        with pytest.raises(Crash):
            look(maple, die_at=step)
        for _ in range(10):
            maple.clock.forward(minutes=4)
            look(maple)
        lost = step == "notice handover recorded" and not atomic
        assert len(mails(maple)) == (0 if lost else 1)
        assert maple.drafts(ALLIANCE) == []
        # Whatever may have been read is on record; nothing else is.
        assert [each.measure for each in told(maple)] == ["first_contact", "two_way"]
        assert [each.sent_at is not None for each in records(maple)] == [not lost]

    @pytest.mark.parametrize("step", STEPS[:3])
    def test_figures_that_change_between_a_crash_and_the_mail_are_told_as_they_were_decided(self, step: str) -> None:
        maple = led_maple()
        with pytest.raises(Crash):
            look(maple, die_at=step)
        later = sample_report()
        maple.clock.forward(minutes=5)
        look(maple, report=replace(later, groups=[figures(EVERYBODY, 212, good=95), *later.groups[1:]]))
        assert "good news 80%" in str(mails(maple)[0]["Subject"])
        assert [round(each.value, 3) for each in told(maple)] == [0.802, 0.618]

    @pytest.mark.parametrize("atomic", [False, True], ids=["smtp", "atomic"])
    @pytest.mark.parametrize(
        "step",
        ["draft_state", "save_draft", "save_draft done", "send_draft", "send_draft handed over", "send_draft filed"],
    )
    def test_a_process_killed_inside_the_mail_system_sends_no_second_one(self, step: str, atomic: bool) -> None:
        maple = led_maple(atomic_send=atomic)
        maple.system.fail(step, Crash(), mailbox=ALLIANCE)
        if not (atomic and step == "send_draft handed over"):  # which there is not
            with pytest.raises(Crash):
                look(maple)
        maple.system.heal()
        for _ in range(10):
            maple.clock.forward(minutes=4)
            look(maple)
        assert len(mails(maple)) == (0 if step == "send_draft" and not atomic else 1)
        assert maple.drafts(ALLIANCE) == []

    @pytest.mark.parametrize("step", STEPS[1:5])
    def test_while_one_worker_is_at_it_another_leaves_it_alone(self, step: str) -> None:
        maple = led_maple()
        done: list[str] = []

        def other(name: str, _notice: int) -> None:
            if name == step and not done:
                done.append(name)
                look(maple)

        one = weekly(maple)
        one._on_step = other
        object.__setattr__(one._courier, "on_step", other)
        one.tell()
        assert done == [step]
        look(maple)
        assert len(mails(maple)) == 1

    def test_many_workers_at_once_send_each_leader_one(self, tmp_path: Path) -> None:
        maple = led_maple(database=Database.open(str(tmp_path / "a.db")), leaders=(REED, HALE))
        together = threading.Barrier(4)

        def work() -> None:
            together.wait(PATIENCE)
            for _ in range(3):
                look(maple)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert (len(mails(maple)), len(mails(maple, HALE))) == (1, 1)
        assert len(told(maple)) == 2
        maple.database.close()

    @pytest.mark.parametrize(
        "error", [SendFailed("the server is busy"), AuthenticationFailed("refused"), ConnectFailed("no route")]
    )
    def test_a_server_that_refuses_is_asked_again_that_morning(self, maple: Maple, error: MailboxError) -> None:
        maple.system.fail("draft_state", error, times=3)
        with structlog.testing.capture_logs() as logs:
            for _ in range(20):
                look(maple)
                maple.clock.forward(minutes=1)
        assert len(mails(maple)) == 1
        assert sum(each["event"] == "a principal's mail of the week could not be sent" for each in logs) == 3

    def test_and_after_the_first_bell_no_more_and_nothing_is_left_behind(self, maple: Maple) -> None:
        maple.system.fail("send_draft", SendFailed("the server is busy"), times=99)
        for _ in range(5):
            look(maple)
            maple.clock.forward(minutes=10)
        maple.system.heal()
        maple.clock.forward(minutes=60)
        look(maple)
        assert (mails(maple), told(maple), maple.drafts(ALLIANCE)) == ([], [], [])

    def test_where_the_mail_server_cannot_say_it_is_not_sent_twice_and_counts_as_told(self, maple: Maple) -> None:
        maple.system.fail("send_draft handed over", SendUncertain("the line went dead"))
        for _ in range(20):
            look(maple)
            maple.clock.forward(minutes=2)
        assert len(mails(maple)) == 1
        assert len(told(maple)) == 2

    def test_a_database_that_fails_raises_nothing_into_the_thread(self, maple: Maple) -> None:
        with maple.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE weekly_mail RENAME TO elsewhere")
        try:
            with structlog.testing.capture_logs() as logs:
                look(maple)
            assert [each["event"] for each in logs] == ["the mails of the week could not be looked after"]
        finally:
            with maple.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO weekly_mail")


class TestWhatWasTold:
    def test_it_is_on_record_for_the_week_that_is_over(self, maple: Maple) -> None:
        look(maple)
        assert [
            (each.term, each.grouping, each.key, each.monday, each.measure, each.told_at) for each in told(maple)
        ] == [
            ("fall-2026", Grouping.ALL, "", date(2026, 11, 2), measure, MONDAY)
            for measure in ("first_contact", "two_way")
        ]

    def test_what_is_told_is_the_end_of_that_week_and_not_what_came_since(self, maple: Maple) -> None:
        report = sample_report()
        running = replace(report.groups[0].weeks[-1], monday=date(2026, 11, 9), first_contact=Share(212, 212))
        whole = replace(report.groups[0], weeks=(*report.groups[0].weeks, running), first_contact=Share(212, 212))
        look(maple, report=replace(report, groups=[whole, *report.groups[1:]]))
        assert "good news 80%" in str(mails(maple)[0]["Subject"])
        assert round(told(maple)[0].value, 3) == 0.802

    def test_a_second_leader_s_mail_tells_the_same_and_changes_nothing(self) -> None:
        maple = led_maple(leaders=(REED, HALE))
        look(maple)
        assert len(told(maple)) == 2

    def test_a_withheld_share_is_not_told(self, maple: Maple) -> None:
        report = sample_report()
        whole = replace(report.groups[0], hidden=frozenset({Indicator.TWO_WAY}), two_way=Share(0, 0))
        look(maple, report=replace(report, groups=[whole]))
        assert [each.measure for each in told(maple)] == ["first_contact"]
        assert "Two-way" not in text_of(mails(maple)[0])


class TestTheMailItself:
    @pytest.fixture
    def raw(self, maple: Maple) -> bytes:
        look(maple)
        return maple.system.departed[-1][1]

    def test_it_comes_from_the_service_and_says_that_a_program_wrote_it(self, maple: Maple, raw: bytes) -> None:
        mail = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        assert (mail["From"], mail["To"]) == (f"Alliance Inbox <{ALLIANCE}>", REED)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"] == "Alliance Scorecard: good news 80%, two-way 62%"
        assert maple.system.departed[-1][0] == ALLIANCE

    def test_it_has_a_plain_text_and_a_page_with_its_pictures_inside(self, raw: bytes) -> None:
        mail = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        assert mail.get_content_type() == "multipart/alternative"
        plain, related = mail.iter_parts()
        assert (plain.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
        page, *pictures = related.iter_parts()
        html = page.get_content()
        assert [each.get_content_type() for each in pictures] == ["image/png"] * 2
        for each in pictures:
            assert html.count(f'src="cid:{str(each["Content-ID"]).strip("<>")}"') == 1
            assert each.get_content_disposition() == "inline"
            assert each.get_content()[:4] == b"\x89PNG"
        assert html.count("<img ") == html.count('alt="') == 2
        assert 'src="http' not in html
        assert len(raw) < 250_000

    def test_strict_readers_find_nothing_wrong_with_it(self, raw: bytes) -> None:
        parsed = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.strict + email.policy.SMTP)
        assert [defect for part in parsed.walk() for defect in part.defects] == []
        opened = gmime.opened(raw)
        assert opened.warnings == ()
        assert opened.subject == "Alliance Scorecard: good news 80%, two-way 62%"
        (read,) = read_all([raw])
        assert read.attachments == 2
        assert "Good news by week 4: 80%" in read.text
        assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
        assert raw.isascii()

    def test_text_and_page_have_the_same_figures(self, maple: Maple, raw: bytes) -> None:
        mail = mails(maple)[0]
        page = mail.get_body(("html",))
        assert page is not None
        text, html = text_of(mail), page.get_content()
        for said in (
            "80%",
            "62%",
            "3 school days",
            "79%",
            "6 points more",
            "Grade 3: 91% and 71%",
            "78%",
            "/scorecard",
        ):
            assert said in text, said
            assert said in html, said

    def test_no_teacher_and_nothing_withheld_stands_in_it_nor_in_what_is_kept(self, maple: Maple, raw: bytes) -> None:
        report = sample_report()
        secret = replace(figures(report.groups[5].group, SECRET, good=43), withheld=True)
        week = week_of(replace(report, groups=[*report.groups, secret]), date(2026, 11, 9))
        assert week is not None
        note = weekly_note(week, "Dr. Reed", "", ENGLISH)
        for shown in (text_of(mails(maple)[0]), week.as_json(), note.text(), note.html(), records(maple)[0].told):
            for name in ("Rivera", "rivera", "Okafor", "okafor", "Grade 7"):
                assert name not in shown

    def test_what_is_kept_gives_the_same_mail_again(self) -> None:
        week = week_of(sample_report(), date(2026, 11, 9))
        assert week is not None
        again = Week.of_json(week.as_json())
        assert again.as_json() == week.as_json()
        assert weekly_note(again, "Dr. Reed", "", ENGLISH).html() == weekly_note(week, "Dr. Reed", "", ENGLISH).html()

    def test_it_speaks_the_school_s_language(self, maple: Maple) -> None:
        school = maple.settings.school.model_copy(update={"languages": ("es", "en")})
        maple.settings = maple.settings.model_copy(update={"school": school})
        look(maple)
        text = text_of(mails(maple)[0])
        assert "Buenos días, Dr. Reed." in text
        assert "80 %" in text
        assert mails(maple)[0]["Content-Language"] == "es"

    def test_the_service_takes_it_for_nobody_s_mail(self, maple: Maple, raw: bytes) -> None:
        maple.round()
        maple.system.deliver(raw, "rivera@maple.example")
        maple.rounds(3)
        assert [each.tag for each in maple.records()] == [None]
        assert maple.to_office() == []
