"""The checker against doctored mailboxes: it must see each wrong, and nothing wrong where all is well."""

from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest

from tests.faults.checker import Expected, Judgement, School, judge
from tests.servers import dovecot
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.server("dovecot")

TEACHER, OTHER, OFFICE = "rivera@maple.example", "okafor@maple.example", "office@maple.example"
ANA, BO = "ana@family.example", "bo@family.example"


class Mailboxes:
    """The mailboxes of a day that went well, to be doctored."""

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.school = School(
            "127.0.0.1", server.ports[0], server.password, (TEACHER, OTHER), OFFICE, (ANA, BO), "reply"
        )

    def letter(self, name: str, kind: str, tag: str = "", *, to: str = TEACHER, sender: str = ANA) -> None:
        mail = _mail(sender, to, f"{name}@family.example")
        mail["X-Letter"] = kind
        self._put(mail, to, tag)

    def route(self, name: str, taken_at: float, *, in_sent: bool = False) -> None:
        """`in_sent`: it lies in the teacher's Sent, too."""
        original = _mail(ANA, TEACHER, f"{name}@family.example")
        mail = _mail(TEACHER, OFFICE, f"alliance.route.{name}@maple.example")
        mail["X-Taken-At"] = str(taken_at)
        mail.add_attachment(original)
        self._put(mail, OFFICE)
        if in_sent:
            self._put(mail, TEACHER, folder="Sent")

    def answer(self, name: str, words: str, *, to: str = ANA, sender: str = TEACHER, id_: str = "") -> None:
        mail = _mail(f"Ms. Rivera <{sender}>", to, f"alliance.reply.{id_ or name}@maple.example", words)
        mail["In-Reply-To"] = f"<{name}@family.example>"
        mail["Auto-Submitted"] = "auto-replied"
        self._put(mail, to)

    def draft(self, mark: str) -> None:
        mail = _mail(TEACHER, ANA, "alliance.left@maple.example")
        mail["X-Alliance-Inbox"] = mark
        self._put(mail, TEACHER, folder="Drafts")

    def judged(self, *, stage: str = "reply", **expected: object) -> Judgement:
        return judge(replace(self.school, stage=stage), Expected(**expected))  # type: ignore[arg-type]

    def _put(self, mail: EmailMessage, to: str, tag: str = "", folder: str = "INBOX") -> None:
        with self.server.client(to) as client:
            client.append(folder, mail.as_bytes(), [tag.encode()] if tag else [])


def _mail(sender: str, to: str, name: str, words: str = "words") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, to, "about Leo", f"<{name}>"
    mail.set_content(words)
    return mail


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running(users=(TEACHER, OTHER, OFFICE, ANA, BO)) as running:
        yield running


@pytest.fixture
def day(server: Dovecot) -> Mailboxes:
    """One urgent letter to two teachers, one routine letter: seen, routed, answered."""
    for user in server.users:
        with server.client(user) as client:
            for folder in ("INBOX", "Drafts", "Sent"):
                client.select_folder(folder)
                client.delete_messages(client.search())
                client.expunge()
    boxes = Mailboxes(server)
    boxes.letter("u", "urgent", "AllianceUrgent")
    boxes.letter("u", "urgent", "AllianceUrgent", to=OTHER)
    boxes.letter("r", "routine", "AllianceRoutine", sender=BO)
    boxes.route("u", 100.0)
    boxes.answer("u", "It was passed to our office.")
    boxes.answer("r", "I will answer by Tuesday.", to=BO)
    return boxes


def test_a_day_that_went_well_is_judged_so(day: Mailboxes) -> None:
    judged = day.judged(answered=(ANA, BO))
    assert judged.kept
    assert (judged.letters, judged.answers, judged.routes, judged.excused, judged.drafts) == (3, 2, 1, 0, [])


def test_a_letter_without_a_tag_is_unseen(day: Mailboxes) -> None:
    day.letter("x", "routine")
    assert day.judged().owed == [
        f"routine x@family.example in the mailbox of {TEACHER} carries no tag: nobody has seen it"
    ]


@pytest.mark.parametrize("tag", ["AllianceRoutine", "AllianceConflict"])
def test_a_letter_with_another_tag_than_its_writer_meant_is_found(day: Mailboxes, tag: str) -> None:
    day.letter("x", "urgent", tag, to=OTHER)
    assert any("carries ['" in each for each in day.judged().owed)


def test_in_stage_observe_a_tag_is_wrong_and_none_is_not(day: Mailboxes) -> None:
    assert any("nothing was to be written" in each for each in day.judged(stage="observe").broken)


def test_old_mail_that_was_tagged_answered_or_routed_is_found(day: Mailboxes) -> None:
    day.letter("o", "old", "AllianceUrgent")
    day.route("o", 100.0)
    day.answer("o", "Something else.")
    assert len(day.judged().broken) == 3


