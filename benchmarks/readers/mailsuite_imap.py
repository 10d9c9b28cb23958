"""mailsuite's IMAP backend."""

from collections.abc import Callable, Mapping
from typing import Any

from mailsuite.mailbox import IMAPConnection

from benchmarks.readers.mailsuite_folders import Folders
from benchmarks.readers.serve import serve


def prepare(options: Mapping[str, Any]) -> Callable[[], Folders]:
    """On a plain connection, as ours."""

    def opened() -> Folders:
        connection = IMAPConnection(
            options["host"], options["user"], options["password"], port=options["port"], ssl=False, starttls=False
        )
        return Folders(connection, options["folders"], options["since"], parse=options["parse"])

    return opened


if __name__ == "__main__":
    serve(prepare)
