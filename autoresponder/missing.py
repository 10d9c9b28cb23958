"""What a teacher would still need to know: asked for only where neither the message nor the roster tells it.

Patterns in the languages of the families. They look for signs that something is told, and rather believe one too many:
a question too few is made up for in the conversation; a parent who is asked for what they just wrote feels unread.
"""

import re
from collections.abc import Iterator, Sequence

from autoresponder.plan import Missing
from connectors.message import Message

_READ = 4_000
"""Characters that are looked at."""
_FEW_WORDS = 5
"""Fewer words than these, without a question mark, ask nothing."""

_KIN = (
    r"(?:my|our|the)\s+(?:\w+\s+)?(?:son|daughter|child|kid|boy|girl|twins?|grand(?:son|daughter|child)|step(?:son|daughter)|nephew|niece)",
    r"(?:mom|mum|mother|dad|father|parent|guardian|grandm\w+|grandp\w+|grandfather|aunt|uncle|sister|brother)\s+(?:of|to)",
    r"student(?:'s)?(?:\s+name)?(?:\s+is)?\s*:?",
    r"mis?\s+(?:hij[oa]s?|niñ[oa]s?|niet[oa]s?|sobrin[oa]s?)",
    r"(?:mam[aá]|pap[aá]|madre|padre|abuel[oa]|t[ií][oa]|tutor[a]?)\s+de(?:l\s+(?:niño|alumno))?",
    r"(?:meu|minha|nosso|nossa)\s+(?:filh[oa]|net[oa]|sobrinh[oa])",
    r"(?:mãe|pai|avó|avô|respons[aá]vel)\s+(?:d[eoa]|pel[oa])",
    r"(?:mon|ma|notre)\s+(?:fils|fille|enfant|petit-fils|petite-fille|neveu|nièce)",
    r"(?:maman|papa|mère|père|parent|grand-mère|grand-père)\s+(?:de|d['’])",
    r"pitit\s+(?:gason|fi)?\s*mwen(?:\s+(?:an|lan|nan))?",
    r"(?:manman|papa|grann|granpapa|paran)",
    r"anak\s+(?:ko|namin|kong)(?:\s+(?:na\s+)?si|ng\s+si)?",
    r"(?:nanay|tatay|magulang|lola|lolo|tita|tito)\s+n[iga]\w*",
    r"(?:мо[йя]|моего|моей|наш|наша)\s+(?:сын|дочь|дочка|ребёнок|ребенок|внук|внучка)\w*",
    r"(?:мама|папа|мать|отец|бабушка|дедушка|родитель)",
)
_NAME = r"[,:]?\s+(?-i:[^\W\d_a-zа-яё][\w'’-]+)"
_NAMED_AFTER_KIN = re.compile("(?i)" + r"\b(?:" + "|".join(_KIN) + ")" + _NAME)
_OWN_SCRIPT = re.compile(
    r"(?:con\s++(?:(?:trai|gái)\s*+)?(?:tôi|của\s+tôi)|(?:phụ\s+huynh|mẹ|ba|bố)\s+(?:của\s+)?(?:em|cháu|bé|con))\s*+(?:là|,)?\s*+[A-ZĐ]"
    r"|(?:儿子|女儿|孩子|兒子|女兒)\s*+(?:叫|是|[:：,，])?\s*+\w|\w的?(?:妈妈|爸爸|媽媽|家长|家長|奶奶|爷爷|爺爺)"
    r"|(?:아들|딸|아이)\s*+(?:이름은)?\s*+[가-힣]{2}|[가-힣]{2}의?\s*(?:엄마|아빠|어머니|아버지|학부모)"
    r"|(?:ابني|ابنتي|ابننا|ابنتنا|طفلي|طفلتي|والدة|والد|أم|ولي\s+أمر|ولية\s+أمر)\s+\w{2}"
)
_POSSESSED = re.compile(r"\b[A-Z]\w+['’]s\s+(?:mom|mum|mother|dad|father|parent|guardian|grand\w+|aunt|uncle)\b")
_CAPITALISED = re.compile(r"(?<=[a-zà-ÿ,;] )[A-ZÀ-Þ][\w'’-]+")
# fmt: off
_NO_NAMES = frozenset({
    "i", "i'm", "i’m", "i'd", "i’d", "i'll", "i’ll", "i've", "i’ve", "ok", "mr", "mrs", "ms", "miss", "dr", "sr", "sra",
    "prof",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march",
    "april", "may", "june", "july", "august", "september", "october", "november", "december", "christmas",
    "thanksgiving", "easter", "halloween", "english", "spanish", "math", "maths", "science", "history", "algebra",
    "biology", "chemistry", "pe", "pm", "am", "zoom", "google", "email", "iep", "pta", "chromebook", "dear", "hi",
    "hello", "thanks",
})
# fmt: on
_PERIOD = re.compile(
    r"(?i)\b(?:\d|first|second|third|fourth|fifth|sixth|seventh|eighth)(?:st|nd|rd|th)?[\s-]*(?:period|hour|block)\b"
    r"|\b(?:period|hour|block)\s*#?\d|\bhome\s?room\b"
    r"|\b\d\s?[.ºª°oa]{0,2}\s*(?:per[ií]odo|bloque|hora de clase)\b|\b(?:per[ií]odo|bloque|hora)\s+\d"
    r"|\b\d(?:re|e|ème|eme)\s+(?:heure|période)\b|\bpériode\s+\d|\b\d\s?[ºª°]?\s*(?:tempo|aula)\b|\b(?:tempo|aula)\s+\d"
    r"|\b\d(?:yèm|e|ye)?\s+(?:peryòd|kou)\b|\bperyòd\s+\d|\bika-?\d"
    r"|\b\d(?:-\w{1,3})?\s+урок|\bуроке?\s+\d|第\s?[一二三四五六七八\d]\s?[节節]|\d\s?교시|\btiết\s+\d|الحصة"
)
_WORD = re.compile(r"[^\W\d_]+")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_ASKS = re.compile("[?？؟]")


def missing_in(message: Message, students: Sequence[str] = (), *, ask_period: bool = True) -> tuple[Missing, ...]:
    """What to ask the family for. `students` are their children on the roster; `ask_period` says whether the school's
    day has class periods."""
    text = f"{message.subject}\n{message.newest}"[:_READ]
    found = []
    if not students and not _names_somebody(text, message):
        found.append(Missing.STUDENT)
    if ask_period and not _PERIOD.search(text):
        found.append(Missing.PERIOD)
    if not _asks(message.newest[:_READ]):
        found.append(Missing.QUESTION)
    return tuple(found)


def _names_somebody(text: str, message: Message) -> bool:
    if _NAMED_AFTER_KIN.search(text) or _OWN_SCRIPT.search(text) or _POSSESSED.search(text):
        return True
    own = frozenset(_words(message.sender.name if message.sender else ""))
    greeted = frozenset(_words(" ".join(re.findall(r"(?i)\b(?:mrs?|ms|miss|dr)\.?\s+(\w+)", text))))
    return any(
        word not in _NO_NAMES | own | greeted for found in _CAPITALISED.findall(text) for word in [found.lower()]
    )


def _asks(newest: str) -> bool:
    if _ASKS.search(newest):
        return True
    return len(_WORD.findall(newest)) + len(_IDEOGRAPH.findall(newest)) // 2 >= _FEW_WORDS


def _words(text: str) -> Iterator[str]:
    return (word.lower() for word in _WORD.findall(text))
