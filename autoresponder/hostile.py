"""Whether a message insults, threatens with consequences, or shouts, so that help is offered early. Pure.

Only an offer hangs on it: nothing is said to the family, no tag changes. The words are few, and plain ones; in the
languages of the families.
"""

from autoresponder.phrases import phrases, plain

_SHOUTED_LETTERS = 60
"""From so many capital letters in a text on it may be shouting; a title or an abbreviation is none."""
_SHOUTED_SHARE = 0.6
_HOSTILE = phrases(
    (
        # English
        "idiot, idiots, stupid teacher, you are stupid, moron, incompetent, incompetence, you are useless",
        "pathetic, disgusting, disgrace, shame on you, ashamed of yourself, you are a liar, you lied, youre lying",
        "you people, how dare you, youre a joke, shut up, racist, lawyer, attorney, sue you, sue the school",
        "lawsuit, legal action, press charges, have you fired, get you fired, lose your job, call the news",
        "go to the press, go to the media, you will regret, youll regret, you will pay for this",
        "youll pay for this, last warning, i hate you",
        # Spanish
        "idiota, estupida, estupido, incompetente, inutil, que verguenza, deberia darle vergüenza, mentirosa",
        "mentiroso, como se atreve, callese, racista, abogado, abogada, demandar, una demanda, denunciar",
        "denuncia, a la prensa, a los medios, hacer que la despidan, hacer que lo despidan, se va a arrepentir",
        "va a pagar por esto",
        # Portuguese
        "burra, burro, que vergonha, mentirosa, mentiroso, como se atreve, cale a boca, advogado, advogada",
        "processar a escola, vou processar, processo judicial, fazer queixa, vai se arrepender",
        "vai pagar por isso, incompetência",
        # French
        "imbécile, stupide, incompétent, incompétente, c'est honteux, vous devriez avoir honte, menteur, menteuse",
        "comment osez, taisez-vous, raciste, avocat, avocate, porter plainte, poursuites, dans la presse",
        "vous allez le regretter, vous allez payer",
        # Haitian Creole
        "enbesil, enkonpetan, ou pa vo anyen, ou dwe wont, mantè, fèmen bouch ou, avoka, pote plent, rele lapolis",
        "lajistis, ou pral regrèt, ou pral peye sa",
        # Vietnamese
        "ngu ngốc, đồ ngu, vô dụng, bất tài, đáng xấu hổ, nói dối, im đi, luật sư, khởi kiện, kiện nhà trường",
        "ra tòa, sẽ phải trả giá, sẽ hối hận, phân biệt chủng tộc",
        # Tagalog
        "tanga ka, ang tanga, bobo ka, bobo kayo, gago, walang silbi, inutil, nakakahiya kayo, nakakahiya ka",
        "sinungaling, abogado, idedemanda, magdedemanda, kakasuhan, ireklamo sa, magsisisi ka, magsisisi kayo",
        "pagbabayaran mo, pagbabayaran ninyo",
        # Russian
        "идиот, идиоты, дура, дурак, тупая, тупой, бездарь, некомпетентны, некомпетентность, как вам не стыдно",
        "стыд и позор, вы врете, лжете, замолчите, адвокат, адвоката, юрист, юриста, подам в суд, подадим в суд",
        "в суд, в прокуратуру, в прессу, вас уволят, пожалеете, ответите за это",
        # Arabic
        "غبي, غبية, أغبياء, فاشل, فاشلة, عديمة الكفاءة, عديم الكفاءة, عار عليك, عار عليكم, كاذب, كاذبة, كذابة",
        "كيف تجرؤ, اخرس, عنصرية, عنصري, محامي, محام, المحامي, محاميا, المحكمة, مقاضاة, سأقاضي, سأرفع دعوى, ستندم",
        "ستندمين",
        # Korean
        "멍청한, 멍청이, 무능한, 무능합니다, 쓸모없는, 부끄러운 줄, 거짓말쟁이, 거짓말하지, 닥쳐, 닥치세요",
        "인종차별, 변호사, 변호사를, 고소, 고소하겠습니다, 고소할, 소송, 소송을, 후회하게, 언론에",
        # Chinese, simplified and traditional
        "白痴, 笨蛋, 蠢货, 蠢貨, 无能, 無能, 没用的, 沒用的, 可耻, 可恥, 不要脸, 不要臉, 骗子, 騙子, 撒谎, 撒謊",
        "闭嘴, 閉嘴, 种族歧视, 種族歧視, 律师, 律師, 起诉, 起訴, 法院, 告你, 告上, 媒体曝光, 媒體曝光, 后悔的",
        "後悔的, 炒掉",
    )
)


def reads_hostile(newest: str) -> bool:
    """Whether a text (without quoted history) insults, threatens with consequences, or shouts."""
    said = plain(newest)
    return any(phrase in said for phrase in _HOSTILE) or _shouts(newest)


def _shouts(text: str) -> bool:
    letters = [letter for letter in text if letter.isupper() or letter.islower()]
    capitals = sum(map(str.isupper, letters))
    return capitals >= _SHOUTED_LETTERS and capitals / len(letters) > _SHOUTED_SHARE
