"""What the morning mail says of good news: a few families who have had none from the teacher yet. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from autoresponder.note import Block, Paragraph, Row, Rows
from autoresponder.outgoing import one_line
from autoresponder.wording import Wording

_NAME_CHARACTERS = 60
_STUDENTS = 3


@dataclass(frozen=True, slots=True)
class GlowLines:
    """The families that are named, each by the children whom the teacher has in class; none on most days."""

    families: tuple[tuple[str, ...], ...] = ()
    """Names are not trusted: they are bounded and stripped when worded."""


def counted_glow(lines: GlowLines, words: Wording) -> tuple[str, ...]:
    """The part of the mail's subject."""
    _ = words.gettext
    # Translators: part of a subject line, right for any number.
    return (_("{count} for good news").format(count=len(lines.families)),) if lines.families else ()


def glow_blocks(lines: GlowLines, words: Wording) -> Iterator[Block]:
    """The part of the mail."""
    _ = words.gettext
    if not lines.families:
        return
    named = tuple(
        words.list([one_line(student, _NAME_CHARACTERS) for student in students[:_STUDENTS]])
        for students in lines.families
    )
    yield Rows((Row(_("No good word from you yet this term"), named),))
    yield Paragraph(
        _(
            "One line about something that went well is enough, by mail or by phone. Answer this mail with “drafts "
            "please”, and a draft for each of them lies in your Drafts, for you to finish and send."
        )
    )
