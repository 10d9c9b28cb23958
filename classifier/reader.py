"""The classifier as the rest of the program sees it: letters in, verdicts out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from classifier.decision import SUPPORTED, Question, Thresholds, is_unsure, tag_of
from classifier.errors import ModelError
from classifier.evidence import Evidence
from classifier.language import Languages
from classifier.lean_spacy import spacy
from classifier.questions import EVIDENCE, FACTORY, RECEIVED, TEXT, UNEXPLAINED
from classifier.text import text_of
from classifier.times import EXPLAINED
from classifier.verdict import Letter, Reason, Verdict
from connectors.labels import Tag


class Classifier:
    """Reads letters with one model. Safe to use from several threads; they take turns, a batch at a time."""

    def __init__(self, nlp: Any, languages: Languages) -> None:
        """`nlp` is a pipeline with a component of `classifier.questions`; `classifier.load` opens one from disk."""
        self._nlp = nlp
        self._languages = languages
        self._turn = Lock()

    @classmethod
    def open(cls, folder: Path, languages: Callable[[], Languages] = Languages) -> "Classifier":
        """The classifier with the model in `folder`. Raises `ModelError`."""
        try:
            nlp = spacy.load(folder, exclude=["vocab"])
            nlp.get_pipe(FACTORY)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder}: the model does not load ({error}); `alliance train` makes it anew") from error
        return cls(nlp, languages())

    @property
    def version(self) -> str:
        """Name and version of the model, with the beginning of its digest: two models never share one."""
        meta = self._nlp.meta
        return f"{meta['name']}-{meta['version']}+{meta.get('digest', 'unsaved')}"

    @property
    def thresholds(self) -> Thresholds:
        """From which probability on a question is answered with yes."""
        found: Thresholds = self._nlp.get_pipe(FACTORY).answers.thresholds
        return found

    def read(self, letters: Iterable[Letter], *, batch_size: int = 256, explain: bool = True) -> Iterator[Verdict]:
        """One verdict per letter, in order. Reads `batch_size` letters ahead. Whatever a letter holds, it gets one.
        Without `explain` the verdicts carry no reasons, and come a quarter sooner."""
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
                document = self._nlp.make_doc(text_of(letter))
                document.user_data[RECEIVED] = letter.received
                document.user_data[UNEXPLAINED] = not explain
                documents.append(document)
            answered = self._nlp.pipe(documents, batch_size=len(documents))
            return [self._verdict(document.cats, document.user_data) for document in answered]

    def _verdict(self, probabilities: Mapping[str, float], found: Mapping[str, Any]) -> Verdict:
        urgent, conflict = probabilities[Question.URGENT], probabilities[Question.CONFLICT]
        language = self._languages.of(found[TEXT])
        tag = tag_of(urgent, conflict, self.thresholds)
        unsure = is_unsure(urgent, conflict, language, self.thresholds)
        reasons = (_reason(tag, language, found[EVIDENCE]),) if EVIDENCE in found else ()
        return Verdict(urgent, conflict, tag, unsure, language, reasons)


_SAYS = {
    Tag.URGENT: "reads as urgent",
    Tag.CONFLICT: "reads as a dispute or complaint",
    Tag.ROUTINE: "nothing urgent or disputed found",
}


def _reason(tag: Tag, language: str, evidence: Evidence) -> Reason:
    if not evidence.phrase:
        return Reason("no words to judge by", evidence.sentence)
    cue = _SAYS[tag]
    cue += f"; {'nearest' if tag is Tag.ROUTINE else 'weightiest'} words: “{evidence.phrase}”"
    if tag is Tag.URGENT:
        cue += "".join(f"; {meaning}" for name, meaning in EXPLAINED.items() if name in evidence.cues)
    if language not in SUPPORTED:
        cue += f"; in a language that the model has not learned ({language})"
    return Reason(cue, evidence.sentence)
