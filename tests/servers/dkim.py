"""dkimpy, which others wrote, signs and verifies mail (RFC 6376): Debian's python3-dkim, run by Debian's own Python."""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.required import lacking

_PYTHON = Path("/usr/bin/python3")
_SCRIPT = """
import json, sys
from base64 import b64decode, b64encode
import dkim
for line in sys.stdin:
    wish = json.loads(line)
    raw, key = b64decode(wish["raw"]), wish["key"].encode()
    if wish["sign"]:
        # With the strictest canonicalization (RFC 6376 section 3.4): not a blank may change on the way.
        how = (b"simple", b"simple")
        made = dkim.sign(raw, wish["selector"].encode(), wish["domain"].encode(), key, canonicalize=how)
        print(b64encode(made).decode(), flush=True)
    else:
        print(int(dkim.verify(raw, dnsfunc=lambda name, timeout=5: key)), flush=True)
"""


class Dkim:
    """Signs for one domain, and verifies against one DNS record."""

    def __init__(self, process: subprocess.Popen[str], selector: str, domain: str) -> None:
        """`process` runs the script."""
        self._process = process
        self._selector, self._domain = selector, domain

    def signature(self, raw: bytes, pem: bytes) -> bytes:
        """The DKIM-Signature field of a mail, to stand before it. `pem` is the private key (PKCS #1)."""
        return b64decode(self._ask(raw, pem.decode(), sign=True))

    def verifies(self, raw: bytes, record: bytes) -> bool:
        """Whether the mail's signature holds. `record` is the DNS record with the public key."""
        return self._ask(raw, record.decode(), sign=False).strip() == "1"

    def _ask(self, raw: bytes, key: str, *, sign: bool) -> str:
        wish = {"sign": sign, "raw": b64encode(raw).decode(), "key": key}
        wish |= {"selector": self._selector, "domain": self._domain}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the DKIM signer ended")
        return answer


@contextmanager
def running(selector: str, domain: str) -> Iterator[Dkim]:
    """The signer, as long as the block. Skips or fails the test where it is not installed."""
    there = (
        _PYTHON.exists()
        and not subprocess.run([_PYTHON, "-c", "import dkim"], check=False, capture_output=True).returncode
    )
    if not there:
        lacking("dkimpy is not installed; on Debian: apt-get install python3-dkim")
    with subprocess.Popen(
        [_PYTHON, "-I", "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Dkim(process, selector, domain)
