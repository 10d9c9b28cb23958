"""What the morning mail says, and that it says no more."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from autoresponder.digest import (
    LISTED,
    DigestFacts,
    Family,
    Handled,
    Promised,
    Proposal,
    Waiting,
    digest_message_id,
    digest_note,
)
from autoresponder.identifiers import is_own_message_id
from autoresponder.items import ItemState
from autoresponder.note import Note
from autoresponder.plan import Span
from config.settings import Settings
from connectors.hypertext import html_to_text
from tests.autoresponder.sample import SETTINGS

MORNING = datetime(2026, 3, 4, 13, 0, tzinfo=UTC)
"""Seven o'clock on a Wednesday in Chicago."""
ANA = Family("ana@family.example", ("Mateo Diaz",))
BO = Family("bo@family.example")
EMPTY = DigestFacts(teacher="Ms. Rivera", today=date(2026, 3, 4), since=date(2026, 2, 18))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in March, as Chicago's clocks show it in winter."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) + timedelta(hours=6)


def waiting(family: Family = ANA, **changes: object) -> Waiting:
    return replace(Waiting(family, received_at=at(3, 10), reply_by=at(5, 10), hours=21.9), **changes)  # type: ignore[arg-type]


SPANISH = SETTINGS.model_copy(update={"school": SETTINGS.school.model_copy(update={"languages": ("es", "en")})})
FULL = replace(
    EMPTY,
    waiting=(waiting(), waiting(BO)),
    to_call=(waiting(Family("cy@family.example", ("Cy Lee", "Dee Lee"))),),
    call_times=(Span(begins=at(4, 12, 10), ends=at(4, 12, 40)),),
    follow_ups=(Promised(Family("eve@family.example", ("Finn Park",))),),
    proposals=(Proposal(Family("gus@family.example", ("Hana Sato",))),),
    handled=(Handled(Family("ida@family.example", ("Jo Bell",)), ItemState.DONE, "Sam Lee", at(3, 14, 20)),),
    answers_paused_since=at(3, 16),
    page="https://inbox.maple.example/",
)


def note_of(settings: Settings = SETTINGS, **changes: object) -> Note:
    return digest_note(replace(EMPTY, **changes), settings)  # type: ignore[arg-type]


def said(settings: Settings = SETTINGS, **changes: object) -> str:
    """The mail's plain text on one line."""
    return on_one_line(note_of(settings, **changes).text())


def on_one_line(text: str) -> str:
    return " ".join(text.split())


class TestSubject:
    def test_it_counts_and_names_nobody(self) -> None:
        subject = digest_note(FULL, SETTINGS).title
        assert subject == (
            "Good morning: 2 waiting, 1 to call, 1 to follow up, 1 to confirm, 1 seen to by the office, automatic "
            "answers paused"
        )

    def test_what_there_is_nothing_of_is_not_counted(self) -> None:
        assert note_of(to_call=(waiting(),)).title == "Good morning: 1 to call"

    def test_it_speaks_the_staffs_language(self) -> None:
        assert note_of(SPANISH, waiting=(waiting(),)).title == "Buenos días: 1 en espera"


class TestEmpty:
    def test_nothing_to_tell_is_empty_also_with_times_for_calls_and_a_page(self) -> None:
        facts = replace(EMPTY, call_times=FULL.call_times, page=FULL.page)
        assert facts.is_empty

    @pytest.mark.parametrize(
        "part", ["waiting", "to_call", "follow_ups", "proposals", "handled", "answers_paused_since"]
    )
    def test_one_thing_to_tell_is_not(self, part: str) -> None:
        assert not replace(EMPTY, **{part: getattr(FULL, part)}).is_empty  # type: ignore[arg-type]


