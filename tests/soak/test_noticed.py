"""What is broken on purpose is noticed: by the judge, by what is asked of the database, and by the weeks' memory."""

import email.policy
import gc
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog
from sqlalchemy import literal_column, select, update

import classifier
from classifier import Bearings, Classifier
from connectors.labels import Label
from connectors.message import MARKER
from store.database import Database
from store.pages import Pages
from store.tables import MailboxState
from tests.soak import memory
from tests.soak.judge import Judge
from tests.soak.living import Hooks, Life
from tests.soak.memory import Sample, slopes
from tests.soak.plants import PLANTS
from tests.soak.records import Records
from tests.soak.town import in_this_process
from tests.soak.year import ALLIANCE, LEADER, OFFICE, Year, calendar_of, local

RIVERA, ANA, BO = "rivera@maple.example", "ana@family.example", "bo@family.example"
TUESDAY, SATURDAY = date(2025, 10, 28), date(2025, 11, 1)


def mail(name: str, sender: str = ANA, to: str = RIVERA, **headers: str) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Message-ID"] = sender, to, f"<{name}@family.example>"
    for field, value in headers.items():
        made[field.replace("_", "-")] = value
    made.set_content("Hello.\n")
    return made.as_bytes()


def answer_to(name: str, to: str = ANA) -> bytes:
    return mail(f"answer-{name}", RIVERA, to, In_Reply_To=f"<{name}@family.example>")


def route_of(name: str) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Message-ID"] = RIVERA, OFFICE, f"<route-{name}@maple.example>"
    made.set_content("A message came.\n")
    original = email.message_from_bytes(mail(name), policy=email.policy.default)
    made.add_attachment(original)
    return made.as_bytes()


@pytest.fixture
def judge() -> Judge:
    made = Judge()
    made.connected(RIVERA, local(TUESDAY, 5))
    made.arrived(RIVERA, mail("one"), "family", local(TUESDAY, 9))
    return made


def said(judge: Judge, *labels: Label, day: date = TUESDAY, **drafts: bytes) -> list[str]:
    shown = {RIVERA: {"one@family.example": frozenset(labels)}}
    return judge.day(day, shown, {RIVERA: list(drafts.values())}, {})


def leaves(judge: Judge, raw: bytes, marker: str = "reply", to: str = ANA, at: datetime | None = None) -> None:
    judge.left(RIVERA, raw, marker, [to], at or local(TUESDAY, 9, 5))


def test_a_message_that_is_labelled_and_answered_is_as_promised(judge: Judge) -> None:
    leaves(judge, answer_to("one"))
    assert said(judge, Label.ROUTINE) == []


def test_a_family_message_without_a_label_is_noticed(judge: Judge) -> None:
    leaves(judge, answer_to("one"))
    (found,) = said(judge)
    assert "is not labelled" in found


def test_a_family_that_nobody_answered_is_noticed_and_one_with_an_excuse_is_not(judge: Judge) -> None:
    (found,) = said(judge, Label.ROUTINE)
    assert "was not answered, and nothing excuses that" in found
    other = Judge()
    other.connected(RIVERA, local(TUESDAY, 5))
    other.arrived(RIVERA, mail("one"), "family", local(TUESDAY, 9))
    other.teacher_wrote(RIVERA, answer_to("one"), local(TUESDAY, 9, 1))
    assert said(other, Label.ROUTINE) == []


def test_a_second_answer_to_one_message_is_noticed(judge: Judge) -> None:
    for _ in range(2):
        leaves(judge, answer_to("one"))
    assert any("was answered twice" in each for each in said(judge, Label.ROUTINE))


def test_a_second_answer_within_the_window_is_noticed_and_one_after_it_is_not(judge: Judge) -> None:
    leaves(judge, answer_to("one"))
    assert said(judge, Label.ROUTINE) == []
    for name, days in (("two", 1), ("three", 8)):
        day = TUESDAY + timedelta(days=days)
        judge.arrived(RIVERA, mail(name), "family", local(day, 9))
        leaves(judge, answer_to(name), at=local(day, 9, 5))
        shown = {RIVERA: {f"{name}@family.example": frozenset({Label.ROUTINE})}}
        assert ["soon after" in each for each in judge.day(day, shown, {}, {})] == [True] * (name == "two")


def test_an_answer_to_a_robot_is_noticed(judge: Judge) -> None:
    judge.arrived(RIVERA, mail("robot", BO), "robot", local(TUESDAY, 9))
    leaves(judge, answer_to("one"))
    leaves(judge, answer_to("robot", BO), to=BO)
    assert any("which a robot sent" in each for each in said(judge, Label.ROUTINE))


@pytest.mark.parametrize("times", [0, 1, 2])
def test_an_urgent_message_is_at_the_office_exactly_once(judge: Judge, times: int) -> None:
    leaves(judge, answer_to("one"))
    for _ in range(times):
        leaves(judge, route_of("one"), "route", OFFICE)
    assert (said(judge, Label.URGENT) == []) is (times == 1)


def test_a_label_that_nobody_changed_and_that_is_another_is_noticed(judge: Judge) -> None:
    leaves(judge, answer_to("one"))
    assert said(judge, Label.ROUTINE) == []
    (found,) = said(judge, Label.CONFLICT, day=TUESDAY + timedelta(days=1))
    assert "though nobody changed it" in found


