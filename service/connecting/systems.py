"""The mail systems that can be connected, by name."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import cast

from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from service.connecting.asking import Asking, NotPossible, System, Wanted
from service.connecting.trying import Means

SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "gmail": "service.connecting.gmail:Gmail",
        "graph": "service.connecting.graph:Graph",
        "exchange": "service.connecting.exchange:Exchange",
        "imap": "service.connecting.imap:Imap",
        "maildir": "service.connecting.maildir:Maildir",
    }
)
"""Where each is; loaded when it is asked for, since the libraries of some are optional."""


class Other:
    """A connector of somebody else's: its own documentation says what it needs, and it is tried like every other."""

    def __init__(self, name: str) -> None:
        """`name` is the connector's."""
        self.name = name

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        del ask
        return Wanted({}, boxes)

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`."""
        del box, secrets
        return Means(poll_seconds=settings.service.poll_seconds)


def system_of(name: str) -> System:
    """The system of a connector. Raises NotPossible where a library of it is not installed."""
    if name not in SYSTEMS:
        return Other(name)
    module, _, kind = SYSTEMS[name].partition(":")
    try:
        return cast("System", getattr(import_module(module), kind)())
    except ImportError as error:
        raise NotPossible(f"{name} needs the library {error.name}: pip install 'alliance-inbox[{name}]'") from error
