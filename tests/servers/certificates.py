"""A certificate authority of the tests' own, and a server certificate for localhost signed by it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.required import required


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: who signed, the server's certificate, its key."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Makes an authority and a certificate for localhost and 127.0.0.1 in `folder`. Each call makes another authority,
    so that the one does not trust the other's servers."""
    openssl = str(required("openssl", "openssl"))
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    signed = "-CA authority.pem -CAkey authority.key -set_serial 2 -days 2"
    own = "-subj /CN=Authority -addext keyUsage=critical,keyCertSign -days 2"
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    (folder / "extensions").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n"
    )
    commands = (
        f"req -x509 {key} {own} -keyout authority.key -out authority.pem",
        f"req {key} -subj /CN=localhost -keyout server.key -out server.csr",
        f"x509 -req -in server.csr {signed} -extfile extensions -out server.pem",
    )
    for command in commands:
        subprocess.run([openssl, *command.split()], check=True, capture_output=True, cwd=folder)
    return made