@pytest.mark.parametrize(
    ("at", "times", "as_promised"),
    [
        (local(TUESDAY, 7, 15), 1, True),
        (local(TUESDAY, 7, 15), 2, False),
        (local(SATURDAY, 7, 15), 1, False),
        (local(date(2025, 11, 27), 7, 15), 1, False),
        (local(TUESDAY, 8, 15), 1, False),
    ],
)
@pytest.mark.parametrize("to", [RIVERA, LEADER])
def test_a_morning_mail_on_a_day_without_school_a_second_one_and_a_late_one_are_noticed(
    judge: Judge, to: str, at: datetime, times: int, *, as_promised: bool
) -> None:
    leaves(judge, answer_to("one"))
    assert said(judge, Label.ROUTINE) == []
    for _ in range(times):
        judge.left(
            RIVERA if to == RIVERA else ALLIANCE,
            mail("morning", RIVERA, to, Subject="Good morning: 1 waiting"),
            "notice",
            [to],
            at,
        )
    assert (judge.day(TUESDAY, {}, {}, {}) == []) is as_promised


def test_a_mailbox_that_is_touched_after_its_teacher_left_is_noticed(judge: Judge) -> None:
    judge.retired(RIVERA, {"one@family.example": frozenset()}, 3)
    assert judge.day(TUESDAY, {}, {}, {RIVERA: ({"one@family.example": frozenset()}, 3)}) == []
    touched = {"one@family.example": frozenset({Label.ROUTINE})}
    (found,) = judge.day(TUESDAY, {}, {}, {RIVERA: (touched, 3)})
    assert "changed after the service was to leave it alone" in found


def test_a_mail_of_the_service_that_is_left_in_drafts_is_noticed(judge: Judge) -> None:
    leaves(judge, answer_to("one"))
    (found,) = said(judge, Label.ROUTINE, left=mail("left", **{MARKER: "reply"}))
    assert "lies in Drafts" in found


@pytest.mark.parametrize(("numbers", "noticed"), [((1, 2, 3), False), ((3, 2), True), ((1, 2, 1), True)])
def test_a_cursor_that_goes_back_is_noticed(numbers: tuple[int, ...], *, noticed: bool) -> None:
    database, records = Database.in_memory(), Records()
    now = datetime(2025, 10, 28, tzinfo=UTC)
    Pages(database).connect(RIVERA, now)
    found: list[str] = []
    for number in numbers:
        folder = {"uidvalidity": 1, "uidnext": 1}
        cursor = json.dumps({"inbox": folder | {"uidnext": number}, "sent": folder})
        with database.write() as connection:
            connection.execute(update(MailboxState).values(cursor=cursor))
        found += records.day(database, now)
    assert bool(found) is noticed
    database.close()


def test_memory_that_grows_is_noticed_and_memory_that_does_not_is_not() -> None:
    steady = [Sample(400_000_000 + 3_000_000 * (week % 3), 370_000 + 500 * (week % 2), None) for week in range(20)]
    assert all(slope.is_flat for slope in slopes(steady))
    growing = [
        Sample(each.resident + 2_800_000 * week, each.objects + 1_400 * week, None) for week, each in enumerate(steady)
    ]
    assert not any(slope.is_flat for slope in slopes(growing))
    assert slopes(steady[: memory.WARM_UP_WEEKS + 2]) == [], "too few to say"


def test_statements_that_are_compiled_for_the_database_are_not_taken_for_growth() -> None:
    database = Database.in_memory()
    before = memory.sample(0, database)
    for number in range(1, 60):
        with database.read() as connection:
            connection.execute(select(*[literal_column("1").label(f"c{each}") for each in range(number)]))
    assert memory.sample().objects - before.objects > memory.OBJECTS_A_WEEK
    assert memory.sample(0, database).objects - before.objects < memory.OBJECTS_A_WEEK
    database.close()


def test_a_leak_in_this_process_is_noticed() -> None:
    gc.collect()
    gc.freeze()  # what other tests left is not gone through for each sample
    kept, samples = [], []
    for _ in range(5):
        kept.append([bytearray(b"x" * 3_000_000), [[each] for each in range(2_000)]])
        samples.append(memory.sample())
    # Not by resident bytes: a process that other tests filled, and emptied, has room for the leak already.
    assert "objects" in [slope.what for slope in slopes(samples, warm_up=1) if not slope.is_flat]


def test_answers_doubled_morning_mails_on_a_sunday_and_a_forgetful_move_are_noticed_in_a_run(
    tmp_path: Path, quiet: None
) -> None:
    year = Year(seed=2, first=date(2026, 3, 6), school_days=2, letters_a_week=14.0, class_size=6, teachers=3)
    model: Classifier = classifier.load(None, Bearings(calendar_of(year), "en"))
    hooks = Hooks()
    with ExitStack() as broken, in_this_process(tmp_path, year) as town:
        for name in ("answer", "holiday", "move"):
            broken.enter_context(PLANTS[name](hooks))
        found = Life(tmp_path, year, town, model=model, hooks=hooks).live().violations
    for words in ("was answered twice", "on which there is no school", "that were on record anew"):
        assert any(words in each for each in found), words


@pytest.fixture
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
