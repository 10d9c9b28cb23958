"""Restrictions and sort orders of FindItem and FindFolder (MS-OXWSSRCH)."""

from collections.abc import Callable
from datetime import UTC, datetime

from lxml import etree

from tests.servers.ews.extended import extended_of
from tests.servers.ews.fields import from_of
from tests.servers.ews.shapes import extended_key
from tests.servers.ews.soap import Refused, T, written
from tests.servers.ews.store import Folder, Item

Value = str | int | bool | datetime | tuple[str, ...] | None

_FIELDS: dict[str, Callable[[Item], Value]] = {
    "item:Subject": lambda item: item.properties.subject,
    "item:DateTimeReceived": lambda item: item.received.replace(microsecond=0),
    "item:DateTimeSent": lambda item: item.properties.sent_at or item.received.replace(microsecond=0),
    "item:DateTimeCreated": lambda item: item.created.replace(microsecond=0),
    "item:LastModifiedTime": lambda item: item.modified.replace(microsecond=0),
    "item:Size": lambda item: len(item.mime),
    "item:Categories": lambda item: item.categories,
    "item:ItemClass": lambda item: item.item_class,
    "item:IsDraft": lambda item: item.is_draft,
    "item:IsSubmitted": lambda item: item.is_submitted,
    "item:InReplyTo": lambda item: item.properties.header("In-Reply-To"),
    "item:HasAttachments": lambda item: bool(item.properties.attachments),
    "item:Flag": lambda item: item.flag.status,
    "message:InternetMessageId": lambda item: item.properties.message_id,
    "message:IsRead": lambda item: item.is_read,
    "message:References": lambda item: item.properties.header("References"),
    "message:From": lambda item: " ".join(f"{one.name} {one.address}" for one in from_of(item)),
    "message:ConversationTopic": lambda item: item.properties.topic,
}


def item_matches(item: Item, expression: etree._Element) -> bool:
    """Whether an item is one of those that a restriction asks for. Raises Refused for what cannot be asked."""
    return _matches(expression, lambda path: _of_item(item, path))


def folder_matches(folder: Folder, expression: etree._Element) -> bool:
    """The same for a folder."""

    def value(path: etree._Element) -> Value:
        known: dict[str, Value] = {
            "folder:DisplayName": folder.name,
            "folder:FolderClass": folder.folder_class,
            "folder:TotalCount": len(folder.messages),
        }
        if path.get("FieldURI") in known:
            return known[path.get("FieldURI", "")]
        if path.tag == f"{T}ExtendedFieldURI":
            tags: dict[str, Value] = {"0x3613": folder.folder_class, "0x3001": folder.name, "0x10f4": False}
            return tags.get(extended_key(path)[1])
        raise Refused("ErrorUnsupportedPathForQuery", f"{path.get('FieldURI')} cannot be searched for.")

    return _matches(expression, value)


def sort_key(orders: etree._Element | None) -> Callable[[list[Item]], list[Item]]:
    """How a SortOrder sorts; newest first where none is given, as Exchange shows a folder."""

    def newest_first(items: list[Item]) -> list[Item]:
        return sorted(items, key=lambda item: (item.received, item.number), reverse=True)

    if orders is None:
        return newest_first

    def as_ordered(items: list[Item]) -> list[Item]:
        for order in reversed(list(orders)):
            path = order[0]
            items = sorted(
                items,
                key=lambda item: _sortable(_of_item(item, path)),
                reverse=order.get("Order") == "Descending",
            )
        return items

    return as_ordered


def _of_item(item: Item, path: etree._Element) -> Value:
    if path.tag == f"{T}ExtendedFieldURI":
        found = extended_of(item, extended_key(path))
        return found if found is None or len(found) != 1 else found[0]
    if path.tag == f"{T}FieldURI" and path.get("FieldURI") in _FIELDS:
        return _FIELDS[path.get("FieldURI", "")](item)
    raise Refused("ErrorUnsupportedPathForQuery", f"{path.get('FieldURI')} cannot be searched for.")


def _matches(expression: etree._Element, value: Callable[[etree._Element], Value]) -> bool:
    kind = etree.QName(expression).localname
    if kind in ("And", "Or"):
        answers = (_matches(child, value) for child in expression)
        return all(answers) if kind == "And" else any(answers)
    if kind == "Not":
        return not _matches(expression[0], value)
    found = value(expression[0])
    if kind in _TESTS:
        return _TESTS[kind](found, expression)
    operand = expression[1][0]
    against = value(operand) if operand.tag != f"{T}Constant" else _constant(operand.get("Value", ""), found)
    return any(
        _COMPARISONS[kind](one, against) if one is not None and against is not None else kind == "IsNotEqualTo"
        for one in (found if isinstance(found, tuple) else (found,))
    )


_COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "IsEqualTo": lambda left, right: left == right,
    "IsNotEqualTo": lambda left, right: left != right,
    "IsGreaterThan": lambda left, right: left > right,  # type: ignore[operator]
    "IsGreaterThanOrEqualTo": lambda left, right: left >= right,  # type: ignore[operator]
    "IsLessThan": lambda left, right: left < right,  # type: ignore[operator]
    "IsLessThanOrEqualTo": lambda left, right: left <= right,  # type: ignore[operator]
}


def _contains(found: Value, expression: etree._Element) -> bool:
    constant = expression.find(f"{T}Constant")
    wanted = "" if constant is None else constant.get("Value", "")
    exact = expression.get("ContainmentComparison", "Exact") == "Exact"
    mode = expression.get("ContainmentMode", "FullString")
    for one in found if isinstance(found, tuple) else (written(found) if found is not None else "",):
        left, right = (one, wanted) if exact else (one.lower(), wanted.lower())
        if (left == right) if mode == "FullString" else left.startswith(right) if mode == "Prefixed" else right in left:
            return True
    return False


def _excludes(found: Value, expression: etree._Element) -> bool:
    mask = expression.find(f"{T}Bitmask")
    return mask is not None and not int(str(found or 0)) & int(mask.get("Value", "0"), 0)


_TESTS: dict[str, Callable[[Value, etree._Element], bool]] = {
    "Exists": lambda found, expression: found not in (None, ()),
    "Contains": _contains,
    "Excludes": _excludes,
}


def _constant(text: str, like: Value) -> Value:
    if isinstance(like, bool):
        return text.lower() in ("true", "1")
    if isinstance(like, int):
        return int(text)
    if isinstance(like, datetime):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return text


def _sortable(value: Value) -> tuple[bool, Value]:
    return (value is not None, value)
