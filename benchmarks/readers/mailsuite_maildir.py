"""mailsuite's Maildir backend, which is the standard library's `mailbox.Maildir`."""

from collections.abc import Callable, Mapping
from typing import Any

from mailsuite.mailbox import MaildirConnection

from benchmarks.readers.mailsuite_folders import Folders
from benchmarks.readers.serve import serve


def prepare(options: Mapping[str, Any]) -> Callable[[], Folders]:
    """On the folder `path`."""
    return lambda: Folders(MaildirConnection(options["path"]), options["folders"], None, parse=options["parse"])


if __name__ == "__main__":
    serve(prepare)