def test_an_urgent_letter_that_never_came_to_the_office_is_found(day: Mailboxes) -> None:
    day.letter("x", "urgent", "AllianceUrgent")
    assert day.judged().owed == ["urgent x@family.example never came to the office"]


def test_in_stage_observe_nothing_comes_to_the_office(day: Mailboxes) -> None:
    assert "u@family.example came to the office, and was not to" in day.judged(stage="observe").broken


def test_an_urgent_letter_twice_at_the_office_is_found(day: Mailboxes) -> None:
    day.route("u", 130.0)
    assert any("came to the office again after 30.0 s" in each for each in day.judged().broken)


@pytest.mark.parametrize(("trouble", "excused"), [((99.0, 101.0), 1), ((101.5, 101.5), 1), ((90.0, 99.0), 0)])
def test_twice_at_the_office_is_excused_only_where_the_first_was_taken_in_trouble(
    day: Mailboxes, trouble: tuple[float, float], excused: int
) -> None:
    day.route("u", 130.0)
    judged = day.judged(troubled=(trouble,))
    assert judged.excused == excused
    assert judged.kept == bool(excused)


def test_trouble_at_the_second_copy_excuses_nothing(day: Mailboxes) -> None:
    day.route("u", 130.0)
    assert not day.judged(troubled=((129.0, 131.0),)).kept


@pytest.mark.parametrize(("blinded", "excused"), [((), 0), (((99.0, 101.0),), 1)])
def test_no_trouble_excuses_that_what_lay_in_sent_went_to_the_office_again(
    day: Mailboxes, blinded: tuple[tuple[float, float], ...], excused: int
) -> None:
    day.letter("x", "urgent", "AllianceUrgent", to=OTHER)
    day.route("x", 100.0, in_sent=True)
    day.route("x", 130.0, in_sent=True)
    judged = day.judged(troubled=((99.0, 101.0),), blinded=blinded)
    assert judged.excused == excused
    assert judged.broken == (
        [] if excused else ["x@family.example came to the office again after 30.0 s, and lay in Sent"]
    )


def test_what_was_sent_twice_and_filed_once_is_excused_in_trouble(day: Mailboxes) -> None:
    day.letter("x", "urgent", "AllianceUrgent", to=OTHER)
    day.route("x", 100.0, in_sent=True)
    day.route("x", 130.0)
    assert day.judged(troubled=((99.0, 101.0),)).excused == 1


def test_two_answers_about_one_letter_are_found(day: Mailboxes) -> None:
    day.answer("u", "Other words.", id_="again")
    assert any("got 2 answers to u@family.example" in each for each in day.judged().broken)


def test_no_trouble_excuses_a_family_answered_twice(day: Mailboxes) -> None:
    day.answer("u", "Other words.")
    assert not day.judged(troubled=((0.0, 1e12),)).kept


def test_the_same_words_twice_from_one_teacher_are_found(day: Mailboxes) -> None:
    day.letter("r2", "routine", "AllianceRoutine", sender=BO)
    day.answer("r2", "I will answer   by\nTuesday.", to=BO)
    assert any("got the same words 2 times" in each for each in day.judged().broken)


def test_the_same_words_from_two_teachers_are_two_answers(day: Mailboxes) -> None:
    day.letter("r2", "routine", "AllianceRoutine", sender=BO, to=OTHER)
    day.answer("r2", "I will answer by Tuesday.", to=BO, sender=OTHER)
    assert day.judged().kept


def test_an_answer_in_another_stage_than_reply_is_found(day: Mailboxes) -> None:
    assert sum("from mailboxes in stage tag" in each for each in day.judged(stage="tag").broken) == 2


def test_an_answer_to_a_robot_is_found(day: Mailboxes) -> None:
    day.letter("robot", "robot", sender=BO)
    day.answer("robot", "Words for a robot.", to=BO)
    assert any("which was not to be answered" in each for each in day.judged().broken)


def test_a_family_that_is_owed_an_answer_and_has_none_is_found(day: Mailboxes, server: Dovecot) -> None:
    with server.client(BO) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search())
        client.expunge()
    assert day.judged(answered=(ANA, BO)).owed == [f"{BO} wrote when all was well, and got no answer"]


def test_drafts_that_were_left_are_counted(day: Mailboxes) -> None:
    day.draft("reply")
    day.draft("draft")  # the teacher's to send
    assert day.judged().drafts == ["alliance.left@maple.example"]


def test_the_checker_imports_nothing_of_the_service() -> None:
    from tests.faults import checker  # noqa: PLC0415

    modules = {type(each).__name__ == "module" and each.__name__.partition(".")[0] for each in vars(checker).values()}
    makers = {getattr(each, "__module__", "").partition(".")[0] for each in vars(checker).values()}
    ours = {"config", "connectors", "classifier", "autoresponder", "store", "scorecard", "service"}
    assert not (modules | makers) & ours
