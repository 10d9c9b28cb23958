"""The npm package `emulate`, service google: a Gmail that others wrote, for what it has of it.

`tests.servers.gmail_front` stands before it and says where it is unlike Gmail.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers import npm

SCOPE = "https://www.googleapis.com/auth/gmail.modify"
_TOKENS_EACH = 12
"""The emulator takes 5,000 requests an hour with one token, then none."""


@dataclass(frozen=True, slots=True)
class GoogleEmulator:
    """A running emulator: its port on 127.0.0.1, and each user's access tokens."""

    port: int
    tokens: Mapping[str, Sequence[str]]


@contextmanager
def running(addresses: Sequence[str]) -> Iterator[GoogleEmulator]:
    """The emulator with these users and their empty mailboxes, as long as the block."""
    tokens = {
        address: [f"emulated-{number}-{each}" for each in range(_TOKENS_EACH)]
        for number, address in enumerate(addresses)
    }
    seed = {
        "tokens": {token: {"login": address, "scopes": [SCOPE]} for address, own in tokens.items() for token in own},
        "google": {"users": [{"email": address} for address in addresses]},
    }
    with npm.emulating("emulate", "google", seed) as port:
        yield GoogleEmulator(port, tokens)
