"""Connectors by name: ours, and those that installed packages offer under the entry point group alliance.connectors."""

import difflib
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from config.faults import ConfigError
from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from connectors.errors import MailboxError
from connectors.mailbox import Mailbox

GROUP = "alliance.connectors"
_BUILT_IN: Mapping[str, str] = {
    "exchange": "connectors.exchange:ExchangeMailbox",
    "graph": "connectors.graph:GraphMailbox",
    "gmail": "connectors.gmail:GmailMailbox",
    "imap": "connectors.imap:ImapMailbox",
    "maildir": "connectors.maildir:MaildirMailbox",
}
"""Found without an installed distribution too, as in a checkout of the source."""


class Connector(Protocol):
    """What an entry point names: most often a class with this as a class method."""

    def open(self, box: MailboxSettings, settings: Settings, secrets: Secrets) -> Mailbox:
        """The mailbox that the settings describe, not connected yet. Raises MailboxError."""
        ...


class UnknownConnector(MailboxError):
    """No installed connector has the name that the settings give."""

    transient = False


class LackingPackages(MailboxError):
    """A connector of ours needs packages that this installation was made without (docs/howto/minimal-install.md)."""

    transient = False


class BrokenConnector(MailboxError):
    """An installed connector cannot be loaded, or does not keep the contract."""

    transient = False


def available() -> Mapping[str, str]:
    """Every connector's name, and where it comes from: the package, or "built in". A built-in name cannot be taken."""
    offered = {point.name: _package(point) for point in _offered()}
    return {name: offered[name] for name in sorted(offered)} | dict.fromkeys(_BUILT_IN, "built in")


def open_mailbox(box: MailboxSettings, settings: Settings, secrets: Secrets) -> Mailbox:
    """The mailbox that `box` describes, through its connector; it connects at its first use.

    Raises `UnknownConnector`, `LackingPackages`, `BrokenConnector`, a MailboxError of the connector's own, or
    ConfigError where a secret cannot be read.
    """
    connector, origin = _load(box)
    try:
        mailbox = connector.open(box, settings, secrets)
    except (MailboxError, ConfigError):
        raise
    except Exception as error:
        raise BrokenConnector(
            f"The connector {box.connector!r} ({origin}) failed to open {box.address}: {_said(error)}"
        ) from error
    if not isinstance(mailbox, Mailbox):
        raise BrokenConnector(
            f"The connector {box.connector!r} ({origin}) gave a {type(mailbox).__name__}, which lacks methods of "
            "connectors.mailbox.Mailbox. Its authors can run connectors.contract against it."
        )
    return mailbox


def _load(box: MailboxSettings) -> tuple[Connector, str]:
    target = _BUILT_IN.get(box.connector)
    if target is not None:
        module, _, name = target.partition(":")
        try:
            return cast("Connector", getattr(import_module(module), name)), "built in"
        except ModuleNotFoundError as error:
            raise LackingPackages(
                f"The mailbox {box.address} needs packages that are not installed (no {error.name}): install "
                f"alliance-inbox[{box.connector}], or deploy/requirements/{box.connector}.txt."
            ) from error
    point = next((point for point in _offered() if point.name == box.connector), None)
    if point is None:
        raise UnknownConnector(_unknown(box))
    try:
        connector = point.load()
    except Exception as error:
        raise BrokenConnector(
            f"The connector {point.name!r} of {_package(point)} cannot be loaded: {_said(error)}. "
            "Update or remove that package."
        ) from error
    if not callable(getattr(connector, "open", None)):
        raise BrokenConnector(f"The connector {point.name!r} of {_package(point)} has no open(box, settings, secrets).")
    return cast("Connector", connector), _package(point)


def _offered() -> Sequence[EntryPoint]:
    return _offered_on(tuple(sys.path))


@lru_cache(maxsize=2)
def _offered_on(path: tuple[str, ...]) -> Sequence[EntryPoint]:
    """Asked of the disk once: that takes longer than a look at a mailbox. What is installed while a process runs, the
    next one finds."""
    del path
    return tuple(point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN)


@lru_cache(maxsize=64)
def _package(point: EntryPoint) -> str:
    """Named at each opening of a mailbox, and read from the disk."""
    return f"package {point.dist.name}" if point.dist is not None else f"module {point.module}"


def _unknown(box: MailboxSettings) -> str:
    names = list(available())
    near = difflib.get_close_matches(box.connector.lower(), names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Installed are: {', '.join(names)}."
    return f"The mailbox {box.address} asks for the connector {box.connector!r}, which is not installed. {hint}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
