"""The same words, another time: the verdict must follow the clock and the calendar, in any week and any language."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from classifier import Classifier
from classifier.verdict import Letter
from connectors.labels import Tag
from tests.classifier.local_time import local

MONDAY = local(2025, 9, 1, 9, 10)
THURSDAY = {
    "en": "Please let Maya out at 1 pm on Thursday, her aunt will pick her up at the front office.",
    "es": "Por favor deje salir a Maya el jueves a la 1, su tía la recoge en la oficina.",
    "zh": "请让玛雅周四下午1点提前离校，她姑姑会到办公室来接她。",
    "vi": "Xin cô cho Maya về sớm lúc 1 giờ chiều thứ năm, dì của cháu sẽ đón ở văn phòng.",
    "ar": "من فضلك اسمحي لمايا بالخروج الساعة 1 ظهرا يوم الخميس، عمتها ستأخذها من المكتب.",
    "pt": "Por favor, libere a Maya na quinta às 13h, a tia dela vai buscá-la na secretaria.",
    "ht": "Tanpri kite Maya soti a 1è jedi, matant li ap vin chèche l nan biwo a.",
    "ru": "Пожалуйста, отпустите Майю в четверг в 13:00, её заберёт тётя у офиса.",
    "ko": "목요일 오후 1시에 마야를 조퇴시켜 주세요. 이모가 사무실로 데리러 갑니다.",
    "tl": "Pakilabas po si Maya ng 1 pm sa Huwebes, susunduin siya ng tita niya sa office.",
}
weeks = st.integers(0, 39).map(lambda week: MONDAY + timedelta(weeks=week))


def urgent(classifier: Classifier, body: str, received: datetime) -> float:
    return next(classifier.read([Letter("", body, received)], explain=False)).urgent


@pytest.mark.parametrize("language", THURSDAY)
@hypothesis_settings(max_examples=6, deadline=None)
@given(monday=weeks)
def test_a_pickup_grows_urgent_as_its_day_comes_near(classifier: Classifier, language: str, monday: datetime) -> None:
    far, eve, day = (
        urgent(classifier, THURSDAY[language], monday + timedelta(days=days, hours=hours))
        for days, hours in ((0, 0), (2, 10), (3, 0))
    )
    assert day > far + 0.2
    assert eve > far + 0.2


@hypothesis_settings(max_examples=10, deadline=None)
@given(monday=weeks)
def test_in_english_the_tag_itself_changes(classifier: Classifier, monday: datetime) -> None:
    letters = [Letter("", THURSDAY["en"], monday + timedelta(days=days)) for days in (0, 3)]
    assert [verdict.tag for verdict in classifier.read(letters)] == [Tag.ROUTINE, Tag.URGENT]


@hypothesis_settings(max_examples=10, deadline=None)
@given(monday=weeks, hour=st.integers(0, 23))
def test_what_names_no_time_and_needs_nothing_is_urgent_at_no_hour(
    classifier: Classifier, monday: datetime, hour: int
) -> None:
    letter = Letter("thank you", "We loved the concert. Thank you for all the work.", monday.replace(hour=hour))
    assert next(classifier.read([letter])).tag is Tag.ROUTINE


@hypothesis_settings(max_examples=10, deadline=None)
@given(monday=weeks, hour=st.integers(0, 23))
def test_what_cannot_wait_is_urgent_at_any_hour(classifier: Classifier, monday: datetime, hour: int) -> None:
    letter = Letter("", "She told her brother she wants to kill herself, please help us.", monday.replace(hour=hour))
    assert next(classifier.read([letter])).tag is Tag.URGENT
