"""`alliance demo`: the real service over the sample school, judged by what lies in the Maildirs afterwards."""

import re
from collections import Counter, defaultdict
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from autoresponder.items import ItemState
from config import load
from connectors.labels import Tag
from service.cli import app
from service.sample.demo import show
from service.sample.front_office import PRINCIPAL
from service.sample.introduction import HistoryScreen
from service.sample.ledger import Handled, handled, items_of
from service.sample.letters import ZONE, load_mail
from service.sample.school import CONNECTED, EARLY, PAGE_FILE, WEEKLY_FILE, WEEKLY_PAGE, SampleSchool
from service.sample.week import SchoolAssembly, Week
from service.watcher import Quiet
from store.database import Database
from store.items import Items

MAILS = {mail.message_id: mail for mail in load_mail()}
A_WEEK_BEFORE = date(2025, 9, 29)
"""The whole history takes too long for every run of the tests; a week of it goes the same way."""
SCHOOL_DAYS = [date(2025, 10, day) for day in (6, 7, 8, 9, 10, 14)]


class Played:
    """A demo that ran to its end, and what it printed."""

    def __init__(self, folder: Path) -> None:
        self.school = SampleSchool(folder)
        self.printed = StringIO()
        self.failures = show(folder, Console(file=self.printed, width=80), since=A_WEEK_BEFORE)

    @property
    def answers(self) -> list[EmailMessage]:
        """To mail of the nine days; other teachers get mail meanwhile."""
        return [mime for mime in mails_in(self.school.families) if original_of(mime) in MAILS]

    @property
    def answered(self) -> list[str]:
        return [original_of(mime) for mime in self.answers]

    @property
    def at_office(self) -> list[str]:
        return [
            original
            for mime in mails_in(self.school.office)
            if not str(mime["Subject"]).startswith("Still open")  # everybody is reminded of what nobody took
            for part in mime.iter_attachments()
            if part.get_content_type() == "message/rfc822"
            if (original := str(part.get_content()["Message-ID"]).strip("<>")) in MAILS
        ]

    @property
    def records(self) -> list[Handled]:
        database = Database.open(load(self.school.config, {}).service.database)
        try:
            return handled(database, load_mail())
        finally:
            database.close()


def original_of(mime: EmailMessage) -> str:
    """The Message-ID of what it answers."""
    return str(mime["In-Reply-To"]).strip("<>")


def mails_in(maildir: Path) -> list[EmailMessage]:
    files = [file for part in ("new", "cur") for file in sorted((maildir / part).iterdir())]
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def scorecard_in(printed: str) -> str:
    """The last part of what is printed, without the lines on where it lies."""
    return printed[printed.index("Maple Street School · Fall 2025") :].partition("The principal's mail")[0]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("demo") / "school")


def test_every_mail_of_the_sample_is_read(played: Played) -> None:
    assert played.failures == {}
    assert {record.message_id for record in played.records} == {m.message_id for m in MAILS.values() if not m.sent}


def test_no_mail_is_answered_twice_not_even_one_to_two_teachers(played: Played) -> None:
    assert len(played.answered) > 30
    assert max(Counter(played.answered).values()) == 1


def test_a_family_gets_one_answer_of_a_kind_from_a_teacher_in_four_school_days(played: Played) -> None:
    tags = {record.message_id: record.tag for record in played.records}
    days = defaultdict(list)
    for mime, original in zip(played.answers, played.answered, strict=True):
        day = mime["Date"].datetime.astimezone(ZONE).date()
        days[mime["From"], mime["To"], tags[original]].append(max(n for n, d in enumerate(SCHOOL_DAYS) if d <= day))
    for numbers in days.values():
        assert all(later - earlier >= 4 for earlier, later in zip(sorted(numbers), sorted(numbers)[1:], strict=False))


