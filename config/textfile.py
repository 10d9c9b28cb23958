"""Text files that people hand us, bounded, and UTF-8 or a clear fault; and those that we hand them."""

import re
import tomllib
from pathlib import Path
from typing import Any

from config.faults import file_fault

LONGEST_SHOWN = 60
"""Characters of somebody's text in a message about it."""


def read_text(path: Path, kind: str, *, largest: int) -> str:
    """The text of a file of at most `largest` bytes, without a byte order mark. Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
    except OSError as error:
        raise file_fault(path, f"a readable {kind} ({error.strerror or error})") from error
    if len(raw) > largest:
        raise file_fault(path, f"at most {largest:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise file_fault(path, "UTF-8 text", line=line, advice="save it again as UTF-8") from error


def parse_toml(path: Path, source: bytes) -> dict[str, Any]:
    """What the bytes of a TOML file mean. Raises `ConfigError` with the line."""
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise file_fault(path, "UTF-8 text, found UTF-16", line=1, advice="save the file as UTF-8")
    if source.startswith(b"\xef\xbb\xbf"):
        raise file_fault(path, "UTF-8 text without a byte order mark", line=1, advice='save it as "UTF-8", without BOM')
    try:
        return tomllib.loads(source.decode())
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise file_fault(path, "UTF-8 text", line=line, advice="save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(place[1]) if place else source.rstrip().count(b"\n") + 1
        problem = re.sub(r" \(at (line .*|end of document)\)$", "", str(error))
        raise file_fault(
            path, f"TOML ({shortened(problem)})", line=line, advice="https://toml.io explains it"
        ) from error
    except RecursionError as error:
        raise file_fault(path, "tables and lists that are nested less deeply") from error


def shortened(text: str) -> str:
    """The beginning of `text`, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def write_whole(path: Path, text: str) -> None:
    """Writes the whole of `text` to `path`, or leaves what is there. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
