"""The words that mail programs put around quoted history, in the languages that families' programs speak.

Collected from what Gmail, Outlook, Apple Mail, Yahoo, Thunderbird and QQ Mail write when set to English, Spanish,
Chinese, Vietnamese, Arabic, Portuguese, Haitian Creole, Russian, Korean, Tagalog, French and a few neighbours. Every
pattern is anchored, of bounded length and free of nested repetition.
"""

import re

FROM_WORDS = frozenset({
    "from", "de", "desde", "remitente", "remetente", "de la part de", "expéditeur", "von", "da", "van",
    "发件人", "寄件人", "寄件者", "發件人", "差出人", "từ", "người gửi", "من", "المرسل", "от", "от кого", "отправитель",
    "보낸 사람", "보낸사람", "보낸이",
    "mula sa", "mula kay", "galing sa", "galing kay", "soti nan", "soti", "ekspeditè",
})  # fmt: skip
SENT_WORDS = frozenset({
    "sent", "date", "sent on", "date sent", "enviado", "enviado el", "enviado em", "enviada em", "enviado a",
    "enviada", "fecha",
    "fecha de envío", "message du", "data", "envoyé", "envoyé le", "date d'envoi",
    "gesendet", "datum", "inviato", "verzonden",
    "发送时间", "发送日期", "日期", "时间", "寄件日期", "傳送日期", "傳送時間", "發送時間", "時間", "送信日時",
    "đã gửi", "ngày", "ngày gửi", "vào lúc", "thời gian", "تاريخ الإرسال", "التاريخ", "تاريخ", "تم الإرسال",
    "أرسلت", "أُرسلت", "مرسل", "отправлено", "дата", "보낸 날짜", "보낸날짜", "날짜", "보낸 시간", "일시",
    "ipinadala", "ipinadala noong", "petsa", "voye", "dat",
})  # fmt: skip
TO_SUBJECT_WORDS = frozenset({
    "to", "subject", "para", "asunto", "assunto", "destinatario", "destinatários", "à", "a", "objet", "sujet",
    "destinataire",
    "an", "betreff", "aan", "onderwerp", "oggetto", "收件人", "收件者", "主题", "主旨", "主題", "标题", "標題", "件名",
    "đến", "tới", "gửi đến", "người nhận", "chủ đề", "tiêu đề", "إلى", "الى", "المستلم", "الموضوع", "кому", "тема",
    "받는 사람", "받는사람", "받은 사람", "제목", "para sa", "para kay", "paksa", "pou", "sijè", "ba",
})  # fmt: skip
OTHER_HEADER_WORDS = frozenset({
    "cc", "bcc", "reply-to", "importance", "attachments", "cco", "copia", "responder a", "importancia", "copie",
    "cópia",
    "抄送", "密送", "副本", "附件", "回复", "نسخة", "копия", "참조", "숨은참조", "kopya", "con copia", "com cópia",
    "organization", "priority", "sensitivity", "to be sent", "when", "where",
})  # fmt: skip

_ORIGINAL_WORDS = (
    r"original message|original appointment|reply message|original e-?mail|previous message|"
    r"mensaje original|"
    r"mensaje anterior|correo original|mensagem original|mensagem anterior|message d['’]origine|"
    r"message original|"
    r"message initial|ursprüngliche nachricht|messaggio originale|oorspronkelijk bericht|原始邮件|原始郵件|原邮件|"
    r"原始訊息|"
    r"回复的原邮件|tin nhắn gốc|thư gốc|thư ban đầu|الرسالة الأصلية|الرسالة الاصلية|رسالة أصلية|"
    r"исходное сообщение|"
    r"оригинальное сообщение|исходное письмо|원본 메시지|원본메시지|원본 메일|원본메일|원본 이메일|orihinal na mensahe|"
    r"mesaj orijinal|mesaj original"
)
ORIGINAL = re.compile(rf"[-_*=—─> ]{{2,80}}(?:{_ORIGINAL_WORDS})[-_*=—─: ]{{0,80}}\Z", re.IGNORECASE)

_FORWARD_WORDS = (
    r"forwarded message|forwarded e-?mail|original message forwarded|mensaje reenviado|"
    r"correo reenviado|"
    r"mensagem encaminhada|mensagem reencaminhada|message transféré|message transmis|message réexpédié|"
    r"weitergeleitete nachricht|messaggio inoltrato|"
    r"转发的邮件|轉寄郵件|转发邮件|轉寄的郵件|已转发的邮件|thư đã chuyển tiếp|"
    r"tin nhắn được chuyển tiếp|tin nhắn chuyển tiếp|thư chuyển tiếp|رسالة محولة|رسالة محوّلة|"
    r"رسالة تمت إعادة توجيهها|"
    r"رسالة معاد توجيهها|пересланное сообщение|пересылаемое сообщение|пересланное письмо|"
    r"перенаправленное сообщение|"
    r"전달된 메시지|전달된 메일|전달된메시지|ipinasang mensahe|naipasang mensahe|mesaj transfere|mesaj ki transfere"
)
FORWARD = re.compile(
    rf"(?:[-_*=—─> ]{{2,80}}(?:begin )?(?:{_FORWARD_WORDS})[-_*=—─: ]{{0,80}}"
    r"|begin forwarded message ?:|inicio del mensaje reenviado ?:|"
    r"início da mensagem (?:re)?encaminhada ?:"
    r"|début du message (?:transféré|réexpédié) ?:|anfang der weitergeleiteten nachricht ?:|"
    r"下面是被转发的邮件 ?[:：]|"
    r"以下是轉寄的郵件 ?[:：]|以下是转发的邮件 ?[:：]|begin doorgestuurd bericht ?:|"
    r"начало переадресованного сообщения ?:|"
    r"начало пересылаемого сообщения ?:|전달된 메시지 ?:|بدء الرسالة المعاد توجيهها ?:|"
    r"بداية الرسالة المُعاد توجيهها ?:|"
    r"bắt đầu thư (?:được )?chuyển tiếp ?:)\Z",
    re.IGNORECASE,
)

# How an attribution begins: a preposition of time, a weekday, a dash, a date, or a year.
ATTRIBUTION_OPENERS = re.compile(
    r"[-—>*_ ]{0,8}(?:on\b|el\b|em\b|no dia\b|le\b|am\b|il\b|op\b|den\b|vào\b|lúc\b|ngày\b|noong\b|"
    r"nung\b|nan dat\b|"
    r"في\b|بتاريخ\b|يوم\b|"
    r"на\b|в\b|\d|[٠-٩]|於|于|在|"
    r"mon|tue|wed|thu|fri|sat|sun|lun|mar|mi[ée]|jue|vie|s[áa]b|dom|seg|ter|qua|qui|sex|jeu|ven|sam|"
    r"dim|"
    r"пн|вт|ср|чт|пт|сб|вс|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    re.IGNORECASE,
)
# The verb that an attribution ends with; a name or address may follow it (Arabic, Tagalog, German order).
CLOSING_VERB = re.compile(
    r"(?:\b(?:wrote|writes|said|escribi[óo]|ha escrito|escribe|escreveu|escrevia|a écrit|écrivait|"
    r"schrieb|ha scritto|"
    r"schreef|skrev|đã viết|có viết|viết|sumulat|sinulat|isinulat ni|te ekri|ekri|написала?|"
    r"написал\(а\)|пишет|"
    r"писала?)\b|"
    r"写道|寫道|写的|写到|您写|你写|我写|كتبتم|كتبت|كتبتَ|كتبتِ|كتبتي|كتب|님이 작성|작성|님이 씀|씀)[^:：\n]{0,110}[:：]",
    re.IGNORECASE,
)
# "On 10/3 at 9:15 you wrote:" is a parent's sentence, not a program's line: those name the writer.
PRONOUN_BEFORE_VERB = re.compile(
    r"\b(?:i|you|he|she|we|they|who|usted|ud\.?|tú|yo|él|ella|ellos|você|vc|eu|ele|ela|vous|tu|je|il|"
    r"elle|cô|thầy|em|"
    r"я|вы|он|она|ou|li|mwen|siya|ikaw|ako)\s{1,2}(?:\w{1,12}\s{1,2})?"
    r"(?:wrote|writes|said|escribi[óo]|escreveu|a écrit|viết|có viết|написала?|пишет|ekri|sumulat)\b|"
    r"[您你我他她]写",
    re.IGNORECASE,
)

_DEVICE = (
    r"(?:iphone|ipad|ipod|i?mac|macbook|apple|watch|samsung|galaxy|android|phone|mobile|cell(?:phone)?|"
    r"device|tablet|"
    r"smart ?phone|blackberry|pixel|huawei|xiaomi|redmi|oppo|vivo|realme|oneplus|motorola|moto|lg|"
    r"nokia|htc|sony|"
    r"xperia|"
    r"windows|kindle|fire|verizon|t-mobile|at&t|sprint|metropcs|cricket|boost|tracfone|wireless|"
    r"outlook|yahoo|gmail|"
    r"aol|"
    r"proton|hotmail|mail|e-?mail|correo|app|spark|celular|tel[eé]fono|telefone|t[eé]l[eé]phone|móvil|"
    r"handy|дома|"
    r"телефона?|устройства|휴대폰|스마트폰|핸드폰|手机|手機|điện thoại|selfon|telefòn|selpon|جوال|هاتف|موبايل)"
)
_SENT_FROM = (
    r"(?:sent (?:via|from|using|with|by|on)|sent|get|enviado|enviada|enviado desde|enviado por|"
    r"enviado con|"
    r"enviado a través de|obt[eé]n(?:er)?|obter|"
    r"mandado desde|envoy[ée]|envoyé depuis|télécharger|obtenez|gesendet (?:von|mit)|von meinem|"
    r"inviato da|"
    r"verzonden (?:vanaf|met)|"
    r"发自|发送自|傳送自|寄自|來自|来自|从|從|通过|使用|获取|取得|đã gửi từ|được gửi từ|gửi từ|gửi bằng|tải|"
    r"(?:تم الإرسال|أُرسلت|أرسلت|ارسلت|مُرسل|مرسل|مُرسلة|مرسلة|أُرسل|أرسل|ارسل|تم إرساله|تم ارساله|"
    r"الحصول على|"
    r"احصل على) ?(?:من|بواسطة|باستخدام)?|"
    r"отправлено|отправлено из|послано|письмо отправлено|나의|내|제|ipinadala|ipinadala mula|naipadala|"
    r"padala|kuha|voye|"
    r"voye soti|sòti)"
)
_EXCUSE = (
    r"(?:[.,;:!)\- –—]{1,4}(?:please |kindly |so |and )?(?:excuse|forgive|pardon|ignore|sorry|apolog|"
    r"disculp|perdon|"
    r"perdón|desculp|"
    r"typos|brevity|errors|autocorrect|thumbs)[^\n]{0,70})"
)
MOBILE_SIGNATURE = re.compile(
    rf"(?:{_SENT_FROM}[\s:：]{{0,3}}(?:[^\s.,;:!?]{{1,14}}[\s]{{1,2}}){{0,4}}?[^\s.,;!?]{{0,8}}{_DEVICE}[^\s.,;!?]{{0,12}}"
    rf"(?:\s{{1,2}}(?:{_DEVICE}[^\s.,;!?]{{0,8}}|for|on|para|pour|para o|app|ios|pro|max|plus|mini|"
    rf"ultra|note|edge|"
    rf"fold|flip|lte|[45]g|[45]g lte|"
    rf"new|the|all|my|de|do|da|of|network|powered by|inc|us|xl|se|an?|"
    rf"[a-z]{{0,2}}\d{{1,4}}[a-z]{{0,3}}|傳送|发送|寄出|送出|"
    rf"에서 보냄|에서 전송|보냄|전송|الخاص بي|الخاص|بي|của tôi|mwen|m|ko|我|"
    rf"smartphone|phone|device|mobile|tablet|wireless)){{0,10}}"
    rf"(?:\s?(?:에서 보냄|에서 보냈습니다|에서 전송|에서 작성|发送|傳送|发出|"
    rf"寄出))?{_EXCUSE}?[.!。]?(?:\s{{0,2}}<https?://[^\s>]{{1,200}}>?)?"
    rf")\Z",
    re.IGNORECASE,
)

# A device that no list knows: capitals and figures only, so that no sentence is taken for one.
NAMED_DEVICE = re.compile(
    r"(?:Sent from (?:my )?|Sent via (?:my )?|Enviado desde mi |Enviado do meu |Envoyé de mon )"
    r"(?:[A-Z0-9][\w+-]{0,20})(?: [A-Z0-9][\w+-]{0,20}){0,4}(?:\s{0,2}<https?://[^\s>]{1,200}>?)?\.?\Z"
)

DISCLAIMER = re.compile(
    r"(?:confidentiality (?:notice|note|statement|warning)|confidential(?:ity)?\s?:|privileged (?:and|"
    r"/) confidential|"
    r"legal (?:notice|disclaimer)|e-?mail disclaimer|disclaimer\s?:|"
    r"(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication|"
    r"transmission)[^\n]{0,120}"
    r"(?:intended|confidential|privileged|proprietary)|"
    r"(?:este (?:correo|mensaje|e-?mail)|esta (?:mensagem|comunicaci[óo]n))[^\n]{0,120}(?:confidencial|"
    r"destinatari)|"
    r"aviso (?:legal|de confidencialid?ad[e]?)|avis de confidentialit|ce (?:message|"
    r"courriel)[^\n]{0,120}confidentiel|"
    r"本邮件[^\n]{0,60}(?:保密|机密)|本郵件[^\n]{0,60}(?:保密|機密)|هذا البريد[^\n]{0,80}سري|это (?:письмо|"
    r"сообщение)[^\n]{0,80}конфиденциальн|"
    r"이 (?:메일|메시지)[^\n]{0,60}(?:기밀|비밀))",
    re.IGNORECASE,
)