def test_no_robot_no_list_no_colleague_and_no_forgery_is_answered(played: Played) -> None:
    for original in played.answered:
        assert MAILS[original].meant is not None, MAILS[original].subject
        assert b"dmarc=fail" not in MAILS[original].raw
        assert b"undisclosed-recipients" not in MAILS[original].raw
    assert {mime["To"].addresses[0].addr_spec for mime in played.answers} <= {mail.sender for mail in MAILS.values()}


def test_mail_from_before_the_service_came_is_left_alone(played: Played) -> None:
    for original in (*played.answered, *played.at_office):
        assert MAILS[original].arrives >= CONNECTED


def test_only_teachers_in_stage_reply_answer_and_nothing_is_written_for_the_one_in_observe(played: Played) -> None:
    writers = {mime["From"].addresses[0].addr_spec.partition("@")[0] for mime in played.answers}
    assert writers == {"lindqvist", "rivera", "okafor"}
    assert (played.school.mailbox("tran") / "dovecot-keywords").exists()
    untouched = {
        mail.file_name
        for mail in MAILS.values()
        if mail.mailbox == "bell" and mail.arrives > CONNECTED and not mail.sent
    }
    assert {file.name for file in (played.school.mailbox("bell") / "new").iterdir()} == untouched
    assert not (played.school.mailbox("bell") / "dovecot-keywords").exists()


def test_the_office_gets_each_urgent_message_once_and_whole(played: Played) -> None:
    urgent = {
        record.message_id
        for record in played.records
        if record.tag is Tag.URGENT
        and not record.mailbox.startswith("bell@")
        and MAILS[record.message_id].meant is not None
        and MAILS[record.message_id].arrives > CONNECTED
    }
    assert len(urgent) > 10
    assert sorted(played.at_office) == sorted(urgent)


def test_it_tells_what_became_of_urgent_mail_at_the_office_and_of_conflicts(played: Played) -> None:
    printed = " ".join(played.printed.getvalue().split())
    database = Database.open(load(played.school.config, {}).service.database)
    try:
        items = items_of(Items(database), load_mail())
    finally:
        database.close()
    done = [view for view in items if view.item.state is ItemState.DONE]
    gone_on = [view for view in items if view.item.steps]
    assert f"came to the office as {len(items)} items" in printed
    assert f"{len(done)} are done. {len(gone_on)} went on to the administration" in printed
    assert len(done) > len(gone_on) > 2
    assert "nobody took it: on to the administration" in printed
    (drafts,) = re.findall(r"(\d+) families were upset", printed)
    lying = [
        mime for mail in ("lindqvist", "rivera", "okafor") for mime in mails_in(played.school.mailbox(mail) / ".Drafts")
    ]
    assert len(lying) == int(drafts) > 5


def test_nobody_is_sent_to_the_principal_whom_the_front_office_has_taken(played: Played) -> None:
    mails = mails_in(played.school.administration)
    assert mails
    assert all(str(mime["Subject"]).startswith(("Still open", "In addition.")) for mime in mails)


def test_everything_that_was_sent_has_left_the_outgoing_mailbox(played: Played) -> None:
    assert mails_in(played.school.outgoing) == []


def test_spanish_families_are_answered_in_spanish(played: Played) -> None:
    spanish = {record.message_id for record in played.records if record.language == "es"}
    notes = {
        original: mime.get_body(("plain",)).get_content()
        for mime, original in zip(played.answers, played.answered, strict=True)
        if original in spanish
    }
    assert len(notes) > 3
    for original, note in notes.items():
        assert MAILS[original].language == "es"
        assert "oficina" in note
        assert note.index("oficina") < note.index("office")


def test_it_says_what_was_meant_what_was_tagged_and_where_to_look_in_80_columns(played: Played) -> None:
    printed = played.printed.getvalue()
    assert f"{sum(1 for mail in MAILS.values() if mail.meant)} family messages" in " ".join(printed.split())
    assert "\x1b" not in printed
    for line in printed.splitlines():
        assert len(line) <= 80 or str(played.school.folder) in line or line.endswith("your own school")


