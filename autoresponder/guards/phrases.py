"""How robots word things in the languages of the families and of the programs that families use.

For mail whose header says nothing. Every pattern is looked for in a bounded piece of text, has bounded repetitions
only, and must match no line that a parent writes: the family mail of the corpus is held against them in the tests.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Phrases:
    """A pattern that is tried only where one of its `stems` stands in the text: looking for a dozen fixed words is a
    hundred times quicker than one search for a pattern, and nearly all mail holds none of them."""

    stems: tuple[str, ...]
    pattern: re.Pattern[str]

    def stand_in(self, folded: str) -> bool:
        """Whether one of the phrases stands in `folded`, a text that went through `str.casefold`."""
        return any(stem in folded for stem in self.stems) and self.pattern.search(folded) is not None


def _phrases(stems: list[str], pattern: str) -> _Phrases:
    return _Phrases(tuple(stems), re.compile(pattern, re.IGNORECASE))


LEAVING = (
    _phrases(
        [
            *("unsubscri", "suscri", "baja", "inscri", "descadastr", "abonner", "abmelden", "removed", "taken off"),
            *("remove y", "退订", "退訂", "取消", "отписаться", "거부", "취소", "الاشتراك", "hủy"),
        ],
        r"\bunsubscri(?:be|bing)\b|\bdesuscrib|\bdarse de baja|dar(?:me|te|se)? de baja|cancelar (?:la|"
        r"su|"
        r"tu) suscripci|"
        r"descadastr|cancelar (?:a )?inscri[çc]|se d[ée]sabonner|d[ée]sinscri|"
        r"abmelden\b[^\n]{0,40}newsletter|退订|退訂|"
        r"取消订阅|取消訂閱|"
        r"отписаться|수신\s?거부|구독\s?취소|إلغاء الاشتراك|hủy đăng ký|"
        r"\b(?:be|get) (?:removed|taken off)\b[^\n]{0,60}\blist\b|\bremove (?:yourself|"
        r"your (?:e-?mail )?(?:address|"
        r"name))\b",
    ),
    _phrases(
        ["browser", "online", "web version", "navegador", "trouble ", "see th", "view th"],
        r"(?:view|read|see) (?:this|it|the)?[^\n]{0,30}\b(?:in|on) (?:your|a|the) (?:web ?)?browser|"
        r"view (?:online|"
        r"web version)|"
        r"ver (?:este )?(?:correo|e-?mail|mensaje)[^\n]{0,20}navegador|visualizar[^\n]{0,30}navegador|"
        r"(?:having )?trouble (?:viewing|reading)|can(?:no|')t (?:see|view) (?:this|the)",
    ),
    _phrases(
        ["receiv", "getting", "sent to you", "recib", "receb", "recevez"],
        r"(?:you (?:are|have|'re)? ?receiv(?:ing|ed)|you(?:'re| are) getting|was sent to you|"
        r"recib(?:es|e|ió) este|"
        r"recebe(?:u)? este|vous recevez) [^\n]{0,60}"
        r"\b(?:because|as (?:a|an|part)|since|subscri|porque|car vous|member)",
    ),
    _phrases(
        [
            "subscription",
            "preferences",
            "settings",
            "options",
            "preferencias",
            "privacy policy",
            "©",
            "(c)",
            "all rights",
        ],
        r"(?:manage|update|change|edit|modify)[^\n]{0,25}(?:subscription|(?:e-?mail|communication|"
        r"notification) (?:preferences|settings|options))|"
        r"\bemail preferences\b|preferencias de (?:correo|suscripci)|privacy policy|©\s?\d{4}|"
        r"\(c\) ?(?:19|20)\d\d|"
        r"all rights reserved",
    ),
)

REPLY_PREFIX = re.compile(
    r"(?:\s*+(?:re|aw|sv|rv|fw|fwd|tr|回复|答复|回覆|ответ|rép|res|enc|antw)\s*+[:：]\s*+){0,4}", re.IGNORECASE
)
# "Absence", "away" and "vacation" alone are what families write about too ("Absence notice: Juan, Friday").
AWAY_SUBJECT = re.compile(
    r"[\s\[(\"'<*]{0,6}(?:"
    r"auto(?:matic|mated)?[\s_-]{0,2}(?:reply|response|responder|respond|answer)\b|auto-?generated\b|"
    r"autom\.? ?reply|"
    r"auto ?ack(?:nowledge?ment)?\b|"
    r"auto\s?:[^\n]{0,120}\b(?:office|away|absent|re:|abwesend|absence)|"
    r"out[\s-]of[\s-](?:the[\s-])?office(?:\s*(?:auto-?\s?reply|reply|response|notice|message|"
    r"notification|alert|"
    r"e-?mail))?\s*(?:\Z|[:：(\[,.!–—-]|re:|until|from|till|through)|"
    r"ooo\s*(?:\Z|[:：(])|oof\s*[:：]|away from (?:my )?(?:e-?mail|mail|desk)|"
    r"(?:vacation|holiday|absence|away) (?:reply|response|auto-?reply|auto-?response)\b|"
    r"respuesta autom[áa]tica|contestaci[óo]n autom[áa]tica|respuesta de (?:ausencia|vacaciones)|"
    r"fuera de (?:la )?oficina\s*(?:\Z|[:：(-])|"
    r"auto-?rr?espuesta|ausente de la oficina|"
    r"resposta autom[áa]tica|fora do escrit[óo]rio\s*(?:\Z|[:：(-])|mensagem autom[áa]tica\s*(?:\Z|"
    r"[:：])|"
    r"aus[êe]ncia do escrit[óo]rio|"
    r"r[ée]ponse automatique|message d['’]absence|absence du bureau|absente? du bureau|"
    r"notification d['’]absence|"
    r"automatische (?:antwort|r[üu]ckantwort|reactie|beantwoording)|abwesenheits(?:notiz|nachricht|"
    r"meldung|"
    r"benachrichtigung|assistent)|afwezigheids?(?:bericht|melding|assistent)|"
    r"risposta automatica|fuori ufficio|assente dall['’]ufficio|automatiskt svar|automatisk svar|"
    r"autosvar|"
    r"frånvaromeddelande|automaattinen vastaus|"
    r"automatyczna odpowied|odpowied[zź] automatyczna|automatick[áa] odpov|automatikus v[áa]lasz|"
    r"autom[āa]tisk[āa] atbilde|[āa]rpus biroja|automatinis atsakymas|"
    r"自动(?:答复|回复|應答|应答)|自動(?:回覆|回复|回信|答覆|応答|返信)|外出时的自动答复|不在办公室|休假自动|不在のお知らせ|不在通知|"
    r"автоответ|автоматический ответ|вне офиса|отсутствие на рабочем месте|"
    r"자동\s?(?:회신|응답|답장)|부재\s?중\s?(?:자동|알림|회신|메시지)|"
    r"trả lời tự động|thư trả lời tự động|phản hồi tự động|tự động trả lời|không có mặt tại văn phòng|"
    r"vắng mặt tại văn phòng|"
    r"رد تلقائي|الرد التلقائي|رد آلي|الرد الآلي|خارج المكتب|إجابة تلقائية|"
    r"awtomatikong (?:tugon|sagot|reply)|wala sa opisina|nasa labas ng opisina|repons otomatik|"
    r"deyò biwo|"
    r"otomatik yan[ıi]t|ofis dışında|αυτόματη απάντηση|εκτός γραφείου|תשובה אוטומטית|מחוץ למשרד|"
    r"স্বয়ংক্রিয় উত্তর|"
    r"स्वचालित उत्तर|ตอบกลับอัตโนมัติ"
    r")",
    re.IGNORECASE,
)
AWAY_ENDING = re.compile(
    r"\bis (?:currently |now )?(?:out of|away from) (?:the|my|his|"
    r"her) office(?: [^\n?]{0,40})?\s*\.?\s*\Z|"
    r"[(\[](?:auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office)[)\]]\s*\Z",
    re.IGNORECASE,
)

SAYS_AUTOMATIC = re.compile(
    r"(?:^|[.!*\n(>]\s*+)(?:please note[,:]? (?:that )?)?(?:"
    r"(?:this|the following) (?:is|was) (?:an? |just an? )?(?:\w{1,12} )?(?:auto(?:matic|mated|"
    r"matically|-?generated|"
    r"-?reply|-?response)|computer[- ]generated|system[- ]generated)|"
    r"(?:this|the) (?:e-?mail|mail|message|note|notice|notification|reply|response) (?:is|was|"
    r"has been) (?:\w{1,12} )?(?:auto(?:matic|mated|matically|-?generated)|generated (?:auto|by)|"
    r"computer[- ]generated|system[- ]generated|sent automatically|sent by an automat)|"
    r"automatic(?:ally)? generated (?:e-?mail|mail|message)|automat(?:ed|ic) (?:reply|response|"
    r"message)\s*[:.!\n]|"
    r"(?:do not|don't|please do not) (?:reply|respond) to this (?:auto|e-?mail,? (?:as|since|because)|"
    r"message,? (?:as|since|because)|(?:e-?mail|message)[^\n.]{0,40}(?:unmonitored|not monitored|"
    r"unattended|"
    r"automat))|"
    r"este (?:es un |correo|mensaje)[^\n.]{0,40}(?:autom[áa]tic|generado autom)|esta (?:é uma|"
    r"mensagem)[^\n.]{0,40}autom[áa]tic|"
    r"ceci est (?:un|une)[^\n.]{0,40}automatique|dies(?:e|es)? (?:ist|e-?mail|"
    r"nachricht)[^\n.]{0,60}automatisch|"
    r"此(?:邮件|郵件|信)[^\n。]{0,20}(?:自动|自動)(?:发送|發送|回复|回覆|产生)|(?:这是|這是)[^\n。]{0,12}(?:自动|自動)(?:回复|回覆|答复|"
    r"发送)|"
    r"это (?:автоматическ|сообщение (?:создано|отправлено) автоматически)|"
    r"данное сообщение[^\n.]{0,40}автоматически|"
    r"본 메일은[^\n.]{0,30}자동|(?:đây là|thư này)[^\n.]{0,30}tự động|(?:هذا|هذه)[^\n.]{0,20}(?:رد|رسالة|"
    r"بريد)[^\n.]{0,10}(?:تلقائي|آلي)"
    r")",
    re.IGNORECASE,
)
# Parents are out of their offices too ("I am out of the office until noon, so call my cell"): what makes it an absence
# note is what follows for the mail that it answers.
AWAY_TEXT = re.compile(
    r"\bi(?: am|'m|’m| will be| shall be) (?:currently |presently |now |away |going to be |"
    r"be )?(?:(?:out of|"
    r"away from) (?:the |my )?(?:office|e-?mail|desk)|on (?:annual |maternity |sick |"
    r"parental )?(?:leave|vacation|"
    r"holiday)|away)|"
    r"\bich bin (?:vom|bis|ab|zur ?zeit|derzeit|momentan|im)[^\n]{0,120}(?:nicht|abwesend|außer|ausser|"
    r"urlaub)|"
    r"\bje suis (?:actuellement )?(?:absente?|en cong)|"
    r"\b(?:estoy|estar[ée]|me encuentro)[^\n]{0,40}(?:fuera de la oficina|ausente|de vacaciones)|"
    r"\b(?:estou|"
    r"estarei)[^\n]{0,40}(?:ausente|fora do escrit|de f[ée]rias)|"
    r"меня (?:не будет|нет) (?:в офисе|на рабочем)|"
    r"我(?:目前|现在|現在)?(?:不在办公室|不在辦公室|正在休假|休假中)|부재중입니다|"
    r"أنا (?:حالياً |"
    r"حاليا )?(?:خارج المكتب|في إجازة)",
    re.IGNORECASE,
)
AWAY_CONSEQUENCE = re.compile(
    r"\b(?:thank you|thanks) for (?:your|you|contacting|e-?mailing|writing)|limited (?:e-?mail |"
    r"internet )?access|"
    r"(?:no|not have|without|intermittent|sporadic) access to (?:my )?e-?mail|"
    r"(?:up)?on my return|when i (?:return|get back|am back)|in my absence|during my absence|"
    r"your (?:e-?mail|"
    r"message) (?:will|has|is|was)|not be (?:able to )?(?:read|check|answer|respond|reply)|"
    r"(?:for|in|if)[^\n]{0,30}(?:urgent|immediate|emergency|assistance)[^\n]{0,80}(?:contact|e-?mail|"
    r"call|reach)|"
    r"please (?:contact|direct|forward)[^\n]{0,80}(?:my|in the meantime|instead|assistant|colleague)|"
    r"weitergeleitet|in dringenden f|wenden sie sich|en mon absence|à mon retour|en mi ausencia|"
    r"a mi regreso|"
    r"correo (?:electr[óo]nico )?(?:ser[áa]|no ser[áa])|na minha aus[êe]ncia|no meu retorno|"
    r"по возвращении|в моё отсутствие|в мое отсутствие|紧急|緊急|긴급|عند عودتي|للضرورة",
    re.IGNORECASE,
)
