"""The valid keys, read off the models: for the nearest one to a misspelt key, and for the reference page."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.faults import KeyPath, dotted
from config.settings import Settings

_WORDS: dict[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    time: 'a time of day such as "08:00"',
    date: "a date such as 2026-09-01",
    Path: "a path",
    Any: "any value",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One valid key: its way from the top ("[]" stands for any place in a list) and its field."""

    path: tuple[str, ...]
    field: FieldInfo
    model: type[BaseModel]
    """The model of the table it stands in."""

    @property
    def table(self) -> str:
        """The table it stands in, e.g. `mailboxes[].imap`."""
        return ".".join(self.path[:-1]).replace(".[]", "[]")


def keys(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key of a model and of the models inside it, tables before what stands in them."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield Key(path, field, model)
        kind = _bare(field.annotation)
        item = _item(kind)
        if _is_model(kind):
            yield from keys(kind, path)
        elif _is_model(item):
            yield from keys(item, (*path, "[]"))


def kind_at(path: KeyPath) -> Any:
    """The type that a value at `path` must have, or None where no such key is valid."""
    kind: Any = Settings
    for part in path:
        if isinstance(part, int):
            kind = _item(kind, part)
        elif _is_model(kind) and part in kind.model_fields:
            kind = _bare(kind.model_fields[part].annotation)
        else:
            return None
    return kind


def in_words(kind: Any) -> str:
    """A type as people say it, e.g. "a whole number"; completes the sentence "expected …"."""
    kind = _bare(kind)
    if _is_model(kind) or get_origin(kind) is dict:
        return "a table"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _one_of([member.value for member in kind])
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind))
    return _list_in_words(get_args(kind)) if get_origin(kind) is tuple else _WORDS.get(kind, "another value")


def _list_in_words(items: tuple[Any, ...]) -> str:
    if items[-1] is not Ellipsis:
        return f"a list of {len(items)}: " + ", ".join(in_words(item) for item in items)
    return "a list of tables" if _is_model(items[0]) else f"a list, each item {in_words(items[0])}"


def nearest_key(path: KeyPath) -> str:
    """Advice for a key that is not valid: the nearest one that its table knows, and the table that it belongs in."""
    table = kind_at(path[:-1])
    name = str(path[-1]).lower()
    elsewhere = [key.table for key in keys() if key.path[-1] == name]
    belongs = f"{name} belongs " + (f"in [{elsewhere[0]}]" if elsewhere[0] else "at the top") if elsewhere else ""
    valid = list(table.model_fields) if _is_model(table) else []
    near = get_close_matches(name, valid, n=1, cutoff=0.6 if elsewhere else 0)
    nearest = f"the nearest valid key is {dotted((*path[:-1], near[0]))}" if near else ""
    return "; ".join(advice for advice in (nearest, belongs) if advice)


def _bare(kind: Any) -> Any:
    """The type without `Annotated` and without "or None"."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in {Union, types.UnionType}:
            kind = next(choice for choice in get_args(kind) if choice is not types.NoneType)
        else:
            return kind


def _item(kind: Any, place: int = 0) -> Any:
    if get_origin(kind) is not tuple:
        return None
    items = get_args(kind)
    return _bare(items[0] if items[-1] is Ellipsis else items[min(place, len(items) - 1)])


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _one_of(values: Any) -> str:
    *most, last = [f'"{value}"' for value in values]
    return f"{', '.join(most)} or {last}" if most else last
