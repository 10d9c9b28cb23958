"""What reads like a family's yes to a plan is found in every language of ours, and no more than that."""

import pytest

from autoresponder.agreement import reads_like_agreement

YES = {
    "en": "That works, see you Thursday.",
    "en-short": "Sounds good. Thank you for calling me back!",
    "es": "Me parece bien, nos vemos el jueves. Gracias.",
    "zh-Hans": "没问题，谢谢老师，星期四见。",
    "zh-Hant": "同意，謝謝老師。",
    "vi": "Tôi đồng ý, hẹn gặp cô thứ Năm ạ.",
    "ar": "موافقة، شكراً لكِ، نراكم يوم الخميس.",
    "pt": "Combinado, até quinta. Obrigada!",
    "ht": "Mwen dakò, mèsi anpil.",
    "ru": "Я согласна, спасибо. До встречи в четверг!",
    "ko": "네, 동의합니다. 목요일에 뵙겠습니다.",
    "tl": "Payag po ako, salamat po.",
    "fr": "Cela me convient, à jeudi.",
}
NO = (
    "That works on Thursdays, but not for us.",
    "I do not agree with this plan.",
    "Does that work for you? Sounds good to me otherwise.",
    "See you in court. I agree to nothing.",
    "Thank you.",
    "No estoy de acuerdo.",
    "Não concordo.",
    "Je ne suis pas d'accord.",
    "Mwen pa dakò.",
    "Tôi không đồng ý.",
    "Hindi ako sang-ayon.",
    "Я не согласна.",
    "لست موافقة، لا أوافق.",
    "동의하지 않습니다.",
    "我不同意。",
    "我不赞成。",
    "",
    f"That works. {'And there is more to say about it. ' * 20}",
)


@pytest.mark.parametrize("text", YES.values(), ids=YES)
def test_a_yes_is_found_in_every_language(text: str) -> None:
    assert reads_like_agreement(text)


@pytest.mark.parametrize("text", NO)
def test_what_asks_objects_or_says_much_more_is_none(text: str) -> None:
    assert not reads_like_agreement(text)
