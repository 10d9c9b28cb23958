"""Folders: GetFolder, FindFolder, CreateFolder, UpdateFolder, MoveFolder, EmptyFolder, DeleteFolder, and
SyncFolderHierarchy (MS-OXWSFOLD, MS-OXWSSRCH, MS-OXWSSYNC)."""

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import folder_id
from tests.servers.ews.restrictions import folder_test
from tests.servers.ews.shapes import folder_shape
from tests.servers.ews.showing import folders_message, show_folder
from tests.servers.ews.soap import M, Refused, T, add
from tests.servers.ews.store import Folder, SyncPoint


def get_folder(call: Call) -> etree._Element:
    """Folders by their names or ids."""
    shape = folder_shape(call.request.find(f"{M}FolderShape"))

    def answer(named: etree._Element, message: etree._Element) -> None:
        folders_message(message, [call.folder(named)], shape)

    return call.each(call.request.find(f"{M}FolderIds"), answer, ("Folders", None))


def find_folder(call: Call) -> etree._Element:
    """What lies below folders."""
    shape = folder_shape(call.request.find(f"{M}FolderShape"))
    deep = call.request.get("Traversal") == "Deep"
    restriction = call.request.find(f"{M}Restriction")
    page = call.request.find(f"{M}IndexedPageFolderView")

    def answer(named: etree._Element, message: etree._Element) -> None:
        parent = call.folder(named)
        found = parent.below if deep else parent.children
        if restriction is not None:
            found = list(filter(folder_test(restriction[0]), found))
        offset = 0 if page is None else int(page.get("Offset", 0))
        end = len(found) if page is None else offset + int(page.get("MaxEntriesReturned", len(found)))
        holder = add(
            message,
            f"{M}RootFolder",
            IndexedPagingOffset=min(end, len(found)),
            IncludesLastItemInRange=end >= len(found),
            TotalItemsInView=len(found),
        )
        folders = add(holder, f"{T}Folders")
        for folder in found[offset:end]:
            show_folder(folders, folder, shape)

    return call.each(call.request.find(f"{M}ParentFolderIds"), answer)


def create_folder(call: Call) -> etree._Element:
    """New folders."""

    def answer(wanted: etree._Element, message: etree._Element) -> None:
        parent = call.folder(call.request.find(f"{M}ParentFolderId")[0])
        name = wanted.findtext(f"{T}DisplayName") or ""
        if any(child.name.lower() == name.lower() for child in parent.children):
            raise Refused("ErrorFolderExists", "A folder with the specified name already exists.")
        default = {"CalendarFolder": "IPF.Appointment", "ContactsFolder": "IPF.Contact", "TasksFolder": "IPF.Task"}
        folder_class = default.get(etree.QName(wanted).localname, "IPF.Note")
        made = parent.mailbox.new_folder(parent, name, wanted.findtext(f"{T}FolderClass") or folder_class)
        _only_id(message, made)

    return call.each(call.request.find(f"{M}Folders"), answer, ("Folders", None))


def update_folder(call: Call) -> etree._Element:
    """New names for folders."""

    def answer(change: etree._Element, message: etree._Element) -> None:
        folder = call.folder(change[0])
        for update in change.find(f"{T}Updates"):
            if update.tag != f"{T}SetFolderField" or update[0].get("FieldURI") != "folder:DisplayName":
                raise Refused("ErrorInvalidPropertySet", "Set action is invalid for property.")
            folder.name = update[1].findtext(f"{T}DisplayName") or folder.name
        folder.change = folder.mailbox.next_change()
        _only_id(message, folder)

    return call.each(call.request.find(f"{M}FolderChanges"), answer, ("Folders", None))


def move_folder(call: Call) -> etree._Element:
    """Folders into another folder."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        target = call.target(f"{M}ToFolderId")
        folder = call.folder(named)
        _not_distinguished(folder)
        folder.parent = target
        folder.change = folder.mailbox.next_change()
        _only_id(message, folder)

    return call.each(call.request.find(f"{M}FolderIds"), answer, ("Folders", None))


def delete_folder(call: Call) -> etree._Element:
    """Folders away for good, or into Deleted Items."""
    to_deleted = call.request.get("DeleteType") == "MoveToDeletedItems"

    def answer(named: etree._Element, message: etree._Element) -> None:
        folder = call.folder(named)
        _not_distinguished(folder)
        if to_deleted:
            folder.parent = folder.mailbox.folder("deleteditems")
        else:
            folder.mailbox.drop_folder(folder)

    return call.each(call.request.find(f"{M}FolderIds"), answer)


def empty_folder(call: Call) -> etree._Element:
    """What lies in folders away."""
    to_deleted = call.request.get("DeleteType") == "MoveToDeletedItems"

    def answer(named: etree._Element, message: etree._Element) -> None:
        folder = call.folder(named)
        for item in list(folder.items.values()):
            if to_deleted:
                folder.mailbox.move(item, folder.mailbox.folder("deleteditems"))
            else:
                folder.mailbox.delete(item)
        if call.request.get("DeleteSubFolders") == "true":
            for child in folder.children:
                folder.mailbox.drop_folder(child)

    return call.each(call.request.find(f"{M}FolderIds"), answer)


def sync_folder_hierarchy(call: Call) -> etree._Element:
    """Which folders came, changed and went."""
    shape = folder_shape(call.request.find(f"{M}FolderShape"))
    given = call.request.findtext(f"{M}SyncState")

    def answer(named: etree._Element, message: etree._Element) -> None:
        root = call.target(f"{M}SyncFolderId") or call.own().folder("root")
        mailbox = root.mailbox
        point = mailbox.states.get(given) if given else SyncPoint(f"below {root.id}", {}, -1)
        if point is None or point.folder != f"below {root.id}":
            raise Refused("ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid.")
        present = {folder.id: folder for folder in root.below}
        known = {id_: (folder.change, 0) for id_, folder in present.items()}
        add(message, f"{M}SyncState", mailbox.sync_state(SyncPoint(point.folder, known, -1)))
        add(message, f"{M}IncludesLastFolderInRange", True)
        changes = add(message, f"{M}Changes")
        for id_, folder in present.items():
            if point.known.get(id_) != known[id_]:
                show_folder(add(changes, f"{T}{'Update' if id_ in point.known else 'Create'}"), folder, shape)
        for id_ in point.known:
            if id_ not in present:
                add(add(changes, f"{T}Delete"), f"{T}FolderId", Id=id_)

    none = (("SyncState", None), ("IncludesLastFolderInRange", True))
    return call.each([call.request], answer, *none)


def _only_id(message: etree._Element, folder: Folder) -> None:
    folder_id(add(add(message, f"{M}Folders"), f"{T}Folder"), folder)


def _not_distinguished(folder: Folder) -> None:
    if folder.distinguished:
        raise Refused("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
