"""A family is asked only for what neither the message nor the roster tells."""

import pytest

from autoresponder.missing import missing_in
from autoresponder.plan import Missing
from tests.autoresponder.sample import ORIGINAL, original


def missing(body: str, *, students: tuple[str, ...] = (), subject: str = "Field trip") -> set[Missing]:
    raw = ORIGINAL.replace(b"When does the bus leave?", body.encode()).replace(b"Field trip", subject.encode())
    return set(missing_in(original(raw), students))


@pytest.mark.parametrize(
    "body",
    [
        "My daughter Mia lost her calculator. Did anyone find it?",
        "my son, Leo needs the form again",
        "This is Leo's mom. What is due tomorrow?",
        "I am the father of Amara and would like to know her grade.",
        "When can Mia retake the quiz? Thanks, Ana Torres",
        "Soy la mamá de Mateo. ¿Cuándo es la reunión?",
        "Mi hijo Mateo no entiende la tarea.",
        "Sou a mãe de Rafael e gostaria de saber a nota.",
        "Je suis la mère de Chloé, quand est la sortie ?",
        "Pitit mwen an Jean bezwen fòm nan ankò.",
        "Я мама Ивана, когда экскурсия?",
        "Мой сын Иван забыл тетрадь в школе.",
        "我的女儿小雨把作业本忘在教室了。",
        "我是王小明的媽媽，請問明天要帶什麼？",
        "저는 김민준 엄마입니다. 숙제가 무엇인가요?",
        "أنا والدة ليلى، متى الرحلة؟",
        "Tôi là mẹ của em Minh, mai có đi học không ạ?",
        "Ako po ang nanay ni Ana, kailan po ang miting?",
    ],
)
def test_a_student_who_is_named_is_not_asked_for(body: str) -> None:
    assert Missing.STUDENT not in missing(body)


@pytest.mark.parametrize(
    "body",
    [
        "When does the bus leave?",
        "My son needs the form again, could you send it?",
        "Hi Ms. Rivera, is there school on Monday? Thanks, Ana",
        "¿Cuándo es la reunión?",
        "请问什么时候交表？",
    ],
)
def test_a_student_whom_nobody_named_is_asked_for_unless_the_roster_knows(body: str) -> None:
    assert Missing.STUDENT in missing(body)
    assert Missing.STUDENT not in missing(body, students=("Mia Torres",))


@pytest.mark.parametrize(
    "body",
    [
        "She is in your 3rd period class.",
        "block 4, I think",
        "Está en el período 2.",
        "Elle est en 2e heure avec vous.",
        "他在第三节课。",
        "2교시 수업입니다.",
        "он был на 3 уроке",
    ],
)
def test_a_class_period_that_is_told_is_not_asked_for(body: str) -> None:
    assert Missing.PERIOD not in missing(body)


def test_a_school_without_periods_never_asks_for_one() -> None:
    assert Missing.PERIOD in missing_in(original())
    assert Missing.PERIOD not in missing_in(original(), ask_period=False)


@pytest.mark.parametrize(("body", "asks"), [("Grades?", True), ("Please call", False), ("成绩？", True), ("", False)])
def test_a_question_is_asked_for_where_there_is_none(body: str, asks: bool) -> None:
    assert (Missing.QUESTION not in missing(body)) is asks


def test_a_whole_letter_is_asked_for_nothing() -> None:
    assert missing("Could Mia (my daughter, 2nd period) retake the quiz on Friday after school?") == set()
