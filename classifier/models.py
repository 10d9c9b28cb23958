"""The models that a school's corrections made: a folder a version, and which of them is in use.

A version is written beside the others, checked, brought to the disk and only then given its name; the file that says
which is in use is replaced whole. So a crash or a full disk leaves the old state or the new one, and nothing between.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifier.comparison import Comparison
from classifier.digest import digest_of
from classifier.errors import ModelError

SHIPPED_NAME = "shipped"
"""Stands for the model that comes with the package."""
NEWEST_KEPT = 5
"""So many versions stay, beside the one in use and the one before it; older ones are deleted."""

OnStep = Callable[[str], None]

_RECORD, _IN_USE, _NUMBERS = "learned.json", "in-use.json", "alliance_questions"
_LEARNING, _CHANGING, _UNFINISHED = ".learning.lock", ".changing.lock", ".unfinished-"
_VERSION = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{12}")
_LONGEST_HISTORY = 50


class _Frozen(BaseModel):
    # A later version of the program may write more than this one knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Learned(_Frozen):
    """Where a version comes from. Numbers only."""

    at: datetime
    """When it was made, aware."""
    corrections: int = Field(ge=0)
    """How many it learned from."""
    shipped: str
    """Version of the shipped model that was there then."""
    comparison: Comparison
    """Beside the model that was in use until then."""


class Version(_Frozen):
    """One model that the school's corrections made. `trouble` says why it cannot be used, empty where it can."""

    name: str
    learned: Learned | None
    trouble: str = ""


class _History(_Frozen):
    used: tuple[str, ...] = (SHIPPED_NAME,)
    """Every version that is or was in use, the present one last; what was rolled back is taken away."""


class NothingNew(Exception):
    """The new model is the one in use, number for number."""


def _no_step(step: str) -> None:
    del step


