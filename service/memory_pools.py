"""Memory of programs with many threads."""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""


def share_memory_pools() -> None:
    """glibc gives threads memory pools of their own and hardly ever gives them back: with fifty mailboxes that is more
    than all the rest. Two pools are enough for threads that mostly wait (mallopt(3)). Elsewhere this does nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
