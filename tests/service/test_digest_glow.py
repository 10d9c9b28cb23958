"""The morning mail names a few families without a good word, on days with little else, and its answer gets drafts."""

from datetime import date, timedelta

import pytest

from autoresponder.digest import digest_message_id
from config.settings import Glow
from service.glow_writer import GlowWriter
from service.good_news import GoodNews
from store.glow_drafts import Asked
from tests.service.cases_of_maple import conflict
from tests.service.desks_of_maple import text_of
from tests.service.glow_of_maple import Home, admit, enrol, good_word
from tests.service.maple import OKAFOR, RIVERA, Maple, letter
from tests.service.test_digest import MONDAY, SEVEN, look, mails, told_at

TITLE = "No good word from you yet this term"
WEDNESDAY = date(2026, 3, 4)


@pytest.fixture
def maple() -> Maple:
    """The school with three families on its roster."""
    maple = Maple()
    maple.round()
    enrol(maple.database)
    return maple


def named(told: str) -> str:
    """The part about good news."""
    return told.partition(TITLE)[2].partition("One line about")[0]


def write_one(maple: Maple) -> None:
    """Somebody the roster does not know waits for an answer, so that there is a mail."""
    maple.write(sender="somebody@elsewhere.example")


class TestNaming:
    def test_a_few_families_are_named_by_their_children_beside_little_else(self, maple: Maple) -> None:
        good_word(maple.database, "Theo Brandt", date(2026, 2, 3))
        write_one(maple)
        told = told_at(maple, SEVEN)
        assert "Leo Lopez and Maya Lopez" in named(told)
        assert "Linh Nguyen" in named(told)
        assert "Brandt" not in told
        assert mails(maple)[0]["Subject"] == "Good morning: 1 waiting, 2 for good news"

    def test_no_more_than_a_few(self, maple: Maple) -> None:
        with maple.database.write() as connection:
            for number in range(9):
                admit(connection, f"f{number}", Home((f"Kim Roe{number}",), {f"kim{number}@family.example": None}))
        write_one(maple)
        assert named(told_at(maple, SEVEN)).count("- ") == 3

    def test_none_where_the_school_wants_none(self, maple: Maple) -> None:
        maple.settings = maple.settings.model_copy(update={"glow": Glow(named_per_day=0)})
        write_one(maple)
        assert TITLE not in told_at(maple, SEVEN)

    def test_none_on_a_day_with_much_else(self, maple: Maple) -> None:
        for number in range(4):
            maple.write(sender=f"s{number}@elsewhere.example")
        assert TITLE not in told_at(maple, SEVEN)

    def test_it_is_no_reason_for_a_mail_but_on_the_first_school_day_of_a_week(self, maple: Maple) -> None:
        assert told_at(maple, SEVEN) == ""
        assert TITLE in told_at(maple, MONDAY)
        assert mails(maple)[0]["Subject"] == "Good morning: 3 for good news"
        assert told_at(maple, MONDAY + timedelta(days=1)) == ""

    def test_not_a_family_with_whom_a_hard_conversation_is_open(self, maple: Maple) -> None:
        conflict(maple)
        told = told_at(maple, SEVEN)
        assert "Linh Nguyen" in named(told)
        assert "Lopez" not in named(told)

    def test_not_a_family_with_something_urgent(self, maple: Maple) -> None:
        maple.write("urgent bus", "nguyen@family.example", to=[OKAFOR])
        write_one(maple)
        told = told_at(maple, SEVEN)
        assert "Lopez" in named(told)
        assert "Nguyen" not in named(told)

    def test_who_waits_is_told_also_where_the_roster_cannot_be_read(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise RuntimeError("scripted")

        write_one(maple)
        monkeypatch.setattr(GoodNews, "view", fails)
        told = told_at(maple, SEVEN)
        assert "somebody@elsewhere.example" in told
        assert TITLE not in told

    def test_not_a_family_that_has_a_draft(self, maple: Maple) -> None:
        news = GoodNews(maple.settings, maple.assembly().calendar, maple.database)
        assert news.ask(maple.box(), "lopez", by=RIVERA, now=maple.clock()) is Asked.PLANNED
        write_one(maple)
        assert "Lopez" not in named(told_at(maple, SEVEN))


class TestAnswering:
    def answer(self, maple: Maple, body: str, day: date = WEDNESDAY, number: int = 900) -> None:
        """The teacher answers the morning mail of a day."""
        answered = f"<{digest_message_id(RIVERA, day)}>"
        headers = {
            "In_Reply_To": answered,
            "References": answered,
            "Message_ID": f"<teacher-{number}@maple.example>",
        }
        mail = letter(number, "Re: Good morning", RIVERA, (RIVERA,), body, maple.clock(), headers)
        maple.system.put(maple.system.account(RIVERA), "sent", mail.as_bytes())
        maple.round()

    def drafts(self, maple: Maple) -> int:
        GlowWriter(maple.assembly()).look_after(maple.box(), maple.mailbox())
        return len(list(maple.drafts(RIVERA)))

    @pytest.fixture
    def told(self, maple: Maple) -> Maple:
        """The school after a morning mail that names all three families."""
        write_one(maple)
        assert TITLE in told_at(maple, SEVEN)
        maple.round()
        maple.clock.forward(minutes=30)
        return maple

    @pytest.mark.parametrize("words", ["Drafts please", "drafts, please!", "Borradores por favor.\n\nOn Wednesday …"])
    def test_drafts_please_gets_one_for_each_family_that_was_named(self, told: Maple, words: str) -> None:
        self.answer(told, words)
        assert self.drafts(told) == 3

    @pytest.mark.parametrize("words", ["Thanks!", "no drafts please", "Which drafts please?"])
    def test_other_words_get_none(self, told: Maple, words: str) -> None:
        self.answer(told, words)
        assert self.drafts(told) == 0

    def test_asking_twice_gets_no_more(self, told: Maple) -> None:
        with told.database.write() as connection:
            for number in range(5):
                admit(connection, f"f{number}", Home((f"Kim Roe{number}",), {f"kim{number}@family.example": None}))
        self.answer(told, "drafts please")
        assert self.drafts(told) == 3
        self.answer(told, "drafts please", number=901)
        assert self.drafts(told) == 3
        told.clock.forward(days=1)
        self.answer(told, "drafts please", number=902)
        assert self.drafts(told) == 3

    def test_who_stops_in_the_middle_of_asking_goes_on_with_the_same_families(
        self, told: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with told.database.write() as connection:
            for number in range(5):
                admit(connection, f"f{number}", Home((f"Kim Roe{number}",), {f"kim{number}@family.example": None}))
        told.settings = told.settings.model_copy(update={"glow": Glow(drafts_per_day=10)})
        self.answer(told, "drafts please")

        class Crash(BaseException):
            """The process is gone."""

        def crash(*_: object) -> None:
            raise Crash

        with monkeypatch.context() as broken:
            broken.setattr("store.glow_wishes.GlowWishes.done", crash)
            with pytest.raises(Crash):
                self.drafts(told)
        assert self.drafts(told) == 3

    def test_a_family_that_heard_meanwhile_gets_none(self, told: Maple) -> None:
        good_word(told.database, "Leo Lopez", WEDNESDAY)
        self.answer(told, "drafts please")
        assert self.drafts(told) == 2

    def test_a_stranger_who_answers_gets_none(self, told: Maple) -> None:
        answered = f"<{digest_message_id(RIVERA, WEDNESDAY)}>"
        told.write(
            "Re: Good morning", "bo@family.example", body="drafts please", In_Reply_To=answered, References=answered
        )
        told.round()
        assert self.drafts(told) == 0

    def test_the_mail_of_the_next_morning_is_sent_once_all_the_same(self, told: Maple) -> None:
        self.answer(told, "drafts please")
        assert self.drafts(told) == 3
        told.clock.now = SEVEN + timedelta(days=1)
        look(told)
        assert TITLE not in text_of(mails(told)[-1])
