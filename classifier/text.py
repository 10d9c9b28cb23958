"""What of a letter is read: the subject and the newest text."""

from classifier.verdict import Letter
from classifier.words import tidy
from connectors.mime import newest_text

_BEGINNING, _END = 150_000, 50_000
"""Characters of a body that are searched for the newest text."""


def text_of(letter: Letter) -> str:
    """The text the model reads, the subject on its first line."""
    body = letter.body
    if len(body) > _BEGINNING + _END:
        body = f"{body[:_BEGINNING]}\n{body[-_END:]}"
    return tidy(f"{letter.subject}\n{body if letter.only_newest else newest_text(body)}")
