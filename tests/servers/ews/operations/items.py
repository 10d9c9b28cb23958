"""Items: GetItem, UpdateItem, DeleteItem, MoveItem, CopyItem, MarkAllItemsAsRead, GetAttachment (MS-OXWSCORE,
MS-OXWSMSG, MS-OXWSATT)."""

import base64
from collections.abc import Callable

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import attachment_id, item_id
from tests.servers.ews.shapes import item_shape, path_name
from tests.servers.ews.showing import show_item
from tests.servers.ews.soap import M, Refused, T, add, truth
from tests.servers.ews.store import Folder, Item
from tests.servers.ews.writing import write_field


def get_item(call: Call) -> etree._Element:
    """Items by their ids."""
    shape = item_shape(call.request.find(f"{M}ItemShape"))

    def answer(named: etree._Element, message: etree._Element) -> None:
        show_item(add(message, f"{M}Items"), call.item(named), shape)

    return call.each(call.request.find(f"{M}ItemIds"), answer, ("Items", None))


def update_item(call: Call) -> etree._Element:
    """Properties written and deleted, one item after the other."""
    resolution = call.request.get("ConflictResolution", "")

    def answer(change: etree._Element, message: etree._Element) -> None:
        named = change[0]
        item = call.item(named)
        if call.request.get("MessageDisposition") is None:
            raise Refused("ErrorMessageDispositionRequired", "MessageDisposition is required for messages.")
        updates = list(change.find(f"{T}Updates"))
        names = [path_name(update[0]) for update in updates]
        _refuse_conflict(item, named.get("ChangeKey"), resolution, names)
        written = [name for update, name in zip(updates, names, strict=True) if write_field(item, update)]
        if written:
            item.folder.mailbox.touch(item, *written, at=call.now)
        shown = add(add(message, f"{M}Items"), f"{T}Message")
        item_id(shown, item)
        add(add(message, f"{M}ConflictResults"), f"{T}Count", 0)

    return call.each(call.request.find(f"{M}ItemChanges"), answer, ("Items", None))


def delete_item(call: Call) -> etree._Element:
    """Items away: for good, or into Deleted Items."""
    kind = call.request.get("DeleteType")

    def answer(named: etree._Element, message: etree._Element) -> None:
        item = call.item(named)
        mailbox = item.folder.mailbox
        if kind == "HardDelete":
            mailbox.delete(item)
        else:
            to = "deleteditems" if kind == "MoveToDeletedItems" else "recoverableitemsdeletions"
            mailbox.move(item, mailbox.folder(to))

    return call.each(call.request.find(f"{M}ItemIds"), answer)


def move_item(call: Call) -> etree._Element:
    """Items into another folder, where they have other ids."""
    return _transfer(call, lambda item, folder: item.folder.mailbox.move(item, folder))


def copy_item(call: Call) -> etree._Element:
    """Copies of items in another folder."""
    return _transfer(call, lambda item, folder: item.folder.mailbox.copy(item, folder, call.now))


def mark_all_items_as_read(call: Call) -> etree._Element:
    """The read mark of everything in folders."""
    is_read = truth(call.request.findtext(f"{M}ReadFlag"))

    def answer(named: etree._Element, message: etree._Element) -> None:
        folder = call.folder(named)
        for item in folder.messages:
            folder.mailbox.mark_read(item, is_read)

    return call.each(call.request.find(f"{M}FolderIds"), answer)


def get_attachment(call: Call) -> etree._Element:
    """The content of attachments."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        wanted = named.get("Id", "")
        id_ = etree.Element(f"{T}ItemId", Id=_item_of(wanted))
        item = call.item(id_)
        for number, part in enumerate(item.properties.attachments):
            if attachment_id(item, number) == wanted:
                made = add(add(message, f"{M}Attachments"), f"{T}FileAttachment")
                add(made, f"{T}AttachmentId", Id=wanted)
                add(made, f"{T}Name", part.get_filename() or f"attachment-{number}")
                add(made, f"{T}ContentType", part.get_content_type())
                content = part.get_payload(decode=True)
                binary = content if isinstance(content, bytes) else b""
                add(made, f"{T}Content", base64.b64encode(binary).decode())
                return
        raise Refused("ErrorItemNotFound", "The attachment was not found.")

    return call.each(call.request.find(f"{M}AttachmentIds"), answer, ("Attachments", None))


def _item_of(attachment: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(attachment, validate=True)[:-2]).decode()
    except ValueError as error:
        raise Refused("ErrorInvalidAttachmentId", "The attachment id is malformed.") from error


def _transfer(call: Call, how: Callable[[Item, Folder], Item]) -> etree._Element:
    def answer(named: etree._Element, message: etree._Element) -> None:
        target = call.target(f"{M}ToFolderId")
        item = call.item(named)
        if target is None or item.folder.mailbox is not target.mailbox:
            raise Refused("ErrorCrossMailboxMoveCopy", "Items cannot be moved between mailboxes.")
        shown = add(add(message, f"{M}Items"), f"{T}Message")
        item_id(shown, how(item, target))

    return call.each(call.request.find(f"{M}ItemIds"), answer, ("Items", None))


def _refuse_conflict(item: Item, change_key: str | None, resolution: str, names: list[str]) -> None:
    if resolution == "AlwaysOverwrite":
        return
    if change_key is None:
        raise Refused("ErrorChangeKeyRequiredForWriteOperations", "The change key is required for this operation.")
    seen = item.folder.mailbox.change_of(change_key)
    if seen == item.change:
        return
    if resolution == "NeverOverwrite" or any(item.touched.get(name, 0) > seen for name in names):
        raise Refused(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does "
            "not match the current change key for the item.",
        )
