"""Changes a configuration file where it must change, and leaves every other byte, comments above all, as it is."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tree_sitter_toml
from pydantic import BaseModel
from tree_sitter import Language, Node, Parser

from config.settings import MailboxSettings
from config.writing import toml_value

MAILBOXES = "mailboxes"
_DEFAULT_CONNECTOR = MailboxSettings.model_fields["connector"].get_default()
_WRITTEN = ("address", "teacher", "connector", "username", "maildir", "stage")
"""Keys of a new mailbox that `connect` knows; the rest keeps its defaults."""


class CannotEdit(Exception):
    """The file says it in a way that is left to a person. The text says what to write where."""


def as_table(name: str, table: BaseModel) -> str:
    """A table as TOML: what stands out from the defaults, under its header."""
    return f"[{name}]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in told(table))


def as_mailbox(box: MailboxSettings) -> str:
    """A mailbox as an entry of its own."""
    keys = [(key, getattr(box, key)) for key in _WRITTEN]
    return f"[[{MAILBOXES}]]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in keys if value is not None)


def told(table: BaseModel) -> Iterator[tuple[str, Any]]:
    """The keys of a table that must be written, and their values."""
    for key, field in type(table).model_fields.items():
        value = getattr(table, key)
        if value is not None and (field.is_required() or value != field.get_default()):
            yield key, value


def edited(source: str, tables: Mapping[str, BaseModel], boxes: Sequence[MailboxSettings]) -> str:
    """`source`, a valid TOML file, with these tables and these mailboxes' connectors in it.

    Keys that stand there already get their new values, others are added; nothing is taken away. Raises `CannotEdit`.
    """
    for name, table in tables.items():
        source = _with_table(source, name, table)
    for box in boxes:
        source = _with_mailbox(source, box)
    _must_say(source, tables, boxes)
    return source


def changed(source: str, tables: Mapping[str, BaseModel], boxes: Sequence[MailboxSettings]) -> list[str]:
    """What a person would write into `source` to say the same, table by table: those that are not so already."""
    said = tomllib.loads(source)
    pieces = []
    for name, table in tables.items():
        stands = said.get(name)
        if not isinstance(stands, dict) or any(
            stands.get(key) != _parsed(toml_value(value)) for key, value in told(table)
        ):
            pieces.append(as_table(name, table))
    listed = {str(entry.get("address", "")).lower(): entry for entry in said.get(MAILBOXES, [])}
    for box in boxes:
        entry = listed.get(box.address, {})
        if (
            not entry
            or entry.get("connector", _DEFAULT_CONNECTOR) != box.connector
            or (box.maildir and "maildir" not in entry)
        ):
            pieces.append(as_mailbox(box))
    return pieces


def _with_table(source: str, name: str, table: BaseModel) -> str:
    header = next((node for node in _tables(source, "table") if _name(node) == name), None)
    if header is not None:
        return _with_keys(source, header, dict(told(table)), _defaults(table))
    if name in tomllib.loads(source):
        raise CannotEdit(
            f"{name} is written in a way of its own here; write these lines instead:\n\n{as_table(name, table)}"
        )
    placeholder = re.search(rf"^# \[{name}\][ \t]*$", source, flags=re.MULTILINE)
    if placeholder:
        return source[: placeholder.start()] + as_table(name, table).rstrip() + source[placeholder.end() :]
    place = _before_mailboxes(source)
    head, tail = source[:place].rstrip("\n"), source[place:]
    return (
        "\n\n".join(filter(None, (head, as_table(name, table).rstrip("\n"), tail.lstrip("\n") or "\n"))).rstrip("\n")
        + "\n"
    )


def _with_mailbox(source: str, box: MailboxSettings) -> str:
    listed = tomllib.loads(source).get(MAILBOXES, [])
    places = [place for place, entry in enumerate(listed) if str(entry.get("address", "")).lower() == box.address]
    headers = [node for node in _tables(source, "table_array_element") if _name(node) == MAILBOXES]
    if places and len(headers) != len(listed):
        raise CannotEdit(f'mailboxes are written in a way of their own here; write connector = "{box.connector}" there')
    if places:
        keys: dict[str, Any] = {"connector": box.connector, "maildir": box.maildir}
        if listed[places[0]].get("maildir") or box.maildir is None:
            keys.pop("maildir", None)
        if listed[places[0]].get("connector", _DEFAULT_CONNECTOR) == box.connector:
            keys.pop("connector")
        return _with_keys(source, headers[places[0]], keys, {})
    return source.rstrip("\n") + "\n\n" + as_mailbox(box)


def _with_keys(source: str, table: Node, keys: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """New values for a table's keys. One that stands there and is at its default again is written out, too."""
    pairs = {_name(pair): pair for pair in table.named_children if pair.type == "pair"}
    wanted = {**{name: defaults[name] for name in pairs if name in defaults and name not in keys}, **keys}
    raw = source.encode()
    added = "".join(f"\n{name} = {toml_value(value)}" for name, value in wanted.items() if name not in pairs)
    last = max((pair.end_byte for pair in pairs.values()), default=_header_end(table))
    end_of_line = raw.find(b"\n", last)
    changes = [(end_of_line if end_of_line >= 0 else len(raw), 0, added)]
    for name, pair in pairs.items():
        value = wanted.get(name)
        node = [child for child in pair.named_children if child.type != "comment"][-1]
        if value is not None and _parsed(_text(node)) != _parsed(toml_value(value)):
            changes.append((node.start_byte, node.end_byte - node.start_byte, toml_value(value)))
    for start, length, text in sorted(changes, reverse=True):  # from the end, so that earlier places stay
        raw = raw[:start] + text.encode() + raw[start + length :]
    return raw.decode()


