"""The sample school's history: made up by a seed, lived through by the real service, read from its record alone."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

import classifier
from classifier import Classifier
from config import SchoolCalendar, load
from config.settings import Settings
from connectors.labels import Label, Tag
from connectors.maildir.keywords import Keywords
from scorecard.list_files import read_lists
from scorecard.report import Report
from service.models import bearings_of
from service.sample.history.chapters import BEGINS, History
from service.sample.history.course import Course, simulate
from service.sample.history.lists import write_families
from service.sample.history.people import SchoolPlan, children_of_the_nine_days, gather
from service.sample.history.writing import family_texts, teacher_texts
from service.sample.letters import ZONE, SampleMail, load_mail
from service.sample.outcome import write_outcome
from service.sample.post_office import keywords, relabel
from service.sample.school import CONNECTED, EARLY, TEACHERS, SampleSchool
from store.database import Database
from store.scorecard_tables import Grouping

TWO_DAYS_BEFORE = date(2025, 10, 2)
PLAN = SchoolPlan.load()
LANGUAGES = [names.language for names in PLAN.names]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    school = SampleSchool(tmp_path_factory.mktemp("school"))
    school.create([])
    return load(school.config, {})


@pytest.fixture(scope="module")
def calendar(settings: Settings) -> SchoolCalendar:
    return SchoolCalendar.of(settings.school, settings.office)


@pytest.fixture(scope="module")
def course(calendar: SchoolCalendar) -> Course:
    return simulate(gather(PLAN), calendar, since=BEGINS, until=CONNECTED.date())


@pytest.fixture(scope="module")
def model(settings: Settings) -> Classifier:
    return classifier.load(None, bearings_of(settings))


def bodies(mails: list[SampleMail]) -> Iterator[str]:
    for mail in mails:
        body = message_from_bytes(mail.raw, policy=policy.default).get_body(("plain", "html"))
        assert body is not None
        yield body.get_content()


def test_the_same_seed_makes_the_same_history_to_the_byte(course: Course, calendar: SchoolCalendar) -> None:
    assert simulate(gather(PLAN), calendar, since=BEGINS, until=CONNECTED.date()) == course
    other = PLAN.model_copy(update={"seed": PLAN.seed + 1})
    assert [child.name for room in gather(other).now for child in room.children] != [
        child.name for room in gather(PLAN).now for child in room.children
    ]


def test_a_shorter_history_is_a_part_of_the_longer_one(course: Course, calendar: SchoolCalendar) -> None:
    shorter = simulate(gather(PLAN), calendar, since=date(2025, 9, 15), until=date(2025, 9, 27))
    whole = {mail.message_id: mail.arrives for mail in course.mails}
    assert len(shorter.mails) > 50
    for mail in shorter.mails:
        assert whole[mail.message_id] == mail.arrives
        assert date(2025, 9, 15) <= mail.arrives.date() < date(2025, 9, 27)
    assert set(shorter.calls) <= set(course.calls)
    assert set(shorter.bad_days) <= set(course.bad_days)


def test_families_and_teachers_write_only_on_days_of_the_terms(course: Course, calendar: SchoolCalendar) -> None:
    for mail in course.mails:
        assert any(term.first <= mail.arrives.date() <= term.last for term in PLAN.terms), mail.arrives
    written = {mail.arrives.date() for mail in course.mails if mail.sent}
    assert all(calendar.is_school_day(day) for day in written)


def test_no_word_of_a_letter_is_left_to_be_filled_in(course: Course) -> None:
    for body in bodies(list(course.mails)):
        assert not re.search(r"[{}]", body)


def test_a_mailbox_does_not_say_the_same_over_and_over(course: Course) -> None:
    for teacher in PLAN.teachers:
        received = [mail for mail in course.mails if mail.mailbox == teacher.mailbox and not mail.sent]
        commonest = Counter(body for body in bodies(received) if "👍" not in body).most_common(1)[0][1]
        assert commonest <= 3, teacher.mailbox
        subjects = [mail.subject for mail in received if not mail.subject.startswith("Re:")]
        assert len(set(subjects)) > 0.6 * len(subjects), teacher.mailbox


def test_every_language_of_the_families_has_texts_of_its_own() -> None:
    english = family_texts("en")
    for language in LANGUAGES:
        texts = family_texts(language)
        assert language == "en" or texts != english, language
        assert all((texts.routine, texts.urgent, texts.conflict, texts.follow_up, texts.glad)), language
    assert teacher_texts().good_news_es


def test_an_answer_comes_after_what_it_answers_and_in_its_thread(course: Course) -> None:
    there: dict[str, datetime] = {}
    answers = 0
    for mail in course.mails:
        mime = message_from_bytes(mail.raw, policy=policy.default)
        if mime["In-Reply-To"]:
            answers += 1
            assert there[str(mime["In-Reply-To"]).strip("<>")] < mail.arrives
        there[mail.message_id] = mail.arrives
    assert answers > 300


def test_the_families_of_the_nine_days_are_on_the_list_with_siblings_and_second_addresses(tmp_path: Path) -> None:
    school = gather(PLAN)
    write_families(tmp_path / "families.csv", school.now)
    lists = read_lists(tmp_path / "families.csv")
    assert lists.rejected == []
    names = {person.name for person in lists.people}
    assert {child.name for child in children_of_the_nine_days()} <= names
    families = Counter(
        frozenset(care.guardian for care in lists.cares if care.student == student)
        for student in {care.student for care in lists.cares}
    )
    assert max(families.values()) > 1
    assert any(len(person.addresses) > 1 for person in lists.people)
    assert {len(room.children) for room in school.now} == {PLAN.class_size}
    assert {room.teacher.mailbox for room in school.now} == {*EARLY, *TEACHERS}


def test_some_write_from_an_address_that_the_list_has_without_its_plus_tag(course: Course) -> None:
    assert any("+school@" in mail.sender for mail in course.mails)
    assert not any("+" in a for r in gather(PLAN).now for c in r.children for g in c.guardians for a in g.addresses)


def test_an_office_does_not_know_what_is_yet_to_come(course: Course) -> None:
    noted = [day for day in course.bad_days if day.baseline_day is not None]
    assert noted
    for day in noted:
        assert day.as_known(day.on_day).baseline_day is None
        assert day.baseline_day is not None
        assert day.as_known(day.baseline_day) == day


def lived(folder: Path, calendar: SchoolCalendar, model: Classifier) -> tuple[SampleSchool, History, Report]:
    """Two days of the history, through the real service."""
    school = SampleSchool(folder)
    school.create(mail for mail in load_mail() if mail.arrives < CONNECTED)
    settings = load(school.config, {})
    history = History.of(calendar, since=TWO_DAYS_BEFORE, until=CONNECTED.date())
    history.prepare(school)
    days: list[date] = []
    assert history.live(school, settings, model, days.append) == {}
    assert days == [date(2025, 10, 2), date(2025, 10, 3)]
    database = Database.open(settings.service.database)
    try:
        outcome = write_outcome(school, database, settings, calendar, datetime(2025, 10, 4, 9, tzinfo=ZONE))
    finally:
        database.close()
    assert outcome is not None
    return school, history, outcome.report


@pytest.fixture(scope="module")
def history_lived(
    tmp_path_factory: pytest.TempPathFactory, calendar: SchoolCalendar, model: Classifier
) -> tuple[SampleSchool, History, Report]:
    return lived(tmp_path_factory.mktemp("once") / "school", calendar, model)


def test_two_runs_end_with_the_same_figures(
    history_lived: tuple[SampleSchool, History, Report], tmp_path: Path, calendar: SchoolCalendar, model: Classifier
) -> None:
    _, _, report = history_lived
    again = lived(tmp_path / "school", calendar, model)[2]
    assert again.groups == report.groups
    assert again.groups_before == report.groups_before


def test_the_scorecard_holds_what_went_through_the_mailboxes_and_the_lists(
    history_lived: tuple[SampleSchool, History, Report],
) -> None:
    _, history, report = history_lived
    everybody = report.of(Grouping.ALL)
    assert everybody is not None
    # A family is a set of guardians, and the same guardians may have several children.
    assert everybody.families == len({c.guardians for r in history.school.now for c in r.children})
    received = [mail for mail in history.of_early() if not mail.sent]
    counts = everybody.counts
    assert counts.urgent + counts.conflict + counts.routine == len(received)
    assert report.term.title == "Fall 2025"
    assert report.before is not None
    assert report.before.title == "Spring 2025"
    teachers = {each.group.key.partition("@")[0] for each in report.groups if each.group.grouping is Grouping.TEACHER}
    for team in ("Primary", "Intermediate", "Middle"):
        figures = report.of(Grouping.TEAM, team)
        assert figures is not None
        rooms = [room for room in history.school.now if room.teacher.team == team]
        assert figures.families == len({child.guardians for room in rooms for child in room.children})
    assert teachers >= set(EARLY)  # of the others there is nothing yet but families


def test_teachers_set_wrong_tags_right_as_their_mail_program_shows_them(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    (folder / "cur").mkdir(parents=True)
    (folder / "cur" / "1.a.maple:2,S").touch()
    letters = Keywords(folder)
    letters.add_all([])
    assert relabel(folder, "1.a.maple", "AllianceRoutine")
    assert relabel(folder, "1.a.maple", "AllianceUrgent", ["AllianceRoutine"])
    assert keywords(folder) == {"1.a.maple": frozenset({"AllianceUrgent"})}
    (file,) = (folder / "cur").iterdir()
    letters.refresh()
    assert letters.labels(file.name.partition(":2,")[2]) == {Label(Tag.URGENT)}
    assert not relabel(folder, "1.gone.maple", "AllianceUrgent")
