"""One Maildir folder on disk: list, read, deliver, rename. Nothing here follows a symbolic link out of the mailbox."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from connectors.errors import MailboxError
from connectors.maildir.names import message_id

SUBFOLDERS = ("new", "cur", "tmp")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Place(NamedTuple):
    """Where a message lies: the subfolder (new or cur) and the file name."""

    subfolder: str
    name: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What was read of a file. `raw` may be its beginning only; `received_at` is the file's modification time: Maildir
    delivery writes a file once and renames it, so that time is the arrival, survives every flag and move, and is what
    IMAP servers on the same folder call INTERNALDATE. (The change time moves with every flag.)"""

    raw: bytes
    size: int
    received_at: datetime


class NotAMessage(OSError):
    """Something that is no regular file stands where a message should."""


@contextmanager
def failing_as(error_class: type[MailboxError], doing: str) -> Iterator[None]:
    """Turns an error of the operating system into `error_class`, in a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        raise error_class(f"{doing} failed: {_explained(error)}") from error


def _explained(error: OSError) -> str:
    where = error.filename2 or error.filename or "the mailbox"
    if error.errno in _FULL_DISK:
        return f"no space is left for {where}. Free some space (or raise the quota); it is tried again."
    if error.errno in _FORBIDDEN:
        return f"the service may not use {where}. Run it as the user who owns the mailbox, or give that user the right."
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{where} does not exist. Check path and outgoing in [mailboxes.maildir]; a Maildir has new, cur, tmp."
    if error.errno == errno.ELOOP:
        return f"{where} is a symbolic link, which is not followed. Name the real folder in the configuration."
    return f"{where}: {error.strerror or error}"


class Folder:
    """A Maildir folder: `path` with new, cur and tmp. Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._subfolders = {name: f"{path}/{name}" for name in SUBFOLDERS}

    def create(self) -> None:
        """Makes the folder where it lacks, as a Maildir++ folder, with its parent's owner and rights."""
        model = self.path.parent.stat()
        made = _made_directory(self.path, model)
        for subfolder in SUBFOLDERS:
            made = _made_directory(self.path / subfolder, model) or made
        if made and self.path.name.startswith("."):
            # Maildir++: tells delivery programs that this is a folder inside a mailbox.
            descriptor = os.open(self.path / "maildirfolder", os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            give(descriptor, model)
            os.close(descriptor)
            sync_directory(self.path)

    def stamps(self) -> tuple[int, int]:
        """Modification times of new and cur, in nanoseconds; they change with every file that comes, goes or is
        renamed. (-1, -1) where there is no such folder."""
        try:
            return _directory_stamp(self.path / "new"), _directory_stamp(self.path / "cur")
        except FileNotFoundError:
            return -1, -1

    def entries(self) -> Iterator[tuple[Place, bool]]:
        """Everything in new, then in cur, and whether it is a regular file. In this order a message that a mail program
        moves from new to cur meanwhile is met at least once. Names that begin with a dot are none of ours."""
        for subfolder in ("new", "cur"):
            path = self.path / subfolder
            _directory_stamp(path)
            with os.scandir(path) as found:
                for entry in found:
                    if not entry.name.startswith("."):
                        yield Place(subfolder, entry.name), entry.is_file(follow_symlinks=False)

    def places(self) -> dict[str, Place]:
        """Where each message lies, by id."""
        return {message_id(place.name): place for place, regular in self.entries() if regular}

    def find(self, id_: str) -> Place | None:
        """Where the message lies, None where it does not. A message that is being renamed while the folder is listed
        can be missed (readdir(3) promises nothing then), so a folder that changed meanwhile is listed again."""
        for _ in range(20):
            before = self.stamps()
            if before == (-1, -1):
                return None
            for place, regular in self.entries():
                if regular and message_id(place.name) == id_:
                    return place
            if self.stamps() == before:
                break
        return None

    def path_of(self, place: Place) -> Path:
        """The path of a place."""
        return self.path / place.subfolder / place.name

    def _file(self, place: Place) -> str:
        # For every message of a backlog, twice: making a Path takes longer than reading a small file.
        return f"{self._subfolders[place.subfolder]}/{place.name}"

    def modified_ns(self, place: Place) -> int:
        """Modification time of a message, in nanoseconds."""
        return os.lstat(self._file(place)).st_mtime_ns

    def read(self, place: Place, bound: int | None = None) -> Stored:
        """Reads a message, at most `bound` bytes. Raises FileNotFoundError where it has gone, `NotAMessage` for a link,
        a pipe and the like, OSError otherwise."""
        path = self._file(place)
        try:
            # O_NONBLOCK: opening a pipe would wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise NotAMessage(error.errno, "this is no regular file", path) from error
            raise
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotAMessage(errno.EINVAL, "this is no regular file", path)
            raw = file.read(-1 if bound is None else bound)
        return Stored(raw, max(status.st_size, len(raw)), _time(status.st_mtime_ns))

    def deliver(self, raw: bytes, place: Place) -> None:
        """Puts a new message in place: written to tmp, forced to disk, renamed, the directory forced to disk."""
        self.stage(raw, place.name)
        self.unstage(place)

    def stage(self, raw: bytes, name: str) -> None:
        """Writes `tmp/<name>` and forces it to disk. An older file of that name is replaced."""
        path = self.path / "tmp" / name
        with suppress(FileNotFoundError):
            path.unlink()
        model = self.path.stat()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                give(descriptor, model)
                file.write(raw)
                file.flush()
                os.fsync(descriptor)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise

    def unstage(self, place: Place) -> None:
        """Moves `tmp/<name>` into place. Raises FileNotFoundError where nothing of the name is staged."""
        (self.path / "tmp" / place.name).rename(self.path_of(place))
        sync_directory(self.path / place.subfolder)

    def move(self, place: Place, to: "Folder", new_place: Place) -> None:
        """Renames a message, within the mailbox, and forces both directories to disk. Raises FileNotFoundError where
        another program was quicker."""
        self.path_of(place).rename(to.path_of(new_place))
        sync_directory(to.path / new_place.subfolder)
        if (to.path, new_place.subfolder) != (self.path, place.subfolder):
            sync_directory(self.path / place.subfolder)

    def remove(self, place: Place) -> None:
        """Deletes a message; one that has gone is no error."""
        with suppress(FileNotFoundError):
            self.path_of(place).unlink()
            sync_directory(self.path / place.subfolder)


def sync_directory(path: Path) -> None:
    """Forces a directory's entries to disk, so that a rename survives a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give(descriptor: int, model: os.stat_result) -> None:
    """Gives a new file or directory the rights and, where we are root, the owner of the folder that it is in: the mail
    server must be able to read what we write."""
    bits = stat.S_IMODE(model.st_mode) & (0o777 if stat.S_ISDIR(os.fstat(descriptor).st_mode) else 0o666)
    if os.geteuid() == 0:
        os.fchown(descriptor, model.st_uid, model.st_gid)
    os.fchmod(descriptor, bits)


def _directory_stamp(path: Path) -> int:
    for directory in (path.parent, path):
        status = os.lstat(directory)
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(directory))
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return status.st_mtime_ns


def _made_directory(path: Path, model: os.stat_result) -> bool:
    try:
        path.mkdir(0o700)
    except FileExistsError:
        if path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        give(descriptor, model)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
    return True


def _time(nanoseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _EPOCH  # a clock gone mad; so old that nobody answers it