def test_a_second_run_does_nothing_twice_and_says_so(played: Played) -> None:
    files, sent = played.school.files(), len(played.answered)
    figures = scorecard_in(played.printed.getvalue())
    again = Played(played.school.folder)
    assert scorecard_in(again.printed.getvalue()) == figures
    assert played.school.files() == files
    assert len(again.answered) == sent
    printed = " ".join(again.printed.getvalue().split())
    assert "0 mails read, 0 families answered, 0 messages routed" in printed
    assert f"{len(files)} mails lay in the Maildirs before and {len(files)} lie there now, the same ones" in printed


def test_an_interrupted_demo_goes_on_where_it_stopped(played: Played, tmp_path: Path) -> None:
    school = SampleSchool(tmp_path / "school")
    school.create(mail for mail in load_mail() if mail.arrives < CONNECTED)
    week = Week(school, load_mail())
    assembly = SchoolAssembly.build(load(school.config, {}), clock=week.clock)
    looks = iter(range(60))

    def until_interrupted() -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        week.play(assembly, Quiet(), until_interrupted)
    assembly.close()
    finished = Played(school.folder)
    assert sorted(finished.answered) == sorted(played.answered)
    assert sorted(finished.at_office) == sorted(played.at_office)


def test_a_folder_with_other_files_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter one")
    for arguments in (["demo", "--dir", str(tmp_path)], ["demo", "--fresh", "--dir", str(tmp_path)]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "is not a sample school" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_starting_fresh_removes_only_what_a_demo_made(tmp_path: Path) -> None:
    school = SampleSchool(tmp_path)
    school.create([])
    (tmp_path / "notes.txt").write_text("mine")
    school.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_it_ends_with_the_scorecard_and_one_link_to_its_page(played: Played) -> None:
    printed = played.printed.getvalue()
    page = played.school.folder / PAGE_FILE
    assert re.findall(r"file://\S+", printed) == [page.resolve().as_uri()]
    assert printed.strip().endswith(page.resolve().as_uri())
    assert scorecard_in(printed).startswith("Maple Street School · Fall 2025")
    for team in ("Primary", "Intermediate", "Middle"):
        assert team in scorecard_in(printed)
    text = page.read_text()
    assert "Fall 2025" in text
    assert "<svg" in text
    assert all(source.startswith("data:") for source in re.findall(r'\bsrc="([^"]*)"', text))
    assert not re.search(r"<(link|iframe|object)\b|@import|url\((?!#|['\"]?data:)", text)


def test_the_principals_mail_lies_beside_it_as_it_is_sent_and_as_it_looks(played: Played) -> None:
    raw = (played.school.folder / WEEKLY_FILE).read_bytes()
    mime = message_from_bytes(raw, policy=policy.default)
    assert mime["To"] == PRINCIPAL
    pictures = [part for part in mime.walk() if part.get_content_type() == "image/png"]
    assert pictures
    page = (played.school.folder / WEEKLY_PAGE).read_text()
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "cid:" not in page


def test_the_history_is_no_part_of_what_is_said_of_the_nine_days(played: Played) -> None:
    printed = played.printed.getvalue()
    nine_days = printed[: printed.index("Maple Street School · Fall 2025")]
    before = [path for path in played.school.files() if path.parts[:2] == ("mail", "before")]
    assert before
    for address in EARLY:
        mails = [path for path in played.school.files() if path.parts[:2] == ("mail", address)]
        assert mails
        assert address.capitalize() not in nine_days
    assert len(played.records) == sum(not mail.sent for mail in load_mail())


def test_a_history_that_was_interrupted_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[date] = []

    def on_day(_screen: HistoryScreen, day: date) -> None:
        days.append(day)
        if len(days) % 2 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(HistoryScreen, "on_day", on_day)
    school = SampleSchool(tmp_path / "school")
    there = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            show(school.folder, Console(file=StringIO(), width=80), since=A_WEEK_BEFORE)
        there.append(Counter(path.parts[:2] for path in school.files()))
    assert days[:2] == days[2:]
    assert there[0] == there[1]
