"""From texts to rows of numbers: n-grams weighed by how rare they are, and the cues of time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zlib import crc32

import numpy as np
import numpy.typing as npt

from classifier.mentions import Named, named
from classifier.ngrams import BUCKETS, Grams, Integers, grams
from classifier.times import USUAL, acting_day, arrival, time_cues
from classifier.words import Words, folded, lowered, split
from config.calendar import SchoolCalendar

BLOCKS = 2
"""Character n-grams and word n-grams, each of length one per text, so that neither outweighs the other."""
CUE_BUCKETS = 1 << 10
CUE_COLUMN = BLOCKS * BUCKETS
"""Where the columns of the cues begin."""
COLUMNS = CUE_COLUMN + CUE_BUCKETS
CUE_VALUE = 0.1
"""What a cue of time weighs beside the n-grams' unit length; more made the model believe the clock over the words."""

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """One text read once, for both halves of the model and for the reasons. Places in `lower` are places in `text`."""

    text: str
    lower: str
    words: Words
    received: datetime | None
    named: Named
    came: str
    """`classifier.times.arrival`; empty where the received time is unknown."""
    due: int
    """`classifier.times.acting_day`; 0 where the received time is unknown."""
    cues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A sparse matrix, one row a text: `value[i]` stands at (`row[i]`, `column[i]`). `length` is what the n-grams were
    divided by, for each text and block (`text * BLOCKS + block`)."""

    count: int
    row: Integers
    column: Integers
    value: Floats
    length: Floats


def read_text(
    text: str, received: datetime | None, words: Words | None = None, calendar: SchoolCalendar = USUAL
) -> Reading:
    """Reads one tidy text (`classifier.words.tidy`) that came at `received`, local time. `words` are its words, where
    they are known already."""
    lower = lowered(text)
    words = folded(words or split(text), lower)
    found = named(words, lower, received.date() if received else None)
    came, due = (arrival(received, calendar), acting_day(received, calendar)) if received else ("", 0)
    return Reading(text, lower, words, received, found, came, due, tuple(time_cues(found, received, came, due)))


def grams_of(readings: Sequence[Reading]) -> Grams:
    """Every n-gram of a batch, with its place."""
    return grams(
        [reading.lower for reading in readings],
        [reading.words.words for reading in readings],
        [reading.words.spaces for reading in readings],
    )


def cue_columns(cues: Iterable[str]) -> list[int]:
    """The column of each cue. Seventy cues share a thousand columns; the hash is stable."""
    return [CUE_COLUMN + crc32(cue.encode()) % CUE_BUCKETS for cue in cues]


def _once_each(found: Grams) -> tuple[Integers, Integers]:
    """(text, column) of the n-grams that each text holds, every one counted once."""
    # Sorting and comparing neighbours is several times faster than numpy.unique, and twice as fast in 32 bits.
    small = (len(found.starts) - 1) * CUE_COLUMN < 1 << 32
    keys = np.sort((found.text * CUE_COLUMN + found.column).astype(np.uint32 if small else np.int64))
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]].astype(np.int64)
    return keys // CUE_COLUMN, keys % CUE_COLUMN


def rarity(readings: Sequence[Reading]) -> Singles:
    """The inverse document frequency of each n-gram column, smoothed: log((1 + n) / (1 + df)) + 1."""
    _, column = _once_each(grams_of(readings))
    frequency = np.bincount(column, minlength=CUE_COLUMN)
    return (np.log((1 + len(readings)) / (1 + frequency)) + 1).astype(np.float32)


def rows_of(readings: Sequence[Reading], found: Grams, idf: Singles) -> Rows:
    """The rows of a batch. `found` are the n-grams of `readings`."""
    count = len(readings)
    text, column = _once_each(found)
    block = blocks(text, column)
    squares = np.bincount(block, weights=np.square(idf[column], dtype=np.float64), minlength=count * BLOCKS)
    length = np.sqrt(np.where(squares > 0, squares, 1.0))
    cue_row = np.repeat(np.arange(count, dtype=np.int64), [len(reading.cues) for reading in readings])
    cue_column = np.fromiter(chain.from_iterable(cue_columns(reading.cues) for reading in readings), dtype=np.int64)
    return Rows(
        count,
        np.concatenate([text, cue_row]),
        np.concatenate([column, cue_column]),
        np.concatenate([idf[column] / length[block], np.full(len(cue_row), CUE_VALUE)]),
        length,
    )


def joined(one: Rows, other: Rows) -> Rows:
    """The rows of `one`, then those of `other`."""
    return Rows(
        one.count + other.count,
        np.concatenate([one.row, other.row + one.count]),
        np.concatenate([one.column, other.column]),
        np.concatenate([one.value, other.value]),
        np.concatenate([one.length, other.length]),
    )


def blocks(text: Integers, column: Integers) -> Integers:
    """The place in `Rows.length` that belongs to an n-gram."""
    return text * BLOCKS + column // BUCKETS
