"""Word and character n-grams of a batch of texts, hashed into columns, all at once in numpy.

A polynomial over code points modulo 2**64 names each n-gram; it does not depend on Python's hash, the platform or the
batch. Character n-grams run across words, so that they hold for scripts without spaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BITS = 18
BUCKETS = 1 << BITS
CHARACTERS = (2, 3, 4)
"""Lengths of the character n-grams."""
WORDS = (1, 2)
"""Lengths of the word n-grams."""

_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_DIGITS = ((ord("1"), ord("9")), (ord("٠"), ord("٩")))
"""Ranges of code points that count as "0"."""

Integers = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Grams:
    """Every occurrence of an n-gram: in which text of the batch, at which place of all texts laid end to end, and its
    column: characters first, then words, `BUCKETS` each. `starts` are the texts' own places, with the end behind."""

    text: Integers
    place: Integers
    column: Integers
    starts: Integers


def grams(lowered: Sequence[str], words: Sequence[Sequence[str]], spaces: Sequence[Sequence[bool]]) -> Grams:
    """The n-grams of texts in lower case, given with their words (`classifier.words.split`). A digit counts as any."""
    starts = np.concatenate([[0], np.cumsum([len(text) + 1 for text in lowered])]).astype(np.int64)
    joined = "".join(f"{text}\n" for text in lowered).replace("\n", " ")
    points = np.frombuffer(joined.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    for first, last in _DIGITS:
        points[(points >= first) & (points <= last)] = ord("0")
    text_at = np.repeat(np.arange(len(lowered), dtype=np.int64), np.diff(starts))
    with np.errstate(over="ignore"):
        places, columns = _characters(points, starts[text_at + 1] if len(text_at) else text_at)
        word_places, word_columns = _words(points, text_at, starts, words, spaces)
    place = np.concatenate([places, word_places])
    return Grams(text_at[place], place, np.concatenate([columns, word_columns + BUCKETS]), starts)


def _characters(points: _Hashes, ends: Integers) -> tuple[Integers, Integers]:
    hashes, found = points, []
    for length in range(2, max(CHARACTERS) + 1):
        hashes = hashes[:-1] * np.uint64(_FACTOR) + points[length - 1 :]
        if length in CHARACTERS:
            place = np.arange(len(hashes), dtype=np.int64)
            place = place[place + length <= ends[: len(hashes)]]
            found.append((place, _bucket(hashes[place], length)))
    return np.concatenate([place for place, _ in found]), np.concatenate([column for _, column in found])


def _words(
    points: _Hashes,
    text_at: Integers,
    starts: Integers,
    words: Sequence[Sequence[str]],
    spaces: Sequence[Sequence[bool]],
) -> tuple[Integers, Integers]:
    begins = [starts[:1][:0]]
    lengths = [starts[:1][:0]]
    for start, text_words, text_spaces in zip(starts[:-1], words, spaces, strict=True):
        length = np.fromiter(map(len, text_words), dtype=np.int64, count=len(text_words))
        gap = np.fromiter(text_spaces, dtype=np.int64, count=len(text_words))
        begins.append(start + np.cumsum(length + gap) - length - gap)
        lengths.append(length)
    begin, length = np.concatenate(begins), np.concatenate(lengths)
    solid = points[begin] != ord(" ") if len(begin) else np.zeros(0, dtype=bool)
    begin, length = begin[solid], length[solid]
    # Hash of points[b:e] from running sums: (sum(e) - sum(b)) / factor**b, exact modulo 2**64.
    size = len(points)
    powers, inverses = _powers(_FACTOR, size), _powers(_INVERSE, size)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(points * powers[:size], dtype=np.uint64)])
    word = _mix((sums[begin + length] - sums[begin]) * inverses[begin])
    found = []
    hashes = word
    for count in range(1, max(WORDS) + 1):
        if count > 1:
            hashes = hashes[:-1] * np.uint64(_FACTOR) + word[count - 1 :]
        same = text_at[begin[: len(hashes)]] == text_at[begin[count - 1 :]]
        found.append((begin[: len(hashes)][same], _bucket(hashes[same], 100 + count)))
    return np.concatenate([place for place, _ in found]), np.concatenate([column for _, column in found])


def _powers(factor: int, size: int) -> _Hashes:
    """1, factor, factor**2 … modulo 2**64, `size` + 1 of them."""
    factors = np.full(size + 1, factor, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _bucket(hashes: _Hashes, kind: int) -> Integers:
    return (_mix(hashes + np.uint64(kind * 1_000_003)) & np.uint64(BUCKETS - 1)).astype(np.int64)


def _mix(hashes: _Hashes) -> _Hashes:
    """MurmurHash3's finalizer (fmix64): every input bit reaches every output bit."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    mixed: _Hashes = hashes ^ (hashes >> np.uint64(33))
    return mixed
