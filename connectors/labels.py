"""The labels this product puts on a message. One word per thing: the same names stand in mailbox, table and page."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Tag(StrEnum):
    """What a message needs from the school, and by when (shared law: `docs/labelling.md`)."""

    URGENT = "urgent"
    CONFLICT = "conflict"
    ROUTINE = "routine"


class Label(StrEnum):
    """A mark that a teacher sees, or sets, in their own mail program: the three tags, and what may stand beside one."""

    URGENT = "urgent"
    CONFLICT = "conflict"
    ROUTINE = "routine"
    CHECK = "check"
    """The service asks the teacher to check the tag."""
    PLAN_AGREED = "plan-agreed"
    """The teacher says that family and school agreed on a plan."""
    ANOTHER_DRAFT = "another-draft"
    """The teacher asks for another draft of an answer."""
    HANDLED = "handled"
    """The office closed the matter."""
    GOOD_NEWS = "good-news"
    """A mail of the teacher's own is good news to a family: the service sets it, and the teacher corrects it."""


TEACHERS = frozenset({Label.PLAN_AGREED, Label.ANOTHER_DRAFT})
"""The marks that only the teacher sets. They say nothing of the tag, and writing labels never touches them."""
SERVICES = frozenset(Label) - TEACHERS
"""The labels that the service writes."""
REMARKS = TEACHERS | {Label.HANDLED, Label.GOOD_NEWS}
"""Labels that say nothing of the tag, whoever sets them or takes them away."""
PICKED = TEACHERS | {Label.GOOD_NEWS}
"""Labels that a teacher picks from a list by themselves: mail programs show them before the service has set any."""

KEYWORDS: Mapping[Label, str] = MappingProxyType(
    {label: "Alliance" + "".join(word.capitalize() for word in label.value.split("-")) for label in Label}
)
"""The IMAP keyword (RFC 3501 §2.3.2) of each label, e.g. AllianceUrgent, AlliancePlanAgreed."""

PARENT = "Alliance"
NAMES: Mapping[Label, str] = MappingProxyType(
    {
        Label.URGENT: f"{PARENT}/Urgent",
        Label.CONFLICT: f"{PARENT}/Conflict",
        Label.ROUTINE: f"{PARENT}/Routine",
        Label.CHECK: f"{PARENT}/Please check",
        Label.PLAN_AGREED: f"{PARENT}/Plan agreed",
        Label.ANOTHER_DRAFT: f"{PARENT}/Another draft",
        Label.HANDLED: f"{PARENT}/Handled by office",
        Label.GOOD_NEWS: f"{PARENT}/Good news",
    }
)
"""Each label as teachers read it where names are free: Gmail's labels, Outlook's categories."""


@dataclass(frozen=True, slots=True)
class Relabelling:
    """What is to become of a message's labels. What is in neither set stays as it is."""

    add: frozenset[Label]
    remove: frozenset[Label]

    def of(self, carried: frozenset[Label]) -> frozenset[Label]:
        """The labels of a message that carried `carried`."""
        return (carried | self.add) - self.remove


def written(labels: frozenset[Label]) -> Relabelling:
    """Makes `labels` the service's labels of a message. The teacher's marks stay as they are; in `labels` they say
    nothing."""
    return Relabelling(add=labels - TEACHERS, remove=SERVICES - labels)


def taken_away(labels: frozenset[Label]) -> Relabelling:
    """Takes `labels` away."""
    return Relabelling(add=frozenset(), remove=labels)


def labels_for(tag: Tag, *, unsure: bool) -> frozenset[Label]:
    """The labels that say `tag`, with "please check" beside it where the classifier was unsure."""
    return frozenset({Label(tag), Label.CHECK}) if unsure else frozenset({Label(tag)})


def tag_of(labels: frozenset[Label]) -> Tag | None:
    """The tag that `labels` say, None where they say none. Where two stand together the graver one wins."""
    return next((tag for tag in Tag if Label(tag) in labels), None)
