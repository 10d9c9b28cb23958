"""FindItem (MS-OXWSSRCH)."""

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.restrictions import item_test, sorting
from tests.servers.ews.shapes import found_shape
from tests.servers.ews.showing import show_item
from tests.servers.ews.soap import M, Refused, T, add

MOST_AT_ONCE = 1000
"""What a server gives in one answer however much is asked for: the default of EWSFindCountLimit."""


def find_item(call: Call) -> etree._Element:
    """Items of folders: those that a restriction asks for, sorted, a page of them."""
    associated = call.request.get("Traversal") == "Associated"
    restriction = call.request.find(f"{M}Restriction")
    page = call.request.find(f"{M}IndexedPageItemView")
    for unknown in ("GroupBy", "DistinguishedGroupBy", "QueryString", "SeekToConditionPageItemView"):
        if call.request.find(f"{M}{unknown}") is not None:
            call.server.violation(f"FindItem: the stand-in does not know {unknown}")

    def answer(named: etree._Element, message: etree._Element) -> None:
        shape = found_shape(call.request.find(f"{M}ItemShape"))
        folder = call.folder(named)
        if call.request.get("Traversal") == "SoftDeleted":
            raise Refused("ErrorInvalidOperation", "Soft-deleted items are found in recoverableitemsdeletions.")
        fits = (lambda _: True) if restriction is None else item_test(restriction[0])
        found = [item for item in folder.items.values() if item.associated == associated and fits(item)]
        found = sorting(call.request.find(f"{M}SortOrder"))(found)
        offset = 0 if page is None else int(page.get("Offset", "0"))
        count = MOST_AT_ONCE if page is None else int(page.get("MaxEntriesReturned", MOST_AT_ONCE))
        if page is not None and page.get("BasePoint") == "End":
            end = len(found) - offset
            start = max(0, end - count)
            last, following = start == 0, len(found) - start
        else:
            start, end = offset, offset + min(count, MOST_AT_ONCE)
            last, following = end >= len(found), min(end, len(found))
        holder = add(
            message,
            f"{M}RootFolder",
            IndexedPagingOffset=following,
            TotalItemsInView=len(found),
            IncludesLastItemInRange=last,
        )
        items = add(holder, f"{T}Items")
        for item in found[start:end]:
            show_item(items, item, shape)

    return call.each(call.request.find(f"{M}ParentFolderIds"), answer)
