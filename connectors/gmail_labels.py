"""The labels in Gmail: nested under "Alliance", created once, found again by their ids whatever they are called.

A label's id outlives its name, so the ids are remembered in two places: in the cursor, which commits with what was
read, and in the vault, for an instance that writes before it has read. Where neither knows, the name says it.
"""

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from config.faults import ConfigError
from config.secrets import Secrets
from connectors.errors import TagFailed
from connectors.gmail_calls import Calls
from connectors.gmail_errors import Refused
from connectors.labels import NAMES, PARENT, PICKED, Label

COLORS: Mapping[Label, tuple[str, str]] = MappingProxyType(
    {
        Label.URGENT: ("#cc3a21", "#ffffff"),
        Label.CONFLICT: ("#ffad47", "#000000"),
        Label.ROUTINE: ("#16a766", "#ffffff"),
        Label.CHECK: ("#4a86e8", "#ffffff"),
        Label.PLAN_AGREED: ("#a479e2", "#ffffff"),
        Label.ANOTHER_DRAFT: ("#fad165", "#000000"),
        Label.HANDLED: ("#666666", "#ffffff"),
        Label.GOOD_NEWS: ("#149e60", "#ffffff"),
    }
)
"""Background and text, out of the palette that Gmail allows (schema LabelColor of the discovery document)."""
_SYSTEM = frozenset({"INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "UNREAD", "STARRED", "IMPORTANT", "CHAT"})

log = logging.getLogger(__name__)


def memory_name(address: str) -> str:
    """Where the vault keeps the ids."""
    return f"gmail/labels/{address.lower()}"


class Labels:
    """The labels of one mailbox."""

    def __init__(self, calls: Calls, secrets: Secrets | None = None) -> None:
        """Without `secrets`, only the cursor remembers."""
        self._calls = calls
        self._secrets = secrets
        self._ids: dict[Label, str] = {}
        self._listed: frozenset[str] = frozenset()
        """Ids of every label that the mailbox had when it was last asked."""

    @property
    def ids(self) -> Mapping[Label, str]:
        """Google's ids, as far as they are known."""
        return dict(self._ids)

    def recall(self, ids: Mapping[Label, str]) -> None:
        """Takes over what a cursor remembers. What was seen on the server goes before it."""
        self._ids = {**ids, **self._ids}

    def look_for(self, found: Iterable[str]) -> None:
        """Looks again where a message carries labels that were never seen: one may be ours, made by another worker or
        by the teacher."""
        seen = self._listed | _SYSTEM | set(self._ids.values())
        if any(id_ not in seen and not id_.startswith("CATEGORY_") for id_ in found):
            self.look()

    def look(self) -> None:
        """Asks the server which labels there are."""
        by_id = self._list()
        by_name = {name.casefold(): id_ for id_, name in by_id.items()}
        found: dict[Label, str] = {}
        for label, name in NAMES.items():
            for candidate in (self._ids.get(label), self._remembered().get(label), by_name.get(name.casefold())):
                if candidate in by_id and candidate not in found.values():
                    found[label] = str(candidate)
                    break
        self._ids = found
        self._listed = frozenset(by_id)

    def read(self, found: Collection[str]) -> frozenset[Label]:
        """Ours among a message's labels."""
        return frozenset(label for label, id_ in self._ids.items() if id_ in found)

    def needed(self, labels: Collection[Label]) -> Mapping[Label, str]:
        """The ids of `labels`, created where they lack, and with them those that the teacher picks from Gmail's list.
        Raises TagFailed."""
        if any(label not in self._ids for label in labels) or not self._listed:
            self.look()
            wanted = PICKED.union(labels) if labels else labels
            self._create([label for label in NAMES if label in wanted and label not in self._ids])
            self._remember()
        return {label: self._ids[label] for label in labels}

    def forget(self) -> None:
        """The server does not know one of the ids: the next `needed` looks again."""
        self._listed = frozenset()

    def _create(self, lacking: Collection[Label]) -> None:
        if not lacking:
            return
        if not self._ids:
            # The web page nests only under a label that is there. Where ours were renamed, so may be their parent.
            self._made(PARENT, None)
        for label in lacking:
            self._made(NAMES[label], COLORS[label])
        self.look()
        if missing := [NAMES[label] for label in lacking if label not in self._ids]:
            raise TagFailed(f"{self._calls.address}: Gmail does not show the labels {missing} that were just made")

    def _made(self, name: str, color: tuple[str, str] | None) -> None:
        body: dict[str, Any] = {"name": name, "labelListVisibility": "labelShow", "messageListVisibility": "show"}
        if color is not None:
            body["color"] = {"backgroundColor": color[0], "textColor": color[1]}
        try:
            self._calls.run(self._calls.users.labels().create(userId="me", body=body))
        except Refused as error:
            # 409: another worker was faster, or the line broke after it was made.
            if error.status != 409:
                raise TagFailed(f"the label {name} cannot be made: {error}") from error

    def _list(self) -> dict[str, str]:
        answer = self._calls.run(self._calls.users.labels().list(userId="me"))
        return {str(each["id"]): str(each.get("name", "")) for each in answer.get("labels", ())}

    def _remembered(self) -> Mapping[Label, str]:
        if self._secrets is None:
            return {}
        try:
            found = json.loads(self._secrets.get(memory_name(self._calls.address)) or "{}")
            return {Label(label): str(id_) for label, id_ in found.items()}
        except (ConfigError, ValueError, AttributeError) as error:
            log.warning("remembered labels of %s cannot be read: %s", self._calls.address, type(error).__name__)
            return {}

    def _remember(self) -> None:
        if self._secrets is None or self._remembered() == self._ids:
            return
        try:
            self._secrets.put(memory_name(self._calls.address), json.dumps(self._ids))
        except ConfigError as error:
            # The cursor remembers them too; only a worker that never reads would not know a renamed label.
            log.warning("the labels of %s could not be remembered: %s", self._calls.address, error)
