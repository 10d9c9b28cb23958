"""postal-mime, the mail reader of browsers and workers (npm): what it makes of many mails, in one run of Node.js."""

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.servers.npm import FOLDER, node

_SCRIPT = """
import PostalMime from 'postal-mime'
let given = ''
for await (const piece of process.stdin) given += piece
const read = []
for (const one of JSON.parse(given)) {
  const mail = await PostalMime.parse(Buffer.from(one, 'base64'))
  const {subject, from, text, html, attachments, headers} = mail
  read.push({subject, sender: from.address, name: from.name, text, html, attachments: attachments.length,
    headers: headers.map(each => [each.key, each.value])})
}
console.log(JSON.stringify(read))
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A mail as postal-mime reads it."""

    subject: str
    sender: str
    name: str
    text: str
    html: str
    attachments: int
    headers: tuple[tuple[str, str], ...]


def read_all(mails: Sequence[bytes]) -> list[Read]:
    """All mails, in order. Skips or fails the test where postal-mime is not installed."""
    given = json.dumps([base64.b64encode(raw).decode() for raw in mails])
    done = subprocess.run(
        [str(node("postal-mime")), "--input-type=module", "-e", _SCRIPT],
        cwd=FOLDER,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    if done.returncode or done.stderr:
        raise RuntimeError(f"postal-mime: {done.stderr[-2000:]}")
    return [Read(**each | {"headers": tuple(map(tuple, each["headers"]))}) for each in json.loads(done.stdout)]
