"""Keeps the roster in the database as the file that the settings name, and the view of it as the database is."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Event

import structlog
from sqlalchemy import select
from sqlmodel import col

from config import ConfigError
from config.settings import Settings
from scorecard.family_keys import file_again
from scorecard.list_files import digest_of, read_lists
from scorecard.roster import Roster
from scorecard.roster_import import Imported, TooManyEnd, import_lists, known_to, students_known_to
from service.logs import place, said
from store.database import Database
from store.installation import secret_of
from store.roster_tables import RosterImport
from store.turns import alone

log = structlog.get_logger()

_SECONDS_BETWEEN = 30.0
_LOOKED_AT_AGAIN = 3
"""So many looks after an import, records are filed again: a worker that began before it may have written since."""


class RosterKeeper:
    """Brings the file that the settings name into the database whenever it has changed, and the view up to date.

    A file that cannot be used, or from which a great part is missing, changes nothing: the roster stays as it was, and
    the log says so, once for each state of the file. One instance belongs to one thread.
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Callable[[], datetime], roster: Roster | None = None
    ) -> None:
        """Keeps `roster`, or a new view of the `database`, which `roster` then is."""
        self.roster = Roster(database) if roster is None else roster
        self._settings = settings
        self._database = database
        self._clock = clock
        self._looked_at: object = None
        self._file_again = 0

    def begin(self) -> Roster:
        """Looks for the first time. Raises `ConfigError` where the file cannot be used and the database has no
        roster yet: a service that knows no family must not start as if it did."""
        self._look(self._has_roster())
        return self.roster

    def look(self) -> None:
        """Looks again. Cheap where nothing has changed."""
        self._look(quietly=True)

    def keep(self, stop: Event) -> None:
        """Looks again and again, until `stop` is set. Survives every error."""
        while not stop.wait(_SECONDS_BETWEEN):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the roster's trouble must not end the service
                log.error("the roster could not be looked after", error=place(error))

    def _look(self, quietly: bool) -> None:
        path = self._settings.school.roster
        if path is not None:
            state = _state(path)
            if state != self._looked_at:
                try:
                    self._bring(path)
                except (ConfigError, TooManyEnd) as error:
                    if not quietly:
                        raise
                    log.error("the roster stays as it was: its file cannot be used", reason=said(error))
                self._looked_at = state
        if self.roster.refresh():
            self._file_again = _LOOKED_AT_AGAIN
        elif self._file_again:
            self._file_again -= 1
            with self._database.write() as connection:
                key = secret_of(connection)
                alone(connection)
                file_again(connection, key)

    def _bring(self, path: Path) -> None:
        digest = digest_of(path)
        if digest == self._last_digest():
            return
        done = import_file(self._settings, self._database, path, now=self._clock())
        if not done.nothing_new or done.rejected:
            counts = {
                name: sum(of.values())
                for name, of in (("added", done.added), ("changed", done.changed), ("ended", done.ended))
            }
            log.info("the roster was brought up to date", file=path, **counts, left_out=len(done.rejected))

    def _last_digest(self) -> str | None:
        newest = select(col(RosterImport.digest)).where(col(RosterImport.from_settings).is_(True))
        with self._database.read() as connection:
            return connection.execute(newest.order_by(col(RosterImport.id).desc()).limit(1)).scalar()

    def _has_roster(self) -> bool:
        with self._database.read() as connection:
            return connection.execute(select(col(RosterImport.id)).limit(1)).scalar() is not None


def import_file(
    settings: Settings,
    database: Database,
    path: Path,
    *,
    now: datetime,
    dry_run: bool = False,
    allow_many: bool = False,
) -> Imported:
    """Reads the lists at `path` and carries them over. Raises `ConfigError`, `TooManyEnd`."""
    own = settings.school.roster
    return import_lists(
        database,
        read_lists(path, known_to(database), students_known_to(database)),
        digest=digest_of(path),
        now=now,
        today=now.astimezone(settings.school.zone).date(),
        allow_many=allow_many,
        dry_run=dry_run,
        from_settings=own is not None and _same(own, path),
    )


def other_roster(settings: Settings, path: Path) -> Path | None:
    """The file that the settings name, where it is another than `path`: whatever came from there would not stay."""
    own = settings.school.roster
    return None if own is None or _same(own, path) else own


def roster_to_show(settings: Settings, database: Database) -> Roster:
    """The roster for a command that changes nothing: that of the database, before the first import that of the file.
    Raises `ConfigError`."""
    roster = Roster.of(database)
    return roster if len(roster) or settings.school.roster is None else Roster.load(settings.school.roster)


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.resolve() == other.resolve()
    return False


def _state(path: Path) -> object:
    """Something that is another when a file was written, or a file of a folder; also where it is gone."""
    try:
        files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
        stats = [(file, os.stat(file)) for file in files]  # noqa: PTH116 - one look each
    except OSError as error:
        return error.errno
    return tuple((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino) for file, stat in stats)
