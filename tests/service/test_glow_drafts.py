"""Drafts of good news: one for each family and term, a few a day, never sent, and at most once whatever dies."""

import email
import email.policy
import threading
from contextlib import suppress
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from autoresponder.glow import glow_message_id
from autoresponder.items import ItemState
from classifier.verdict import Letter, Opinion
from config.settings import Glow, PartnershipCalls, Stage
from connectors.errors import AuthenticationFailed, ConnectFailed, DraftFailed, MailboxError
from connectors.labels import Label
from connectors.message import MARKER
from service.glow_writer import GlowWriter
from service.good_news import GoodNews, GoodNewsView, Obstacle
from service.runner import Runner
from store import audit
from store.agenda import Agendas
from store.database import Database
from store.glow_drafts import ASKED, Asked
from store.glow_tables import GlowDraft
from store.roster_tables import RosterAddress, RosterMembership
from store.tables import DeliveryState, Item
from tests.service.cases_of_maple import conflict
from tests.service.glow_of_maple import SPRING, Home, admit, enrol, good_word
from tests.service.maple import ANA, OKAFOR, RIVERA, Maple

CANCELLED, DONE, UNCERTAIN = DeliveryState.CANCELLED, DeliveryState.DONE, DeliveryState.UNCERTAIN
STEPS = ("glow draft taken", "glow draft saving recorded", "glow draft saved", "glow draft told")


class Crash(BaseException):
    """The process is gone."""


class Flatterer:
    """Stands in for a model that takes everything for good news."""

    def read(self, letter: Letter) -> Opinion | None:
        del letter
        return Opinion(score=0.9, positive=True, model="all is well")


@pytest.fixture
def maple() -> Maple:
    """The school with three families on its roster."""
    return school()


def school(**given: object) -> Maple:
    maple = Maple(**given)  # type: ignore[arg-type]
    maple.round()
    enrol(maple.database)
    return maple


def news(maple: Maple) -> GoodNews:
    return GoodNews(maple.settings, maple.assembly().calendar, maple.database)


def view(maple: Maple) -> GoodNewsView:
    found = news(maple).view(maple.box(), maple.clock())
    assert found is not None
    return found


def ask(maple: Maple, family: str = "lopez", address: str = RIVERA) -> Asked | Obstacle:
    return news(maple).ask(maple.box(address), family, by=address, now=maple.clock())


def look(maple: Maple, address: str = RIVERA, *, die_at: str = "", stage: Stage | None = None) -> None:
    """A fresh process looks after a mailbox's drafts; dies at a step if told so."""

    def step(name: str, _number: int) -> None:
        if name == die_at:
            raise Crash

    GlowWriter(maple.assembly(), on_step=step).look_after(maple.box(address, stage=stage), maple.mailbox(address))


def drafts(maple: Maple, address: str = RIVERA) -> list[EmailMessage]:
    return [
        email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default) for raw in maple.drafts(address)
    ]


def states(maple: Maple, address: str = RIVERA) -> dict[str, DeliveryState]:
    return {family: draft.state for family, draft in news(maple).drafts.of_term(address, SPRING).items()}


def body(draft: EmailMessage) -> str:
    plain = draft.get_body(("plain",))
    assert plain is not None
    return " ".join(plain.get_content().split())


