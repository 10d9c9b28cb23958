"""How mail systems word a bounce, from sendmail and qmail to Exchange, Domino and the large providers of today.

One pattern alone proves nothing; `reports.bounce_in_words` asks for several together.
"""

import re

BOUNCE_SUBJECT = re.compile(
    r"\s*+[\"'*\[(<]{0,3}+\s*+(?:re:\s*+)?(?:"
    r"(?:re: )?undeliver(?:able|ed)(?: mail| message)?\b|mail (?:delivery|system|"
    r"could not be delivered|failure|"
    r"returned|not delivered|undeliverable)|mail_?(?:error|failure)|"
    r"deliver(?:y|ed)\b[^\n]{0,40}\b(?:fail|error|problem|status|delay|notification|report|unsuccess|"
    r"warn|not)|"
    r"failed (?:mail|delivery|message|to deliver)|failure (?:notice|delivery|report|sending)|"
    r"(?:returned|bounced) (?:mail|message|e-?mail|to sender)|return(?:ed|ing) (?:your )?mail|"
    r"message (?:delivery|"
    r"undeliver|not delivered|status|could not|returned|rejected|delayed|notification|you sent)|"
    r"(?:non|un)-?(?:delivery|deliverable|delivered)|no ?n ?deliver|nondeliverable|"
    r"could not (?:deliver|send)|"
    r"unable to deliver|warning: (?:could not|message|e-?mail|mail)|"
    r"unzustellbar|zustellung|nicht zustellbar|mail konnte nicht|fehler bei|benachrichtigung zum|"
    r"retour(?:nachricht)?|"
    r"no se puede (?:entregar|enviar)|no se pudo|devuelto|notificaci[óo]n de (?:estado|error|fallo)|"
    r"error (?:de|"
    r"al) (?:entrega|enviar)|mensaje no entregado|correo (?:devuelto|no entregado)|"
    r"(?:falha|erro) n[ao] (?:entrega|envio)|n[ãa]o (?:foi poss[íi]vel|entregue)|"
    r"notifica[çc][ãa]o de (?:status|"
    r"estado)|mensagem n[ãa]o|devolu[çc][ãa]o de|"
    r"non remis|échec|echec|notification d['’]état|courrier non|message non (?:remis|distribu)|"
    r"non recapitabile|"
    r"mancato recapito|"
    r"系统退信|退信|退件|无法投递|無法傳遞|无法送达|未送达|传递状态|郵件.{0,6}(?:失敗|退回)|邮件.{0,6}(?:失败|退回)|エラーメール|配信.{0,6}(?:エラー|不能|"
    r"失敗)|配達|"
    r"не ?доставлен|недоставлен|ошибка доставки|сообщение не|уведомление о (?:статусе|состоянии)|"
    r"не удалось доставить|"
    r"배달되지|배달 (?:실패|상태)|전송 ?실패|반송|발송 실패|không gửi được|thư không|không thể gửi|chưa gửi được|"
    r"فشل (?:التسليم|تسليم|"
    r"في)|غير قابل للتسليم|تعذر|"
    r"hindi naipadala|read:|not read:|gelesen:|leído:|lu :|lida:|прочтено:|已读|已讀|delivered:|retrieved:|"
    r"deleted:|"
    r"relayed:|"
    r"(?:user|mailbox|address|recipient|account) (?:unknown|unavailable|not found|full|is full|"
    r"does not exist|"
    r"over quota)|unknown (?:user|recipient|address)|"
    r"invalid (?:address|recipient|e-?mail)|over quota|quota exceeded|(?:your )?(?:e-?mail|mail|"
    r"message)[^\n]{0,60}(?:could not be|was not|not|cannot be|couldn't be|wasn't|bounced|rejected|"
    r"blocked|refused|"
    r"undeliver|returned)|"
    r"(?:permanent|temporary|transient)[^\n]{0,30}(?:fail|error)|smtp (?:error|server)|"
    r"rejected(?: mail| message|:)|"
    r"bounce\b|spam(?:blocked)?:|email rejected|"
    r"virus (?:alert|found|detected|warning|in )|(?:banned|blocked) (?:file|attachment|content|"
    r"message)|failure\s*\Z|"
    r"nachricht (?:konnte|nicht)"
    r")",
    re.IGNORECASE,
)

