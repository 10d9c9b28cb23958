"""Guards against mail that a program wrote: what its header says of itself, and how robots begin."""

import re

from autoresponder.guards.case import Case
from autoresponder.identifiers import is_own_message_id
from autoresponder.outgoing import MARKER

_COMMENT = re.compile(r"\([^()]{0,200}\)")


def own_mail(case: Case) -> str | None:
    """This service's own answers and routes are never answered. Rule: RFC 3834 §2 (no answer to an automatic response)."""
    if MARKER.lower() in case.fields:
        return "It is one of this service's own mails."
    if case.message.message_id and is_own_message_id(case.message.message_id):
        return "Its Message-ID is one of this service's own."
    return None


def auto_submitted(case: Case) -> str | None:
    """Mail that says it was sent automatically. Rule: RFC 3834 §2 and §5 (Auto-Submitted other than "no")."""
    for name in ("auto-submitted", "x-auto-submitted", "auto-submit"):
        for value in case.fields.get(name, ()):
            keyword = _COMMENT.sub("", value).partition(";")[0].strip().lower()
            if keyword != "no":
                return f"Its {name.title()} field says that a program sent it."
    return None


def null_return_path(case: Case) -> str | None:
    """Mail without a return address on its envelope is a notification. Rule: RFC 3834 §2, RFC 5321 §4.5.5 (null
    reverse-path)."""
    path = case.return_path
    if path == "" or (path is not None and re.match(r"mailer-?daemon(?:@|\Z)", path)):
        return "Its return path is empty, as of a notification that nobody may answer."
    return None


_PRECEDENCE = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply", "autoreply"})


def precedence(case: Case) -> str | None:
    """Mail that says it is bulk, list or junk. Rule: RFC 3834 §2 (Precedence), RFC 2076 §3.9."""
    for name in ("precedence", "x-precedence", "preference"):
        for value in case.fields.get(name, ()):
            if value.strip().lower() in _PRECEDENCE:
                return f"Its {name.title()} field says {value.strip().lower()}."
    return None


_LIST_FIELDS = ("list-id", "list-post", "list-unsubscribe", "list-help", "list-subscribe", "list-owner", "list-archive",
                "list-unsubscribe-post", "mailing-list", "x-mailing-list", "x-mailinglist", "x-ml-name", "x-ml-server",
                "x-mailman-version", "x-beenthere", "x-list-name", "x-listname", "x-listserver", "x-list-id",
                "x-google-group-id", "x-yahoo-newman-id", "x-egroups-return", "x-listprocessor-version", "x-majordomo",
                "x-mailing-list-name", "x-listserv", "x-sympa-to", "x-original-sender-list", "x-distribution",
                "x-mailer-list", "list-software", "x-getmail-list", "x-list-administrivia", "x-mlmmj-version")  # fmt: skip


def mailing_list(case: Case) -> str | None:
    """Mail that came through a mailing list. Rule: RFC 2369 and RFC 2919 (List-* fields), RFC 5230 §4.6."""
    name = case.present(_LIST_FIELDS)
    return f"It came through a mailing list ({name.title()})." if name else None


_CAMPAIGN_FIELDS = ("x-campaign", "x-campaignid", "x-campaign-id", "campaign-id", "x-mailer-campaign", "x-mc-user",
                    "x-mailchimp-id", "x-newsletter", "x-mailing-id", "x-mailingid", "x-cid", "x-csa-complaints",
                    "x-job", "x-rpcampaign", "x-elq-sid", "x-sfmc-stack", "x-roving-id", "x-ctct-id", "x-virtual-mta-group",
                    "x-mktarchive", "x-mktgmailid", "x-mandrill-user-campaign", "x-feedback-id", "x-bulkmail", "x-massmail",
                    "x-bulk-mail", "x-subscriber", "x-subscriber-id", "x-klaviyo-message-id", "x-pmg-userid", "x-abuse-reports-to-list",
                    "x-responsys-campaign", "x-icontact", "x-mj-mid", "x-mailjet-campaign", "x-cheetahmail", "x-hubspot-campaign")  # fmt: skip
