"""Guards against reports about mail: bounces, receipts, complaints, with a machine part or in words only."""

import re

from autoresponder.guards.case import Case

_REPORT_TYPES = frozenset({"multipart/report", "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
                           "message/global-disposition-notification", "message/feedback-report", "message/x-delivery-status",
                           "message/tracking-status", "text/rfc822-headers", "message/rfc822-headers"})  # fmt: skip
_REPORT_FIELDS = (
    "x-failed-recipients",
    "x-dsn-bounce",
    "x-ms-exchange-organization-originalmessageid-dsn",
    "x-postfix-reason",
)
_REPORT_CLASSES = (
    "urn:content-classes:dsn",
    "urn:content-classes:mdn",
    "urn:content-classes:recallmessage",
    "urn:content-classes:reportmessage",
)


def delivery_report(case: Case) -> str | None:
    """Delivery, disposition and feedback reports. Rule: RFC 3464, RFC 6522 (multipart/report), RFC 8098 §2.1 (receipts
    are not answered), RFC 5965 (complaints)."""
    if (
        any(kind in _REPORT_TYPES for kind in case.content_types())
        or "report-type=" in case.first("content-type").lower()
    ):
        return "It is a report about the delivery of a mail."
    if case.present(_REPORT_FIELDS) or case.first("content-class").strip().lower() in _REPORT_CLASSES:
        return "It is a report about the delivery of a mail."
    return None


