"""What the application proves itself to Microsoft Entra with: a certificate, or a client secret.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials
"""

from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from config.secrets import Secrets
from connectors.errors import AuthenticationFailed


def credential_of(secrets: Secrets) -> tuple[str | dict[str, str], str]:
    """What the application proves itself with, as msal takes it, and its digest. A certificate goes before a secret.

    Raises AuthenticationFailed where neither is there, or the certificate is none; ConfigError."""
    pem, secret = secrets.get("graph/certificate"), secrets.get("graph/secret")
    if pem:
        return _certificate(pem), sha256(pem.encode()).hexdigest()
    if secret:
        return secret.strip(), sha256(secret.encode()).hexdigest()
    raise AuthenticationFailed(
        "Microsoft sign-in: neither a certificate nor a client secret is stored. Run alliance connect graph; or set "
        "ALLIANCE_SECRET_GRAPH_CERTIFICATE_FILE to a PEM file with the private key and the certificate"
    )


def _certificate(pem: str) -> dict[str, str]:
    """The private key and the certificate of a PEM text, as msal wants them."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, TypeError) as error:
        raise AuthenticationFailed(
            "Microsoft sign-in: graph/certificate is not a PEM text with an unencrypted private key and its "
            "certificate, one after the other. Store it again with alliance connect graph"
        ) from error
    return {
        "private_key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "public_certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }
