"""The phrases by which a teacher says that they were in touch with a family, as `autoresponder.contact_lines` folds
them: small letters, no accents, no punctuation.

In English and Spanish, and as far as they are safe in French and Portuguese. Only what is over: "call the Diaz family"
is a plan, and counts for nothing.
"""

from dataclasses import dataclass

from autoresponder.contacts import ContactKind, ContactTone


@dataclass(frozen=True, slots=True)
class Opening:
    """How a line begins."""

    kind: ContactKind
    reached: bool
    with_family: bool = False
    """Whether it has to name somebody of the family: "spoke with Bo" was said in class."""


_CALLED = Opening(ContactKind.CALL, reached=True)
_SPOKE = Opening(ContactKind.CALL, reached=True, with_family=True)
_TRIED = Opening(ContactKind.CALL, reached=False)
_TEXTED = Opening(ContactKind.TEXT, reached=False)
_NOTED = Opening(ContactKind.NOTE, reached=False)
_MET = Opening(ContactKind.MEETING, reached=True, with_family=True)

_BY_OPENING: tuple[tuple[Opening, str], ...] = (
    (_CALLED, "called, phoned, telephoned, rang, rang up, called up, called back, called again, gave a call to"),
    (_CALLED, "llame a, llame, llame por telefono a, hable por telefono con, telefonee a"),
    (_CALLED, "jai appele, jai telephone a, eu liguei para, liguei para, telefonei para"),
    (_SPOKE, "spoke with, spoke to, talked with, talked to, called and spoke with, called and spoke to"),
    (_SPOKE, "called and talked with, called and talked to, had a call with, had a phone call with, had a talk with"),
    (_SPOKE, "spoke on the phone with, talked on the phone with, had a good call with, had a good talk with, reached"),
    (_SPOKE, "hable con, platique con, converse con"),
    (_SPOKE, "jai parle avec, jai parle a, falei com, conversei com"),
    (_TRIED, "left a message for, left a message with, left message for, left a voicemail for, left a voicemail with"),
    (_TRIED, "left voicemail for, left a voice message for, left word for, left word with, left a message to"),
    (_TRIED, "called and left a message for, called and left a message with, tried to call, tried calling"),
    (_TRIED, "tried to reach, tried reaching, tried to phone, couldnt reach, could not reach, didnt reach"),
    (_TRIED, "did not reach, was unable to reach, wasnt able to reach, was not able to reach"),
    (_TRIED, "deje un mensaje a, deje un mensaje para, deje un mensaje con, deje mensaje a, deje mensaje para"),
    (_TRIED, "deje recado a, deje recado para, deje recado con, deje un recado a, deje un recado para"),
    (_TRIED, "le deje un mensaje a, les deje un mensaje a, intente llamar a, trate de llamar a, no pude hablar con"),
    (_TRIED, "jai laisse un message a, deixei um recado para, deixei uma mensagem para, tentei ligar para"),
    (_TEXTED, "texted, messaged, sent a text to, sent a text message to, sent a message to"),
    (_TEXTED, "envie un mensaje a, mande un mensaje a, le mande un mensaje a, les mande un mensaje a"),
    (_TEXTED, "envie un texto a, mande un texto a, jai envoye un sms a, mandei uma mensagem para"),
    (_NOTED, "sent a note to, sent a note home to, sent a note home with, sent a note home for, sent a note for"),
    (_NOTED, "wrote a note to, left a note for, gave a note to, sent a card to, sent a postcard to, wrote a card to"),
    (_NOTED, "sent home a note for, sent home a note to, sent home a note with"),
    (_NOTED, "mande una nota a, envie una nota a, escribi una nota a, mande una nota a casa de"),
    (_NOTED, "mandei um bilhete para, enviei um bilhete para"),
    (_MET, "met with, met, had a meeting with, had a conference with, sat down with, visited"),
    (_MET, "had a home visit with, spoke in person with, spoke in person to, talked in person with"),
    (_MET, "me reuni con, nos reunimos con, tuve una reunion con, me encontre con, visite a"),
    (_MET, "jai rencontre, encontrei me com, reuni me com, tive uma reuniao com"),
)


def _listed(phrases: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in phrases.split(","))


OPENINGS = {phrase: opening for opening, phrases in _BY_OPENING for phrase in _listed(phrases)}
"""Every opening; of several that fit, the longest counts."""

BEFORE = _listed("i, we, i have, ive, weve, also, just, and, yo, tambien, hoy, ayer, y, eu, tambem")
"""What may stand before an opening."""

TONES = {
    **dict.fromkeys(
        (
            *_listed("good news, great news, very good news, wonderful news, some good news, all good news"),
            *_listed("positive, praise, a compliment, good things, something good, positive news, a positive call"),
            *_listed("buenas noticias, muy buenas noticias, buena noticia, una buena noticia, excelentes noticias"),
            *_listed("algo bueno, algo positivo, felicitaciones, para felicitar"),
            *_listed("bonne nouvelle, bonnes nouvelles, une bonne nouvelle, boas noticias, uma boa noticia"),
        ),
        ContactTone.GOOD_NEWS,
    ),
    **dict.fromkeys(
        (
            *_listed("concern, a concern, concerns, my concerns, some concerns, bad news, not good news, no good news"),
            *_listed("a problem, a difficulty, worried, hard news, a worry"),
            *_listed("preocupacion, una preocupacion, preocupaciones, inquietud, una inquietud, malas noticias"),
            *_listed("un problema, mala noticia, une inquietude, um problema, uma preocupacao, mas noticias"),
        ),
        ContactTone.CONCERN,
    ),
    **dict.fromkeys(
        (
            *_listed("neutral, neither good nor bad, to say hello, just to say hello, to introduce myself"),
            *_listed("introduced myself, introduction, checking in, a check in, logistics, para saludar"),
            *_listed("para presentarme, me presente"),
        ),
        ContactTone.NEUTRAL,
    ),
}

