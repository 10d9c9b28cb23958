"""The npm package @inbox-zero/emulate, service microsoft: a Graph that others wrote, for what it has of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.servers import npm


@dataclass(frozen=True, slots=True)
class MicrosoftEmulator:
    """A running emulator: where it is, without a version, and an access token for each user."""

    url: str
    tokens: Mapping[str, str]


@contextmanager
def running(
    *addresses: str, messages: Sequence[Mapping[str, Any]] = (), categories: Sequence[str] = ()
) -> Iterator[MicrosoftEmulator]:
    """The emulator with these users, as long as the block. It gives each some sample mail. `messages` and `categories`
    are added for the first user, in the emulator's own form (see its README)."""
    tokens = {address: f"token-{number}" for number, address in enumerate(addresses)}
    seed = {
        "tokens": {
            token: {"login": address, "scopes": ["Mail.ReadWrite", "Mail.Send"]} for address, token in tokens.items()
        },
        "microsoft": {
            "users": [{"email": address, "name": address.partition("@")[0]} for address in addresses],
            "categories": [{"display_name": name} for name in categories],
            "messages": list(messages),
        },
    }
    with npm.emulating("@inbox-zero/emulate", "microsoft", seed) as port:
        yield MicrosoftEmulator(f"http://127.0.0.1:{port}", tokens)
