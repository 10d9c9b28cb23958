"""A stand-in for an on-premises Exchange Server: Exchange Web Services over real HTTP, with mailboxes that hold what
they are given, and every request and response judged by Microsoft's published schemas.

    with running("rivera@school.example") as server:
        box = server.box("rivera@school.example")
        box.deliver(mime)
        ...  # a client at server.url, signed in with the address and PASSWORD, or as SERVICE that impersonates
        assert box.categories_of(message_id) == {"Alliance: Urgent"}

See `Box` for what a teacher does, `ExchangeServer` for accounts and the log of requests, `troubles` for what can go
wrong on order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.ews.authentication import DOMAIN, Account
from tests.servers.ews.box import Box
from tests.servers.ews.server import CLIENT, PASSWORD, SECRET, SERVICE, Asked, ExchangeServer
from tests.servers.ews.troubles import (
    ACT_AND_CUT,
    CUT,
    CUT_IN_THE_MIDDLE,
    HANG,
    busy,
    failing,
    item_failing,
    unavailable,
)

__all__ = [
    "ACT_AND_CUT",
    "CLIENT",
    "CUT",
    "CUT_IN_THE_MIDDLE",
    "DOMAIN",
    "HANG",
    "PASSWORD",
    "SECRET",
    "SERVICE",
    "Account",
    "Asked",
    "Box",
    "ExchangeServer",
    "Violated",
    "busy",
    "failing",
    "item_failing",
    "running",
    "unavailable",
]


class Violated(AssertionError):
    """A client sent what Exchange would not take, or the stand-in answered what Exchange would not."""


@contextmanager
def running(*addresses: str, **options: Any) -> Iterator[ExchangeServer]:
    """An Exchange Server with these mailboxes that runs as long as the block; `options` are the fields of
    `ExchangeServer`. Raises Violated at the end where any request or response was invalid."""
    server = ExchangeServer(**options)
    for address in addresses:
        server.box(address)
    server.start()
    try:
        yield server
    except BaseException as error:
        for violation in server.violations:
            error.add_note(violation)
        raise
    finally:
        server.stop()
    if server.violations:
        raise Violated("\n".join(server.violations))
