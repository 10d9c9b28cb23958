"""SyncFolderItems (MS-OXWSSYNC): what came, changed and went in a folder since a sync state."""

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import item_id
from tests.servers.ews.shapes import synced_shape
from tests.servers.ews.showing import show_item
from tests.servers.ews.soap import M, Refused, T, add
from tests.servers.ews.store import Folder, Item, SyncPoint


def sync_folder_items(call: Call) -> etree._Element:
    """A page of changes. As Exchange does it, a message is shown as it is now, once, whatever happened to it, and mail
    that is new to the client comes newest first."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        shape = synced_shape(call.request.find(f"{M}ItemShape"))
        folder = call.folder(named)
        point = _point(folder, call.request.findtext(f"{M}SyncState"))
        ignored = {child.get("Id") for child in call.request.iterfind(f"{M}Ignore/{T}ItemId")}
        associated = call.request.findtext(f"{M}SyncScope") == "NormalAndAssociatedItems"
        limit = int(call.request.findtext(f"{M}MaxChangesReturned", "512"))
        changes = [] if point.version == folder.version else _changes(folder, point, associated)
        known = dict(point.known) if changes else point.known
        page = changes[:limit]
        for id_, item in page:
            if item is None:
                del known[id_]  # type: ignore[attr-defined]
            else:
                known[id_] = (item.change, item.read_change)  # type: ignore[index]
        last = len(page) == len(changes)
        told = SyncPoint(folder.id, known, folder.version if last else -1)
        add(message, f"{M}SyncState", folder.mailbox.sync_state(told))
        add(message, f"{M}IncludesLastItemInRange", last)
        shown = add(message, f"{M}Changes")
        for id_, item in page:
            if id_ in ignored:
                continue
            if item is None:
                add(add(shown, f"{T}Delete"), f"{T}ItemId", Id=id_, ChangeKey=folder.mailbox.change_key(0))
                continue
            before = point.known.get(id_)
            if before is not None and before[0] == item.change:
                change = add(shown, f"{T}ReadFlagChange")
                item_id(change, item)
                add(change, f"{T}IsRead", item.is_read)
            else:
                show_item(add(shown, f"{T}{'Create' if before is None else 'Update'}"), item, shape)

    none = (("SyncState", None), ("IncludesLastItemInRange", True))
    return call.each(call.request.find(f"{M}SyncFolderId"), answer, *none)


def _point(folder: Folder, given: str | None) -> SyncPoint:
    if not given:
        return SyncPoint(folder.id, {}, -1)
    found = folder.mailbox.states.get(given)
    if found is None or found.folder != folder.id:
        raise Refused("ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid.")
    return found


def _changes(folder: Folder, point: SyncPoint, associated: bool) -> list[tuple[str, Item | None]]:
    gone: list[tuple[str, Item | None]] = [(id_, None) for id_ in point.known if id_ not in folder.items]
    seen = [item for item in folder.items.values() if associated or not item.associated]
    new = [item for item in seen if item.id not in point.known]
    changed = [
        item for item in seen if item.id in point.known and point.known[item.id] != (item.change, item.read_change)
    ]
    new.sort(key=lambda item: (item.received, item.number), reverse=True)
    changed.sort(key=lambda item: max(item.change, item.read_change), reverse=True)
    return [(item.id, item) for item in (*new, *changed)] + gone
