"""The classifier as the rest of the program sees it: letters in, verdicts out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from classifier.decision import Question, Thresholds, is_unsure, tag_of
from classifier.encoder import Encoder
from classifier.errors import ModelError
from classifier.language import Languages
from classifier.lean_spacy import spacy
from classifier.questions import CALENDAR, EVIDENCE, FACTORY, LANGUAGE, READING, RECEIVED, TOPIC_SCORES
from classifier.raising import raised
from classifier.reasons import reason, topic_of
from classifier.safety_net import ALARM, SAFETY
from classifier.text import text_of
from classifier.times import USUAL
from classifier.verdict import Letter, Verdict
from config.calendar import SchoolCalendar
from config.settings import Classification


@dataclass(frozen=True, slots=True)
class Bearings:
    """What a school tells the classifier about itself."""

    calendar: SchoolCalendar = USUAL
    staff: str = "en"
    """The staff's language, ISO 639-1, in which reasons are given."""
    sureness: Classification = field(default_factory=Classification)
    """How sure it must be; what is left out there, the model says."""

    def thresholds(self, learned: Thresholds) -> Thresholds:
        """The school's thresholds, where it has none of its own the model's."""
        own = {
            "urgent": self.sureness.urgent_from,
            "conflict": self.sureness.conflict_from,
            "doubt": self.sureness.doubt,
        }
        return learned.model_copy(update={name: value for name, value in own.items() if value is not None})


class Classifier:
    """Reads letters with one model. Safe to use from several threads; they take turns, a batch at a time."""

    def __init__(
        self, nlp: Any, languages: Languages, bearings: Bearings | None = None, turn: "Lock | None" = None
    ) -> None:
        """`nlp` is a pipeline with a component of `classifier.questions`; `classifier.load` opens one from disk."""
        self._nlp = nlp
        self._languages = languages
        self._bearings = bearings or Bearings()
        self._turn = turn or Lock()

    @classmethod
    def open(
        cls, folder: Path, languages: Callable[[], Languages] = Languages, bearings: Bearings | None = None
    ) -> "Classifier":
        """The classifier with the model in `folder`. Raises `ModelError`."""
        try:
            nlp = spacy.load(folder, exclude=["vocab"])
            nlp.get_pipe(FACTORY)
            if SAFETY not in nlp.pipe_names:
                nlp.add_pipe(SAFETY, last=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder}: the model does not load ({error}); `alliance train` makes it anew") from error
        return cls(nlp, languages(), bearings)

    def at(self, bearings: Bearings) -> "Classifier":
        """The same model for a school with these bearings."""
        return Classifier(self._nlp, self._languages, bearings, self._turn)

    @property
    def version(self) -> str:
        """Name and version of the model, with the beginning of its digest: two models never share one."""
        meta = self._nlp.meta
        return f"{meta['name']}-{meta['version']}+{meta.get('digest', 'unsaved')}"

    @property
    def encoder(self) -> Encoder | None:
        """The half of the model that reads whole sentences; None of one that nothing has taught yet."""
        found: Encoder | None = self._nlp.get_pipe(FACTORY).encoder
        return found

    @property
    def languages(self) -> Languages:
        """What tells languages apart."""
        return self._languages

    @property
    def thresholds(self) -> Thresholds:
        """From which probability on a question is answered with yes."""
        return self._bearings.thresholds(self._nlp.get_pipe(FACTORY).answers.thresholds)

    def read(self, letters: Iterable[Letter], *, batch_size: int = 256, explain: bool = True) -> Iterator[Verdict]:
        """One verdict per letter, in order. Reads `batch_size` letters ahead. Whatever a letter holds, it gets one.
        Without `explain` the verdicts carry no reasons."""
        waiting = iter(letters)
        while batch := list(islice(waiting, batch_size)):
            with self._turn:
                verdicts = self._read(batch, explain=explain)
            yield from verdicts

    def _read(self, letters: list[Letter], *, explain: bool) -> list[Verdict]:
        # The zone lets go of the words of these letters afterwards; a service that runs for a year must not keep them.
        with self._nlp.memory_zone():
            documents = []
            for letter in letters:
                text = text_of(letter)
                document = self._nlp.make_doc(text)
                document.user_data[RECEIVED] = letter.received
                document.user_data[LANGUAGE] = self._languages.of(text)
                document.user_data[CALENDAR] = self._bearings.calendar
                documents.append(document)
            answered = self._nlp.pipe(documents, batch_size=len(documents))
            return [self._verdict(document, explain=explain) for document in answered]

    def _verdict(self, document: Any, *, explain: bool) -> Verdict:
        found = document.user_data
        urgent, conflict = document.cats[Question.URGENT], document.cats[Question.CONFLICT]
        language, topic = found[LANGUAGE], topic_of(found[TOPIC_SCORES])
        tag = tag_of(urgent, conflict, self.thresholds)
        otherwise = tag_of(0, conflict, self.thresholds)
        unsure = is_unsure(urgent, conflict, language, self.thresholds)
        alarm = found.get(ALARM)
        if not explain:
            verdict = Verdict(urgent, conflict, tag, unsure, language, topic, otherwise=otherwise)
            return verdict if alarm is None else raised(verdict, alarm, self.thresholds)
        reading = found[READING]
        why = reason(
            tag,
            topic,
            language,
            found[EVIDENCE],
            days=reading.named.mentions,
            clocks=reading.named.clocks,
            received=reading.received,
            due=reading.due,
            staff=self._bearings.staff,
        )
        verdict = Verdict(urgent, conflict, tag, unsure, language, topic, (why,), otherwise)
        return verdict if alarm is None else raised(verdict, alarm, self.thresholds, self._bearings.staff)
