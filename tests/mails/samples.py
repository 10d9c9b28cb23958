"""The hand-made mails of this folder: from families, from robots, and broken ones."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from connectors.message import Message
from connectors.mime import parse_message

HERE = Path(__file__).parent
NOON = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
CORPUS = HERE.parent.parent / "classifier" / "corpus"


def names(folder: str) -> list[str]:
    """The mails of a folder, as "folder/file"."""
    return sorted(f"{folder}/{path.name}" for path in (HERE / folder).glob("*.eml"))


def raw(name: str) -> bytes:
    """A mail's bytes."""
    return (HERE / name).read_bytes()


def parsed(source: str | bytes, *, size: int | None = None) -> Message:
    """A mail by name or bytes, read as if it came at noon on 10 March 2026."""
    mail = raw(source) if isinstance(source, str) else source
    return parse_message(mail, mailbox="rivera@maple.example", id="1", received_at=NOON, size=size)


def letters() -> Iterator[tuple[str, str, str, str]]:
    """Every letter of the corpus as (id, language, subject, body)."""
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            letter = json.loads(line)
            yield letter["id"], letter["lang"], letter["subject"], letter["body"]
