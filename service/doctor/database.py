"""Is the database there, in shape, writable, with room to grow, and free of what families wrote?"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from config.settings import Service
from connectors.message import Message
from service.doctor.finding import Finding, Level
from service.doctor.privacy import search, sentences, subjects_kept, text_columns
from store.database import Database, Shape, StoreError

_ABOUT = "database"
_SCARCE_BYTES = 1_000_000_000
_FULL_BYTES = 50_000_000
_MEGABYTE = 1_000_000


def reach(service: Service) -> tuple[Database | None, tuple[Finding, ...]]:
    """Opens the database without changing it. None where it is not there yet or cannot be used."""
    try:
        database = Database.at(service.database)
    except StoreError as error:
        return None, (Finding(_ABOUT, Level.FAIL, str(error), "Correct service.database in the configuration."),)
    file = database.file
    if file is not None and not file.exists():
        database.close()
        return None, (_absent(file),)
    try:
        findings = tuple(_state(database))
    except DatabaseError as error:
        database.close()
        return None, (_unusable(database, error),)
    return database, findings


def room(service: Service) -> Iterator[Finding]:
    """How much space the disk under an SQLite database has left."""
    file = Database.at(service.database).file
    if file is None:
        return
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    seen = f"{free / _MEGABYTE:,.0f} MB free where {file.name} lies"
    if free < _FULL_BYTES:
        yield Finding("disk", Level.FAIL, seen, f"Free some space on the disk that holds {folder}.")
    elif free < _SCARCE_BYTES:
        yield Finding("disk", Level.WARN, seen, f"Free some space on the disk that holds {folder} soon.")
    else:
        yield Finding("disk", Level.OK, seen)


def privacy(database: Database, service: Service, recorded: Sequence[Message]) -> Iterator[Finding]:
    """Whether the database is free of what families wrote. `recorded` are messages that are on record."""
    if database.shape() is not Shape.CURRENT:
        return
    yield from _columns(database, service)
    yield _words(database, service, recorded)


def _columns(database: Database, service: Service) -> Iterator[Finding]:
    with database.read() as connection:
        found = text_columns(connection)
        subjects = subjects_kept(connection)
    unknown = [column.name for column in found if column.holds is None]
    if unknown:
        fix = "Another version or another program made them. Look what they hold, or start with a new database file."
        yield Finding("privacy", Level.FAIL, f"columns that nobody vouches for: {', '.join(unknown)}", fix)
    else:
        yield Finding("privacy", Level.OK, f"{len(found)} columns could hold text; none is for the text of a message")
    if service.keep_subjects:
        yield Finding("privacy", Level.OK, f"{subjects} subjects are kept, as service.keep_subjects says")
    elif subjects:
        fix = (
            "They are from a time when service.keep_subjects was on. `UPDATE message SET subject = NULL` removes them."
        )
        yield Finding("privacy", Level.FAIL, f"{subjects} subjects are kept though service.keep_subjects is off", fix)


def _words(database: Database, service: Service, recorded: Sequence[Message]) -> Finding:
    telling = [line for message in recorded for line in sentences(message, subject=not service.keep_subjects)]
    if not telling:
        return Finding("privacy", Level.OK, "no message is on record whose words could be looked for")
    result = search(database, telling)
    looked = (
        f"looked for {result.sentences} sentences of {len(recorded)} recorded messages "
        f"in {result.bytes_searched / _MEGABYTE:,.1f} MB"
    )
    if result.found_in:
        fix = "This must never happen: stop the service, keep the file private, and report it as a security problem."
        return Finding("privacy", Level.FAIL, f"{looked}: found some in {', '.join(result.found_in)}", fix)
    return Finding("privacy", Level.OK, f"{looked}: none is there")


def _absent(file: Path) -> Finding:
    folder = file.absolute().parent
    if not folder.is_dir():
        fix = f"Create the folder {folder}, or correct service.database in the configuration."
        return Finding(_ABOUT, Level.FAIL, f"{file} cannot be created: its folder does not exist", fix)
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = f"Let the user that runs the service write in {folder}, or name another place in service.database."
        return Finding(_ABOUT, Level.FAIL, f"{file} cannot be created: this user may not write in its folder", fix)
    return Finding(_ABOUT, Level.OK, f"{file} does not exist yet; the first run creates it")


def _state(database: Database) -> Iterator[Finding]:
    if database.file is not None:
        with database.read() as connection:
            yield _journal(connection)
    with database.write():
        yield Finding(_ABOUT, Level.OK, f"{database.url.render_as_string()} can be read and written")
    match database.shape():
        case Shape.CURRENT:
            yield Finding(_ABOUT, Level.OK, "its tables are of this version")
        case Shape.EMPTY:
            yield Finding(_ABOUT, Level.OK, "it has no tables yet; the first run creates them")
        case Shape.AHEAD:
            fix = "Install the newest alliance-inbox when you can; docs/howto/upgrade.md says how far back one may go."
            yield Finding(_ABOUT, Level.WARN, "its tables are of a newer version, which this one can work with", fix)
        case Shape.OLDER:
            fix = "Make a backup; the next `alliance run` brings them up to date."
            yield Finding(_ABOUT, Level.WARN, "its tables are of an older version", fix)
        case Shape.NEWER:
            fix = "Install the newest alliance-inbox, or restore the backup made before the upgrade."
            yield Finding(_ABOUT, Level.FAIL, "its tables are of a newer version", fix)


def _journal(connection: Connection) -> Finding:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode == "wal":
        return Finding(_ABOUT, Level.OK, "readers and the writer do not wait for each other (WAL)")
    fix = "SQLite could not switch to WAL: usually the file lies on a network drive. Put it on this machine's own disk."
    return Finding(_ABOUT, Level.WARN, f"journal mode is {mode} instead of WAL", fix)


def _unusable(database: Database, error: DatabaseError) -> Finding:
    fix = "Check that the file is a database of this service, and that this user may write it and its folder."
    return Finding(_ABOUT, Level.FAIL, f"{database.url.render_as_string()}: {error.orig or error}", fix)
