"""Labels as Outlook's categories: which are ours, writing them onto messages, and the list that gives them colours."""

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from lxml import etree  # type: ignore[import-untyped]

from connectors.errors import BROKEN, MailboxError, MessageGone, PermissionDenied, TagFailed
from connectors.exchange_connection import Answer, Connection
from connectors.exchange_errors import GONE, STALE, code_of
from connectors.exchange_items import Listed, M, T, item_in, items_in
from connectors.exchange_requests import (
    CATEGORIES,
    Element,
    get_category_list,
    get_fields,
    put_category_list,
    set_categories,
)
from connectors.labels import NAMES, Label, Relabelling

_LABELS = {name.casefold(): label for label, name in NAMES.items()}
_COLOURS = {
    Label.URGENT: 0,
    Label.CONFLICT: 1,
    Label.ROUTINE: 4,
    Label.CHECK: 3,
    Label.PLAN_AGREED: 8,
    Label.ANOTHER_DRAFT: 7,
    Label.HANDLED: 12,
    Label.GOOD_NEWS: 5,
}
"""Red, orange, green, yellow, purple, blue, grey, teal (MS-OXOCFG §2.2.5.2.1.1)."""
_LIST = "CategoryList.xsd"
_BATCH = 100
_ATTEMPTS = 4
"""So often labels are written anew where somebody else changes the message meanwhile."""

log = logging.getLogger(__name__)


def labels_in(categories: Sequence[str]) -> frozenset[Label]:
    """The labels among a message's categories. Outlook tells no capitals apart."""
    return frozenset(_LABELS[name.casefold()] for name in categories if name.casefold() in _LABELS)


def with_labels(categories: Sequence[str], labels: frozenset[Label]) -> tuple[str, ...]:
    """The categories with exactly these labels among them: others stay, in their order, ours come last."""
    kept = [name for name in categories if _LABELS.get(name.casefold()) in labels or name.casefold() not in _LABELS]
    present = labels_in(kept)
    return (*kept, *(NAMES[label] for label in Label if label in labels and label not in present))


class Tagging:
    """Writes labels in one mailbox."""

    def __init__(self, connection: Connection) -> None:
        """Asks over `connection`."""
        self._connection = connection
        self._listed = False

    def write(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        """Changes the messages' labels; returns what failed. Raises nothing else than errors of the
        connection."""
        failed: dict[str, MailboxError] = {}
        ids = list(wanted)
        for start in range(0, len(ids), _BATCH):
            part = {item_id: wanted[item_id] for item_id in ids[start : start + _BATCH]}
            try:
                self._list_categories()
                failed |= self._write(part)
            except BROKEN as error:
                done = set(ids[:start])
                return failed | {item_id: error for item_id in ids if item_id not in done}
            except MailboxError as error:
                failed |= dict.fromkeys(part, error)
        return failed

    def _write(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        left = dict(wanted)
        failed: dict[str, MailboxError] = {}
        for _ in range(_ATTEMPTS):
            answers = self._answers(get_fields(left, (CATEGORIES,)), list(left))
            changes: dict[str, tuple[str, str, Sequence[str]]] = {}
            for item_id, answer in answers.items():
                if isinstance(answer, BaseException):
                    failed[item_id] = self._failure(answer)
                    continue
                item = _item(answer)
                categories = with_labels(item.categories, left[item_id].of(labels_in(item.categories)))
                if categories != item.categories:
                    changes[item_id] = (item_id, item.change_key, categories)
            if not changes:
                return failed
            written = self._answers(set_categories(changes.values()), list(changes))
            refused = {item_id: each for item_id, each in written.items() if isinstance(each, BaseException)}
            left = {item_id: wanted[item_id] for item_id, each in refused.items() if code_of(each) in STALE}
            failed |= {item_id: self._failure(each) for item_id, each in refused.items() if item_id not in left}
            if not left:
                return failed
        text = f"{self._connection.where}: the message is changed by somebody else all the time"
        return failed | {item_id: TagFailed(text) for item_id in left}

    def _answers(self, request: Element, ids: Sequence[str]) -> dict[str, Answer]:
        answers = self._connection.ask(request, TagFailed)
        if len(answers) != len(ids):
            raise TagFailed(f"{self._connection.where} answered for {len(answers)} of {len(ids)} messages")
        return dict(zip(ids, answers, strict=True))

    def _failure(self, error: BaseException) -> MailboxError:
        if code_of(error) in GONE:
            return MessageGone(f"{self._connection.where}: the message was deleted or moved")
        return self._connection.meaning(error, TagFailed)

    def _list_categories(self) -> None:
        """Puts our categories into Outlook's list, with colours, once. A label does its work without that. Raises
        errors of the connection."""
        if self._listed:
            return
        try:
            try:
                self._complete_list()
            except TagFailed:
                self._complete_list()  # somebody else wrote it meanwhile, or it was written and the answer got lost
        except (PermissionDenied, TagFailed, MessageGone) as error:
            log.warning("%s: the categories' colours could not be set (%s)", self._connection.address, error)
        self._listed = True

    def _complete_list(self) -> None:
        document = self.category_list()
        completed = with_our_categories(document, datetime.now(UTC))
        if completed is not None:
            request = put_category_list(self._connection.address, completed, new=document is None)
            self._connection.ask_one(request, TagFailed)

    def category_list(self) -> bytes | None:
        """The list of categories as Exchange keeps it; None where there is none yet. Raises MailboxError."""
        answers = self._connection.ask(get_category_list(self._connection.address), TagFailed)
        if answers and code_of(answers[0]) == "ErrorItemNotFound":
            return None
        text = self._connection.sole(answers, TagFailed).findtext(f"{M}UserConfiguration/{T}XmlData") or ""
        try:
            return base64.b64decode(text) or None
        except (binascii.Error, ValueError) as error:
            raise TagFailed("the list of categories cannot be read") from error


def with_our_categories(document: bytes | None, now: datetime) -> bytes | None:
    """The list of categories with ours in it, None where they are in it already. What is there stays as it is. Raises
    TagFailed where it is no list of categories."""
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    tag = f"{{{_LIST}}}category"
    if document is None:
        root = etree.Element(f"{{{_LIST}}}categories", nsmap={None: _LIST}, default="", lastSavedSession="0")
    else:
        try:
            root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            raise TagFailed("the list of categories is no XML") from error
        if root.tag != f"{{{_LIST}}}categories":
            raise TagFailed("the list of categories is of another kind than expected")
    present = {(each.get("name") or "").casefold() for each in root.iterfind(tag)}
    missing = [label for label in Label if NAMES[label].casefold() not in present]
    if not missing:
        return None
    for label in missing:
        root.append(etree.Element(tag, _attributes(label, stamp)))
    root.set("lastSavedTime", stamp)
    made: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return made


def _attributes(label: Label, stamp: str) -> dict[str, str]:
    never = "1601-01-01T00:00:00.000"
    used = ("Notes", "Journal", "Contacts", "Tasks", "Calendar", "Mail")
    return {
        "name": NAMES[label],
        "color": str(_COLOURS[label]),
        "keyboardShortcut": "0",
        "usageCount": "0",
        **{f"lastTimeUsed{kind}": never for kind in used},
        "lastTimeUsed": stamp,
        "lastSessionUsed": "0",
        "guid": f"{{{str(uuid4()).upper()}}}",
        "renameOnFirstUse": "0",
    }


def _item(answer: Element) -> Listed:
    found = items_in(answer)
    return item_in(found[0]) if found else Listed("")