BOUNCE_TEXT = (
    re.compile(
        r"\b[245]\d{2}[\s-][245]\.\d{1,3}\.\d{1,3}\b|\b(?:4[25]\d|5[0-7]\d)[\s-]{1,2}(?:#?[45]\.\d\.\d|"
        r"user|unknown|"
        r"no such|mailbox|requested|address|recipient|relay|sorry|message|mail|<|invalid|unrout|"
        r"permanent|the|"
        r"delivery|not|5\.)"
        r"|#[45]\.\d\.\d|\bsmtp error\b|\bremote (?:host|mta|server|mail server)\b|"
        r"host [\w.-]{3,80}\s?\[\d|"
        r"\bRCPT TO\b|\bDSN\b|\b(?:status|action|diagnostic-code|final-recipient|reporting-mta)\s?:\s",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:could|can|did|was|were|has|have|will|is|are|does)(?:n['’]t| ?not)(?: be|"
        r" been)?\s{1,3}(?:successfully |"
        r"yet )?(?:deliver|sent|reach|accept|receive|exist|recogni[sz]ed|found|listed|be delivered|"
        r"send|route|"
        r"process|known|valid|an? (?:valid|active))|"
        r"\b(?:un|non-?)deliver(?:able|ed|y)|delivery (?:has )?(?:failed|failure|error|"
        r"to the following|attempt|"
        r"status|problem|is delayed|of the)|fail(?:ed|ure)[^\n]{0,30}(?:deliver|recipient|address|"
        r"send)|"
        r"(?:user|recipient|mailbox|account|address|addressee|host|domain)(?: name|"
        r" \S{1,80})?[\s:<>'\"]{1,4}(?:is |"
        r"was |has been |been )?(?:unknown|not known|not found|unavailable|full|over ?quota|disabled|"
        r"inactive|"
        r"rejected|suspended|closed|no longer|invalid|not listed|doesn't|does not|not valid|"
        r"not available|"
        r"unrouteable|unreachable|over (?:its|the))|"
        r"\b(?:no such|unknown|invalid|illegal|bad) (?:user|recipient|address|mailbox|host|domain|"
        r"local|account|"
        r"destination|person|mail)|(?:quota|size limit|storage limit) (?:has been |is |was )?exceeded|"
        r"exceed(?:s|ed|"
        r"ing)? (?:the |its |his |her |their )?(?:maximum |allowed |storage |size |mailbox )?(?:quota|"
        r"limit|size|"
        r"storage)|"
        r"permanent (?:error|fatal error|failure)|fatal error|no longer (?:with|at|works?|employed|"
        r"valid|active|"
        r"in use|available|exists|has|have|receiv|accept|supported|being)|could not deliver|"
        r"unable to (?:deliver|"
        r"send|relay|process|route|accept|open)|message (?:was )?(?:rejected|refused|bounced|returned|"
        r"blocked|"
        r"undelivered)|returned (?:to|mail|unsent)|giving up|mail loop|too many hops|timed out|"
        r"connection refused|"
        r"relaying denied|access denied|blocked|"
        r"nicht (?:zugestellt|zustellbar|erreich)|unbekannt|no (?:se ha podido|ha podido|se pudo|"
        r"existe|"
        r"fue posible)|n[ãa]o (?:pôde|foi|existe)|inexistente|n'a pas pu|n'existe pas|impossible de|无法|"
        r"不存在|退回|失败|"
        r"не (?:доставлено|удалось|существует)|no ha sido|non (?:è stato|existe)|配信|宛先|届け|拒否|存在しない|"
        r"見つかりません",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:original message|message header|returned (?:message|mail)|unsent message|copy of (?:the|"
        r"your) (?:message|mail|original)|text of (?:the )?message|below (?:this line )?is a copy|"
        r"headers? (?:of|"
        r"follow)|your (?:message|mail|e-?mail)\b|the following (?:address|recipient|message|error|"
        r"mail)|"
        r"transcript of session|mail (?:system|server|delivery|gateway|router|transport)|"
        r"automatic(?:ally)? (?:generated|mail)|postmaster|administrator|message.{0,20}attached|"
        r"recipient)",
        re.IGNORECASE,
    ),
)

BOUNCE_OPENING = re.compile(
    r"\A[\s\W]{0,120}(?:votre message n'a pas pu|hi\. this is the|this (?:message|mail|"
    r"e-?mail) (?:was created automatically|"
    r"is (?:an )?automat)|i(?:'m| am) (?:sorry|afraid)[^\n]{0,60}(?:deliver|mail|message|not able)|"
    r"(?:sorry[,.]? )?(?:i|we) (?:wasn't|was not|were not|weren't|am not|could not|couldn't|are unable|"
    r"am unable)[^\n]{0,40}(?:able to )?deliver|your (?:message|mail|"
    r"e-?mail)[^\n]{0,120}(?:did not reach|"
    r"could not be|was not|not delivered|undeliverable|could not deliver|couldn't be|cannot be|"
    r"has not been|"
    r"has been (?:rejected|blocked|returned)|was (?:rejected|blocked|returned|undeliver))|"
    r"this is the[^\n]{0,60}(?:program|mail system|mail delivery|mailer|mail server)|the (?:following|"
    r"original) (?:message|address|recipient|mail|e-?mail)|-{2,}[^\n]{0,20}(?:the following addresses|"
    r"transcript|"
    r"failed addresses)|delivery (?:has failed|failed|to the following|failure|of the)|"
    r"(?:an error|a problem) (?:occurred|was encountered|was detected)|unable to deliver|undeliverable|"
    r"failed to deliver|message (?:from|to)[^\n]{0,100}(?:not delivered|could not|undeliver|failed)|"
    r"mail (?:delivery|to|sent)[^\n]{0,80}(?:fail|could not|not|unsuccess)|could not deliver|"
    r"we (?:are sorry|"
    r"were unable|could not|regret))",
    re.IGNORECASE,
)
