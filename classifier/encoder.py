"""A small transformer that reads whole messages: all-MiniLM-L6-v2, taught our questions, in eight-bit numbers.

It answers both questions and the topic, and says which sentence it looked at. It runs in ONNX Runtime on the processor;
PyTorch is needed only to train it (`classifier.encoder_training`).
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import get_args

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from classifier.errors import ModelError
from classifier.rendering import Rendered
from config.settings import Topic

Singles = npt.NDArray[np.float32]

MODEL, VOCABULARY = "encoder.onnx", "tokenizer.json"
TOPICS: tuple[str, ...] = get_args(Topic)
"""Where an item goes, in the order of the encoder's outputs (docs/labelling.md, "Topics")."""
MOST_TOKENS = 256
"""Of a longer letter the beginning and the end are read: there stands the sentence that changes everything."""
_END_TOKENS = 96
_NO_SENTENCE = -1
_REMEMBERED = 1000
"""Answers kept, the latest: what goes to the office or gets a draft is read once more within seconds, and a newsletter
comes to a hundred mailboxes. Each takes a kilobyte or so, and holds no word of the letter."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A letter as numbers: the tokens, and of which sentence (of `Rendered.sentences`) each is, -1 for none."""

    ids: list[int]
    sentence: list[int]

    def digest(self, sentences: int) -> bytes:
        """The same for letters that the encoder cannot tell apart, of so many sentences."""
        numbers = np.array([sentences, *self.ids, *self.sentence], dtype=np.int32)
        return blake2b(numbers.tobytes(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the encoder says of one letter."""

    odds: Singles
    """Log odds of the questions, in `Question`'s order, before calibration."""
    topics: Singles
    """A score for each of `TOPICS`."""
    weight: Singles
    """How much of its attention, 0 to 1, each question gave to each sentence: (questions, sentences)."""


class Reader:
    """Turns rendered letters into tokens."""

    def __init__(self, vocabulary: Path) -> None:
        """`vocabulary` is a tokenizer.json. Raises `ModelError`."""
        try:
            self._tokenizer = Tokenizer.from_file(str(vocabulary))
        except Exception as error:  # the library raises nothing narrower
            raise ModelError(f"{vocabulary}: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._begin, self._end, self._bar = (self._id(token) for token in ("[CLS]", "[SEP]", "|"))

    def _id(self, token: str) -> int:
        found: int | None = self._tokenizer.token_to_id(token)
        if found is None:
            raise ModelError(f"the vocabulary lacks {token!r}; it is not the encoder's")
        return found

    def tokens(self, letters: Sequence[Rendered]) -> list[Tokens]:
        """The tokens of each letter: its opening, a bar, and its sentences."""
        pieces = [piece for letter in letters for piece in (letter.opening, *letter.sentences)]
        encoded = iter(self._tokenizer.encode_batch_fast(pieces, add_special_tokens=False))
        return [self._tokens([next(encoded).ids for _ in range(1 + len(letter.sentences))]) for letter in letters]

    def _tokens(self, pieces: list[list[int]]) -> Tokens:
        opening, *rest = pieces
        ids, sentence = [*opening, self._bar], [_NO_SENTENCE] * (len(opening) + 1)
        for number, piece in enumerate(rest):
            ids += piece
            sentence += [number] * len(piece)
        if len(ids) > MOST_TOKENS - 2:
            begin = MOST_TOKENS - 2 - _END_TOKENS
            ids, sentence = ids[:begin] + ids[-_END_TOKENS:], sentence[:begin] + sentence[-_END_TOKENS:]
        return Tokens([self._begin, *ids, self._end], [_NO_SENTENCE, *sentence, _NO_SENTENCE])


class Encoder:
    """The encoder, open for reading. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Opens the encoder in `folder`. Raises `ModelError`."""
        self.folder = folder
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's errors share no base but this
            raise ModelError(f"{folder / MODEL}: {error}") from error
        self._reader = Reader(folder / VOCABULARY)
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._lock = Lock()

    def answers(self, letters: Sequence[Rendered]) -> list[Answer]:
        """One answer per letter, in order.

        Every letter is read alone: eight-bit numbers are scaled to the largest beside them, so in one batch the answer
        to a letter would depend on its neighbours. Letters are spread over the processors instead.
        """
        tokens = self._reader.tokens(letters)
        if len(tokens) == 1:
            return [self._answer(letters[0], tokens[0])]
        with ThreadPoolExecutor(_processors()) as pool:
            return list(pool.map(self._answer, letters, tokens))

    def _answer(self, letter: Rendered, tokens: Tokens) -> Answer:
        key = tokens.digest(len(letter.sentences))
        with self._lock:
            known = self._answers.get(key)
            if known is not None:
                self._answers.move_to_end(key)
                return known
        answer = self._work_out(letter, tokens)
        with self._lock:
            self._answers[key] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _work_out(self, letter: Rendered, tokens: Tokens) -> Answer:
        ids, mask = padded([tokens.ids])
        odds, topics, attention = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return Answer(odds[0], topics[0], _by_sentence(attention[0], tokens.sentence, len(letter.sentences)))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def padded(rows: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of token ids as one matrix, filled up with zeros, and the mask that tells them apart."""
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask


def _by_sentence(attention: Singles, sentence: Sequence[int], count: int) -> Singles:
    """Attention by token, (tokens, questions), summed up by sentence, (questions, sentences)."""
    place = np.asarray(sentence) + 1  # tokens of no sentence go before the first
    sums = [np.bincount(place, weights=column, minlength=count + 1)[1:] for column in attention.T]
    return np.array(sums, dtype=np.float32)
