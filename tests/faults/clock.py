"""A clock that other processes set, so that it can jump while the service runs."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """How far it is from the machine's stands in a file."""

    def __init__(self, file: Path) -> None:
        """Makes the file where there is none."""
        if not file.exists():
            file.write_bytes(struct.pack("d", 0.0))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 8)

    @property
    def ahead(self) -> timedelta:
        """How far it is ahead of the machine's."""
        return timedelta(seconds=struct.unpack("d", self._memory[:])[0])

    def jump(self, by: timedelta) -> None:
        """Sets it forward, or back."""
        self._memory[:] = struct.pack("d", (self.ahead + by).total_seconds())

    def __call__(self) -> datetime:
        """The time, aware, UTC."""
        return datetime.now(UTC) + self.ahead
