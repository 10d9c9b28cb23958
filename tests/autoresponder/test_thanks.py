"""A thank-you ends a conversation: it is not answered, and nothing that asks for something is taken for one."""

import pytest

from autoresponder.guards import Case
from autoresponder.guards.thanks import thanks_only
from autoresponder.plan import History
from connectors.labels import Tag
from tests.autoresponder.sample import ORIGINAL, SETTINGS, TEACHER, TUESDAY_NOON, original
from tests.mails.samples import letters


def refused(body: str, tag: Tag | None = Tag.ROUTINE, *, subject: str = "Re: Field trip", answers: bool = True) -> bool:
    raw = ORIGINAL.replace(b"When does the bus leave?", body.encode()).replace(b"Field trip", subject.encode())
    raw = b"In-Reply-To: <note@maple.example>\r\n" * answers + raw
    case = Case(
        message=original(raw),
        history=History(connected_at=TUESDAY_NOON),
        norm=SETTINGS.norm,
        now=TUESDAY_NOON,
        mailbox=TEACHER,
        tag=tag,
    )
    return thanks_only(case) is not None


@pytest.mark.parametrize(
    "body",
    [
        "Thank you!",
        "Thanks so much, Ms. Rivera! Have a great day.",
        "ok",
        "OK, got it. Thank you!\n\nAna",
        "Perfect, thanks 👍",
        "Will do, thank you for letting me know.",
        "¡Muchas gracias, maestra!",
        "Ok, gracias. Ana",
        "Muito obrigada pela ajuda!",
        "Merci beaucoup pour votre réponse, bonne journée.",
        "Mèsi anpil!",
        "Salamat po!",
        "Спасибо большое!",
        "谢谢老师！",
        "好的，謝謝您。",
        "收到",
        "감사합니다 선생님",
        "Dạ, cảm ơn cô nhiều ạ",
        "شكرا جزيلا",
        "👍",
        "👍🏽",
        "👍👍 ❤️",
        "🙏🏿!",
    ],
)
def test_a_thank_you_is_not_answered(body: str) -> None:
    assert refused(body)


@pytest.mark.parametrize(
    "body",
    [
        "Thanks, but he still has no book.",
        "Thank you. When is the test?",
        "ok at 3",
        "👎",
        "👍 or 👎",
        "👍?",
        "👍 3",
        "🚑",
        "!",
        "Great. Thanks for nothing.",
        "Thanks, please call me",
        "Gracias, pero no entiendo",
        "谢谢，但是孩子还没有书。",
        "谢谢老师，请给我打电话",
        "Спасибо, но я не понял задание",
        "No.",
        "Mia is sick",
    ],
)
def test_one_word_more_and_it_is_answered(body: str) -> None:
    assert not refused(body)


def test_a_subject_of_its_own_may_hold_the_question() -> None:
    assert not refused("Thank you!", subject="Can Leo leave early on Friday", answers=False)
    assert refused("Thank you!", subject="Thanks", answers=False)
    assert refused("Thank you!", subject="", answers=False)


@pytest.mark.parametrize("tag", [Tag.URGENT, Tag.CONFLICT, None])
def test_only_routine_mail_counts_as_a_thank_you(tag: Tag | None) -> None:
    assert not refused("Thank you!", tag)


def test_no_letter_of_the_corpus_that_says_more_is_taken_for_a_thank_you() -> None:
    assert [identifier for identifier, _, subject, body in letters() if refused(body, subject="Re: x")] == []