class TestWaiting:
    def test_a_family_is_named_by_its_child_with_the_promised_day_and_what_of_the_norm_is_used(self) -> None:
        assert "Mateo Diaz (ana@family.example): by Thursday, March 5 (21 of 48 school hours)" in said(
            waiting=(waiting(),)
        )

    def test_a_promise_that_ends_today_says_when(self) -> None:
        assert "today by 10:00 AM (21 of" in said(waiting=(waiting(reply_by=at(4, 10)),))

    def test_a_day_that_has_passed_is_said_and_nobody_is_blamed(self) -> None:
        text = said(waiting=(waiting(reply_by=at(2, 10), hours=60),))
        assert "hoped for by Monday, March 2 (60 of 48 school hours)" in text
        for blame in ("late", "overdue", "fail", "should have", "!"):
            assert blame not in text

    def test_the_promise_is_dated_by_the_schools_clock(self) -> None:
        late_in_chicago = datetime(2026, 3, 6, 5, 30, tzinfo=UTC)
        assert "by Thursday, March 5" in said(waiting=(waiting(reply_by=late_in_chicago),))

    def test_where_the_calendar_has_no_day_the_hours_stand_alone(self) -> None:
        assert "(ana@family.example): 21 of 48 school hours" in said(waiting=(waiting(reply_by=None),))

    def test_several_messages_and_the_offices_word_stand_behind_it(self) -> None:
        text = said(
            waiting=(
                waiting(messages=3, office=ItemState.OPEN),
                waiting(BO, office=ItemState.RETURNED),
            )
        )
        assert "3 messages; urgent, and nobody at the office has taken it yet" in text
        assert "; the office leaves the answer to you" in text

    def test_whoever_may_be_somebody_else_is_not_tied_to_a_child(self) -> None:
        text = said(waiting=(waiting(replace(ANA, unverified=True)),))
        assert "ana@family.example (sender not verified): by" in text
        assert "Mateo" not in text

    def test_mail_that_names_nobody_is_from_somebody_unknown(self) -> None:
        assert "somebody unknown: by" in said(waiting=(waiting(Family("")),))

    def test_a_subject_stands_there_only_where_the_record_has_one(self) -> None:
        text = said(waiting=(waiting(replace(BO, subject="Field trip")), waiting(ANA)))
        assert "bo@family.example, “Field trip”: by" in text
        assert text.count("“") == 1

    def test_what_is_counted_is_said_and_how_to_be_done_with_a_family_one_spoke_with(self) -> None:
        assert "family mail since Wednesday, February 18 that you have neither answered nor deleted" in said(
            waiting=(waiting(),)
        )
        assert "This counts" not in said(handled=FULL.handled)


class TestParts:
    def test_a_part_names_a_handful_and_counts_the_others(self) -> None:
        families = tuple(waiting(Family(f"f{number}@family.example")) for number in range(LISTED + 7))
        text = said(waiting=families)
        assert text.count("@family.example") == LISTED
        assert "and 7 more" in text
        assert "12 waiting" in note_of(waiting=families).title

    def test_a_part_that_just_fits_has_no_more(self) -> None:
        families = tuple(waiting(Family(f"f{number}@family.example")) for number in range(LISTED))
        assert "more" not in said(waiting=families).partition("This counts")[0]

    def test_parts_without_anything_do_not_appear(self) -> None:
        text = said(handled=FULL.handled)
        assert (
            "The office has seen to: Jo Bell (ida@family.example): Sam Lee settled it, Tuesday, March 3, 2:20" in text
        )
        for title in ("Waiting", "called", "follow up", "plan"):
            assert title not in text

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            (ItemState.CLAIMED, "Sam Lee is seeing to it, since Tuesday, March 3, 2:20"),
            (ItemState.NOT_URGENT, "Sam Lee found it not urgent, Tuesday, March 3, 2:20 PM; the answer is yours"),
        ],
    )
    def test_it_is_said_who_of_the_office_did_what_and_when(self, state: ItemState, words: str) -> None:
        assert words in said(handled=(replace(FULL.handled[0], state=state),))

    def test_an_office_that_answers_from_its_own_address_is_the_office(self) -> None:
        assert "the office settled it" in said(handled=(replace(FULL.handled[0], who=""),))

    def test_times_for_calls_are_told_where_there_is_somebody_to_call(self) -> None:
        assert "Your call times today: 12:10 PM to 12:40 PM" in said(to_call=FULL.to_call, call_times=FULL.call_times)
        assert "call times" not in said(waiting=FULL.waiting, call_times=FULL.call_times)

    def test_a_plan_is_asked_for_and_never_assumed(self) -> None:
        text = said(proposals=FULL.proposals)
        assert "A plan may be agreed with: Hana Sato (gus@family.example)" in text
        assert "Only you know whether a plan was agreed." in text
        assert "“Alliance/Plan agreed”" in text

    def test_answers_that_are_paused_are_one_line(self) -> None:
        assert "Automatic answers from your mailbox are paused since Tuesday, March 3, 4:00 PM, because" in said(
            answers_paused_since=at(3, 16)
        )


