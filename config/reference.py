"""The reference page of all settings, as Markdown, from the models themselves."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from config.keys import Key, in_words, keys
from config.writing import toml_value

OPENING = """\
# Configuration

Alliance Inbox reads one TOML file: the one that `--config` names, else the one that the environment variable
`ALLIANCE_CONFIG` names, else `alliance.toml` in the folder where the command runs. `alliance init` asks and writes one;
[examples/alliance.toml](../examples/alliance.toml) is a complete one. `alliance config check` says what is wrong with a
file, `alliance config schema` prints its JSON schema for editors, and `alliance config reference` prints this page.

Paths are relative to the file's folder. A time of day is written `"08:00"`, a date `2026-09-01`.

**The environment wins over the file.** `ALLIANCE_`, the table, two underscores and the key set one value:
`ALLIANCE_SERVICE__DATABASE=postgresql:///alliance`. Lists and whole tables are written as JSON:
`ALLIANCE_SCHOOL__LANGUAGES='["en", "es"]'`. The list of mailboxes can only be set as a whole.

**Passwords never stand in the file.** A mailbox's password comes from the variable that its `password_env` names, or
from the file that the same name with `_FILE` behind it names (for example a systemd credential or a container secret).
A database URL with a password belongs into `ALLIANCE_SERVICE__DATABASE`.
"""


def reference() -> str:
    """The whole page, ending in a line break."""
    return OPENING + "".join(_sections())


def _sections() -> Iterator[str]:
    by_table: dict[str, list[Key]] = {}
    for key in keys():
        by_table.setdefault(key.table, []).append(key)
    shown: dict[type[BaseModel], str] = {}
    for table, members in by_table.items():
        if table == "":
            yield "\n## Tables\n\n| table | meaning |\n|---|---|\n"
            yield from (f"| `{_header(key)}` | {_meaning(key)} |\n" for key in members)
            continue
        model = members[0].model
        yield f"\n## {_title(table)}\n\n"
        if model in shown:
            yield f"The same keys as in {shown[model]}.\n"
            continue
        shown[model] = _title(table)
        yield "| key | value | default | meaning |\n|---|---|---|---|\n"
        yield from (
            f"| `{key.path[-1]}` | {_cell(in_words(key.field.annotation))} | {_default(key)} | {_meaning(key)} |\n"
            for key in members
        )


def _title(table: str) -> str:
    if table == "mailboxes[]":
        return "`[[mailboxes]]`"
    if table.endswith("[]"):
        return f"Items of `{table.removesuffix('[]')}`"
    return f"`[{table.replace('[]', '')}]`"


def _header(key: Key) -> str:
    return f"[[{key.path[0]}]]" if key.path == ("mailboxes",) else f"[{key.path[0]}]"


def _default(key: Key) -> str:
    default: Any = key.field.get_default()
    if default is PydanticUndefined:
        return "**required**"
    return "" if default is None or default == {} else f"`{_cell(toml_value(default))}`"


def _meaning(key: Key) -> str:
    text = _cell(" ".join((key.field.description or "").split()))
    required = " **Required.**" if len(key.path) == 1 and key.field.is_required() else ""
    return text + required


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
