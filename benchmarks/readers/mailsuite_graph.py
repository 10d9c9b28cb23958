"""mailsuite's Microsoft Graph backend, which is Microsoft's own SDK. Its sign-in knows Microsoft's addresses only: it
is given a token that is valid already."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from mailsuite.mailbox import MSGraphConnection
from mailsuite.mailbox import graph as backend

from benchmarks.readers.mailsuite_folders import Folders
from benchmarks.readers.serve import serve


class _Given(ClientSecretCredential):
    def __init__(self, token: str) -> None:
        super().__init__("tenant", "client", "secret")
        self._token = token

    def get_token(self, *scopes: str, **more: object) -> AccessToken:
        del scopes, more
        return AccessToken(self._token, int(time.time()) + 3600)


def prepare(options: Mapping[str, Any]) -> Callable[[], Folders]:
    """On the service at `url`."""
    backend._generate_credential = lambda *_, **__: _Given(options["token"])  # noqa: SLF001 - see above

    def opened() -> Folders:
        connection = MSGraphConnection(
            auth_method="ClientSecret",
            mailbox=options["mailbox"],
            client_id="client",
            client_secret="secret",
            username=None,
            password=None,
            tenant_id="tenant",
            token_file="",
            allow_unencrypted_storage=False,
            graph_url=options["url"],
        )
        # mailsuite asks for /v1.0//users, which the stand-in takes as strictly as it stands there.
        connection._client.request_adapter.base_url = f"{options['url']}/v1.0"  # noqa: SLF001
        return Folders(connection, options["folders"], options["since"], parse=options["parse"])

    return opened


if __name__ == "__main__":
    serve(prepare)
