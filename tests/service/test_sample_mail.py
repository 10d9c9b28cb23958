"""The sample school's mail: every message is real mail, and the sample holds what it says it holds."""

from collections import Counter
from email import message_from_bytes, policy

import pytest

from connectors.labels import Tag
from connectors.mime import parse_message
from scorecard.roster import Roster
from service.sample.letters import SampleMail, load_mail
from service.sample.school import CONNECTED, TEACHERS, SampleSchool

MAILS = load_mail()


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: f"{mail.mailbox} {mail.subject}")
def test_every_mail_is_read_without_its_quoted_history_getting_in_the_way(mail: SampleMail) -> None:
    message = parse_message(
        mail.raw, mailbox=f"{mail.mailbox}@maple.example", id="1", received_at=mail.arrives, size=len(mail.raw)
    )
    assert message.message_id == mail.message_id
    assert message.sender is not None
    if mail.meant is not None:
        assert message.newest.strip()
        assert "> " not in message.newest
        assert abs((mail.arrives - message.date).total_seconds()) < 60 if message.date else False


def test_two_thirds_of_what_families_write_is_routine_and_many_languages_occur() -> None:
    families = [mail for mail in MAILS if mail.meant is not None]
    tags = Counter(mail.meant for mail in families)
    assert 0.6 < tags[Tag.ROUTINE] / len(families) < 0.72
    assert min(tags[Tag.URGENT], tags[Tag.CONFLICT]) >= 20
    languages = Counter(mail.language for mail in families)
    assert languages["en"] / len(families) > 0.5
    assert languages.keys() >= {"en", "es", "zh", "vi", "ar", "pt", "ht", "ru", "ko", "tl"}
    assert min(languages.values()) >= 3


def test_every_teacher_has_old_mail_and_mail_to_come() -> None:
    for teacher in TEACHERS:
        arrivals = [mail.arrives for mail in MAILS if mail.mailbox == teacher]
        assert min(arrivals) < CONNECTED < max(arrivals)


def test_no_two_letters_of_one_teacher_arrive_at_the_same_time() -> None:
    times = Counter((mail.mailbox, mail.arrives) for mail in MAILS)
    assert max(times.values()) == 1


def test_everything_a_teacher_sent_answers_a_family_that_wrote_to_them() -> None:
    for mail in MAILS:
        if mail.sent:
            mime = message_from_bytes(mail.raw, policy=policy.default)
            answered = next(other for other in MAILS if f"<{other.message_id}>" == mime["In-Reply-To"])
            assert mime["To"].addresses[0].addr_spec == answered.sender
            assert answered.arrives < mail.arrives


def test_robots_and_lists_of_every_shape_are_among_it() -> None:
    mimes = [message_from_bytes(mail.raw, policy=policy.default) for mail in MAILS if mail.meant is None]
    reports = {mime.get_param("report-type") for mime in mimes if mime.get_content_type() == "multipart/report"}
    assert reports == {"delivery-status", "disposition-notification", "feedback-report"}
    for field in ("List-Id", "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "X-Autoreply"):
        assert any(mime[field] for mime in mimes), field
    assert any(part.get_content_type() == "text/calendar" for mime in mimes for part in mime.walk())


def test_every_family_that_writes_to_a_teacher_is_in_the_roster_but_for_one_wrong_address(tmp_path) -> None:
    school = SampleSchool(tmp_path / "school")
    school.create([])
    roster = Roster.load(school.folder / "roster.csv")
    assert roster.problems == ()
    strangers = {mail.sender for mail in MAILS if mail.meant and not roster.students_of(mail.sender)}
    assert strangers == {"thebakers5@inbox.example"}


def test_the_same_mail_is_the_same_bytes_each_time() -> None:
    assert [mail.raw for mail in load_mail()] == [mail.raw for mail in MAILS]


def test_only_example_domains_occur() -> None:
    for mail in MAILS:
        mime = message_from_bytes(mail.raw, policy=policy.default)
        for field in ("From", "To", "Cc", "Reply-To", "Return-Path", "Sender"):
            for value in mime.get_all(field, []):
                for part in str(value).replace(",", " ").split():
                    assert "@" not in part or part.rstrip(";>").endswith(".example"), (mail.subject, value)
