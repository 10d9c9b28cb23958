"""Conditions on lists in statements that are asked for each message.

SQLAlchemy's own `in_` writes a statement anew each time it is asked, with a place for each value; then psycopg takes it
apart anew, and the database plans it anew for every length. These are a few texts: with 1, 2, 4, 8 or 16 places, or
with one for a whole list. The list alone would not do: PostgreSQL takes it for ten values, finds that a plan for the
one that it mostly holds is cheaper, and makes that plan each time.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, String, bindparam, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import col

from store.chunks import in_few_lengths

_MOST_PLACES = 16


def one_of(column: Any, words: Iterable[StrEnum]) -> ColumnElement[bool]:
    """True where `column` holds one of these words of our own, which stand in the statement itself: so the database
    sees that an index of some of them answers."""
    return col(column).in_([literal_column(f"'{word.value}'") for word in words])


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """True where `column` holds one of `values`."""
    held: ColumnElement[Any] = column.expression
    if not _have_places(values):
        return _Among(held, bindparam(None, values, _List(held.type)))
    return held.in_([bindparam(None, value, held.type) for value in in_few_lengths(values)])


def among_given(column: Any, name: str, given: Collection[str]) -> ColumnElement[bool]:
    """The same for a statement that is made once: `given` are the names of the parameters that `values_of` made."""
    held: ColumnElement[Any] = column.expression
    if given == {name}:
        return _Among(held, bindparam(name, type_=_List(held.type)))
    return held.in_([bindparam(each, type_=held.type) for each in sorted(given)])


def values_of(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """The parameters by which `values` go into such a statement."""
    if not _have_places(values):
        return {name: values}
    return {f"{name}_{number}": value for number, value in enumerate(in_few_lengths(values))}


def _have_places(values: Sequence[Any]) -> bool:
    """Whether each value has a place of its own."""
    return 0 < len(values) <= _MOST_PLACES


class _List(TypeDecorator[Sequence[Any]]):
    """Many values as one: an array, or JSON where the database has none."""

    impl = String
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array of what the column holds."""
        return dialect.type_descriptor(ARRAY(self.of) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        """The list as the database takes it."""
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(list(value))


class _Among(FunctionElement[bool]):
    type = Boolean()
    name = "among"
    inherit_cache = True


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_Among)
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are the compiler's
