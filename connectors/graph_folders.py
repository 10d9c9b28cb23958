"""The folders that matter, by their ids: https://learn.microsoft.com/graph/api/resources/mailfolder."""

from functools import cached_property

from connectors.errors import ConnectFailed
from connectors.graph_batch import Part
from connectors.graph_client import GraphClient
from connectors.graph_entries import read_folder
from connectors.graph_errors import Refused

_NAMES = ("inbox", "sentitems", "drafts", "deleteditems", "outbox")


class Folders:
    """Ids of the well-known folders of one mailbox, asked for once; they never change."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    @property
    def inbox(self) -> str:
        """Where family mail arrives. Raises MailboxError, as all of these."""
        return self._ids["inbox"]

    @property
    def sent(self) -> str:
        """Where sent mail lies."""
        return self._ids["sentitems"]

    @property
    def drafts(self) -> str:
        """Where drafts lie."""
        return self._ids["drafts"]

    @property
    def deleted(self) -> str:
        """Where deleted mail lies."""
        return self._ids["deleteditems"]

    @property
    def outbox(self) -> str:
        """Where mail lies that the server is sending; empty where there is no such folder."""
        return self._ids["outbox"]

    @cached_property
    def _ids(self) -> dict[str, str]:
        parts = [Part("GET", self._client.path(f"/mailFolders/{name}", {"$select": "id"})) for name in _NAMES]
        ids: dict[str, str] = {}
        for name, answer in zip(_NAMES, self._client.batch(parts), strict=True):
            try:
                ids[name] = read_folder(answer.wanted()).id
            except Refused as error:
                if name != "outbox":
                    raise ConnectFailed(
                        f"Microsoft Graph, {self._client.address}: the folder {name} cannot be read ({error})"
                    ) from error
                ids[name] = ""
        return ids
