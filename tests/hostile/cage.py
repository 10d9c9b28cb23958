"""A process of its own with little memory and little time: what breaks in it, or takes too much, ends only there."""

import os
import resource
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Caged:
    """How it ended. `trouble` is empty where all was well; `grown` is by how many MiB the process grew at its peak,
    `seconds` what it took of the processor."""

    trouble: str
    grown: int
    seconds: float


def caged(work: Callable[[], object], *, seconds: int, mebibytes: int) -> Caged:
    """Runs `work` in a fork of this process, which may take `seconds` of processor time (RLIMIT_CPU) and grow by
    `mebibytes` of address space (RLIMIT_AS). The limits are the operating system's: no clock is looked at."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _work(work, seconds, mebibytes, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read().decode("utf-8", "replace")
    _, status, used = os.wait4(child, 0)
    grown, _, trouble = said.partition("\n")
    taken = used.ru_utime + used.ru_stime
    if os.WIFSIGNALED(status):
        trouble = f"ended by signal {os.WTERMSIG(status)} after {taken:.0f} s of processor time"
    return Caged(trouble, int(grown or 0), taken)


def _work(work: Callable[[], object], seconds: int, mebibytes: int, told: int) -> None:
    trouble = ""
    before = _kibibytes("VmHWM")
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        most = _kibibytes("VmSize") * 1024 + mebibytes * MEBIBYTE
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        work()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is asked for here
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        trouble = "".join(traceback.format_exception(error, limit=-6))[-4000:] or repr(error)
    os.write(told, f"{(_kibibytes('VmHWM') - before) // 1024}\n{trouble}".encode("utf-8", "replace"))
    sys.stdout.flush()


def _kibibytes(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - no file on any disk
        return next(int(line.split()[1]) for line in status if line.startswith(field))
