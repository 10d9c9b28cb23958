"""The safety net: reviewed phrases that no model can lose. It can raise a message to urgent and never lowers one.

Kept apart from the model on purpose: it is made of `classifier/safety/<language>.toml`, files that people read and
correct (docs/reference/safety-net.md), and no training touches them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from classifier.decision import UNDETERMINED
from classifier.evidence import LONGEST_SENTENCE
from classifier.lean_spacy import spacy
from classifier.phrase_book import PAUSES, Book, Kind, Phrase, Setting, Token, book, comparable, phrases
from classifier.questions import LANGUAGE, TEXT, WORDS
from classifier.sentences import sentences
from classifier.words import Words

Doc, Matcher, LOWER = spacy.tokens.Doc, spacy.matcher.Matcher, spacy.attrs.LOWER

SAFETY = "alliance_safety"
ALARM = "alarm"
"""Key of `doc.user_data` under which the first `Alarm` comes out, None where there is none."""

_INNOCENT, _BEFORE, _AFTER, _STOPS, _SEEMING = "innocent", "before", "after", "stops", "only seeming"
_SETTINGS = frozenset(setting.value for setting in Setting)
_DISARMING = {
    spacy.strings.get_string_id(label): label for label in (_INNOCENT, _BEFORE, _AFTER, _STOPS, _SEEMING, *_SETTINGS)
}
_REACH = 2
"""Words between a denial and what it denies."""
_AROUND = 25
"""Words on either side of a phrase that count as its sentence: voice-typed mail has none of its own."""
_SHORT = 25
"""Letters below which a language is hard to tell; English and Spanish are tried as well."""
_COMMONEST = ("en", "es")
_SHOWN_BEFORE = 100
_PATTERNS_OF_ONE = 64
"""Characters shown before a phrase that stands far inside an endless sentence."""
MATCHERS_KEPT = 500
"""Of a language, those that were asked last: each takes some 12 kB, and there are thousands of phrases."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A phrase of this kind, in this sentence of the text."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class _Match:
    label: str
    begin: int
    end: int

    def overlaps(self, other: "_Match") -> bool:
        return self.begin < other.end and other.begin < self.end


