"""exchangelib (https://github.com/ecederstrand/exchangelib), used as its documentation shows: everything in a folder,
and from then on what was received later than the newest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials
from exchangelib.ewsdatetime import EWSDateTime
from exchangelib.folders import Folder

from benchmarks.readers.serve import serve


class Folders:
    """`serve.Reader` on an `Account`."""

    def __init__(self, account: Account, names: Sequence[str]) -> None:
        """`names` of the account's folders, e.g. inbox; they are read one after the other."""
        self._account = account
        self._names = names
        self._newest: dict[str, EWSDateTime] = {}

    def new(self) -> Iterator[bytes]:
        """See `serve.Reader.new`."""
        for name in self._names:
            folder: Folder = getattr(self._account, name)
            since = self._newest.get(name)
            found = folder.all() if since is None else folder.filter(datetime_received__gt=since)
            for item in found.order_by("datetime_received"):
                self._newest[name] = item.datetime_received
                yield item.mime_content


def prepare(options: Mapping[str, Any]) -> Callable[[], Folders]:
    """On the service at `url`, signed in as the mailbox's owner."""

    def opened() -> Folders:
        configuration = Configuration(
            credentials=Credentials(options["mailbox"], options["password"]),
            service_endpoint=options["url"],
            auth_type=BASIC,
        )
        account = Account(options["mailbox"], config=configuration, autodiscover=False, access_type=DELEGATE)
        return Folders(account, options["folders"])

    return opened


if __name__ == "__main__":
    serve(prepare)
