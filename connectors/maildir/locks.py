"""Locks on a Maildir: Dovecot's, so that it never misses a message that we rename, and our own, around sending."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connectors.maildir.folder import give

_STALE_SECONDS = 120.0
"""Dovecot's own patience with a lock whose holder it cannot ask."""
_YOUNG_SECONDS = 2.0
"""A lock younger than this may not have its holder's number in it yet."""
_PAUSE_SECONDS = 0.002


@contextmanager
def dovecot_lock(folder: Path, patience_seconds: float = 10.0) -> Iterator[None]:
    """Holds `dovecot-uidlist.lock` in `folder`. Dovecot demands it of whoever writes dovecot-keywords, and takes it
    itself while it lists the folder, so that a rename under it can never hide a message from Dovecot.

    The file holds `pid:host`, as Dovecot writes it; a lock whose process is gone is removed, as Dovecot does. Raises
    TimeoutError, OSError.
    """
    path = folder / "dovecot-uidlist.lock"
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
            break
        except FileExistsError:
            if _is_stale(path):
                with suppress(FileNotFoundError):
                    path.unlink()
            elif time.monotonic() > deadline:
                raise TimeoutError(0, "another program holds the lock for too long", str(path)) from None
            time.sleep(_PAUSE_SECONDS)
    try:
        os.write(descriptor, f"{os.getpid()}:{socket.gethostname()}".encode())
        mine = os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            if path.lstat().st_ino == mine:  # else somebody took ours for stale
                path.unlink()


def _is_stale(path: Path) -> bool:
    try:
        status = path.lstat()
        holder, _, host = path.read_bytes()[:512].decode("ascii", "replace").strip().partition(":")
    except FileNotFoundError:
        return False
    age = time.time() - max(status.st_mtime, status.st_ctime)
    if age <= _YOUNG_SECONDS:
        return False
    if host == socket.gethostname() and holder.isdecimal():
        return not _lives(int(holder))
    return age > _STALE_SECONDS


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def sending_lock(path: Path, patience_seconds: float = 90.0) -> Iterator[None]:
    """Holds our own lock file: one sender at a time in one mailbox. The system lets go of it when the process ends,
    however it ends. Raises TimeoutError, OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        give(descriptor, path.parent.stat())
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(0, "another process is sending for too long", str(path)) from None
                time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)
