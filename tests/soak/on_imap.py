"""A teacher's mail program on a Dovecot, by IMAPClient alone."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from imapclient import IMAPClient

from connectors.contract.reader import message_id_of
from connectors.labels import KEYWORDS, Label
from tests.servers.dovecot import Dovecot
from tests.soak.program import OWN_NAME

_OF_KEYWORD = {keyword: label for label, keyword in KEYWORDS.items()}


class ImapProgram:
    """A mailbox on a Dovecot, by IMAPClient alone. `left` is what the SMTP server took from it."""

    def __init__(self, dovecot: Dovecot, address: str, left: list[bytes]) -> None:
        self._client: IMAPClient = dovecot.client(address)
        self._client.create_folder("Archive")
        self._ids: dict[int, str] = {}
        self._left = left

    def deliver(self, raw: bytes, at: datetime) -> None:
        self._client.append("INBOX", raw, (), at.astimezone(UTC))

    def sends(self, raw: bytes, at: datetime) -> None:
        self._client.append("Sent", raw, (rb"\Seen",), at.astimezone(UTC))

    def shown(self) -> Mapping[str, frozenset[Label]]:
        self._client.select_folder("INBOX")
        uids = self._client.search()
        found = self._client.fetch(uids, ["FLAGS"]) if uids else {}
        return {
            self._id(uid): frozenset(
                _OF_KEYWORD[flag.decode()] for flag in found[uid][b"FLAGS"] if flag.decode() in _OF_KEYWORD
            )
            for uid in sorted(found)
        }

    def label(self, message_id: str, labels: frozenset[Label]) -> None:
        self._keywords(message_id, [KEYWORDS[label] for label in labels])

    def rename(self, message_id: str) -> None:
        self._keywords(message_id, [OWN_NAME])

    def delete(self, message_ids: Iterable[str]) -> None:
        self._remove(self._uids(message_ids))

    def archive(self, message_ids: Iterable[str]) -> None:
        uids = self._uids(message_ids)
        if uids:
            self._client.move(uids, "Archive")

    def bring_back(self, message_id: str) -> None:
        self._client.select_folder("Archive")
        self._client.move(self._client.search(["HEADER", "Message-ID", f"<{message_id}>"]), "INBOX")

    def empty_archive(self) -> None:
        self._client.select_folder("Archive")
        self._remove(self._client.search())

    def expire(self, before: datetime) -> int:
        gone = 0
        for folder in ("INBOX", "Sent"):
            self._client.select_folder(folder)
            # By the Date field: what the service filed in Sent bears the machine's own time of arrival.
            old = self._client.search(["SENTBEFORE", before.date()])
            self._remove(old)
            gone += len(old)
        return gone

    def drafts(self) -> Sequence[bytes]:
        self._client.select_folder("Drafts", readonly=True)
        uids = self._client.search()
        return [each[b"BODY[]"] for each in self._client.fetch(uids, ["BODY.PEEK[]"]).values()] if uids else []

    def sends_draft(self, message_id: str) -> bytes:
        self._client.select_folder("Drafts")
        uids = self._client.search(["HEADER", "Message-ID", f"<{message_id}>"])
        raw: bytes = self._client.fetch(uids, ["BODY.PEEK[]"])[uids[0]][b"BODY[]"]
        self._client.move(uids, "Sent")
        return raw

    def departed(self) -> list[bytes]:
        found, self._left[:] = list(self._left), []
        return found

    def sent(self) -> int:
        self._client.select_folder("Sent", readonly=True)
        return len(self._client.search())

    def _id(self, uid: int) -> str:
        if uid not in self._ids:
            header = self._client.fetch([uid], ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])[uid]
            self._ids[uid] = message_id_of(header[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"])
        return self._ids[uid]

    def _uids(self, message_ids: Iterable[str]) -> list[int]:
        self._client.select_folder("INBOX")
        wanted = set(message_ids)
        return [uid for uid in self._client.search() if self._id(uid) in wanted]

    def _remove(self, uids: Sequence[int]) -> None:
        if uids:
            self._client.delete_messages(uids)
            self._client.expunge()

    def _keywords(self, message_id: str, words: Sequence[str]) -> None:
        uids = self._uids([message_id])
        self._client.remove_flags(uids, [*KEYWORDS.values(), OWN_NAME])
        self._client.add_flags(uids, words)
