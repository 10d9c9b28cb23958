"""What the safety net does to a verdict: it can raise one to urgent, and never lowers one."""

from dataclasses import replace

from classifier.decision import Thresholds
from classifier.phrase_book import Kind
from classifier.reasons import alarm_reason
from classifier.safety_net import Alarm
from classifier.verdict import Verdict
from connectors.labels import Tag

_TOPIC = {
    Kind.SELF_HARM: "wellbeing",
    Kind.ABUSE: "wellbeing",
    Kind.WEAPON: "safety",
    Kind.MISSING_CHILD: "whereabouts",
    Kind.MEDICAL: "health",
}
NET_CUES = ("(safety net)", "(red de seguridad)")
"""How the first reason ends where the net holds."""
_URGENT_TOPICS = ("health", "safety", "wellbeing", "pickup_transport", "custody", "whereabouts", "deadline")


def raised(verdict: Verdict, alarm: Alarm, thresholds: Thresholds, staff: str = "en") -> Verdict:
    """`verdict` as urgent because of `alarm`, which is named first where the verdict gives reasons, in the language
    `staff`. Where the model had said otherwise, a person is asked to check."""
    return replace(
        verdict,
        urgent=max(verdict.urgent, thresholds.urgent),
        tag=Tag.URGENT,
        unsure=verdict.unsure or verdict.tag is not Tag.URGENT,
        topic=verdict.topic if verdict.topic in _URGENT_TOPICS else _TOPIC[alarm.kind],
        reasons=(alarm_reason(alarm, staff), *verdict.reasons) if verdict.reasons else (),
    )