class _Patterns:
    """One language's phrases, ready to be looked for. Not to be shared between threads.

    A `Matcher` of thousands of patterns takes many milliseconds a message. So every phrase has one of its own, made
    when a sentence first holds all of its words, and asked only then.
    """

    def __init__(self, language: str, source: Book, *, plain: bool = False) -> None:
        self._language, self._plain, self._source = language, plain, source
        self._vocab = spacy.vocab.Vocab(lex_attr_getters={LOWER: str.lower})
        self._alarms = [
            (kind.value, phrase)
            for kind, notations in source.alarms.items()
            for notation in notations
            for phrase in set(self._phrases(notation))
        ]
        self._matchers: dict[int, Any] = {}
        self._disarming: Sequence[Any] | None = None
        self._by_word: dict[str, list[int]] = {}
        self._by_stem: dict[str, list[int]] = {}
        common = Counter(word for _, phrase in self._alarms for token in phrase for word in token.words)
        self._rank = cache(lambda token: token.commonness(common))
        self._others: dict[int, Sequence[Token]] = {}
        """What else has to be there for a phrase, what is least common first; made when it is first asked for, since
        Chinese has fifty thousand phrases."""
        for number in range(len(self._alarms)):
            rarest = self._rarest(number)
            for word in rarest.words:
                self._by_word.setdefault(word, []).append(number)
            for stem in rarest.stems:
                self._by_stem.setdefault(stem, []).append(number)
        self._stems = tuple(self._by_stem)

    def alarms(self, words: Sequence[str]) -> Iterator[tuple[Kind, int]]:
        """(kind, first word) of every alarm in the words of one sentence."""
        read = [comparable(word, self._language, plain=self._plain) for word in words]
        numbers = self._candidates(read)
        if not numbers:
            return
        matchers = [self._matcher(number) for number in numbers]
        # The zone lets go of the words afterwards; the patterns, made outside, stay.
        with self._vocab.memory_zone():
            doc = Doc(self._vocab, words=read)
            alarms = [
                _Match(self._alarms[number][0], begin, end)
                for number, matcher in zip(numbers, matchers, strict=True)
                for _, begin, end in matcher(doc)
            ]
        against = self._against(read) if alarms else []
        disarmed = [alarm for alarm in alarms if any(_disarms(other, alarm, against, read) for other in against)]
        for alarm in sorted(alarms, key=lambda match: match.begin):
            # What is denied of "wants to kill himself" is denied of "kill himself".
            if not any(alarm.overlaps(other) for other in disarmed):
                yield Kind(alarm.label), alarm.begin

    def explained(self, kind: Kind, words: Sequence[str]) -> bool:
        """True where the words, which follow an alarm of this kind, say that all is well."""
        read = [comparable(word, self._language, plain=self._plain) for word in words]
        said = {match.label for match in self._against(read)}
        return Setting.EXPLAINED in said or (kind is Kind.MISSING_CHILD and Setting.RETURNED in said)

    def _candidates(self, read: Sequence[str]) -> list[int]:
        """The phrases whose words are all among these."""
        numbers = set[int]()
        present = frozenset(read)
        for word in present:
            numbers.update(self._by_word.get(word, ()))
            if word.startswith(self._stems):
                numbers.update(*(found for stem, found in self._by_stem.items() if word.startswith(stem)))
        begun = dict[tuple[str, ...], bool]()
        found = []
        for number in numbers:
            others = self._others.get(number)
            if others is None:
                others = self._others[number] = self._others_of(number)
            for words, stems in others:
                if not words.isdisjoint(present):
                    continue
                if stems not in begun:  # of none: no
                    begun[stems] = any(word.startswith(stems) for word in present)
                if not begun[stems]:
                    break
            else:
                found.append(number)
        return sorted(found)

    def _rarest(self, number: int) -> Token:
        """What of a phrase fewest texts will have."""
        return min((token for token in self._alarms[number][1] if not token.is_gap), key=self._rank)

    def _others_of(self, number: int) -> Sequence[Token]:
        spoken = {token for token in self._alarms[number][1] if not token.is_gap}
        return sorted(spoken - {self._rarest(number)}, key=self._rank)

    def _matcher(self, number: int) -> Any:
        matcher = self._matchers.pop(number, None)
        if matcher is None:
            matcher = Matcher(self._vocab, validate=False)
            matcher.add("alarm", [_pattern(self._alarms[number][1])])
        self._matchers[number] = matcher  # the last one of them: it was just asked for
        if len(self._matchers) > MATCHERS_KEPT:
            del self._matchers[next(iter(self._matchers))]
        return matcher

    def _against(self, read: Sequence[str]) -> Sequence[_Match]:
        """Whatever in these words may take the alarm out of a phrase."""
        if self._disarming is None:
            self._disarming = self._all_disarming()
        with self._vocab.memory_zone():
            doc = Doc(self._vocab, words=read)
            found = [match for matcher in self._disarming for match in matcher(doc)]
        return [_Match(_DISARMING[key], begin, end) for key, begin, end in found]

    def _all_disarming(self) -> Sequence[Any]:
        source = self._source
        labelled = [
            (_INNOCENT, source.innocent),
            (_BEFORE, source.negation.before),
            (_AFTER, source.negation.after),
            (_STOPS, source.negation.stops),
            (_SEEMING, source.negation.only_seeming),
            *((setting.value, notations) for setting, notations in source.settings.items()),
        ]
        return [matcher for label, notations in labelled for matcher in self._matchers_of(label, notations)]

    def _matchers_of(self, label: str, notations: Sequence[str]) -> Iterator[Any]:
        """Several, of some patterns each: to add one takes the longer the more there are."""
        found = [_pattern(phrase) for notation in notations for phrase in self._phrases(notation)]
        for first in range(0, len(found), _PATTERNS_OF_ONE):
            matcher = Matcher(self._vocab, validate=False)
            matcher.add(label, found[first : first + _PATTERNS_OF_ONE])
            yield matcher

    def _phrases(self, notation: str) -> Iterator[Phrase]:
        return phrases([notation], self._language, self._source.words, plain=self._plain)


def _pattern(phrase: Phrase) -> list[dict[str, Any]]:
    return [part for token in phrase for part in token.patterns()]


