"""Settings as a commented TOML file: every key with its meaning, those at their defaults commented out."""

import json
import os
import re
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.faults import ConfigError, file_fault
from config.keys import in_words
from config.load import load
from config.settings import Settings

WIDTH = 100
OPENING = """\
Alliance Inbox: the configuration of one school.

Every key is here; those with a # before them show what holds while they stay that way.
`alliance config check` reads this file and says what is wrong with it. Passwords never stand in it: they come
from the environment, see password_env. Any key can be set there too, e.g. ALLIANCE_SERVICE__POLL_SECONDS=30.
"""


def as_toml(settings: Settings) -> str:
    """The file that `config.load` reads as these settings. Holds no secret, since settings hold none."""
    lines = [*_comment(OPENING)]
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        lines += ["", *_comment(field.description or "")]
        if isinstance(value, tuple):
            for table in value:
                lines += [f"[[{name}]]", *_table(table, (name,)), ""]
            if not value:
                lines.append(f"# [[{name}]]")
        elif value is None:
            lines.append(f"# [{name}]")
        else:
            lines += [f"[{name}]", *_table(value, (name,))]
    return "\n".join(lines).rstrip() + "\n"


def write_new(path: Path, settings: Settings, *, overwrite: bool) -> None:
    """Writes the settings to `path` whole or not at all, readable by its owner only, and only if they load from there.
    Raises `ConfigError` where they do not, where the file cannot be written, and, unless told to `overwrite`, where one
    is there already."""
    folder = path.absolute().parent
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)  # mode 0600
    except OSError as error:
        raise file_fault(path, f"a folder that can be written to ({error.strerror or error})") from error
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(as_toml(settings))
            file.flush()
            os.fsync(file.fileno())
        load(written, environ={})
        if overwrite:
            written.replace(path)
        else:
            path.hardlink_to(written)  # unlike a rename, refuses where a file came to be there meanwhile
    except FileExistsError as error:
        raise file_fault(path, "no file here yet", advice="name another, or overwrite it") from error
    except (OSError, UnicodeEncodeError) as error:
        raise file_fault(path, f"a file that can be written ({error})") from error
    except ConfigError as error:
        placed = [replace(fault, origin=fault.origin.replace(str(written), str(path))) for fault in error.faults]
        raise ConfigError(placed) from error
    finally:
        written.unlink(missing_ok=True)


def _table(table: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    """The keys of a table, its own tables last, as TOML wants it."""
    inner: list[tuple[str, BaseModel]] = []
    for name, field in type(table).model_fields.items():
        value = getattr(table, name)
        if isinstance(value, BaseModel):
            inner.append((name, value))
            continue
        if value is None and in_words(field.annotation) == "a table":
            continue
        yield from _comment(field.description or "")
        given = field.is_required() or value != field.get_default()
        yield f"{name} = {toml_value(value)}" if given else f"# {name} = {_default(field)}"
    for name, below in inner:
        yield f"[{'.'.join((*path, name))}]"
        yield from _table(below, (*path, name))


def _default(field: FieldInfo) -> str:
    default = field.get_default()
    return f"({in_words(field.annotation)})" if default is None else toml_value(default)


def toml_value(value: Any) -> str:
    """A setting's value as TOML writes it. Raises TypeError for what no setting holds."""
    if isinstance(value, BaseModel):
        value = {name: inner for name, inner in value if inner != type(value).model_fields[name].get_default()}
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case str() | Path():
            return _text(str(value))
        case time():
            return _text(value.isoformat("seconds" if value.second else "minutes"))
        case date():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{_key(key)} = {toml_value(inner)}" for key, inner in value.items()) + "}"
        case tuple() | list():
            return _list([toml_value(item) for item in value])
        case _:
            raise TypeError(f"TOML has no way to write {type(value).__name__}")


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _text(key)


def _list(items: list[str]) -> str:
    line = "[" + ", ".join(items) + "]"
    return line if len(line) < WIDTH else "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def _text(text: str) -> str:
    # JSON's strings are TOML's basic strings but for one control character (TOML 1.0.0, "String").
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _comment(text: str) -> Iterator[str]:
    for place, paragraph in enumerate(text.strip().split("\n\n")):
        if place:
            yield "#"
        yield from (f"# {line}" for line in textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False))
