"""Which folder is Sent, which is Drafts: by the server's mark (RFC 6154), by configuration, by the names in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import ImapServer
from connectors.imap_connection import Connection, Folder

INBOX = "INBOX"
_SENT_NAMES = ("Sent", "Sent Items", "Sent Messages", "Sent Mail", "Gesendet", "Enviados", "Envoyés")
_DRAFT_NAMES = ("Drafts", "Draft", "Entwürfe", "Borradores", "Brouillons")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that the connector works with, by their full names."""

    sent: str
    drafts: str
    urgent: str
    conflict: str
    existing: frozenset[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of Sent and Drafts are not there yet."""
        return tuple(name for name in (self.sent, self.drafts) if name not in self.existing)


def find_folders(connection: Connection, server: ImapServer) -> Folders:
    """Looks the folders up; creates nothing. Raises ChangesFailed, ConnectFailed."""
    found = [folder for folder in connection.folders() if "\\noselect" not in folder.attributes]
    prefix = connection.personal_prefix()
    delimiter = next((folder.delimiter for folder in found if folder.delimiter), "/")
    return Folders(
        sent=_special(found, "\\sent", server.sent_folder, _SENT_NAMES, prefix),
        drafts=_special(found, "\\drafts", server.drafts_folder, _DRAFT_NAMES, prefix),
        urgent=f"{prefix}Alliance{delimiter}Urgent",
        conflict=f"{prefix}Alliance{delimiter}Conflict",
        existing=frozenset(folder.name for folder in found),
    )


def _special(found: Sequence[Folder], use: str, configured: str | None, names: Sequence[str], prefix: str) -> str:
    marked = next((folder.name for folder in found if use in folder.attributes), None)
    if marked is not None:
        return marked
    if configured is not None:
        return configured
    usual = {f"{before}{name}".lower(): None for name in names for before in (prefix, "")}
    by_name = {folder.name.lower(): folder.name for folder in found}
    return next((by_name[name] for name in usual if name in by_name), f"{prefix}{names[0]}")
