"""The school's own notes beside the built-in ones, for whoever approves a wording."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from autoresponder import draft_gallery
from autoresponder.conversation import WAYS
from autoresponder.gallery import KINDS, gallery
from autoresponder.note import Note, template
from autoresponder.reach_me import reach_me
from autoresponder.wording import wording
from config.settings import OwnWording, Settings
from connectors.labels import Tag


@dataclass(frozen=True, slots=True)
class Pair:
    """One note, in both wordings."""

    name: str
    """For people, such as "routine, office closed"."""
    built_in: Note
    own: Note

    @property
    def differs(self) -> bool:
        """Whether a family would read something else."""
        return self.built_in.text() != self.own.text()

    def text(self) -> str:
        """Both as one text, paragraph by paragraph: "-" before what is built in, "+" before what is the school's."""
        old, new = (note.text().strip().split("\n\n") for note in (self.built_in, self.own))
        paragraphs: list[str] = []
        for change, first, after, begins, ends in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if change == "equal":
                paragraphs += [_marked("  ", each) for each in old[first:after]]
            else:
                paragraphs += [_marked("- ", each) for each in old[first:after]]
                paragraphs += [_marked("+ ", each) for each in new[begins:ends]]
        return "\n\n".join(paragraphs) + "\n"


def answers(language: str, settings: Settings, *, tag: Tag | None, crisis: bool = False) -> Iterator[Pair]:
    """The answers of one tag, of all where it is None, or only those in a `crisis`; and "how to reach me" with all."""
    plain = _built_in(settings)
    for (name, built_in), (_, own) in zip(gallery(language, plain), gallery(language, settings), strict=True):
        kind = KINDS[name]
        if (tag is None or kind.tag is tag) and (not crisis or kind.more.get("crisis")):
            yield Pair(name, built_in, own)
    if tag is None and not crisis:
        box = settings.mailboxes[0]
        yield Pair("how to reach me", reach_me(language, box, plain), reach_me(language, box, settings))


def drafts(language: str, settings: Settings) -> Iterator[Pair]:
    """The drafts for hard conversations."""
    both = draft_gallery.gallery(language, _built_in(settings)), draft_gallery.gallery(language, settings)
    for (topics, built_in), (_, own) in zip(*both, strict=True):
        for way, old, new in zip(WAYS, built_in, own, strict=True):
            yield Pair(f"draft about {', '.join(topics).replace('_', ' ')}, {way.name}", old, new)


def page(language: str, pairs: list[Pair], settings: Settings) -> str:
    """All pairs as one HTML page, each note as a family's mail program shows it."""
    words = wording(language)
    return template("beside.html.j2").render(
        pairs=pairs, language=language, name=words.locale.get_display_name("en"), school=settings.school.name
    )


def _built_in(settings: Settings) -> Settings:
    return settings.model_copy(update={"wording": OwnWording()})


def _marked(mark: str, paragraph: str) -> str:
    return "\n".join(mark + line for line in paragraph.splitlines())
