"""The guard against answering a thank-you: it ends a conversation, and a robot's answer would open it again."""

import re
import unicodedata

from autoresponder.guards.case import Case
from connectors.labels import Tag

_LONGEST = 160
"""Characters; who writes more than that says more than thanks."""
# Words that say thanks or "got it" by themselves, and words that only stand beside them. A note made of nothing else is
# a thank-you. In the languages of the families; case and accents do not count.
# fmt: off
_CORE = frozenset("""
    thanks thank thankyou thx ty tysm ok okay k great perfect wonderful awesome excellent understood noted
    appreciated appreciate
    gracias ok vale perfecto entendido enterada enterado excelente agradezco
    obrigado obrigada perfeito entendi agradeco valeu
    merci parfait entendu compris
    mesi dako konpri
    salamat opo sige
    спасибо хорошо понятно благодарю ок понял поняла отлично
    cam cảm ơn on vang vâng da dạ
    شكرا تمام حسنا مشكور مشكورة
    감사합니다 고맙습니다 감사해요 고마워요 알겠습니다 네
""".split())  # noqa: SIM905 - a list of words, not of strings
_BESIDE = frozenset("""
    you so much very a lot for your the all everything help time reply response answer message email note quick
    letting me us
    know this that it is was will do got we i and again both works sounds good have nice day weekend evening
    week too many
    teacher mr mrs ms miss dr dear hi hello from best regards sincerely love yes no problem really to be
    muchas mil por su la el tu ayuda respuesta mensaje todo muy amable profe profesora profesor maestra maestro
    buen dia buenas
    tardes noches de acuerdo esta bien le se lo hola saludos senora senor igualmente avisarme avisar
    muito muita pela pelo sua seu resposta ajuda bom boa tarde dia professora professor tudo certo esta
    combinado
    beaucoup bien pour votre reponse aide bonne journee soiree d accord madame monsieur je vous remercie c est
    note bonjour
    anpil pou ou pwofese bonjou wi tre byen
    po maraming lubos guro magandang araw hapon
    большое вам за ответ помощь все всё очень до свидания добрый день
    co thay em nhieu rat chi a ban nhe cô thầy nhiều rất ạ
    جزيلا لكم لك على الرد استاذة استاذ كثيرا
    선생님 정말 너무 답장
""".split())  # noqa: SIM905 - a list of words, not of strings
# fmt: on
_CHINESE = re.compile(
    r"(?:好的?|收到|明白|知道)?了?[,，。!！\s]*+(?:(?:非常|十分|多|太)?(?:谢谢|謝謝|感谢|感謝|谢|謝)(?:您的回复|您的回覆|您|你们|你|老师|老師)*+)?[。!！~\s]*+(?:好的?|收到|明白|知道)?了?[。!！~\s]*+"
)
_WORD = re.compile(r"[^\W\d_]+")
_SIGNS = frozenset("👍👌🙏👏🤝❤♥💙💚💛🧡💜🤎🖤🤍💕💖💗🙂😊😀😃😄😁🥰😍🤗🎉✅✔☑💯🆗")
"""Thumbs-ups and the like, which say as much without a word."""
_BESIDE_SIGNS = re.compile("[\\s!.\\u200d\\ufe0e\\ufe0f\U0001f3fb-\U0001f3ff]+")
"""What stands between them: blanks, and what joins and colours emoji (Unicode TR 51 §1.4)."""


def thanks_only(case: Case) -> str | None:
    """A thank-you or an "ok": it wants no answer. Rule: this product's own (nothing was asked; only routine mail)."""
    if case.tag is not Tag.ROUTINE or case.message.attachments:
        return None
    text = case.message.newest.strip()
    if not text or len(text) > _LONGEST or any(sign in text for sign in "?？؟") or any(map(str.isdigit, text)):
        return None
    answers = bool(case.message.in_reply_to or case.message.references)
    subject = case.message.subject.strip()
    if not answers and subject and not _is_thanks(subject, case):
        return None  # what is asked may stand in the subject alone
    return "It says thanks, and asks for nothing." if _is_thanks(text, case) else None


def _is_thanks(text: str, case: Case) -> bool:
    if (signs := set(_BESIDE_SIGNS.sub("", text))) and signs <= _SIGNS:
        return True
    if any("\u3400" <= letter <= "\u9fff" for letter in text):
        return _CHINESE.fullmatch(text) is not None
    words = [_folded(word) for word in _WORD.findall(text)]
    names = set(map(_folded, _WORD.findall(case.message.sender.name if case.message.sender else "")))
    if case.mailbox is not None:
        names |= set(map(_folded, _WORD.findall(case.mailbox.teacher)))
    return any(word in _FOLDED_CORE for word in words) and all(word in _FOLDED | names for word in words)


def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFD", word.lower())
    return unicodedata.normalize("NFC", "".join(letter for letter in apart if not unicodedata.combining(letter)))


_FOLDED_CORE = frozenset(map(_folded, _CORE))
_FOLDED = _FOLDED_CORE | frozenset(map(_folded, _BESIDE))
