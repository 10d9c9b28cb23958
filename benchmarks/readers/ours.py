"""Our connectors as the service uses them: page by page, the cursor and what is known kept between calls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.readers.serve import serve
from config.secrets import Secrets
from config.settings import Settings
from connectors.labels import Label
from connectors.mailbox import Mailbox
from connectors.mime import parse_message
from connectors.registry import open_mailbox


class Ours:
    """`serve.Reader` on a `Mailbox`."""

    def __init__(self, mailbox: Mailbox, *, parse: bool) -> None:
        """`parse` also makes a `Message` of each."""
        self._mailbox = mailbox
        self._parse = parse
        self._cursor: str | None = None
        self._labels: dict[str, frozenset[Label]] = {}

    def new(self) -> Iterator[bytes]:
        """See `serve.Reader.new`."""
        more = True
        while more:
            page = self._mailbox.changes(self._cursor, self._known)
            self._cursor, more = page.cursor, page.more
            for message in page.messages:
                self._labels[message.id] = message.labels
                if self._parse:
                    parse_message(
                        message.raw,
                        mailbox=self._mailbox.address,
                        id=message.id,
                        received_at=message.received_at,
                        size=message.size,
                    )
                yield message.raw

    def _known(self, ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
        return {id_: self._labels[id_] for id_ in ids if id_ in self._labels}


def prepare(options: Mapping[str, Any]) -> Callable[[], Ours]:
    """Settings with one mailbox, and the secrets that its connector asks for."""
    settings = Settings.model_validate(options["settings"])
    box = settings.mailboxes[0]

    def opened() -> Mailbox:
        return open_mailbox(box, settings, Secrets.in_memory(options["secrets"]))

    opened().close()  # imports the connector
    return lambda: Ours(opened(), parse=options["parse"])


if __name__ == "__main__":
    serve(prepare)
