"""What a process of the service calls itself in what it puts on record."""

import os
import socket
from secrets import token_hex

_DIGITS = token_hex(4)


def process_name() -> str:
    """This process among all those of a district. A number that is given again later comes with other digits, and a
    process that was forked from another has a number of its own."""
    return f"{socket.gethostname()}.{os.getpid()}.{_DIGITS}"


def has_ended(name: str) -> bool | None:
    """Whether a process other than this one, by its name, is no more; None where it is another machine's to say."""
    host, _, number = name.rpartition(".")[0].rpartition(".")
    if host != socket.gethostname() or not number.isdecimal():
        return None
    if int(number) == os.getpid():
        return name != process_name()  # as in a container, where every process that is started again is number one
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