def _parsed(value: str) -> Any:
    return tomllib.loads(f"value = {value}")["value"]


def _must_say(source: str, tables: Mapping[str, BaseModel], boxes: Sequence[MailboxSettings]) -> None:
    """The last word has the parser: the file says what was meant."""
    try:
        said = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(f"the file cannot be changed safely ({error})") from error
    for name, table in tables.items():
        found = type(table).model_validate(said.get(name, {}))
        if any(getattr(found, key) != value for key, value in told(table)):
            raise CannotEdit(f"write these lines yourself:\n\n{as_table(name, table)}")
    for box in boxes:
        entries = [entry for entry in said[MAILBOXES] if str(entry.get("address", "")).lower() == box.address]
        if [entry.get("connector", _DEFAULT_CONNECTOR) for entry in entries] != [box.connector]:
            raise CannotEdit(f"write these lines yourself:\n\n{as_mailbox(box)}")


def _defaults(table: BaseModel) -> dict[str, Any]:
    return {name: field.get_default() for name, field in type(table).model_fields.items() if not field.is_required()}


def _tables(source: str, kind: str) -> list[Node]:
    document = Parser(Language(tree_sitter_toml.language())).parse(source.encode()).root_node
    return [node for node in document.named_children if node.type == kind]


def _name(node: Node) -> str:
    """The key of a table's header or of a pair."""
    return _text(next(child for child in node.named_children if child.type != "comment")).strip("\"'")


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _header_end(table: Node) -> int:
    """Behind the closing brackets of a table's header."""
    return next(child.end_byte for child in reversed(table.children) if child.type in {"]", "]]"})


def _before_mailboxes(source: str) -> int:
    """Where a new table fits: before the first mailbox and what is said of it, else at the end."""
    header = re.search(rf"^\[\[\s*{MAILBOXES}\s*\]\]", source, flags=re.MULTILINE)
    if header is None:
        return len(source)
    lines = source[: header.start()].splitlines(keepends=True)
    while lines and lines[-1].startswith("#"):
        lines.pop()
    return len("".join(lines))
