"""TLS towards mail servers: verified, always (RFC 8314 §4, RFC 9525)."""

import ssl
from pathlib import Path

from connectors.errors import ConnectFailed, InsecureConnection, MailboxError
from connectors.server_words import server_words


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies the certificate and the host name, against `ca_file` alone where one is given. Raises
    InsecureConnection where that file cannot be read."""
    try:
        return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise InsecureConnection(
            f"the certificate authority in {ca_file} cannot be read ({error.__class__.__name__}): "
            "ca_file must name a PEM file"
        ) from error


def handshake_failed(where: str, error: OSError) -> MailboxError:
    """What an error while connecting with TLS means: an untrusted server, or one that cannot be reached."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return InsecureConnection(
            f"the certificate of {where} does not verify ({error.verify_message}): if the school runs its own "
            "certificate authority, set ca_file; otherwise the server's administrator must mend it"
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return InsecureConnection(
            f"{where} does not speak TLS as expected ({error.reason or error.__class__.__name__}): check port and "
            "security; nothing was sent to it"
        )
    return ConnectFailed(f"{where} cannot be reached: {reason(error)}")


def reason(error: BaseException) -> str:
    """The reason of a connection's failure in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return server_words(str(error)) or error.__class__.__name__
