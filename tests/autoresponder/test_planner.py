"""Who is answered, what is labelled, and that no emergency is kept from the office."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresponder.guards import GUARDS, Case, check
from autoresponder.plan import Answer, History, Plan
from autoresponder.planner import STANDINGS, make_plan
from autoresponder.replies import compose_reply
from classifier.verdict import Verdict
from config.calendar import SchoolCalendar
from config.settings import Settings
from connectors.labels import Label, Tag
from connectors.message import Message
from tests.autoresponder.sample import ORIGINAL, SETTINGS, TEACHER, TUESDAY_NOON, ZONE, original

CALENDAR = SchoolCalendar.of(SETTINGS.school, SETTINGS.office)
JUST_CONNECTED = History(connected_at=TUESDAY_NOON - timedelta(days=30))
LATER = TUESDAY_NOON + timedelta(minutes=2)


def verdict(tag: Tag = Tag.URGENT, *, unsure: bool = False, language: str = "en") -> Verdict:
    return Verdict(urgent=0.5, conflict=0.5, tag=tag, unsure=unsure, language=language)


def plan(
    message: Message | None = None,
    judged: Verdict | None = None,
    history: History = JUST_CONNECTED,
    *,
    now: datetime = LATER,
    configured: Settings = SETTINGS,
    home_language: str | None = None,
) -> Plan:
    return make_plan(
        message or original(),
        judged or verdict(),
        mailbox=TEACHER,
        settings=configured,
        calendar=SchoolCalendar.of(configured.school, configured.office),
        history=history,
        now=now,
        home_language=home_language,
    )


def with_header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode() + ORIGINAL


FROM_STAFF = ORIGINAL.replace(b"ana@family.example", b"nurse@maple.example")
FROM_OFFICE = ORIGINAL.replace(b"ana@family.example", b"office@maple.example")
FROM_NOBODY = ORIGINAL.replace(b"Ana Torres <ana@family.example>", b"undisclosed")
ON_FRIDAY = ORIGINAL.replace(b"Tue, 3 Mar", b"Fri, 6 Mar")
BLIND_COPY = ORIGINAL.replace(b"To: rivera@maple.example", b"To: somebody@else.example")
DMARC_FAILED = with_header("Authentication-Results: mx.maple.example; dmarc=fail header.from=family.example")

LEFT_ALONE = {
    "a vacation note": with_header("Auto-Submitted: auto-replied"),
    "a bounce": with_header("Return-Path: <>"),
    "an alarm system": with_header("Auto-Submitted: auto-generated"),
    "a robot that also asks for no answer": with_header("X-Auto-Response-Suppress: All", "Return-Path: <>"),
}
FOR_THE_TEACHERS_EYE = {
    "a mailing list": with_header("List-Id: <parents.lists.example>"),
    "bulk mail": with_header("Precedence: bulk"),
    "a platform's notification": ORIGINAL.replace(b"ana@family.example", b"no-reply@platform.example"),
    "a colleague": FROM_STAFF,
    "the office": FROM_OFFICE,
    "a list that also asks for no answer": with_header("X-Auto-Response-Suppress: All", "List-Id: <p.lists.example>"),
    "an old list mail": with_header("List-Id: <parents.lists.example>").replace(b"3 Mar", b"2 Mar"),
    "a forged list mail": with_header("Authentication-Results: mx; dmarc=fail", "List-Id: <p.lists.example>"),
}
STILL_ROUTED = {
    "an ordinary family's": ORIGINAL,
    "a forged sender's": DMARC_FAILED,
    "a sender's without address": FROM_NOBODY,
    "a blind copy": BLIND_COPY,
    "a company's that asks for no answers": with_header("X-Auto-Response-Suppress: OOF, AutoReply"),
}


@pytest.mark.parametrize("raw", LEFT_ALONE.values(), ids=LEFT_ALONE)
@pytest.mark.parametrize("tag", Tag)
def test_what_a_machine_sent_is_left_alone_whatever_it_says(raw: bytes, tag: Tag) -> None:
    made = plan(original(raw), verdict(tag))
    assert made.labels == frozenset()
    assert made.route is None
    assert made.reply is None
    assert made.no_reply is not None


@pytest.mark.parametrize("raw", FOR_THE_TEACHERS_EYE.values(), ids=FOR_THE_TEACHERS_EYE)
def test_what_no_family_wrote_is_never_routed_but_an_emergency_in_it_is_marked_for_the_teacher(raw: bytes) -> None:
    made = plan(original(raw), verdict(Tag.URGENT))
    assert made.labels == {Label.URGENT, Label.CHECK}
    assert made.route is None
    assert made.reply is None
    assert plan(original(raw), verdict(Tag.ROUTINE)).labels == frozenset()
    assert plan(original(raw), verdict(Tag.CONFLICT)).labels == frozenset()


@pytest.mark.parametrize("raw", STILL_ROUTED.values(), ids=STILL_ROUTED)
def test_an_emergency_is_routed_whatever_keeps_its_sender_from_being_answered(raw: bytes) -> None:
    made = plan(original(raw))
    assert made.labels == {Label.URGENT}
    assert made.route is not None
    assert made.route.recipient == "office@maple.example"
    assert made.route.sender_unverified == (raw == DMARC_FAILED)
    assert made.route.family_told == (made.reply is not None) == (raw == ORIGINAL)
    assert bool(made.route.no_reply_reason) == (raw != ORIGINAL)


@pytest.mark.parametrize(
    "history",
    [
        JUST_CONNECTED.model_copy(update={"answered_in_other_mailbox": True}),
        JUST_CONNECTED.model_copy(update={"teacher_wrote_at": LATER}),
        JUST_CONNECTED.model_copy(
            update={"answers_to_sender": (Answer(sender="ana@family.example", tag=Tag.URGENT, at=TUESDAY_NOON),)}
        ),
    ],
    ids=["another mailbox answers", "the teacher answered", "answered lately"],
)
def test_an_emergency_of_a_family_that_was_answered_is_still_routed(history: History) -> None:
    made = plan(history=history)
    assert made.reply is None
    assert made.route is not None
    assert not made.route.family_told


def test_an_emergency_that_waited_while_the_service_was_down_is_routed_and_not_answered() -> None:
    made = plan(now=TUESDAY_NOON + timedelta(days=6))
    assert made.reply is None
    assert made.route is not None


def test_mail_from_before_the_connection_is_on_record_and_nothing_else() -> None:
    made = plan(history=History(connected_at=LATER))
    assert made.labels == {Label.URGENT}
    assert made.reply is None
    assert made.route is None


def test_a_message_is_routed_once() -> None:
    assert plan(history=JUST_CONNECTED.model_copy(update={"routed_already": True})).route is None


@pytest.mark.parametrize("tag", [Tag.CONFLICT, Tag.ROUTINE])
def test_what_is_not_urgent_is_not_routed(tag: Tag) -> None:
    made = plan(judged=verdict(tag))
    assert made.route is None
    assert made.reply is not None
    assert made.reply.tag is tag


def test_an_unsure_emergency_is_routed_for_the_office_to_check_and_gets_the_urgent_note() -> None:
    made = plan(judged=verdict(unsure=True))
    assert made.labels == {Label.URGENT, Label.CHECK}
    assert made.route is not None
    assert made.route.unsure
    assert made.reply is not None
    assert made.reply.tag is Tag.URGENT


def test_an_unsure_conflict_gets_the_note_that_offends_nobody_and_keeps_its_label() -> None:
    made = plan(judged=verdict(Tag.CONFLICT, unsure=True))
    assert made.labels == {Label.CONFLICT, Label.CHECK}
    assert made.reply is not None
    assert made.reply.tag is Tag.ROUTINE


def test_encrypted_mail_is_marked_for_the_teacher() -> None:
    sealed = replace(original(), defects=("encrypted: its text cannot be read",))
    made = plan(sealed, verdict(Tag.ROUTINE))
    assert made.labels == {Label.ROUTINE, Label.CHECK}
    assert made.reply is None


def test_the_promised_day_is_the_end_of_the_norm_on_the_schools_calendar() -> None:
    friday = datetime(2026, 3, 6, 14, 0, tzinfo=ZONE)
    made = plan(original(ON_FRIDAY, received_at=friday), verdict(Tag.ROUTINE), now=friday)
    assert made.reply is not None
    assert made.reply.reply_by == datetime(2026, 3, 10, 14, 0, tzinfo=ZONE)
    assert not made.reply.same_day_closed
    assert made.reply.office_opens_at is None


def test_a_closed_office_is_said_to_open_at_its_next_opening_after_the_answer() -> None:
    friday_night = datetime(2026, 3, 6, 21, 0, tzinfo=ZONE)
    made = plan(original(ON_FRIDAY, received_at=friday_night), now=friday_night)
    assert made.reply is not None
    assert made.reply.same_day_closed
    assert made.reply.office_opens_at == datetime(2026, 3, 9, 8, 0, tzinfo=ZONE)


def test_a_calendar_without_school_days_promises_nothing_and_still_routes() -> None:
    holiday = {"first": "2026-01-01", "last": "2028-12-31"}
    school = type(SETTINGS.school).model_validate(SETTINGS.school.model_dump() | {"holidays": [holiday]})
    made = plan(configured=SETTINGS.model_copy(update={"school": school}))
    assert made.reply is None
    assert made.no_reply is not None
    assert made.no_reply.guard == "no_school_day"
    assert made.route is not None
    assert not made.route.family_told


@pytest.mark.parametrize(
    ("written", "home", "school", "languages"),
    [
        ("es", None, ("en",), ("es", "en")),
        ("en", "es", ("en",), ("en",)),
        ("und", "es", ("en",), ("es", "en")),
        ("de", None, ("en", "es"), ("en", "es")),
        ("es", None, ("es", "en"), ("es",)),
        ("de", "de", ("it",), ("en",)),
        ("zh", None, ("en",), ("zh-Hans", "en")),
        ("und", "zh-tw", ("en",), ("zh-Hant", "en")),
    ],
)
def test_a_family_is_answered_in_its_language_and_then_the_schools(
    written: str, home: str | None, school: tuple[str, ...], languages: tuple[str, ...]
) -> None:
    configured = SETTINGS.model_copy(update={"school": SETTINGS.school.model_copy(update={"languages": school})})
    made = plan(judged=verdict(Tag.ROUTINE, language=written), configured=configured, home_language=home)
    assert made.reply is not None
    assert made.reply.languages == languages


def test_every_guard_has_a_standing() -> None:
    assert set(STANDINGS) == set(GUARDS)


headers = st.lists(
    st.sampled_from(
        [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: no",
            "X-Auto-Response-Suppress: All",
            "X-Auto-Response-Suppress: DR",
            "List-Id: <p.lists.example>",
            "Precedence: bulk",
            "Return-Path: <>",
            "Return-Path: <ana@family.example>",
            "Authentication-Results: mx.maple.example; dmarc=fail",
            "Authentication-Results: mx.maple.example; dmarc=pass",
            "X-Priority: 1",
            "Reply-To: no-reply@platform.example",
            "References: <a@maple.example> <b@family.example>",
        ]
    ),
    max_size=3,
    unique=True,
)
moments = st.timedeltas(min_value=timedelta(days=-5), max_value=timedelta(days=5)).map(lambda past: TUESDAY_NOON + past)
histories = st.builds(
    History,
    connected_at=moments,
    answers_to_sender=st.lists(
        st.builds(Answer, sender=st.just("ana@family.example"), tag=st.sampled_from(Tag), at=moments), max_size=2
    ).map(tuple),
    answered_in_other_mailbox=st.booleans(),
    routed_already=st.booleans(),
    teacher_wrote_at=st.none() | moments,
)
raws = st.builds(
    lambda lines, raw: "".join(f"{line}\r\n" for line in lines).encode() + raw,
    headers,
    st.sampled_from([ORIGINAL, FROM_STAFF, FROM_NOBODY, BLIND_COPY]),
)
NOT_A_FAMILYS = {guard for guard, standing in STANDINGS.items() if not standing.routed}


@settings(max_examples=150, deadline=None)
@given(raw=raws, tag=st.sampled_from(Tag), unsure=st.booleans(), history=histories, waited=st.integers(0, 200))
def test_an_emergency_of_a_person_is_always_routed_and_nobody_is_answered_against_the_guards(
    raw: bytes, tag: Tag, unsure: bool, history: History, waited: int
) -> None:
    message, now = original(raw), TUESDAY_NOON + timedelta(hours=waited)
    made = plan(message, verdict(tag, unsure=unsure), history, now=now)
    case = Case(
        message=message,
        history=history,
        norm=SETTINGS.norm,
        now=now,
        mailbox=TEACHER,
        staff_domains=SETTINGS.staff_domains,
        calendar=CALENDAR,
        tag=made.reply.tag if made.reply else tag,
    )
    from_a_person = not any(guard(case) for guard in NOT_A_FAMILYS)
    assert (made.route is not None) == (tag is Tag.URGENT and from_a_person and not history.routed_already)
    assert (made.reply is None) == (made.no_reply is not None)
    if made.reply is not None:
        assert check(case) is None
        mail = compose_reply(message, made.reply, mailbox=TEACHER, settings=SETTINGS, office_has_it=False, now=now)
        assert mail["In-Reply-To"] == "<one@family.example>"
    if from_a_person:
        assert Label(tag) in made.labels


@pytest.mark.parametrize(
    ("tag", "topic", "crisis"),
    [
        (Tag.URGENT, "wellbeing", True),
        (Tag.URGENT, "safety", True),
        (Tag.URGENT, "pickup_transport", False),
        (Tag.CONFLICT, "safety", False),
        (Tag.ROUTINE, "wellbeing", False),
    ],
)
def test_a_family_in_a_crisis_is_told_who_helps_and_no_other_is(tag: Tag, topic: str, crisis: bool) -> None:
    made = plan(judged=replace(verdict(tag), topic=topic))
    assert made.reply is not None
    assert made.reply.crisis is crisis


def test_a_chinese_letter_is_answered_in_its_own_script() -> None:
    traditional = original(ORIGINAL.replace(b"When does the bus leave?", "請問校車幾點開？謝謝老師！".encode()))
    made = plan(traditional, verdict(Tag.ROUTINE, language="zh"))
    assert made.reply is not None
    assert made.reply.languages == ("zh-Hant", "en")


def test_holidays_before_the_day_of_the_answer_are_in_the_facts_and_others_are_not() -> None:
    school = SETTINGS.school.model_validate(
        SETTINGS.school.model_dump() | {"holidays": [{"first": "2026-03-04", "last": "2026-03-06"}]}
    )
    made = plan(judged=verdict(Tag.ROUTINE), configured=SETTINGS.model_copy(update={"school": school}))
    assert made.reply is not None
    assert (made.reply.closed_from, made.reply.closed_until) == (date(2026, 3, 4), date(2026, 3, 6))
    assert made.reply.reply_by.date() == date(2026, 3, 10)
    later = school.model_copy(update={"holidays": (school.holidays[0].model_copy(update={"first": date(2026, 3, 6)}),)})
    after = plan(judged=verdict(Tag.ROUTINE), configured=SETTINGS.model_copy(update={"school": later}))
    assert after.reply is not None
    assert after.reply.closed_from is None
