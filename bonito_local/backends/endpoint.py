"""The address of a server that the user runs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from bonito_local.errors import UsageError

_EXAMPLE = "Write it as http://127.0.0.1:8080."
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens; `path` is what comes before /v1."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as sockets take them."""
        return self.host, self.port

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, however names are resolved."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_endpoint(url: str) -> Endpoint:
    """Read http://HOST:PORT, with or without /v1 behind it.

    Raises:
        UsageError: it is no such address.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise UsageError(f"The endpoint {url!r} is no address.", _EXAMPLE) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError(f"The endpoint {url!r} is no address.", _EXAMPLE)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "The endpoint holds more than an address.",
            "A key goes in the environment variable BONITO_LOCAL_API_KEY.",
        )
    path = parts.path.rstrip("/").removesuffix("/v1")
    return Endpoint(parts.scheme, parts.hostname, port, path)


def check_reachable(endpoint: Endpoint, *, remote: bool) -> None:
    """Raise UsageError for an address beyond this machine that was not allowed."""
    if not endpoint.loopback and not remote:
        raise UsageError(
            f"{endpoint.host} is not this machine: your passages would leave it.",
            "Add --remote if that is what you want.",
        )
