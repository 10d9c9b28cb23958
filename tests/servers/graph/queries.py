"""Query options and preferences: what Graph understands of OData for messages, and nothing beside it."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.servers.graph.item import SELECTABLE, Item, stamp
from tests.servers.graph.wire import GraphError, Request, Violation

_EXPAND = re.compile(
    r"(?P<name>singleValueExtendedProperties|multiValueExtendedProperties)"
    r"\(\$filter=(?P<filter>id eq '[^']+'(?: or id eq '[^']+')*)\)"
)
_TAG = re.compile(r"id eq '([^']+)'")
_TAG_FORMS = {
    "singleValueExtendedProperties": re.compile(
        r"(?:String|Integer|Long|Boolean|SystemTime|Binary) (?:0x[0-9A-Fa-f]{1,4}|\{[0-9a-fA-F-]{36}\} Name [\w-]+)"
    ),
    "multiValueExtendedProperties": re.compile(
        r"(?:String|Integer|SystemTime)Array (?:0x[0-9A-Fa-f]{1,4}|\{[0-9a-fA-F-]{36}\} Name [\w-]+)"
    ),
}
_COMPARISON = re.compile(
    r"(?P<name>[a-zA-Z/]+) (?P<operator>eq|ne|ge|gt|le|lt) (?P<value>'(?:[^']|'')*'|true|false|[0-9TZ:.+-]+)"
)
_ANY_CATEGORY = re.compile(r"categories/any\((\w+):\s?\1 eq '((?:[^']|'')*)'\)")
_PREFERENCES = re.compile(r'\s*([\w.-]+)\s*=\s*(?:"([^"]*)"|([^,;\s]+))\s*(?:,|$)')
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, wanted: found == wanted,
    "ne": lambda found, wanted: found != wanted,
    "ge": lambda found, wanted: found >= wanted,
    "gt": lambda found, wanted: found > wanted,
    "le": lambda found, wanted: found <= wanted,
    "lt": lambda found, wanted: found < wanted,
}
_VALUES: dict[str, Callable[[Item], Any]] = {
    "internetMessageId": lambda item: item.message_id,
    "receivedDateTime": lambda item: stamp(item.received),
    "lastModifiedDateTime": lambda item: stamp(item.modified or item.received),
    "conversationId": lambda item: item.conversation,
    "subject": lambda item: item.header("Subject"),
    "isRead": lambda item: item.is_read,
    "isDraft": lambda item: item.is_draft,
}
_TIMES = ("receivedDateTime", "lastModifiedDateTime")


@dataclass(frozen=True, slots=True)
class Preferences:
    """The header Prefer."""

    immutable: bool = False
    page: int | None = None
    body_type: str = "html"


def only(request: Request, allowed: Collection[str]) -> None:
    """No other query options than these."""
    unknown = sorted(set(request.query) - set(allowed))
    if unknown:
        raise Violation(f"{request.method} {request.target}: query options {unknown} are not documented here")


def preferences(request: Request) -> Preferences:
    """What the request prefers; an unknown preference is a violation."""
    value = request.headers.get("prefer", "")
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _PREFERENCES.match(value, at)
        if match is None:
            raise Violation(f"Prefer: {value}")
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        at = match.end()
    unknown = sorted(set(found) - {"idtype", "odata.maxpagesize", "outlook.body-content-type", "outlook.timezone"})
    if unknown or found.get("idtype", "ImmutableId") != "ImmutableId":
        raise Violation(f"Prefer: {value}")
    page = found.get("odata.maxpagesize")
    if page is not None and (not page.isdigit() or not 1 <= int(page) <= 1000):
        raise Violation(f"Prefer: {value}")
    return Preferences("idtype" in found, int(page) if page else None, found.get("outlook.body-content-type", "html"))


def applied(preferred: Preferences) -> dict[str, str]:
    """The header by which the server says which preferences it followed."""
    said = []
    if preferred.immutable:
        said.append('IdType="ImmutableId"')
    if preferred.page is not None:
        said.append(f"odata.maxpagesize={preferred.page}")
    if preferred.body_type != "html":
        said.append(f'outlook.body-content-type="{preferred.body_type}"')
    return {"Preference-Applied": ", ".join(said)} if said else {}


def selection(request: Request, known: Sequence[str] = SELECTABLE) -> tuple[str, ...] | None:
    """The properties of $select, None where it lacks."""
    if "$select" not in request.query:
        return None
    names = tuple(name.strip() for name in request.query["$select"].split(","))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Violation(
            f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.message'.",
            code="RequestBroker--ParseUri",
        )
    return names


def expansion(request: Request) -> tuple[str, ...]:
    """The ids of the extended properties that $expand asks for, of one value or of many."""
    if "$expand" not in request.query:
        return ()
    match = _EXPAND.fullmatch(request.query["$expand"])
    tags = tuple(_TAG.findall(match["filter"])) if match else ()
    if match is None or not all(_TAG_FORMS[match["name"]].fullmatch(tag) for tag in tags):
        raise Violation(f"$expand={request.query['$expand']}")
    return tags


def expanded(item: Item, tags: Sequence[str]) -> dict[str, Any]:
    """What $expand adds to a message; nothing where it has none of them."""
    found = [{"id": tag, "value": value} for tag in tags if (value := item.extended_property(tag)) is not None]
    name = "multiValueExtendedProperties" if tags and "Array " in tags[0] else "singleValueExtendedProperties"
    return {name: found} if found else {}


def number(request: Request, option: str, default: int, most: int) -> int:
    """A number among the query options."""
    value = request.query.get(option)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or int(value) > most or (option == "$top" and value == "0"):
        raise Violation(f"{option}={value}: a number up to {most} is expected")
    return int(value)


def condition(request: Request) -> tuple[Callable[[Item], bool], tuple[str, ...]]:
    """What $filter demands, and the properties that it names in their order."""
    text = request.query.get("$filter")
    if text is None:
        return (lambda _item: True), ()
    tests: list[Callable[[Item], bool]] = []
    names: list[str] = []
    for term in re.split(r" and (?=(?:[^']*'[^']*')*[^']*$)", text):
        test, name = _term(term.strip(), text)
        tests.append(test)
        names.append(name)
    return (lambda item: all(test(item) for test in tests)), tuple(names)


def ordering(request: Request, filtered: Sequence[str]) -> tuple[Callable[[Item], Any], bool]:
    """The sort key of $orderby and whether it descends; newest first where it lacks.

    https://learn.microsoft.com/graph/api/user-list-messages#using-filter-and-orderby-in-the-same-query: properties in
    $orderby must also stand in $filter, in the same order and before all others.
    """
    text = request.query.get("$orderby")
    if text is None:
        return _VALUES["receivedDateTime"], True
    match = re.fullmatch(r"(receivedDateTime|lastModifiedDateTime|subject)(?: (asc|desc))?", text)
    if match is None:
        raise Violation(f"$orderby={text}")
    if filtered and filtered[0] != match[1]:
        raise GraphError(400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
    return _VALUES[match[1]], match[2] == "desc"


def moment(text: str) -> datetime:
    """A time in a filter or a body. Raises Violation."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)", text):
        raise Violation(f"{text!r} is no DateTimeOffset")
    fraction = re.sub(r"(\.\d{6})\d", r"\1", text)
    return datetime.fromisoformat(fraction).astimezone(UTC)


def _term(term: str, whole: str) -> tuple[Callable[[Item], bool], str]:
    category = _ANY_CATEGORY.fullmatch(term)
    if category is not None:
        wanted = category[2].replace("''", "'")
        return (lambda item: wanted in item.categories), "categories"
    match = _COMPARISON.fullmatch(term)
    if match is None or match["name"] not in _VALUES:
        raise Violation(f"$filter={whole}", code="ErrorInvalidUrlQueryFilter")
    name, value = match["name"], match["value"]
    compared: Any
    if name in _TIMES:
        compared = stamp(moment(value))
    elif name in ("isRead", "isDraft"):
        if value not in ("true", "false"):
            raise Violation(f"$filter={whole}", code="ErrorInvalidUrlQueryFilter")
        compared = value == "true"
    else:
        if not value.startswith("'"):
            raise Violation(f"$filter={whole}", code="ErrorInvalidUrlQueryFilter")
        compared = value[1:-1].replace("''", "'")
    read, operator = _VALUES[name], _OPERATORS[match["operator"]]
    return (lambda item: operator(read(item), compared)), name
