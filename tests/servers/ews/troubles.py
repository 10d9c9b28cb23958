"""What can go wrong on an Exchange server, to be ordered by a test: `server.order(busy(5000), "FindItem")`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from tests.servers.ews.soap import Fault, Refused


@dataclass(frozen=True, slots=True)
class Status:
    """The web server in front answers, and Exchange never sees the request."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The connection breaks. `cut` before anything is done, `act and cut` after it was done and before an answer, or
    in the `middle` of the answer. `hang`: nothing is done, and no answer comes until the client gives up."""

    how: Literal["cut", "act and cut", "middle", "hang"]


@dataclass(frozen=True, slots=True)
class Failing:
    """Exchange refuses the whole request with a SOAP fault."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class ItemFailing:
    """Exchange refuses single things within a request. `only` are their ids; without any it is all of them."""

    refused: Refused
    only: frozenset[str] = frozenset()


Trouble = Status | Line | Failing | ItemFailing


@dataclass
class Order:
    """A trouble that waits for its requests: those of one operation, or of any ("*")."""

    trouble: Trouble
    operation: str
    times: int | None
    """How often it strikes; None: until it is called off."""
    skip: int = 0
    """How many requests are let through before."""
    address: str | None = None
    """The mailbox whose requests it strikes; None: any."""
    struck: int = field(default=0, init=False)


class Orders:
    """The orders that were given. Whoever uses them holds the server's lock."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, order: Order) -> Order:
        """One more."""
        self._orders.append(order)
        return order

    def clear(self) -> None:
        """All are called off."""
        self._orders.clear()

    def strike(self, operation: str, address: str | None) -> Trouble | None:
        """The trouble that strikes a whole request."""
        whole = (order for order in self._orders if not isinstance(order.trouble, ItemFailing))
        return next((order.trouble for order in whole if _strikes(order, operation, address)), None)

    def refuse(self, operation: str, address: str | None, thing: etree._Element) -> None:
        """Raises Refused where that was ordered for this thing of a request."""
        for order in self._orders:
            trouble = order.trouble
            if not isinstance(trouble, ItemFailing):
                continue
            if trouble.only and trouble.only.isdisjoint(one.get("Id", "") for one in thing.iter()):
                continue
            if _strikes(order, operation, address):
                raise trouble.refused


def _strikes(order: Order, operation: str, address: str | None) -> bool:
    if order.operation not in ("*", operation) or (order.address and order.address != address):
        return False
    if order.skip > 0:
        order.skip -= 1
        return False
    if order.times is not None and order.struck >= order.times:
        return False
    order.struck += 1
    return True


def busy(back_off_milliseconds: int | None = None) -> Failing:
    """ErrorServerBusy: the throttling policy's budget is used up."""
    values = {} if back_off_milliseconds is None else {"BackOffMilliseconds": str(back_off_milliseconds)}
    return Failing(Fault("ErrorServerBusy", "The server cannot service this request right now.", values))


def failing(code: str, text: str = "") -> Failing:
    """Any error of the whole request: ErrorMailboxMoveInProgress, ErrorMailboxStoreUnavailable, ErrorTimeoutExpired."""
    return Failing(Fault(code, text or "It failed."))


def item_failing(code: str, *only: str, text: str = "") -> ItemFailing:
    """Any error of single things in a request."""
    return ItemFailing(Refused(code, text or "It failed."), frozenset(only))


def unavailable(retry_after: str | int | None = None, status: int = 503) -> Status:
    """503 (or 429) from the load balancer, with or without Retry-After (seconds, or an HTTP date)."""
    headers: Iterable[tuple[str, str]] = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return Status(status, tuple(headers), "Service Unavailable")


CUT = Line("cut")
ACT_AND_CUT = Line("act and cut")
CUT_IN_THE_MIDDLE = Line("middle")
HANG = Line("hang")
