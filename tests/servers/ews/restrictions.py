"""Restrictions and sort orders of FindItem and FindFolder (MS-OXWSSRCH)."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from lxml import etree

from tests.servers.ews.extended import extended_of, folder_extended_of
from tests.servers.ews.fields import from_of
from tests.servers.ews.shapes import extended_key
from tests.servers.ews.soap import Refused, T, written
from tests.servers.ews.store import Extended, Item

Value = str | int | float | bool | datetime | tuple[str, ...] | None
Reading = Callable[[Any], Value]
"""Reads one property of an item, or of a folder."""
Test = Callable[[Any], bool]
"""Whether an item, or a folder, is one of those that are asked for."""

_ITEM_FIELDS: dict[str, Reading] = {
    "item:Subject": lambda item: item.properties.subject,
    "item:DateTimeReceived": lambda item: item.received,
    "item:DateTimeSent": lambda item: item.properties.sent_at or item.received,
    "item:DateTimeCreated": lambda item: item.created,
    "item:LastModifiedTime": lambda item: item.modified,
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


_FOLDER_FIELDS: dict[str, Reading] = {
    "folder:DisplayName": lambda folder: folder.name,
    "folder:FolderClass": lambda folder: folder.folder_class,
    "folder:TotalCount": lambda folder: len(folder.messages),
}


@cache
def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_TYPES: dict[str, Callable[[str], Value]] = {
    "Boolean": lambda text: text.lower() in ("true", "1"),
    "Double": float,
    "Integer": int,
    "Long": int,
    "Short": int,
    "SystemTime": _moment,
}
"""How the values of extended properties are compared; any other as texts."""


def item_test(expression: etree._Element) -> Test:
    """What a restriction asks for. Raises Refused for what cannot be asked of items."""
    return _test(expression, _item_reading)


def folder_test(expression: etree._Element) -> Test:
    """The same for folders."""
    return _test(expression, _folder_reading)


def sorting(orders: etree._Element | None) -> Callable[[list[Item]], list[Item]]:
    """How a SortOrder sorts; newest first where none is given, as Exchange shows a folder. Raises Refused."""
    if orders is None:
        return lambda items: sorted(items, key=lambda item: (item.received, item.number), reverse=True)
    keys = [(_item_reading(order[0]), order.get("Order") == "Descending") for order in orders]

    def as_ordered(items: list[Item]) -> list[Item]:
        for reading, descending in reversed(keys):
            valued = [(reading(item), item) for item in items]
            valued.sort(key=lambda pair: (pair[0] is not None, pair[0]), reverse=descending)
            items = [item for _, item in valued]
        return items

    return as_ordered


def _item_reading(path: etree._Element) -> Reading:
    if path.tag == f"{T}ExtendedFieldURI":
        key = extended_key(path)
        return lambda item: _typed(extended_of(item, key), key)
    if path.tag == f"{T}FieldURI" and path.get("FieldURI") in _ITEM_FIELDS:
        return _ITEM_FIELDS[path.get("FieldURI", "")]
    raise Refused("ErrorUnsupportedPathForQuery", f"{path.get('FieldURI')} cannot be searched for.")


def _folder_reading(path: etree._Element) -> Reading:
    if path.tag == f"{T}ExtendedFieldURI":
        key = extended_key(path)
        return lambda folder: folder_extended_of(folder, key)
    if path.get("FieldURI") in _FOLDER_FIELDS:
        return _FOLDER_FIELDS[path.get("FieldURI", "")]
    raise Refused("ErrorUnsupportedPathForQuery", f"{path.get('FieldURI')} cannot be searched for.")


def _typed(values: tuple[str, ...] | None, key: Extended) -> Value:
    if values is None or len(values) != 1 or key[-1].endswith("Array"):
        return values
    return _TYPES.get(key[-1], str)(values[0])


def _test(expression: etree._Element, reading_of: Callable[[etree._Element], Reading]) -> Test:
    kind = etree.QName(expression).localname
    if kind in ("And", "Or"):
        tests = [_test(child, reading_of) for child in expression]
        every = all if kind == "And" else any
        return lambda thing: every(test(thing) for test in tests)
    if kind == "Not":
        negated = _test(expression[0], reading_of)
        return lambda thing: not negated(thing)
    reading = reading_of(expression[0])
    if kind in _TESTS:
        test = _TESTS[kind](expression)
        return lambda thing: test(reading(thing))
    compare, operand = _COMPARISONS[kind], expression[1][0]
    if operand.tag != f"{T}Constant":
        other = reading_of(operand)
        return lambda thing: _compared(compare, reading(thing), other(thing))
    constant = _Constant(operand.get("Value", ""))
    return lambda thing: _compared(compare, found := reading(thing), constant.like(found))


def _compared(compare: Callable[[Any, Any], bool], found: Value, against: Value) -> bool:
    values = found if isinstance(found, tuple) else (found,)
    return any(
        compare(one, against) if one is not None and against is not None else compare is operator.ne for one in values
    )


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": operator.eq,
    "IsNotEqualTo": operator.ne,
    "IsGreaterThan": operator.gt,
    "IsGreaterThanOrEqualTo": operator.ge,
    "IsLessThan": operator.lt,
    "IsLessThanOrEqualTo": operator.le,
}


def _contains(expression: etree._Element) -> Callable[[Value], bool]:
    constant = expression.find(f"{T}Constant")
    wanted = "" if constant is None else constant.get("Value", "")
    exact = expression.get("ContainmentComparison", "Exact") == "Exact"
    fits = {"FullString": str.__eq__, "Prefixed": str.startswith}.get(
        expression.get("ContainmentMode", "FullString"), str.__contains__
    )

    def test(found: Value) -> bool:
        values = found if isinstance(found, tuple) else (written(found),) if found is not None else ()
        return any(fits(one, wanted) if exact else fits(one.lower(), wanted.lower()) for one in values)

    return test


def _excludes(expression: etree._Element) -> Callable[[Value], bool]:
    mask = int(expression[1].get("Value", "0"), 0)
    return lambda found: not int(str(found or 0)) & mask


_TESTS: dict[str, Callable[[etree._Element], Callable[[Value], bool]]] = {
    "Exists": lambda expression: lambda found: found not in (None, ()),
    "Contains": _contains,
    "Excludes": _excludes,
}


class _Constant:
    """A constant of a restriction: a text that means what it is compared with."""

    def __init__(self, text: str) -> None:
        self.text = text

    def like(self, found: Value) -> Value:
        if isinstance(found, bool):
            return self.text.lower() in ("true", "1")
        if isinstance(found, int):
            return int(self.text)
        if isinstance(found, datetime):
            return _moment(self.text)
        return self.text
