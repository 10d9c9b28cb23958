"""Where in a TOML file each key stands. tomllib says what the file means; tree-sitter says where it says so."""

import tomllib
from collections.abc import Mapping

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from config.faults import KeyPath


class Positions:
    """Line numbers, counted from 1, by key path."""

    def __init__(self, lines: Mapping[KeyPath, int]) -> None:
        """`lines` holds the line of each key, table header and list item."""
        self._lines = lines

    def line_of(self, path: KeyPath) -> int:
        """The line of `path`; for a key that is not there, the line of the innermost table that should have it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return 1


def locate(source: bytes) -> Positions:
    """Positions of a file that tomllib has accepted. Never raises for such a file."""
    lines: dict[KeyPath, int] = {}
    tables_of: dict[KeyPath, int] = {}
    document = Parser(Language(tree_sitter_toml.language())).parse(source).root_node
    for node in document.named_children:
        if node.type == "pair":
            _note_pair(node, (), lines)
        elif node.type in {"table", "table_array_element"}:
            header, *pairs = [child for child in node.named_children if child.type != "comment"]
            table = _enter(header, tables_of, lines, opens_item=node.type == "table_array_element")
            lines[table] = _line(node)
            for pair in pairs:
                _note_pair(pair, table, lines)
    return Positions(lines)


def _enter(header: Node, tables_of: dict[KeyPath, int], lines: dict[KeyPath, int], *, opens_item: bool) -> KeyPath:
    path: KeyPath = ()
    parts = _key_parts(header)
    for depth, part in enumerate(parts, start=1):
        path = (*path, part)
        lines.setdefault(path, _line(header))
        if opens_item and depth == len(parts):
            tables_of[path] = tables_of.get(path, 0) + 1
        if path in tables_of:
            path = (*path, tables_of[path] - 1)
    return path


def _note_pair(pair: Node, table: KeyPath, lines: dict[KeyPath, int]) -> None:
    if pair.type != "pair":
        return
    key, *_, value = [child for child in pair.named_children if child.type != "comment"]
    path = table
    for part in _key_parts(key):
        path = (*path, part)
        lines.setdefault(path, _line(key))
    _note_value(value, path, lines)


def _note_value(value: Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    if value.type == "inline_table":
        for pair in value.named_children:
            _note_pair(pair, path, lines)
    elif value.type == "array":
        items = [child for child in value.named_children if child.type != "comment"]
        for place, item in enumerate(items):
            lines[(*path, place)] = _line(item)
            _note_value(item, (*path, place), lines)


def _key_parts(key: Node) -> tuple[str, ...]:
    if key.type == "dotted_key":
        return tuple(part for child in key.named_children for part in _key_parts(child))
    text = (key.text or b"").decode()
    return (next(iter(tomllib.loads(f"{text} = 0"))),) if key.type == "quoted_key" else (text,)


def _line(node: Node) -> int:
    return node.start_point.row + 1
