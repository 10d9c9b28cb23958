"""The process of one program that reads a mailbox: does what standard input tells it, and says what that cost it.

Only the standard library: this also runs where nothing but the other program is installed.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol


class Reader(Protocol):
    """A program with a mailbox open, or about to be opened by the first reading."""

    def new(self) -> Iterator[bytes | str]:
        """Every message that no earlier call has given, whole and as it was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What was read, and what it took this process: seconds by the clock, seconds of processor in all threads."""

    messages: int
    seconds: float
    processor: float
    digest: str
    """Of the contents, whatever their order; empty where nobody asked for it."""


def serve(prepare: Callable[[Mapping[str, Any]], Callable[[], Reader]]) -> None:
    """Obeys until standard input ends. Its first line holds the options for `prepare`, which imports what is needed and
    returns how the mailbox is opened. Then, a line each: `backlog` opens it and reads everything, `digest` does so
    and also looks at the contents, `poll N S` asks N times for what is new, S seconds apart. Each is answered by `Work`
    as JSON."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    open_reader = prepare(json.loads(sys.stdin.readline()))
    reader: Reader | None = None
    for line in sys.stdin:
        order, *numbers = line.split()
        times, pause = (int(numbers[0]), float(numbers[1])) if order == "poll" else (1, 0.0)
        began, processor = time.perf_counter(), time.process_time()
        if order != "poll" or reader is None:
            reader = open_reader()
        digests: list[str] | None = [] if order == "digest" else None
        messages = sum(_read(reader, pause, digests) for _ in range(times))
        digest = "" if digests is None else hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
        work = Work(messages, time.perf_counter() - began, time.process_time() - processor, digest)
        answers.write(json.dumps(asdict(work)) + "\n")


def _read(reader: Reader, pause: float, digests: list[str] | None) -> int:
    time.sleep(pause)
    messages = 0
    for content in reader.new():
        messages += 1
        if digests is not None:
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
            digests.append(hashlib.sha256(text.encode()).hexdigest())
    return messages
