"""What turns up again after its record was erased: mail that was forgotten is left alone, mail from before what was
erased for its age is old mail."""

from collections.abc import Sequence
from dataclasses import replace

from autoresponder.guards.past import written_at
from service.entries import Candidate
from store.circumstances import Circumstances
from store.database import Database
from store.tombstones import forgotten_messages


def returning(
    database: Database, mailbox: str, page: Sequence[Candidate], key: bytes, on_record: Circumstances
) -> list[Candidate]:
    """The messages of a page that are to be put on record. `key` is the installation's secret.

    What was forgotten is not among them. What came, and was written, before the oldest mail on record is old mail: it
    is tagged and nothing more, however new it looks to the mail server that was just handed it.
    """
    names = [(each.raw.id, each.identity.fingerprint) for each in page]
    gone = forgotten_messages(database, mailbox, names, key) if names and on_record.forgotten else frozenset()
    before = on_record.mail_before
    found: list[Candidate] = []
    for each in page:
        if each.raw.id in gone:
            continue
        raw = each.raw
        if before is not None and raw.received_at < before and each.message is not None and not raw.backfill:
            written = written_at(each.message, raw.received_at)
            if written is None or written < before:
                found.append(replace(each, raw=replace(raw, backfill=True)))
                continue
        found.append(each)
    return found