class Models:
    """The models in one folder. Safe against other processes that use it at the same time."""

    def __init__(self, folder: Path, on_step: OnStep = _no_step) -> None:
        """`folder` need not be there yet. `on_step` is told of every step of writing, for tests."""
        self.folder = folder
        self._on_step = on_step

    def in_use(self) -> str:
        """The version in use, `SHIPPED_NAME` where it is the shipped one. Raises ModelError where that cannot be
        read."""
        return self._history().used[-1]

    def path(self, version: str) -> Path | None:
        """The folder of a version, None for the shipped one. Raises ModelError where it is missing or damaged."""
        if version == SHIPPED_NAME:
            return None
        self._learned(version)
        return self.folder / version

    def versions(self) -> list[Version]:
        """Every version there is, oldest first."""
        found = []
        for name in self._names():
            try:
                found.append(Version(name=name, learned=self._learned(name)))
            except ModelError as error:
                found.append(Version(name=name, learned=None, trouble=str(error)))
        return found

    def learned(self, version: str) -> Learned:
        """Where a version comes from. Raises ModelError where it is missing or damaged."""
        return self._learned(version)

    @contextmanager
    def learning(self) -> Iterator[None]:
        """For the time of the block nobody else learns into this folder. Raises ModelError where somebody does.

        What a learning left behind that was killed is cleaned away first.
        """
        with self._locked(_LEARNING, "another `alliance learn` is at work here; wait until it is done"):
            for left in self.folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def keep(self, save: Callable[[Path], None], learned: Learned, *, instead_of: str) -> str:
        """Keeps the model that `save` writes into the folder it is given, uses it, and returns its version.

        Raises NothingNew, and ModelError where the disk is full or where `instead_of` is no longer in use: in each case
        everything stays as it was.
        """
        with self._writing():
            self._make_folder()
            unfinished = Path(mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            try:
                return self._keep(unfinished, save, learned, instead_of)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def use(self, version: str) -> None:
        """Uses a version from now on. Raises ModelError where it is missing or damaged, or cannot be written down."""
        with self._writing(), self._changing():
            self.path(version)
            self._write(_History(used=(*self._history_or_none().used, version)))

    def rollback(self) -> str:
        """Goes back to the version that was in use before, and returns it. One that is gone meanwhile is passed over.
        Raises ModelError where there is none before."""
        with self._writing(), self._changing():
            used = list(self._history().used)
            while len(used) > 1:
                used.pop()
                with suppress(ModelError):
                    self.path(used[-1])
                    self._write(_History(used=tuple(used)))
                    return used[-1]
        raise ModelError("no other model was in use before this one; `alliance model list` shows what there is")

    def _keep(self, unfinished: Path, save: Callable[[Path], None], learned: Learned, instead_of: str) -> str:
        fresh = unfinished / "model"
        save(fresh)
        self._on_step("saved")
        digest = digest_of(fresh / _NUMBERS)
        if instead_of.endswith(digest) and self._is_whole(instead_of):
            raise NothingNew(instead_of)
        (fresh / _RECORD).write_text(f"{learned.model_dump_json(indent=2)}\n", encoding="utf-8")
        for path in (*fresh.rglob("*"), fresh):
            _to_disk(path)
        self._on_step("on disk")
        target = self.folder / f"{learned.at:%Y-%m-%d}-{digest}"
        with self._changing():
            history = self._history_or_none()
            if history.used[-1] != instead_of:
                raise ModelError(
                    f"the model in use changed from {instead_of} to {history.used[-1]} meanwhile; learn again"
                )
            if target.exists():  # made earlier today, or damaged
                target.rename(unfinished / "earlier")
            fresh.rename(target)
            _to_disk(self.folder)
            self._on_step("named")
            try:
                self._write(_History(used=(*history.used, target.name)))
            except OSError:
                shutil.rmtree(target, ignore_errors=True)
                raise
            self._on_step("in use")
            self._delete_old()
        return target.name

    def _write(self, history: _History) -> None:
        used = [name for place, name in enumerate(history.used) if place == 0 or name != history.used[place - 1]]
        short = _History(used=tuple(used[-_LONGEST_HISTORY:]))
        beside = self.folder / f".{_IN_USE}"
        beside.write_text(f"{short.model_dump_json(indent=2)}\n", encoding="utf-8")
        _to_disk(beside)
        self._on_step("written down")
        beside.replace(self.folder / _IN_USE)
        _to_disk(self.folder)

    def _delete_old(self) -> None:
        names = self._names()
        wanted = {*names[-NEWEST_KEPT:], *self._history().used[-2:]}
        for name in names:
            if name not in wanted:
                shutil.rmtree(self.folder / name, ignore_errors=True)

    def _names(self) -> list[str]:
        try:
            found = [each.name for each in self.folder.iterdir() if _VERSION.fullmatch(each.name)]
            return sorted(found, key=lambda name: (self._made_at(name), name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be read ({error.strerror})") from error

    def _made_at(self, name: str) -> str:
        # Of two versions of one day the digest says nothing; the record's time does.
        with suppress(OSError, ValidationError):
            return Learned.model_validate_json((self.folder / name / _RECORD).read_bytes()).at.isoformat()
        return name

    def _history(self) -> _History:
        file = self.folder / _IN_USE
        try:
            return _History.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return _History()
        except (OSError, ValidationError) as error:
            raise ModelError(
                f"{file} is damaged ({type(error).__name__}); `alliance model use VERSION` writes it anew"
            ) from error

    def _history_or_none(self) -> _History:
        """The history; an empty one where it is damaged."""
        try:
            return self._history()
        except ModelError:
            return _History()

    def _learned(self, version: str) -> Learned:
        folder = self.folder / version
        advice = "`alliance model list` shows what there is, `alliance model rollback` goes back to the one before"
        if not _VERSION.fullmatch(version) or not folder.is_dir():
            raise ModelError(f"there is no model {version} in {self.folder}; {advice}")
        try:
            learned = Learned.model_validate_json((folder / _RECORD).read_bytes())
            whole = version.endswith(digest_of(folder / _NUMBERS))
        except (OSError, ValidationError) as error:
            raise ModelError(f"{folder} is damaged ({type(error).__name__}); {advice}") from error
        if not whole:
            raise ModelError(f"{folder} is damaged: its numbers are not those that were written; {advice}")
        return learned

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _is_whole(self, version: str) -> bool:
        try:
            return self.path(version) is not None
        except ModelError:
            return False

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._locked(_CHANGING):
            yield

    @contextmanager
    def _locked(self, name: str, taken: str = "") -> Iterator[None]:
        """Holds a lock that ends with the process, however that ends. Waits for it, unless `taken` says what to say."""
        with self._writing():
            self._make_folder()
            file = (self.folder / name).open("a")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
            except BlockingIOError as error:
                raise ModelError(f"{self.folder}: {taken}") from error
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelError(
                f"{self.folder} cannot be written ({error.strerror or error}); the model in use stays. "
                "Check that this user may write there, and that the disk has room."
            ) from error


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