class TestWhoGetsOne:
    def test_it_lies_in_drafts_addressed_to_the_guardians_in_the_homes_language(self, maple: Maple) -> None:
        assert ask(maple) is Asked.PLANNED
        look(maple)
        (draft,) = drafts(maple)
        assert " ".join(str(draft["To"]).split()) == "ana@family.example, luis@family.example"
        assert draft["Subject"] == "Algo bueno de la escuela: Leo Lopez y Maya Lopez"
        assert draft["In-Reply-To"] is None
        assert draft["Auto-Submitted"] is None
        assert "⟨1 · Leo Lopez and Maya Lopez: one thing that went well this week⟩" in body(draft)
        assert "una cosa que salió bien esta semana" in body(draft)
        assert states(maple) == {"lopez": DONE}
        assert not maple.system.departed

    def test_a_family_that_reads_the_schools_language_gets_it_in_that_alone(self, maple: Maple) -> None:
        ask(maple, "brandt")
        look(maple)
        (draft,) = drafts(maple)
        assert draft["Content-Language"] == "en"

    def test_it_offers_the_next_two_calls_where_the_teacher_has_times_for_them(self, maple: Maple) -> None:
        calls = (PartnershipCalls(day="tue", opens="15:40", closes="16:00"),)  # type: ignore[arg-type]
        boxes = tuple(box.model_copy(update={"partnership_calls": calls}) for box in maple.settings.mailboxes)
        maple.settings = maple.settings.model_copy(update={"mailboxes": boxes})
        ask(maple, "brandt")
        look(maple)
        said = body(drafts(maple)[0]).replace("\u00a0", " ")
        assert "on Tuesday, March 3 from 3:40 PM to 4:00 PM or on Tuesday, March 17" in said

    def test_each_teacher_has_a_draft_of_their_own_for_a_family_that_both_teach(self, maple: Maple) -> None:
        assert ask(maple, "nguyen", RIVERA) is ask(maple, "nguyen", OKAFOR) is Asked.PLANNED
        look(maple, RIVERA)
        look(maple, OKAFOR)
        assert len(drafts(maple, RIVERA)) == len(drafts(maple, OKAFOR)) == 1

    def test_no_child_is_named_on_record(self, maple: Maple) -> None:
        ask(maple)
        look(maple)
        with maple.database.read() as connection:
            rows = str(connection.execute(GlowDraft.__table__.select()).all())  # type: ignore[attr-defined]
        assert "Lopez" not in rows
        assert "ana@" not in rows

    def test_asking_is_in_the_audit_log(self, maple: Maple) -> None:
        ask(maple)
        assert [(entry.person, entry.about) for entry in audit.entries(maple.database) if entry.act == ASKED] == [
            (RIVERA, f"draft 1 for {RIVERA}")
        ]