_LEAVING = (
    re.compile(
        r"\bunsubscri(?:be|bing)\b|\bdesuscrib|\bdarse de baja|dar(?:me|te|se)? de baja|cancelar (?:la|su|tu) suscripci|"
        r"descadastr|cancelar (?:a )?inscri[çc]|se d[ée]sabonner|d[ée]sinscri|abmelden\b[^\n]{0,40}newsletter|退订|退訂|取消订阅|取消訂閱|"
        r"отписаться|수신\s?거부|구독\s?취소|إلغاء الاشتراك|hủy đăng ký|"
        r"\b(?:be|get) (?:removed|taken off)\b[^\n]{0,60}\blist\b|\bremove (?:yourself|your (?:e-?mail )?(?:address|name))\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:view|read|see) (?:this|it|the)?[^\n]{0,30}\b(?:in|on) (?:your|a|the) (?:web ?)?browser|view (?:online|web version)|"
        r"ver (?:este )?(?:correo|e-?mail|mensaje)[^\n]{0,20}navegador|visualizar[^\n]{0,30}navegador|"
        r"(?:having )?trouble (?:viewing|reading)|can(?:no|')t (?:see|view) (?:this|the)",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:you (?:are|have|'re)? ?receiv(?:ing|ed)|you(?:'re| are) getting|was sent to you|recib(?:es|e|ió) este|recebe(?:u)? este|vous recevez) [^\n]{0,60}"
        r"\b(?:because|as (?:a|an|part)|since|subscri|porque|car vous|member)",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:manage|update|change|edit|modify)[^\n]{0,25}(?:subscription|(?:e-?mail|communication|notification) (?:preferences|settings|options))|"
        r"\bemail preferences\b|preferencias de (?:correo|suscripci)|privacy policy|©\s?\d{4}|\(c\) ?(?:19|20)\d\d|all rights reserved",
        re.IGNORECASE,
    ),
)


def newsletter(case: Case) -> str | None:
    """Newsletters and marketing. Rule: RFC 8058 and Google's sender guidelines (Feedback-ID); else two of the phrases
    that such mail ends with."""
    name = case.present(_CAMPAIGN_FIELDS)
    if name:
        return f"It was sent by a mailing service ({name.title()})."
    feedback = case.first("feedback-id").strip().lower()
    # Fastmail puts this field on mail that people write.
    if feedback and not feedback.endswith(":fastmail"):
        return "It was sent by a mailing service (Feedback-Id)."
    text = case.message.newest
    ends = f"{text[:1_500]}\n{text[-4_000:]}" if len(text) > 5_500 else text
    if sum(pattern.search(ends) is not None for pattern in _LEAVING) >= 2:
        return "It reads like a newsletter, with a way to unsubscribe."
    return None


_SUPPRESSED = frozenset({"all", "oof", "autoreply"})


def auto_response_suppress(case: Case) -> str | None:
    """Mail whose sender asks for no automatic answer. Rule: [MS-OXCMAIL] §2.1.3.2.20 (All, OOF and AutoReply; the other
    values are about receipts)."""
    for value in case.fields.get("x-auto-response-suppress", ()):
        asked = {word.strip().lower() for word in re.split(r"[,;\s]+", value)}
        if asked & _SUPPRESSED:
            return "It asks for no automatic answer (X-Auto-Response-Suppress)."
    return None


_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-autoresponse", "auto-reply", "autoreply", "x-auto-reply",
          "x-autoreply-from", "x-auto-reply-from", "x-mail-autoreply", "x-autoreply-domain", "x-autogenerated",
          "x-auto-generated", "x-fc-machinegenerated", "x-loop", "x-away", "x-vacation", "x-amazon-auto-reply",
          "x-autoreply-type", "x-cron-env", "x-autoresponder-version", "x-mailer-autoreply", "x-auto-response",
          "x-autoresponse-type", "x-auto-replied", "x-rules-autoreply", "x-bugzilla-reason", "x-jira-fingerprint",
          "x-github-reason", "x-trac-version", "x-gitlab-project", "x-mantis", "x-redmine-host", "x-nagios",
          "x-rt-loop-prevention", "x-otrs-loop", "x-kayako", "x-boxtrapper", "x-pmrqc-autoreply")  # fmt: skip
_MARK_SAYS_NO = frozenset({"no", "false", "0", "none"})
_ROBOT_MAILERS = re.compile(
    r"\bvacation\b|auto-?(?:reply|respon)|\bkana response\b|listserv|majordomo|mailman|\bezmlm\b|\bsmartlist\b|"
    r"\bphplist\b|mailchimp|\bmail(?:er)?lite\b|constant ?contact|campaign ?(?:enterprise|monitor)|\bbulk\b|mass ?mail|"
    r"group ?mail|\bsendblaster\b|\bdirect ?mail\b",
    re.IGNORECASE,
)


def autoresponder_mark(case: Case) -> str | None:
    """Marks that vacation programs and other robots set. Rule: the fields in use beside RFC 3834, listed in
    docs/reference/guards.md."""
    for name in _MARKS:
        for value in case.fields.get(name, ()):
            if value.strip().lower() not in _MARK_SAYS_NO:
                return f"It bears the mark of an automatic answer ({name.title()})."
    if "autoresponder" in case.first("x-post-messageclass").lower():  # Mailtraq
        return "It bears the mark of an automatic answer (X-Post-Messageclass)."
    if any(value.strip().lower().startswith("autorespond") for value in case.fields.get("delivered-to", ())):  # qmail
        return "It bears the mark of an automatic answer (Delivered-To)."
    for name in ("x-mailer", "user-agent"):
        if _ROBOT_MAILERS.search(case.first(name)[:200]):
            return f"It was sent by a program that answers or mails to many ({name.title()})."
    return None