HOSTILE = Family(
    f'"><img src=https://evil.example/x>{"a" * 300}@evil.example',
    ("<script>alert(1)</script>\r\nBcc: all@evil.example", "\u202eevil\x00", *(f"Child {n}" for n in range(40))),
    subject="</p><h1>Reset your password</h1>\r\n" * 20,
)


class TestHostileNames:
    def test_they_are_bounded_stripped_and_never_markup(self) -> None:
        note = note_of(
            waiting=(waiting(HOSTILE),),
            to_call=(waiting(HOSTILE),),
            follow_ups=(Promised(HOSTILE),),
            proposals=(Proposal(HOSTILE),),
            handled=(Handled(HOSTILE, ItemState.DONE, "<b>" * 200, at(3, 9)),),
        )
        html = note.html()
        for markup in ("<script", "<img", "<h1", "</p><h1", "<b><b>"):
            assert markup not in html
        assert len(note.text()) < 3500
        assert not set("\u202e\x00\r") & set(note.text())
        assert "Bcc" not in note.title
        assert "\n" not in note.title

    def test_a_teachers_name_is_no_markup_either(self) -> None:
        assert "<i>" not in note_of(teacher="<i>Ms. Rivera</i>", waiting=(waiting(),)).html()


@pytest.mark.parametrize("settings", [SETTINGS, SPANISH], ids=["en", "es"])
def test_text_and_html_say_the_same(settings: Settings) -> None:
    note = digest_note(FULL, settings)
    in_html = on_one_line(html_to_text(note.html()))
    for line in note.text().splitlines():
        assert on_one_line(line).removeprefix("- ").replace("page:", "page").replace("página:", "página") in in_html
    assert note.html().count("https://inbox.maple.example/") == 3  # the button, the address, and where it leads
    assert 'lang="es"' in note.html() if settings is SPANISH else 'lang="en"' in note.html()


def test_in_spanish_no_english_is_left() -> None:
    text = on_one_line(digest_note(FULL, SPANISH).text())
    for word in (" the ", " you ", "waiting", "school", " and ", "March", "office"):
        assert word not in text.replace("“Alliance/Plan agreed”", "")
    assert "miércoles 4 de marzo" in text


def test_it_fits_a_screen_or_two_of_a_phone_however_much_there_is() -> None:
    many = tuple(waiting(Family(f"f{number}@family.example", ("A child of a name",))) for number in range(200))
    note = note_of(waiting=many, to_call=many, handled=FULL.handled * 50, follow_ups=FULL.follow_ups * 50)
    assert len(note.text().splitlines()) < 90


def test_a_days_mail_has_one_id_and_it_is_our_own() -> None:
    day = date(2026, 3, 4)
    once, again = (digest_message_id("rivera@maple.example", day) for _ in range(2))
    assert once == again
    assert is_own_message_id(once)
    others = {
        digest_message_id("rivera@maple.example", day + timedelta(days=1)),
        digest_message_id("okafor@maple.example", day),
    }
    assert len(others | {once}) == 3