UNREACHED = frozenset(
    (
        *_listed("no answer, there was no answer, not reached, nobody answered, no one answered, nobody picked up"),
        *_listed("no one picked up, left a message, left message, left a voicemail, left voicemail, voicemail, busy"),
        *_listed("the line was busy, wrong number, didnt answer, they didnt answer, did not answer, no reply"),
        *_listed("they did not answer, didnt pick up, they didnt pick up, no luck, not home, nobody home"),
        *_listed("she didnt answer, he didnt answer, she didnt pick up, he didnt pick up, without reaching them"),
        *_listed("no contesto, no contestaron, nadie contesto, no respondieron, no respondio, deje un mensaje"),
        *_listed("deje mensaje, deje recado, ocupado, numero equivocado, sin respuesta, le deje un mensaje"),
        *_listed("sans reponse, pas de reponse, sem resposta, ninguem atendeu, nao atendeu, nao atenderam"),
    )
)
REACHED = frozenset(
    (
        *_listed("reached, reached them, spoke with them, spoke with her, spoke with him, we spoke, we talked"),
        *_listed("they answered, she answered, he answered, they called back, she called back, he called back"),
        *_listed("contesto, contestaron, respondieron, respondio, hablamos"),
    )
)
NEGATIONS = frozenset(
    (
        *("no", "not", "never", "nobody", "none", "nothing", "without", "unable", "didnt", "dont", "doesnt", "wasnt"),
        *("werent", "isnt", "arent", "couldnt", "cant", "cannot", "hasnt", "havent", "hadnt", "wouldnt", "wont"),
        *("nadie", "nunca", "sin", "nada", "tampoco", "pas", "sans", "jamais", "nao", "ninguem", "sem"),
        *("failed", "missed", "instead", "cancelled", "canceled", "wrong"),
    )
)
"""Words that may turn a line into its opposite: where one stands and no phrase explains it, nobody can tell."""
LEADS = frozenset(
    (
        *("and", "but", "with", "about", "to", "share", "sharing", "it", "was", "were", "all", "for", "some", "had"),
        *("y", "pero", "con", "para", "por", "dar", "dando", "fueron", "eran", "fue", "et", "mais", "avec", "e", "mas"),
        *("com", "a", "the", "we", "i", "gave", "very", "muy", "tell"),
    )
)
"""Words that mean nothing before a phrase."""
COURTESIES = frozenset(
    (
        *_listed("thanks, thank you, thank you so much, many thanks, ok, okay, good morning, hi, hello, gracias"),
        *_listed("muchas gracias, buenos dias, hola, merci, bonjour, obrigada, obrigado, bom dia, best, regards, done"),
    )
)
UNDO = frozenset(
    _listed("undo, undo it, undo that, undo all, take back, take it back, take that back, deshacer, deshaz, deshazlo")
    + _listed("anular, quitar, annuler, desfazer")
)
"""What takes back, alone or before a number."""
DRAFTS = frozenset(
    _listed("drafts please, draft please, please draft, drafts, yes drafts please, yes please drafts")
    + _listed("please prepare drafts, prepare drafts please, prepare the drafts please, drafts please thank you")
    + _listed("borradores por favor, borrador por favor, borradores, si borradores por favor, prepare borradores")
    + _listed("brouillons sil vous plait, rascunhos por favor")
)
"""What asks for the drafts of good news that the morning mail offers."""
TODAY = _listed("this morning, this afternoon, this evening, this noon, earlier today, today, just now, esta manana")
TODAY += _listed("esta tarde, hoy, ce matin, aujourdhui, hoje")
YESTERDAY = _listed("yesterday morning, yesterday afternoon, yesterday evening, yesterday, last night, anoche")
YESTERDAY += _listed("ayer por la manana, ayer por la tarde, ayer, hier, ontem")
WEEKDAYS = (
    _listed("monday, lunes, lundi"),
    _listed("tuesday, martes, mardi"),
    _listed("wednesday, miercoles, mercredi"),
    _listed("thursday, jueves, jeudi"),
    _listed("friday, viernes, vendredi"),
    _listed("saturday, sabado, samedi"),
    _listed("sunday, domingo, dimanche"),
)
"""Names of the days, Monday first."""
BEFORE_A_DAY = _listed("last, on, this past, el, el pasado, on last")
TRAILING = _listed("by phone, on the phone, over the phone, by telephone, back, again, at home, por telefono, em casa")
"""What may stand behind a name and says nothing."""
KIN = _listed("family, parents, parent, mother, mom, mum, mommy, mama, father, dad, daddy, papa, guardian, guardians")
KIN += _listed("grandmother, grandma, grandfather, grandpa, grandparents, aunt, uncle, stepmother, stepmom, stepfather")
KIN += _listed("stepdad, foster mother, foster father, foster parents, caregiver, folks, household, sister, brother")
KIN += _listed("familia, padres, madre, padre, papas, abuela, abuelo, abuelos, tia, tio, tutor, tutora, madrastra")
KIN += _listed("padrastro, hermana, hermano, famille, mere, pere, mae, pai, avo, families, familias")
"""Who a family consists of."""
OF = _listed("of, de, del, da, do, from")
ARTICLES = _listed("the, la, el, los, las, a la, al, a los, my, le, les, os, as")
TITLES = _listed("mr, mrs, ms, miss, mx, dr, senora, senor, sra, sr, srta, la senora, el senor, madame, monsieur")
TITLES += _listed("mme, dona, don")