_PREFIX = r"\s*(?:(?:re|aw|sv|rv|fw|fwd|回复|答复|回覆|ответ|rép|res|enc|antw)\s*[:：]\s*){0,3}[\[(\"'<*]{0,2}\s*"
_AWAY_SUBJECT = re.compile(
    _PREFIX + r"(?:"
    r"auto(?:matic|mated|matisch[er]{0,2})?[\s_-]{0,2}(?:reply|response|respon[sd]e[rd]?|reponse|antwort|generated|mail|e-?mail reply|notification|message)\b|"
    r"auto\s?[:：]|autom\.? ?reply|autoreply|auto-?reply|auto-?respon[sd]|auto ?ack|auto-?acknowledge?ment|"
    r"out[\s-]of[\s-](?:the[\s-])?office(?:\s*(?:auto-?\s?reply|reply|response|notice|message|notification|alert|e-?mail))?\s*(?:\Z|[:：(\[,.!–—-]|re:|until|from|till|through|today|this week|\d)|"
    r"(?:i am|i'm|im|currently|away:?|temporarily) (?:currently |now |away |temporarily )?out[\s-]of[\s-](?:the[\s-])?office|"
    r"ooo\s*(?:\Z|[:：(,-])|oof\s*[:：]|away from (?:my )?(?:e-?mail|mail|the office|my desk|office)|"
    r"(?:vacation|holiday|absence|away) (?:reply|response|message|notice|notification|auto-?reply|autoresponse|alert|notification)\b|"
    r"on (?:vacation|holiday|leave|annual leave|maternity leave)\s*(?:\Z|[:：(])|"
    r"(?:your|re: your) (?:message|mail|e-?mail) (?:to [^\n]{1,80} )?(?:has been|was) received|"
    r"respuesta autom[áa]tica|contestaci[óo]n autom[áa]tica|respuesta de (?:ausencia|vacaciones)|fuera de (?:la )?oficina\s*(?:\Z|[:：(-])|mensaje autom[áa]tico|"
    r"autorrespuesta|auto-?respuesta|aviso de ausencia|ausente de la oficina|"
    r"resposta autom[áa]tica|fora do escrit[óo]rio\s*(?:\Z|[:：(-])|mensagem autom[áa]tica|aus[êe]ncia tempor[áa]ria\s*(?:\Z|[:：])|aviso de aus[êe]ncia|"
    r"r[ée]ponse automatique|message automatique|absence du bureau|absent(?:e)? du bureau|absence\s*[:：]|en cong[ée]s?\s*[:：]|"
    r"automatische (?:antwort|r[üu]ckantwort|reactie|beantwoording)|abwesenheit(?:s(?:notiz|nachricht|meldung|benachrichtigung|assistent))?\b|afwezig(?:heid)?\b|"
    r"risposta automatica|fuori ufficio|assente dall['’]ufficio|automatiskt svar|automatisk svar|autosvar|frånvaro|automaattinen vastaus|poissa(?:olo)?\b|"
    r"automatyczna odpowied|odpowied[zź] automatyczna|automatick[áa] odpov|ne?p[řr][íi]tomnost|automatikus v[áa]lasz|"
    r"自动(?:答复|回复|應答|应答)|自動(?:回覆|回复|回信|答覆|応答|返信)|外出时的自动答复|不在办公室|外出通知|休假自动|不在のお知らせ|不在通知|"
    r"автоответ|автоматический ответ|автоматичес?кое (?:сообщение|уведомление)|вне офиса|нет на месте|в отпуске|"
    r"자동\s?(?:회신|응답|답장)|부재\s?중|부재중\s?알림|"
    r"trả lời tự động|thư trả lời tự động|phản hồi tự động|vắng mặt|không có mặt tại văn phòng|"
    r"رد تلقائي|الرد التلقائي|رد آلي|الرد الآلي|خارج المكتب|إجابة تلقائية|"
    r"awtomatikong (?:tugon|sagot|reply)|wala sa opisina|nasa labas ng opisina|"
    r"repons otomatik|deyò biwo|"
    r"otomatik yan[ıi]t|ofis dışında|αυτόματη απάντηση|εκτός γραφείου|תשובה אוטומטית|מחוץ למשרד|স্বয়ংক্রিয় উত্তর|स्वचालित उत्तर|ตอบกลับอัตโนมัติ"
    r")",
    re.IGNORECASE,
)
_IS_AWAY = re.compile(
    r"\b(?:is|will be|am) (?:currently |now |away |presently )?(?:away|absent|out of (?:the |my )?office)"
    r"(?:\s*[.!]?\s*\Z| \(?(?:until|till|from|returning|through|on vacation|for)\b)",
    re.IGNORECASE,
)


