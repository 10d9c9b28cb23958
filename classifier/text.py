"""What of a letter is read: the subject and the newest text."""

from classifier.verdict import Letter
from classifier.words import tidy
from connectors.mime import newest_text

_BODY_READ = 200_000
"""Characters of a body that are searched for the newest text; `connectors.mime` keeps no more either."""


def text_of(letter: Letter) -> str:
    """The text the model reads, the subject on its first line."""
    return tidy(f"{letter.subject}\n{newest_text(letter.body[:_BODY_READ])}")
