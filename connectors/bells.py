"""Bells: how a channel that serves many mailboxes at once (Pub/Sub, change notifications) ends one mailbox's `wait`.

One bell per mailbox address in this process. A bell that rings while nobody waits is remembered: what happened between
two waits must not be slept through.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(slots=True)
class _Bell:
    changed: threading.Condition = field(default_factory=threading.Condition)
    rung: bool = False
    interrupted: bool = False


_bells: dict[str, _Bell] = {}
_lock = threading.Lock()
_listeners: list[Callable[[str], None]] = []


@runtime_checkable
class Ringing(Protocol):
    """A mailbox whose bell rings by such a channel: whoever does not wait at each mailbox has it listened for."""

    def listen(self) -> bool:
        """Sees to it that the bell rings from now on when something changes; False where nobody would ring it. Most
        calls do nothing. Raises what `wait` raises."""
        ...


def tell(listener: Callable[[str], None]) -> Callable[[], None]:
    """Has `listener` told of every bell that rings in this process, by address, in the thread that rings it. It raises
    nothing. Returns what ends that."""
    with _lock:
        _listeners.append(listener)

    def end() -> None:
        with _lock:
            _listeners.remove(listener)

    return end


def ring(address: str) -> None:
    """Something changed in this mailbox: ends the wait that is going on, or the next one."""
    with _lock:
        listeners = list(_listeners)
    for listener in listeners:
        listener(address.lower())
    bell = _bell(address)
    with bell.changed:
        bell.rung = True
        bell.changed.notify_all()


def interrupt(address: str) -> None:
    """Ends the wait that is going on, or the next one, with False."""
    bell = _bell(address)
    with bell.changed:
        bell.interrupted = True
        bell.changed.notify_all()


def wait(address: str, seconds: float) -> bool:
    """Blocks until the bell rings, at most `seconds`. True where it rang; False where time was up or somebody
    interrupted."""
    bell = _bell(address)
    with bell.changed:
        bell.changed.wait_for(lambda: bell.rung or bell.interrupted, timeout=max(0.0, seconds))
        rung = bell.rung and not bell.interrupted
        bell.rung = bell.rung and not rung
        bell.interrupted = False
        return rung


def _bell(address: str) -> _Bell:
    with _lock:
        return _bells.setdefault(address.lower(), _Bell())
