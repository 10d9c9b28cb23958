"""Whether what a family writes back reads like a yes to a plan. Pure.

It is only ever put before the teacher as a question. So the rule looks for few and plain words, in a short text that
asks nothing and objects to nothing, and rather overlooks a yes than invents one. In the languages of the families.
"""

import re

from autoresponder.phrases import phrases, plain, without

_LONGEST = 400
"""Characters; who writes more than that says more than yes."""
_QUESTION = re.compile("[?？؟]")
_CONSENT = phrases(
    (
        # English
        "that works, this works, it works for, works for me, works for us, sounds good, sounds like a plan",
        "we agree, i agree, agreed, agree with the plan, agree to the plan, agree to this, thats fine",
        "that is fine, fine with me, fine with us, fine by me, fine by us, okay with me, ok with me, okay with us",
        "ok with us, good plan, great plan, good idea, see you then, see you there, see you tomorrow, see you on",
        "see you at, see you monday, see you tuesday, see you wednesday, see you thursday, see you friday",
        "see you next week, well be there, we will be there, ill be there, i will be there, lets do that",
        "lets do it, we can do that, looking forward to it, looking forward to meeting, happy with that",
        "happy with this plan, that helps a lot",
        # Spanish
        "de acuerdo, me parece bien, nos parece bien, me parece perfecto, nos parece perfecto",
        "me parece buena idea, me sirve, nos sirve, nos vemos, ahi estare, ahi estaremos, alli estare",
        "alli estaremos, quedamos asi, acepto, aceptamos, buen plan, buena idea, trato hecho, asi lo hacemos",
        "cuente conmigo, cuente con nosotros",
        # Portuguese
        "combinado, concordo, concordamos, de acordo, por mim tudo bem, por nos tudo bem, esta otimo assim",
        "boa ideia, pode ser assim, estarei la, estaremos la, ate la, fica combinado, aceito, aceitamos",
        "parece bom, bom plano",
        # French
        "d'accord, je suis d'accord, nous sommes d'accord, ca me convient, cela me convient, ca nous convient",
        "cela nous convient, ca marche, bonne idee, je serai la, nous serons la, a lundi, a mardi, a mercredi",
        "a jeudi, a vendredi, c'est entendu, marche conclu, j'accepte, nous acceptons",
        # Haitian Creole
        "mwen dakò, m dakò, nou dakò, dakò, sa bon pou mwen, sa bon pou nou, sa mache pou mwen, sa mache pou nou",
        "pa gen pwoblèm, m ap la, n ap la, map la, nap la, na wè, n a wè, se yon bon plan, se yon bon lide",
        # Vietnamese
        "đồng ý, tôi đồng ý, chúng tôi đồng ý, như vậy được, vậy là được, hẹn gặp, hợp lý, tôi sẽ đến, nhất trí",
        "kế hoạch tốt, ý hay",
        # Tagalog
        "sang-ayon, sumasang-ayon, payag ako, payag kami, payag po ako, payag po kami, pumapayag, ayos lang",
        "ayos po, okay po sa akin, okay po sa amin, ok po sa akin, ok po sa amin, kita tayo, magkita tayo",
        "darating ako, darating kami, darating po ako, darating po kami, sige po, magandang plano",
        "magandang ideya",
        # Russian
        "согласен, согласна, согласны, договорились, меня устраивает, нас устраивает, мне подходит, нам подходит",
        "до встречи, я приду, мы придем, увидимся, хороший план, хорошая идея",
        # Arabic
        "موافق, موافقة, موافقون, نوافق, أوافق, اتفقنا, يناسبني, يناسبنا, مناسب لي, مناسب لنا, سأكون هناك",
        "سنكون هناك, نراكم, أراكم, خطة جيدة, فكرة جيدة, متفقون, إلى اللقاء يوم",
        # Korean
        "동의합니다, 동의해요, 찬성합니다, 좋습니다, 좋아요, 그렇게 하겠습니다, 그렇게 하죠, 그때 뵙겠습니다",
        "뵙겠습니다, 그때 봬요, 괜찮습니다, 좋은 생각입니다, 참석하겠습니다",
        # Chinese, simplified and traditional
        "同意, 没问题, 沒問題, 就这样, 就這樣, 就这么定, 就這麼定, 到时见, 到時見, 一言为定, 一言為定, 赞成, 贊成",
        "好主意, 可以的, 我们会来, 我們會來, 我会来, 我會來",
    )
)
_OBJECTION = phrases(
    (
        "not, no, nor, never, nothing, dont, doesnt, didnt, isnt, cant, cannot, wont, wouldnt, but, however, unless",
        "although, instead, disagree, sorry",
        "pero, sin embargo, nunca, nada, tampoco, aunque, salvo, excepto",
        "não, mas, porém, nunca, nem, embora",
        "ne, pas, jamais, mais, cependant, sauf",
        "pa, men, poko, janm, sof",
        "không, nhưng, chưa, đừng, tuy nhiên",
        "hindi, pero, ngunit, subalit, kaso, ayaw, huwag, wala",
        "не, нет, но, однако, никогда, нельзя",
        "لا, لم, لن, ليس, ليست, لكن, ولكن, غير, إلا",
        "하지만, 그러나, 그런데, 않습니다, 않아요, 않고, 못, 못합니다, 안, 아니요, 아니오, 없습니다, 없어요",
        "不, 但, 没, 沒, 可是, 别, 別, 未",
    )
)


def reads_like_agreement(newest: str) -> bool:
    """Whether a family's text (without quoted history) reads like a yes to what the teacher proposed."""
    text = newest.strip()
    if not text or len(text) > _LONGEST or _QUESTION.search(text):
        return False
    said = plain(text)
    rest = without(said, _CONSENT)
    return rest != said and not any(objection in rest for objection in _OBJECTION)
