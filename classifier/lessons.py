"""What letters that a school's teachers judged may teach the quick half of the model, and what of them must not stay.

A model file can be compared with the shipped one, number by number, and the hash of an n-gram is no secret: a weight
that moved for one letter's sake tells that the letter held this n-gram. So of a letter only those n-grams count that
letters of several families share and that the shipped corpus knows anyway; all others, names above all, have no
influence on any number of the model (docs/discussions/privacy.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from classifier.examples import share
from classifier.features import BLOCKS, COLUMNS, CUE_COLUMN, CUE_VALUE, Rows, Singles, grams_of, read_text, rows_of
from classifier.ngrams import BUCKETS
from classifier.text import text_of
from classifier.times import USUAL
from classifier.verdict import Letter
from config.calendar import SchoolCalendar
from connectors.labels import Tag

FAMILIES = 3
"""Of so many families' letters an n-gram must be part before it counts."""
KNOWN = 5
"""In so many letters of the corpus it must stand, too."""
WEIGHT = 3.0
"""How much a lesson counts beside one letter of the corpus."""
HELD_BACK_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Lesson:
    """A letter and the tag that a teacher gave it. Lives in memory only."""

    key: str
    """Names the message, and deals it to one side: nothing of what it says is in it."""
    family: str
    """Whose letter it is: letters of one family count as one where n-grams are concerned."""
    letter: Letter
    label: Tag

    @property
    def held_back(self) -> bool:
        """True where nothing is learned from it: a new model is judged by it."""
        return share(self.key, "lesson ") < HELD_BACK_SHARE


@dataclass(frozen=True, slots=True)
class Lessons:
    """Letters to learn from, and the calendar of the school that they came to."""

    letters: Sequence[Lesson]
    calendar: SchoolCalendar = field(default=USUAL)


def rows_of_lessons(lessons: Lessons, corpus: Rows, rarity: Singles) -> Rows:
    """The rows of `lessons`, without what must leave no trace. `corpus` are the rows that they are learned beside.

    What is left out has no influence on what stays either: a row is divided by its own length or by the corpus's usual
    one, whichever is longer, and neither depends on what was left out.
    """
    readings = [
        read_text(text_of(each.letter), each.letter.received, calendar=lessons.calendar) for each in lessons.letters
    ]
    whole = rows_of(readings, grams_of(readings), rarity)
    families = {name: number for number, name in enumerate(dict.fromkeys(each.family for each in lessons.letters))}
    family = np.array([families[each.family] for each in lessons.letters], dtype=np.int64)
    shared = np.unique(family[whole.row] * COLUMNS + whole.column) % COLUMNS
    allowed = np.bincount(shared, minlength=COLUMNS) >= FAMILIES
    allowed &= np.bincount(corpus.column, minlength=COLUMNS) >= KNOWN
    stays = allowed[whole.column]
    row, column = whole.row[stays], whole.column[stays]
    is_gram = column < CUE_COLUMN
    weight = rarity[np.where(is_gram, column, 0)].astype(np.float64)
    block = row * BLOCKS + np.where(is_gram, column // BUCKETS, 0)
    squares = np.bincount(block[is_gram], weights=np.square(weight[is_gram]), minlength=whole.count * BLOCKS)
    usual = np.tile(np.median(corpus.length.reshape(-1, BLOCKS), axis=0), whole.count)
    length = np.maximum(np.sqrt(squares), usual)
    return Rows(whole.count, row, column, np.where(is_gram, weight / length[block], CUE_VALUE), length)
