"""Text files that people hand us: bounded, and UTF-8 or a clear fault."""

from pathlib import Path

from config.faults import file_fault


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