_BOUNCE_SUBJECT = re.compile(
    r"\s*[\"'*\[(<]{0,3}\s*(?:re:\s*)?(?:"
    r"(?:re: )?undeliver(?:able|ed)(?: mail| message)?\b|mail (?:delivery|system|could not be delivered|failure|returned|not delivered|undeliverable)|mail_?(?:error|failure)|"
    r"deliver(?:y|ed)\b[^\n]{0,40}\b(?:fail|error|problem|status|delay|notification|report|unsuccess|warn|not)|failed (?:mail|delivery|message|to deliver)|failure (?:notice|delivery|report|sending)|"
    r"(?:returned|bounced) (?:mail|message|e-?mail|to sender)|return(?:ed|ing) (?:your )?mail|message (?:delivery|undeliver|not delivered|status|could not|returned|rejected|delayed|notification|you sent)|"
    r"(?:non|un)-?(?:delivery|deliverable|delivered)|no ?n ?deliver|nondeliverable|could not (?:deliver|send)|unable to deliver|warning: (?:could not|message|e-?mail|mail)|"
    r"unzustellbar|zustellung|nicht zustellbar|mail konnte nicht|fehler bei|benachrichtigung zum|retour(?:nachricht)?|"
    r"no se puede (?:entregar|enviar)|no se pudo|devuelto|notificaci[óo]n de (?:estado|error|fallo)|error (?:de|al) (?:entrega|enviar)|mensaje no entregado|correo (?:devuelto|no entregado)|"
    r"(?:falha|erro) n[ao] (?:entrega|envio)|n[ãa]o (?:foi poss[íi]vel|entregue)|notifica[çc][ãa]o de (?:status|estado)|mensagem n[ãa]o|devolu[çc][ãa]o de|"
    r"non remis|échec|echec|notification d['’]état|courrier non|message non (?:remis|distribu)|non recapitabile|mancato recapito|"
    r"系统退信|退信|退件|无法投递|無法傳遞|无法送达|未送达|传递状态|郵件.{0,6}(?:失敗|退回)|邮件.{0,6}(?:失败|退回)|エラーメール|配信.{0,6}(?:エラー|不能|失敗)|配達|"
    r"не ?доставлен|недоставлен|ошибка доставки|сообщение не|уведомление о (?:статусе|состоянии)|не удалось доставить|"
    r"배달되지|배달 (?:실패|상태)|전송 ?실패|반송|발송 실패|không gửi được|thư không|không thể gửi|chưa gửi được|فشل (?:التسليم|تسليم|في)|غير قابل للتسليم|تعذر|"
    r"hindi naipadala|read:|not read:|gelesen:|leído:|lu :|lida:|прочтено:|已读|已讀|delivered:|retrieved:|deleted:|relayed:|"
    r"(?:user|mailbox|address|recipient|account) (?:unknown|unavailable|not found|full|is full|does not exist|over quota)|unknown (?:user|recipient|address)|"
    r"invalid (?:address|recipient|e-?mail)|over quota|quota exceeded|(?:your )?(?:e-?mail|mail|message)[^\n]{0,60}(?:could not be|was not|not|cannot be|couldn't be|wasn't|bounced|rejected|blocked|refused|undeliver|returned)|"
    r"(?:permanent|temporary|transient)[^\n]{0,30}(?:fail|error)|smtp (?:error|server)|rejected(?: mail| message|:)|bounce\b|spam(?:blocked)?:|email rejected|"
    r"virus (?:alert|found|detected|warning|in )|(?:banned|blocked) (?:file|attachment|content|message)|failure\s*\Z|nachricht (?:konnte|nicht)"
    r")",
    re.IGNORECASE,
)
_BOUNCE_TEXT = (
    re.compile(
        r"\b[245]\d{2}[\s-][245]\.\d{1,3}\.\d{1,3}\b|\b(?:4[25]\d|5[0-7]\d)[\s-]{1,2}(?:#?[45]\.\d\.\d|user|unknown|no such|mailbox|requested|address|recipient|relay|sorry|message|mail|<|invalid|unrout|permanent|the|delivery|not|5\.)"
        r"|#[45]\.\d\.\d|\bsmtp error\b|\bremote (?:host|mta|server|mail server)\b|host [\w.-]{3,80}\s?\[\d|\bRCPT TO\b|\bDSN\b|\b(?:status|action|diagnostic-code|final-recipient|reporting-mta)\s?:\s",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:could|can|did|was|were|has|have|will|is|are|does)(?:n['’]t| ?not)(?: be| been)?\s{1,3}(?:successfully |yet )?(?:deliver|sent|reach|accept|receive|exist|recogni[sz]ed|found|listed|be delivered|send|route|process|known|valid|an? (?:valid|active))|"
        r"\b(?:un|non-?)deliver(?:able|ed|y)|delivery (?:has )?(?:failed|failure|error|to the following|attempt|status|problem|is delayed|of the)|fail(?:ed|ure)[^\n]{0,30}(?:deliver|recipient|address|send)|"
        r"(?:user|recipient|mailbox|account|address|addressee|host|domain)(?: name| \S{1,80})?[\s:<>'\"]{1,4}(?:is |was |has been |been )?(?:unknown|not known|not found|unavailable|full|over ?quota|disabled|inactive|rejected|suspended|closed|no longer|invalid|not listed|doesn't|does not|not valid|not available|unrouteable|unreachable|over (?:its|the))|"
        r"\b(?:no such|unknown|invalid|illegal|bad) (?:user|recipient|address|mailbox|host|domain|local|account|destination|person|mail)|(?:quota|size limit|storage limit) (?:has been |is |was )?exceeded|exceed(?:s|ed|ing)? (?:the |its |his |her |their )?(?:maximum |allowed |storage |size |mailbox )?(?:quota|limit|size|storage)|"
        r"permanent (?:error|fatal error|failure)|fatal error|no longer (?:with|at|works?|employed|valid|active|in use|available|exists|has|have|receiv|accept|supported|being)|could not deliver|unable to (?:deliver|send|relay|process|route|accept|open)|message (?:was )?(?:rejected|refused|bounced|returned|blocked|undelivered)|returned (?:to|mail|unsent)|giving up|mail loop|too many hops|timed out|connection refused|relaying denied|access denied|blocked|"
        r"nicht (?:zugestellt|zustellbar|erreich)|unbekannt|no (?:se ha podido|ha podido|se pudo|existe|fue posible)|n[ãa]o (?:pôde|foi|existe)|inexistente|n'a pas pu|n'existe pas|impossible de|无法|不存在|退回|失败|не (?:доставлено|удалось|существует)|no ha sido|non (?:è stato|existe)|配信|宛先|届け|拒否|存在しない|見つかりません",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:original message|message header|returned (?:message|mail)|unsent message|copy of (?:the|your) (?:message|mail|original)|text of (?:the )?message|below (?:this line )?is a copy|headers? (?:of|follow)|your (?:message|mail|e-?mail)\b|the following (?:address|recipient|message|error|mail)|transcript of session|mail (?:system|server|delivery|gateway|router|transport)|automatic(?:ally)? (?:generated|mail)|postmaster|administrator|message.{0,20}attached|recipient)",
        re.IGNORECASE,
    ),
)
_BOUNCE_OPENINGS = re.compile(
    r"\A[\s\W]{0,80}(?:hi\. this is the|this (?:message|mail|e-?mail) (?:was created automatically|is (?:an )?automat)|i(?:'m| am) (?:sorry|afraid)[^\n]{0,60}(?:deliver|mail|message|not able)|"
    r"(?:sorry[,.]? )?(?:i|we) (?:wasn't|was not|were not|weren't|am not|could not|couldn't|are unable|am unable)[^\n]{0,40}(?:able to )?deliver|your (?:message|mail|e-?mail)[^\n]{0,120}(?:did not reach|could not be|was not|not delivered|undeliverable|could not deliver|couldn't be|cannot be|has not been|has been (?:rejected|blocked|returned)|was (?:rejected|blocked|returned|undeliver))|"
    r"this is the[^\n]{0,60}(?:program|mail system|mail delivery|mailer|mail server)|the (?:following|original) (?:message|address|recipient|mail|e-?mail)|-{2,}[^\n]{0,20}(?:the following addresses|transcript|failed addresses)|delivery (?:has failed|failed|to the following|failure|of the)|"
    r"(?:an error|a problem) (?:occurred|was encountered|was detected)|unable to deliver|undeliverable|failed to deliver|message (?:from|to)[^\n]{0,100}(?:not delivered|could not|undeliver|failed)|mail (?:delivery|to|sent)[^\n]{0,80}(?:fail|could not|not|unsuccess)|could not deliver|we (?:are sorry|were unable|could not|regret))",
    re.IGNORECASE,
)


def bounce_in_words(case: Case) -> str | None:
    """Bounces of older systems, which carry no machine part. Rule: RFC 3834 §2; known by subject and text together, as
    qmail, Exim, Exchange, Domino and sendmail word them."""
    subject, text = case.message.subject[:300], case.message.text[:6_000]
    technical, failed, about_mail = (pattern.search(text) is not None for pattern in _BOUNCE_TEXT)
    opening = _BOUNCE_OPENINGS.match(text[:600]) is not None
    named = _BOUNCE_SUBJECT.match(subject) is not None
    names_an_address = "@" in text[:3_000]
    if named and failed and (technical or (about_mail and names_an_address) or opening):
        return "It is a bounce: its subject and text say that a mail could not be delivered."
    if opening and failed and technical and names_an_address:
        return "It is a bounce: its text says that a mail could not be delivered."
    return None