def _disarms(other: _Match, alarm: _Match, found: Sequence[_Match], words: Sequence[str]) -> bool:
    """True where `other` takes the alarm out of `alarm`."""
    if other.label == _INNOCENT:
        return other.overlaps(alarm)
    if other.label == Setting.RETURNED and alarm.label != Kind.MISSING_CHILD:
        return False
    if other.label in _SETTINGS:
        return other.begin - alarm.end <= _AROUND and alarm.begin - other.end <= _AROUND
    if other.label == _BEFORE:
        between = range(other.end, alarm.begin)
    elif other.label == _AFTER:
        between = range(alarm.end, other.begin)
    else:
        return False
    starts = other.end <= alarm.begin if other.label == _BEFORE else alarm.end <= other.begin
    if not starts or len(between) > _REACH or any(words[place] in PAUSES for place in between):
        return False
    return not any(
        (met.label == _SEEMING and met.overlaps(other)) or (met.label == _STOPS and met.begin in between)
        for met in found
    )


class SafetyNet:
    """A spaCy component that sets `doc.user_data[ALARM]`. Reads what `classifier.questions` leaves there. A language's
    phrases are made ready when they are first needed. Not to be shared between threads."""

    def __init__(self) -> None:
        """Ready at once."""
        self._patterns: dict[tuple[str, bool], _Patterns | None] = {}

    def __call__(self, doc: Any) -> Any:
        """Looks for an alarm in one document."""
        given = doc.user_data
        given[ALARM] = self.first_alarm(given[TEXT], given[WORDS], given.get(LANGUAGE, UNDETERMINED))
        return doc

    def pipe(self, stream: Iterable[Any], *, batch_size: int = 256) -> Iterator[Any]:  # noqa: ARG002 - spaCy gives it
        """Looks for alarms in a stream of documents."""
        return map(self, stream)

    def first_alarm(self, text: str, words: Words, language: str) -> Alarm | None:
        """The first alarm in `text`, whose words are `words`; None where there is none."""
        return next(self.alarms(text, words, language), None)

    def alarms(self, text: str, words: Words, language: str) -> Iterator[Alarm]:
        """Every alarm in `text`, in order. Raises `ModelError` where a shipped file is damaged."""
        books = [
            found
            for code in _read_as(language, text)
            if (found := self._book(code, plain=code == "vi" and text.isascii())) is not None
        ]
        places = _places(words)
        first = 0
        for begin, end in sentences(text):
            while first < len(places) and places[first] < begin:
                first += 1
            last = first
            while last < len(places) and places[last] < end:
                last += 1
            for patterns in books:
                for kind, from_ in patterns.alarms(words.words[first:last]):
                    if patterns.explained(kind, words.words[last:]):
                        break
                    yield Alarm(kind, _shown(text, begin, end, places[first + from_]))
            first = last

    def _book(self, language: str, *, plain: bool) -> _Patterns | None:
        key = language, plain
        if key not in self._patterns:
            source = book(language)
            self._patterns[key] = _Patterns(language, source, plain=plain) if source else None
        return self._patterns[key]


def _read_as(language: str, text: str) -> tuple[str, ...]:
    """The languages whose phrases are looked for. English always: families fall into it in mid-sentence."""
    if language == UNDETERMINED or (text.isascii() and sum(map(str.isalpha, text)) < _SHORT):
        return tuple(dict.fromkeys((language, *_COMMONEST)))
    return tuple(dict.fromkeys((language, "en")))


def _places(words: Words) -> list[int]:
    """Where in the text each word begins."""
    places, place = [], 0
    for word, space in zip(words.words, words.spaces, strict=True):
        places.append(place)
        place += len(word) + space
    return places


def _shown(text: str, begin: int, end: int, phrase: int) -> str:
    if end - begin > LONGEST_SENTENCE and phrase - begin > _SHOWN_BEFORE:
        begin = text.rfind(" ", begin, phrase - _SHOWN_BEFORE // 2) + 1 or begin
    return text[begin : min(end, begin + LONGEST_SENTENCE)].strip()


def _make_safety_net(nlp: Any, name: str) -> SafetyNet:  # noqa: ARG001 - spaCy gives factories both
    return SafetyNet()


spacy.Language.factory(SAFETY, func=_make_safety_net)