class TestWhoGetsNone:
    def test_a_family_never_gets_two_in_a_term(self, maple: Maple) -> None:
        assert ask(maple) is Asked.PLANNED
        assert ask(maple) is Asked.THERE
        look(maple)
        maple.system.account(RIVERA).drafts.clear()  # the teacher deletes it
        maple.clock.forward(days=8)
        assert ask(maple) is Asked.THERE
        look(maple)
        assert not drafts(maple)

    def test_a_teacher_gets_only_a_few_a_day(self) -> None:
        maple = school()
        maple.settings = maple.settings.model_copy(update={"glow": Glow(drafts_per_day=2)})
        assert [ask(maple, family) for family in ("lopez", "brandt", "nguyen")] == [
            Asked.PLANNED,
            Asked.PLANNED,
            Asked.ENOUGH,
        ]
        assert ask(maple, "nguyen", OKAFOR) is Asked.PLANNED
        maple.clock.forward(days=1)
        assert ask(maple, "nguyen") is Asked.PLANNED

    def test_clicks_at_the_same_time_make_no_more_than_there_are_in_a_day(self, tmp_path: Path) -> None:
        maple = school(database=Database.open("alliance.db", folder=tmp_path))
        with maple.database.write() as connection:
            for number in range(6):
                admit(connection, f"f{number}", Home((f"Kim {number}",), {f"kim{number}@family.example": None}))
        answers: list[Asked | Obstacle] = []
        at_once = threading.Barrier(6)

        def click(number: int) -> None:
            at_once.wait()
            answers.append(ask(maple, f"f{number % 4}"))

        threads = [threading.Thread(target=click, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers.count(Asked.PLANNED) == len(states(maple)) == 3

    @pytest.mark.parametrize("family", ["nobody", "", "student Theo Brandt"])
    def test_who_is_not_the_teachers_family_gets_none(self, maple: Maple, family: str) -> None:
        assert ask(maple, family) is Obstacle.GONE

    def test_another_teachers_family_is_not_this_teachers(self, maple: Maple) -> None:
        assert ask(maple, "lopez", OKAFOR) is Obstacle.GONE

    def test_a_family_that_heard_something_good_gets_none(self, maple: Maple) -> None:
        good_word(maple.database, "Leo Lopez", date(2026, 2, 3))
        assert ask(maple) is Obstacle.HEARD

    def test_a_good_word_of_another_teacher_or_term_does_not_count(self, maple: Maple) -> None:
        good_word(maple.database, "Linh Nguyen", date(2026, 2, 3), teacher=OKAFOR)
        good_word(maple.database, "Leo Lopez", date(2025, 10, 3))
        assert ask(maple, "nguyen") is ask(maple, "lopez") is Asked.PLANNED

    def test_a_family_in_a_hard_conversation_gets_none_until_it_is_over(self, maple: Maple) -> None:
        message = conflict(maple)
        assert ask(maple) is Obstacle.CONVERSATION
        maple.relabel(message, *maple.labels(message), Label.PLAN_AGREED)
        maple.round()
        assert ask(maple) is Obstacle.CONVERSATION  # on the same day it is too early
        maple.clock.forward(days=3)
        assert ask(maple) is Asked.PLANNED

    def test_a_family_with_something_urgent_gets_none_from_any_teacher(self, maple: Maple) -> None:
        maple.write("urgent bus", "Nguyen@family.example", to=[RIVERA])
        maple.round()
        assert ask(maple, "nguyen", OKAFOR) is ask(maple, "nguyen") is Obstacle.NEED
        assert ask(maple, "brandt") is Asked.PLANNED

    def test_a_plus_tag_hides_no_family_in_need(self, maple: Maple) -> None:
        maple.write("urgent bus", "nguyen+school@family.example")
        maple.round()
        assert ask(maple, "nguyen") is Obstacle.NEED

    def test_a_family_without_an_address_gets_none(self, maple: Maple) -> None:
        with maple.database.write() as connection:
            gone = update(RosterAddress).where(col(RosterAddress.address) == "bo@family.example")
            connection.execute(gone.values(until=date(2026, 2, 1)))
        assert ask(maple, "brandt") is Obstacle.NO_ADDRESS

    def test_there_is_none_between_terms(self, maple: Maple) -> None:
        maple.clock.forward(days=120)
        assert ask(maple) is Obstacle.GONE


class TestBetweenAskingAndWriting:
    """What happens meanwhile counts; what lies in Drafts is the teacher's."""

    def test_good_news_meanwhile_drops_it(self, maple: Maple) -> None:
        ask(maple)
        good_word(maple.database, "Maya Lopez", date(2026, 3, 3))
        look(maple)
        assert not drafts(maple)
        assert states(maple) == {"lopez": CANCELLED}

    def test_something_urgent_or_hard_meanwhile_drops_it_and_it_may_be_asked_for_again(self, maple: Maple) -> None:
        ask(maple)
        maple.write("urgent bus", ANA)
        maple.round()
        look(maple)
        assert not drafts(maple)
        assert states(maple) == {"lopez": CANCELLED}
        with maple.database.write() as connection:
            connection.execute(update(Item).values(state=ItemState.DONE))
        assert ask(maple) is Obstacle.NEED  # on the same day it is too early
        maple.clock.forward(days=3)
        assert ask(maple) is Asked.PLANNED
        look(maple)
        assert len(drafts(maple)) == 1

    def test_a_family_that_left_meanwhile_gets_none(self, maple: Maple) -> None:
        ask(maple, "brandt")
        with maple.database.write() as connection:
            connection.execute(update(RosterMembership).values(until=date(2026, 3, 3)))
        look(maple)
        assert states(maple) == {"brandt": CANCELLED}
        assert not drafts(maple)

    def test_good_news_after_it_was_saved_leaves_it_alone(self, maple: Maple) -> None:
        ask(maple)
        look(maple)
        good_word(maple.database, "Maya Lopez", date(2026, 3, 3))
        look(maple)
        assert len(drafts(maple)) == 1
        assert states(maple) == {"lopez": DONE}

    def test_in_stage_observe_nothing_is_written(self, maple: Maple) -> None:
        ask(maple)
        look(maple, stage=Stage.OBSERVE)
        assert not drafts(maple)
        assert states(maple) == {"lopez": CANCELLED}

    def test_in_stage_tag_a_teacher_who_asks_gets_it(self, maple: Maple) -> None:
        ask(maple)
        look(maple, stage=Stage.TAG)
        assert len(drafts(maple)) == 1

    def test_what_the_teacher_sends_of_it_is_the_teachers_own_mail(self, maple: Maple) -> None:
        ask(maple, "brandt")
        look(maple)
        account = maple.system.account(RIVERA)
        ((_, stored),) = account.drafts.items()
        account.drafts.clear()
        maple.system.put(account, "sent", stored.raw)
        maple.round()
        assert [record.own for record in maple.records()] == [False]


class TestWhatIsSent:
    """A draft counts as good news where the teacher put some into it."""

    @pytest.mark.parametrize(("filled", "heard"), [(False, False), (True, True)])
    def test_an_unfilled_draft_is_no_good_word(self, maple: Maple, filled: bool, heard: bool) -> None:
        maple.judge = Flatterer()
        ask(maple, "brandt")
        look(maple)
        account = maple.system.account(RIVERA)
        ((_, stored),) = account.drafts.items()
        account.drafts.clear()
        mail = email.message_from_bytes(stored.raw, _class=EmailMessage, policy=email.policy.SMTP)
        text = body(mail)
        if filled:
            before, _, after = text.partition("⟨1")
            text = before + "Theo helped a new classmate find his way." + after.partition("⟩")[2]
        sent = EmailMessage(policy=email.policy.SMTP)
        for name in ("From", "To", "Subject", "Date", "Message-ID", MARKER):
            sent[name] = str(mail[name])
        sent.set_content(text)
        maple.system.put(account, "sent", sent.as_bytes())
        maple.round()
        (brandt,) = [each for each in view(maple).families if each.family.id == "brandt"]
        assert (brandt.family.positive_on is not None) is heard


class TestCrashes:
    @pytest.mark.parametrize("step", [*STEPS, "save_draft done"])
    def test_killed_at_any_step_it_leaves_at_most_one(self, maple: Maple, step: str) -> None:
        ask(maple)
        maple.system.fail(step, Crash())
        with suppress(Crash):
            look(maple, die_at=step)
        maple.system.heal()
        for _ in range(3):
            maple.clock.forward(minutes=10)
            look(maple)
        lost = step == "glow draft saving recorded"  # nobody knows whether the teacher has had it
        assert len(drafts(maple)) == (0 if lost else 1)
        assert states(maple) == {"lopez": UNCERTAIN if lost else DONE}

    @pytest.mark.parametrize("step", ["glow draft saved", "save_draft done"])
    @pytest.mark.parametrize("act", ["deletes", "sends", "edits"])
    def test_what_the_teacher_did_while_the_service_was_down_stays(self, maple: Maple, act: str, step: str) -> None:
        ask(maple)
        maple.system.fail(step, Crash())
        with suppress(Crash):
            look(maple, die_at=step)
        maple.system.heal()
        account = maple.system.account(RIVERA)
        ((_, stored),) = account.drafts.items()
        account.drafts.clear()
        if act == "sends":
            maple.system.put(account, "sent", stored.raw)
        if act == "edits":
            mail = email.message_from_bytes(stored.raw, policy=email.policy.SMTP)
            mail.replace_header("Message-ID", "<edited@maple.example>")
            maple.system.put(account, "drafts", mail.as_bytes())
        maple.clock.forward(minutes=10)
        look(maple)
        assert len(drafts(maple)) == (act == "edits")
        assert states(maple) == {"lopez": DONE if act == "sends" else UNCERTAIN}

    @pytest.mark.parametrize("error", [ConnectFailed, AuthenticationFailed, DraftFailed, RuntimeError])
    @pytest.mark.parametrize("step", ["draft_state", "save_draft", "save_draft done"])
    def test_a_failure_only_delays(self, maple: Maple, step: str, error: type[Exception]) -> None:
        ask(maple)
        maple.system.fail(step, error("scripted"), times=2)
        for _ in range(5):
            look(maple)
            maple.clock.forward(minutes=20)
        assert len(drafts(maple)) == 1
        assert states(maple) == {"lopez": DONE}

    def test_one_that_fails_for_days_is_given_up_and_may_be_asked_for_again(self, maple: Maple) -> None:
        ask(maple)
        maple.system.fail("draft_state", DraftFailed("scripted"), times=100)
        for _ in range(4):
            look(maple)
            maple.clock.forward(days=1)
        assert states(maple) == {"lopez": CANCELLED}
        maple.system.heal()
        assert ask(maple) is Asked.PLANNED
        look(maple)
        assert len(drafts(maple)) == 1

    def test_one_that_fails_does_not_keep_the_others(self, maple: Maple) -> None:
        ask(maple, "brandt")
        ask(maple, "lopez")
        maple.system.fail("save_draft", DraftFailed("scripted"))
        look(maple)
        assert states(maple)["lopez"] is DONE

    def test_a_worker_whose_lease_was_lost_changes_nothing(self, maple: Maple) -> None:
        ask(maple)
        record = news(maple).drafts
        slow = record.take(RIVERA, maple.clock())
        assert slow is not None
        assert record.take(RIVERA, maple.clock()) is None
        maple.clock.forward(minutes=10)
        look(maple)
        with pytest.raises(Exception, match="taken over"):
            record.saving(slow)
        assert len(drafts(maple)) == 1

    def test_a_worker_from_before_does_not_hold_what_was_asked_for_again(self, maple: Maple) -> None:
        ask(maple)
        record = news(maple).drafts
        slow = record.take(RIVERA, maple.clock())
        assert slow is not None
        maple.clock.forward(minutes=10)
        look(maple, stage=Stage.OBSERVE)
        assert ask(maple) is Asked.PLANNED
        again = record.take(RIVERA, maple.clock())
        assert again is not None
        with pytest.raises(Exception, match="taken over"):
            record.saving(slow)

    @pytest.mark.parametrize("stalled_at", ["draft_state", "save_draft"])
    def test_two_workers_at_once_leave_one(self, tmp_path: Path, stalled_at: str) -> None:
        """The first stalls in the middle for longer than its lease, a second looks after it, the first goes on."""
        maple = school(database=Database.open("alliance.db", folder=tmp_path))
        ask(maple)
        stalled, others = [False], []

        def hook(_mailbox: str, step: str) -> None:
            if step == stalled_at and not stalled[0]:
                stalled[0] = True
                maple.clock.forward(minutes=10)
                others.append(threading.Thread(target=look, args=(maple,)))
                others[0].start()
                others[0].join()

        maple.system.hooks.append(hook)
        look(maple)
        maple.system.hooks.clear()
        assert stalled[0]
        assert len(drafts(maple)) == 1
        maple.clock.forward(minutes=10)
        look(maple)
        assert len(drafts(maple)) == 1


class TestInTheService:
    def test_the_running_service_writes_it_after_the_next_look(self, maple: Maple) -> None:
        ask(maple)
        assert Runner(maple.assembly()).run_once() == {}
        assert len(drafts(maple)) == 1

    def test_a_draft_that_was_put_off_wakes_the_service(self, maple: Maple) -> None:
        assembly = maple.assembly()
        writer, agendas = GlowWriter(assembly), Agendas(assembly.database)
        assert agendas.of(RIVERA, maple.clock()).good_news_at is None
        ask(maple)
        assert agendas.of(RIVERA, maple.clock()).good_news_at == maple.clock()
        maple.system.fail("draft_state", ConnectFailed("down"))
        with suppress(MailboxError):
            writer.look_after(maple.box(), maple.mailbox())
        assert agendas.of(RIVERA, maple.clock()).good_news_at == maple.clock() + timedelta(minutes=1)

    def test_its_message_id_names_nobody(self) -> None:
        assert "lopez" not in glow_message_id("lopez", SPRING, RIVERA)
