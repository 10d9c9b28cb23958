"""CreateItem and SendItem (MS-OXWSCORE, MS-OXWSMSG): drafts, and mail that leaves."""

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import item_id
from tests.servers.ews.replies import reply_mime
from tests.servers.ews.soap import M, Refused, T, add, truth
from tests.servers.ews.store import Folder, Item, Mailbox
from tests.servers.ews.writing import mime_of, write_properties

_REPLIES = frozenset({"ReplyToItem", "ReplyAllToItem", "ForwardItem"})


def create_item(call: Call) -> etree._Element:
    """New messages: saved, sent, or both."""
    disposition = call.request.get("MessageDisposition")

    def answer(wanted: etree._Element, message: etree._Element) -> None:
        target = call.target(f"{M}SavedItemFolderId")
        kind = etree.QName(wanted).localname
        if kind not in _REPLIES | {"Message", "Item"}:
            raise Refused("ErrorInvalidOperation", f"This mailbox takes messages, not {kind}.")
        if disposition is None:
            raise Refused("ErrorMessageDispositionRequired", "MessageDisposition is required for messages.")
        mailbox = call.own() if target is None else target.mailbox
        _refuse_full(mailbox)
        mime = reply_mime(call, wanted) if kind in _REPLIES else mime_of(wanted, mailbox)
        items = add(message, f"{M}Items")
        if disposition == "SaveOnly":
            folder = target or mailbox.folder("drafts")
            made = mailbox.add(folder, mime, at=call.now, is_draft=True, is_read=True)
            write_properties(made, wanted)
            item_id(add(items, f"{T}Message"), made)
            return
        sent = call.server.transport.send(mailbox, mime)
        if disposition == "SendAndSaveCopy":
            made = _save(mailbox, target, sent, call)
            write_properties(made, wanted)

    return call.each(call.request.find(f"{M}Items"), answer, ("Items", None))


def send_item(call: Call) -> etree._Element:
    """Drafts that leave: each is gone from Drafts afterwards, and where a copy is kept, that is another item."""
    keep = truth(call.request.get("SaveItemToFolder"))

    def answer(named: etree._Element, message: etree._Element) -> None:
        target = call.target(f"{M}SavedItemFolderId")
        if target is not None and not keep:
            raise Refused("ErrorInvalidSendItemSaveSettings", "A folder to save to was given, yet nothing is saved.")
        item = call.item(named)
        mailbox = item.folder.mailbox
        _refuse_stale(item, named.get("ChangeKey"))
        if not item.is_draft or item.is_submitted:
            raise Refused("ErrorInvalidOperation", "The message was sent already.")
        _refuse_full(mailbox)
        call.server.transport.submit(item, (target or mailbox.folder("sentitems")) if keep else None)

    return call.each(call.request.find(f"{M}ItemIds"), answer)


def _save(mailbox: Mailbox, target: Folder | None, mime: bytes, call: Call) -> Item:
    return mailbox.add(target or mailbox.folder("sentitems"), mime, at=call.now, is_read=True)


def _refuse_stale(item: Item, change_key: str | None) -> None:
    if change_key is None:
        raise Refused("ErrorChangeKeyRequired", "The change key is required for this operation.")
    if item.folder.mailbox.change_of(change_key) != item.change:
        raise Refused(
            "ErrorStaleObject",
            "The send or update operation could not be performed because the change key passed in the request does "
            "not match the current change key for the item.",
        )


def _refuse_full(mailbox: Mailbox) -> None:
    if mailbox.full:
        raise Refused("ErrorQuotaExceeded", "The mailbox has exceeded its quota.")
