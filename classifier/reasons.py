"""Why a message got its tag, in words that staff read: "pickup or transport, today 13:00"."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from classifier.decision import SUPPORTED
from classifier.encoder import TOPICS
from classifier.evidence import Evidence
from classifier.mentions import Clock, Mention
from classifier.safety_net import Alarm
from classifier.verdict import Reason
from connectors.labels import Tag

_ENGLISH = {
    Tag.URGENT: "needs somebody today",
    Tag.CONFLICT: "dispute or complaint",
    Tag.ROUTINE: "nothing urgent or disputed found",
    "no words": "no words to judge by",
    "not learned": "in a language that the model has not learned ({language})",
    "today": "today",
    "tomorrow": "tomorrow",
    "health": "health or medicine",
    "safety": "safety at school",
    "wellbeing": "a person in distress, grief or danger",
    "pickup_transport": "pickup or transport",
    "custody": "who may collect the child",
    "whereabouts": "where a child is",
    "deadline": "moot by tomorrow",
    "attendance": "attendance",
    "behavior": "behavior or a punishment",
    "bullying": "bullying",
    "grades": "grades",
    "homework": "homework",
    "meeting": "a meeting",
    "special_education": "special education",
    "event": "an event",
    "materials_fees": "materials or fees",
    "technology": "technology",
    "thanks": "thanks",
    "other": "another matter",
    "alarm": "safety net",
    "self_harm": "words of self-harm",
    "abuse": "words of abuse",
    "weapon": "a weapon or a threat of violence",
    "missing_child": "a child is missing",
    "medical": "a medical emergency",
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_SPANISH = {
    Tag.URGENT: "necesita a alguien hoy",
    Tag.CONFLICT: "desacuerdo o queja",
    Tag.ROUTINE: "nada urgente ni en disputa",
    "no words": "sin palabras para juzgar",
    "not learned": "en un idioma que el modelo no ha aprendido ({language})",
    "today": "hoy",
    "tomorrow": "mañana",
    "health": "salud o medicina",
    "safety": "seguridad en la escuela",
    "wellbeing": "una persona en angustia, duelo o peligro",
    "pickup_transport": "recogida o transporte",
    "custody": "quién puede recoger al niño",
    "whereabouts": "dónde está un niño",
    "deadline": "mañana ya es tarde",
    "attendance": "asistencia",
    "behavior": "conducta o un castigo",
    "bullying": "acoso",
    "grades": "calificaciones",
    "homework": "tarea",
    "meeting": "una reunión",
    "special_education": "educación especial",
    "event": "un evento",
    "materials_fees": "materiales o pagos",
    "technology": "tecnología",
    "thanks": "agradecimiento",
    "other": "otro asunto",
    "alarm": "red de seguridad",
    "self_harm": "palabras de autolesión",
    "abuse": "palabras de abuso",
    "weapon": "un arma o una amenaza de violencia",
    "missing_child": "un niño no aparece",
    "medical": "una emergencia médica",
    "days": "lunes martes miércoles jueves viernes sábado domingo",
}
_WORDS: dict[str, dict[str, str]] = {"en": _ENGLISH, "es": _SPANISH}
STAFF_LANGUAGES = tuple(_WORDS)
"""The languages that reasons are written in; a school with another one reads English."""


def topic_of(scores: Sequence[float]) -> str:
    """The topic with the highest score, of `TOPICS`."""
    return TOPICS[max(range(len(TOPICS)), key=lambda index: scores[index])]


def reason(
    tag: Tag,
    topic: str,
    language: str,
    evidence: Evidence,
    *,
    days: Sequence[Mention] = (),
    clocks: Sequence[Clock] = (),
    received: datetime | None = None,
    due: int = 0,
    staff: str = "en",
) -> Reason:
    """The reason for `tag`. `days` and `clocks` are what the whole text names, `due` how many days after the received
    one an urgent matter is acted on, `staff` the language of who reads it."""
    words = _WORDS.get(staff, _ENGLISH)
    if not evidence.sentence:
        return Reason(words["no words"], "")
    cue = f"{words[tag]}: {words[topic]}" if tag is not Tag.ROUTINE else words[tag]
    if tag is Tag.URGENT and (when := _when(words, evidence, days, clocks, received, due)):
        cue += f", {when}"
    if language not in SUPPORTED:
        cue += f"; {words['not learned'].format(language=language)}"
    return Reason(cue, evidence.sentence)


def topic_in_words(topic: str, staff: str = "en") -> str:
    """What a topic is called by the staff: "pickup or transport"; one that is not known is "another matter"."""
    words = _WORDS.get(staff, _ENGLISH)
    return words[topic if topic in TOPICS else "other"]


def alarm_reason(alarm: Alarm, staff: str = "en") -> Reason:
    """The reason where the safety net holds, whatever the model said."""
    words = _WORDS.get(staff, _ENGLISH)
    return Reason(f"{words[Tag.URGENT]}: {words[alarm.kind]} ({words['alarm']})", alarm.sentence)


def _when(
    words: dict[str, str],
    evidence: Evidence,
    days: Sequence[Mention],
    clocks: Sequence[Clock],
    received: datetime | None,
    due: int,
) -> str:
    """The day and the clock time that the deciding sentence names, where they count; the day from anywhere else in the
    letter otherwise."""
    counting = [day for day in days if 0 <= day.days <= due]
    here = [day for day in counting if evidence.begin <= day.begin < evidence.end]
    clock = next((clock for clock in clocks if evidence.begin <= clock.begin < evidence.end), None)
    named = [_day(words, day.days, received) for day in (here or counting)[:1]]
    if clock is not None:
        named.append(f"{int(clock.hour)}:{round(clock.hour % 1 * 60):02d}")
    return " ".join(named)


def _day(words: dict[str, str], ahead: int, received: datetime | None) -> str:
    if ahead == 0 or received is None:
        return words["today"]
    if ahead == 1:
        return words["tomorrow"]
    return words["days"].split()[(received + timedelta(days=ahead)).weekday()]
