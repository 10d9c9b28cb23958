"""A provider's discovery document (OpenID Connect Discovery 1.0 §3, §4; RFC 8414). Pure."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from service.openid.errors import ProviderDown

WELL_KNOWN = "/.well-known/openid-configuration"
TAKEN = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"})
"""Signatures that are believed. None of them can be made by whoever knows only what the provider publishes: neither
"none" nor a checksum under a shared secret is among them."""


class Metadata(BaseModel):
    """What these pages need to know of a provider."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    response_types_supported: tuple[str, ...] = ("code",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    """None where the document is silent: Microsoft's is, though it knows S256."""
    authorization_response_iss_parameter_supported: bool = False

    @field_validator(
        "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"
    )
    @classmethod
    def _over_tls(cls, value: str | None) -> str | None:
        if value is not None and not (value.startswith("https://") and urlsplit(value).hostname):
            raise ValueError("an https address is expected")
        return value

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Those of `TAKEN` that it signs with."""
        return tuple(sorted(TAKEN.intersection(self.id_token_signing_alg_values_supported)))

    @property
    def secret_sent_as(self) -> str:
        """How the client secret goes to the token endpoint."""
        ways = self.token_endpoint_auth_methods_supported
        # The one that a client is registered with unless it says otherwise (OpenID Connect Core 1.0 §9).
        return "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"


def metadata_of(document: object, issuer: str) -> Metadata:
    """A discovery document that was found behind `issuer`. Raises ProviderDown where it is none, belongs to somebody
    else, or to a provider that does not do what these pages need."""
    try:
        found = Metadata.model_validate(document)
    except (ValidationError, ValueError) as error:
        lacking = sorted({str(part) for fault in _faults(error) for part in fault})
        said = f" ({', '.join(lacking)})" if lacking else ""
        raise ProviderDown(f"what lies at {issuer}{WELL_KNOWN} is no discovery document{said}") from error
    if found.issuer != issuer:  # OpenID Connect Discovery 1.0 §4.3
        raise ProviderDown(f"the discovery document of {issuer} is another issuer's: {found.issuer[:200]}")
    if "code" not in found.response_types_supported:
        raise ProviderDown(f"{issuer} does not know the authorization code flow")
    if found.code_challenge_methods_supported is not None and "S256" not in found.code_challenge_methods_supported:
        raise ProviderDown(f"{issuer} does not know PKCE with S256 (RFC 7636)")
    if not found.algorithms:
        raise ProviderDown(f"{issuer} signs with none of {', '.join(sorted(TAKEN))}")
    return found


def _faults(error: ValueError) -> list[tuple[int | str, ...]]:
    return [fault["loc"] for fault in error.errors()] if isinstance(error, ValidationError) else []
