"""A file of own sentences to begin with: every sentence with the places it is read in, what it says now, and room."""

from collections.abc import Mapping

from autoresponder.own_sentences import PLACEHOLDERS, placeholders_of
from autoresponder.own_wording import replaceable
from autoresponder.where_used import Place, where_used
from autoresponder.wording import CONVERSATION, FAMILIES, Wording, sentences_in, wording
from config.writing import toml_value

_OPENING = """\
# The school's own sentences, in {name}. Write between the quotation marks after "says"; where you write nothing, the
# built-in sentence stays. Leave "english" as it is: it says which sentence is meant.
#
# - Keep what stands in braces, such as {{day}}, each once: it becomes the day, the phone number and so on.
# - Plain words on one line. A quotation mark inside a sentence is “ ”, or \\".
# - `alliance wording check` says what is wrong; `alliance wording preview --lang {language}` shows old and new.
"""


def own_file(language: str, *, drafts: bool = False, says: Mapping[str, str] | None = None) -> str:
    """The file for one of `LANGUAGES` as TOML: the sentences of the answers and of "how to reach me", and those of the
    `drafts` for hard conversations where wanted. `says` holds what the school has written already."""
    written = says or {}
    words, talk = wording(language), wording(language, CONVERSATION)
    parts = [_OPENING.format(name=words.locale.get_display_name("en"), language=language)]
    parts += [_entry(each, words, written) for each in replaceable() if each in sentences_in(FAMILIES)]
    if drafts or any(each in sentences_in(CONVERSATION) for each in written):
        parts.append("# --- Drafts for hard conversations " + "-" * 86 + "\n")
        parts += [_entry(each, talk, written) for each in replaceable() if each not in sentences_in(FAMILIES)]
    return "\n".join(parts)


def _entry(sentence: str, words: Wording, written: Mapping[str, str]) -> str:
    places = where_used()[sentence]
    lines = [f"# In: {'; '.join(places)}."]
    if places == (Place.CRISIS,):
        lines[0] += " Only with wording.crisis_read_by."
    lines += [f"# {{{name}}} becomes {PLACEHOLDERS[name]}." for name in placeholders_of(sentence)]
    lines.append(f"# Now: {words.gettext(sentence)}")
    lines.append("[[sentence]]")
    lines.append(f"english = {toml_value(sentence)}")
    lines.append(f"says = {toml_value(written.get(sentence, ''))}")
    return "\n".join(lines) + "\n"
