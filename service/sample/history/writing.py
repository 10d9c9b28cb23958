"""Writes what families and teachers write, from the texts beside this file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

from pydantic import BaseModel, ConfigDict

from service.sample.history.people import Child, Guardian, Teacher

Fill = Mapping[str, tuple[str, ...]]


class Text(BaseModel):
    """A text, with names in braces. One that is `older` is not for the little ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    body: str
    subject: str = ""
    older: bool = False


class FamilyTexts(BaseModel):
    """What families write in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    greetings: tuple[str, ...]
    closings: tuple[str, ...]
    fill: Fill
    routine: tuple[Text, ...]
    urgent: tuple[Text, ...]
    conflict: tuple[Text, ...]
    follow_up: tuple[Text, ...]
    """What an upset family writes after the teacher's first answer."""
    glad: tuple[Text, ...]
    """What a family answers to good news."""


class TeacherTexts(BaseModel):
    """What teachers write."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fill: Fill
    good_news: tuple[Text, ...]
    good_news_es: tuple[Text, ...]
    routine: tuple[Text, ...]
    urgent: tuple[Text, ...]
    conflict: tuple[Text, ...]
    agreed: tuple[Text, ...]
    concern: tuple[Text, ...]
    circular: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A subject, empty for an answer, and a body."""

    subject: str
    body: str


@cache
def family_texts(language: str) -> FamilyTexts:
    """The texts of a language; English where there are none."""
    folder = files("service.sample.history") / "letters"
    file = folder / f"{language}.toml"
    if not file.is_file():
        file = folder / "en.toml"
    return FamilyTexts.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


@cache
def teacher_texts() -> TeacherTexts:
    """The teachers' texts."""
    file = files("service.sample.history") / "letters" / "teachers.toml"
    return TeacherTexts.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


class Pen:
    """Chooses and fills texts. The same `random` writes the same."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def of_family(self, texts: Sequence[Text], guardian: Guardian, child: Child, teacher: Teacher) -> Written:
        """A letter of a guardian about a child, one of `texts` of the guardian's language."""
        language = family_texts(guardian.language)
        text = self._choice(texts, teacher)
        greeting, closing = self._random.choice(language.greetings), self._random.choice(language.closings)
        body = "\n\n".join(part for part in (greeting, text.body, closing) if part)
        return self._filled(Text(subject=text.subject, body=body), language.fill, guardian.called, child, teacher)

    def of_teacher(self, texts: Sequence[Text], parent: str, child: Child, teacher: Teacher) -> Written:
        """A letter of the teacher, one of `texts`, to `parent`: as the family is addressed."""
        return self._filled(self._choice(texts, teacher), teacher_texts().fill, parent, child, teacher)

    def _choice(self, texts: Sequence[Text], teacher: Teacher) -> Text:
        little = teacher.grade in {"K", "3"}
        return self._random.choice([text for text in texts if not (little and text.older)])

    def _filled(self, text: Text, fill: Fill, parent: str, child: Child, teacher: Teacher) -> Written:
        words = {name: self._random.choice(choices) for name, choices in fill.items()}
        words |= {"child": child.given_name, "teacher": teacher.called, "parent": parent}
        return Written(text.subject.format(**words), text.body.format(**words))
