"""Where Microsoft's clouds are (https://learn.microsoft.com/graph/deployments), and which addresses may get a token."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from config.settings import Graph
from connectors.errors import InsecureConnection


@dataclass(frozen=True, slots=True)
class Cloud:
    """The addresses of one cloud, without a slash at the end."""

    endpoint: str
    """Of Microsoft Graph, without its version."""
    authority: str
    """Where tokens are given, without the tenant."""
    resource: str
    """What a token is for: the endpoint's own name, whatever address it is reached at."""

    @property
    def base(self) -> str:
        """Where every request goes."""
        return f"{self.endpoint}/v1.0"


_CLOUDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "global": ("https://graph.microsoft.com", "https://login.microsoftonline.com"),
        "us-government": ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
        "us-defense": ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
        "china": ("https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
    }
)


def cloud_of(graph: Graph) -> Cloud:
    """The addresses that the settings mean. Raises InsecureConnection for one that would show a token in clear."""
    endpoint, authority = _CLOUDS[graph.cloud]
    return Cloud(
        endpoint=_safe(graph.endpoint or endpoint, "endpoint").removesuffix("/v1.0"),
        authority=_safe(graph.authority or authority, "authority"),
        resource=endpoint,
    )


def is_local(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_origin(url: str, base: str) -> bool:
    """Whether `url` leads to where `base` is and nowhere else: same scheme, host and port, under its path."""
    try:
        found, wanted = urlsplit(url), urlsplit(base)
        same = (found.scheme, found.hostname, found.port) == (wanted.scheme, wanted.hostname, wanted.port)
    except ValueError:
        return False
    dotted = any(segment in {".", ".."} for segment in found.path.split("/"))
    return same and not found.username and not dotted and found.path.startswith(wanted.path + "/")


def _safe(url: str, name: str) -> str:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and is_local(url)):
        raise InsecureConnection(
            f"[graph] {name} is {url!r}: tokens and mail travel over https only. Leave it out to reach Microsoft itself"
        )
    return url.rstrip("/")
