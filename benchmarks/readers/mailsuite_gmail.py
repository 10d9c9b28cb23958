"""mailsuite's Gmail backend, which is Google's own client library; only the address of the API is another."""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mailsuite.mailbox import GmailConnection
from mailsuite.mailbox import gmail as backend

from benchmarks.readers.mailsuite_folders import Folders
from benchmarks.readers.serve import serve


def prepare(options: Mapping[str, Any]) -> Callable[[], Folders]:
    """On the API at `url`, signed in with a service account's `key`."""
    backend.build = partial(backend.build, client_options={"api_endpoint": options["url"]})

    def opened() -> Folders:
        with tempfile.TemporaryDirectory() as folder:
            key = Path(folder) / "key.json"
            key.write_text(options["key"])
            connection = GmailConnection(
                token_file="",
                credentials_file=str(key),
                scopes=[options["scope"]],
                include_spam_trash=False,
                reports_folder="INBOX",
                oauth2_port=0,
                paginate_messages=True,
                auth_mode="service_account",
                service_account_user=options["mailbox"],
            )
        return Folders(connection, options["folders"], options["since"], parse=options["parse"])

    return opened


if __name__ == "__main__":
    serve(prepare)