def out_of_office_subject(case: Case) -> str | None:
    """Absence notes that bear no mark but their subject. Rule: RFC 3834 §3.1.5 (responders name themselves in the
    subject); the phrases of common programs in the families' languages."""
    subject = case.message.subject[:300]
    if (
        _AWAY_SUBJECT.match(subject)
        or re.search(r"\bout of (?:the )?office\b[^\n]{0,40}\Z", subject, re.IGNORECASE)
        and _IS_AWAY.search(subject)
    ):
        return "Its subject is that of an automatic answer."
    return None


_SAYS_AUTOMATIC = re.compile(
    r"(?:^|[.!*\n(>]\s*)(?:please note[,:]? (?:that )?)?(?:"
    r"(?:this|the following) (?:is|was) (?:an? |just an? )?(?:\w{1,12} )?(?:auto(?:matic|mated|matically|-?generated|-?reply|-?response)|computer[- ]generated|system[- ]generated)|"
    r"(?:this|the) (?:e-?mail|mail|message|note|notice|notification|reply|response) (?:is|was|has been) (?:\w{1,12} )?(?:auto(?:matic|mated|matically|-?generated)|generated (?:auto|by)|computer[- ]generated|system[- ]generated|sent automatically|sent by an automat)|"
    r"automatic(?:ally)? generated (?:e-?mail|mail|message)|automat(?:ed|ic) (?:reply|response|message)\s*[:.!\n]|"
    r"(?:do not|don't|please do not) (?:reply|respond) to this (?:auto|e-?mail,? (?:as|since|because)|message,? (?:as|since|because)|(?:e-?mail|message)[^\n.]{0,40}(?:unmonitored|not monitored|unattended|automat))|"
    r"este (?:es un |correo|mensaje)[^\n.]{0,40}(?:autom[áa]tic|generado autom)|esta (?:é uma|mensagem)[^\n.]{0,40}autom[áa]tic|"
    r"ceci est (?:un|une)[^\n.]{0,40}automatique|dies(?:e|es)? (?:ist|e-?mail|nachricht)[^\n.]{0,60}automatisch|"
    r"此(?:邮件|郵件|信)[^\n。]{0,20}(?:自动|自動)(?:发送|發送|回复|回覆|产生)|(?:这是|這是)[^\n。]{0,12}(?:自动|自動)(?:回复|回覆|答复|发送)|"
    r"это (?:автоматическ|сообщение (?:создано|отправлено) автоматически)|данное сообщение[^\n.]{0,40}автоматически|"
    r"본 메일은[^\n.]{0,30}자동|(?:đây là|thư này)[^\n.]{0,30}tự động|(?:هذا|هذه)[^\n.]{0,20}(?:رد|رسالة|بريد)[^\n.]{0,10}(?:تلقائي|آلي)"
    r")",
    re.IGNORECASE,
)
_AWAY_TEXT = re.compile(
    r"\A[^\n]{0,80}\n{0,3}[^\n]{0,120}?(?:"
    r"\bi(?: am|'m| will be)? (?:currently |presently |now |away |going to be |be )?(?:out of|away from) (?:the|my) (?:office|e-?mail|desk|computer)\b[^\n]{0,200}(?:until|till|return|back|from|through|limited access|no access|not have access)|"
    r"\bthank you for (?:your (?:e-?mail|message|mail|inquiry|enquiry)|contacting|e-?mailing|writing)[^\n]{0,250}\bi (?:am|will be)[^\n]{0,60}(?:out of (?:the )?office|on (?:vacation|leave|holiday))|"
    r"\bich bin (?:vom|bis|ab|zur ?zeit|derzeit|momentan)[^\n]{0,120}(?:nicht|abwesend|außer|ausser)|\bje suis (?:absent|en cong)|\bestar[ée] fuera de la oficina|\bestarei (?:ausente|fora)"
    r")",
    re.IGNORECASE,
)


def automatic_in_words(case: Case) -> str | None:
    """Text that says of itself that a program sent it, or begins like an absence note. Rule: RFC 3834 §3.1.3 (responders
    explain themselves in the text)."""
    if _SAYS_AUTOMATIC.search(case.beginning):
        return "It says that it was sent automatically."
    if _AWAY_TEXT.search(case.beginning[:800]):
        return "It begins like an absence note."
    return None
