"""One request as an operation sees it: who asks, for which mailbox, and the things that its ids name."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lxml import etree

from tests.servers.ews.soap import Fault, M, Refused, Reply, T, add
from tests.servers.ews.store import Folder, Item, Mailbox

if TYPE_CHECKING:
    from tests.servers.ews.server import ExchangeServer


@dataclass(frozen=True, slots=True)
class Call:
    """An operation that was asked for. The server's lock is held while it is carried out."""

    server: "ExchangeServer"
    request: etree._Element
    account: str
    """Who signed in: a user name, or the client id of an application."""
    mailbox: Mailbox | None
    """Whose mailbox the caller acts as; an application that impersonates nobody has none."""
    sees_all: bool = False
    """Whether the caller may open every mailbox (Full Access)."""

    @property
    def operation(self) -> str:
        """The operation's name."""
        return etree.QName(self.request).localname

    @property
    def now(self) -> datetime:
        """The server's clock."""
        return datetime.now(UTC)

    def own(self) -> Mailbox:
        """The caller's mailbox. Raises Refused where there is none, or where it is in trouble."""
        if self.mailbox is None:
            code = "ErrorInvalidExchangeImpersonationHeaderData"
            raise Fault(code, "ExchangeImpersonation SOAP header must be present for this type of account.")
        self._may_open(self.mailbox)
        return self.mailbox

    def folder(self, named: etree._Element) -> Folder:
        """The folder that a FolderId or DistinguishedFolderId names. Raises Refused."""
        id_ = named.get("Id", "")
        if named.tag == f"{T}DistinguishedFolderId":
            address = named.findtext(f"{T}Mailbox/{T}EmailAddress")
            mailbox = self.own() if address is None else self.server.mailbox(address)
            self._may_open(mailbox)
            found = next((folder for folder in mailbox.folders.values() if folder.distinguished == id_.lower()), None)
        else:
            _check_id(id_)
            found = next((box.folders[id_] for box in self.server.mailboxes.values() if id_ in box.folders), None)
        if found is None:
            raise Refused("ErrorFolderNotFound", "The specified folder could not be found in the store.")
        self._may_open(found.mailbox)
        return found

    def folders(self, parent: etree._Element | None) -> list[Folder]:
        """The folders that the children of an element name."""
        return [] if parent is None else [self.folder(child) for child in parent]

    def target(self, tag: str) -> Folder | None:
        """The one folder in the element `tag` of the request, where the element is there."""
        holder = self.request.find(tag)
        return None if holder is None else self.folder(holder[0])

    def item(self, named: etree._Element) -> Item:
        """The item that an ItemId names. Raises Refused."""
        id_ = named.get("Id", "")
        _check_id(id_)
        for mailbox in self.server.mailboxes.values():
            if id_ in mailbox.items:
                self._may_open(mailbox)
                return mailbox.items[id_]
        raise Refused("ErrorItemNotFound", "The specified object was not found in the store.")

    def each(
        self,
        asked: Iterable[etree._Element],
        answer: Callable[[etree._Element, etree._Element], None],
        *always: tuple[str, object],
    ) -> etree._Element:
        """The response in which each thing that was asked has a message: `answer` fills it, or raises Refused.
        `always` are the elements that are in a refusal too, by name and text, e.g. Items."""
        reply = Reply(self.operation)
        for one in asked:
            message = reply.success()
            try:
                self.server.refuse_if_ordered(self, one)
                answer(one, message)
            except Fault:
                raise
            except Refused as refused:
                message.getparent().remove(message)
                message = reply.refusal(refused)
                for name, text in always:
                    add(message, f"{M}{name}", text)
        return reply.root

    def _may_open(self, mailbox: Mailbox) -> None:
        if mailbox.trouble is not None:
            raise mailbox.trouble
        if mailbox is not self.mailbox and not self.sees_all:
            raise Refused("ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def _check_id(id_: str) -> None:
    try:
        if base64.b64decode(id_, validate=True)[:3] == b"\x00\x03\x24":
            return
    except ValueError:
        pass
    raise Refused("ErrorInvalidIdMalformed", "Id is malformed.")
