"""Where a job's engines run: in this process, or on a Ray cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bonito_local.backends.llamacpp.machine import logical_cores
from bonito_local.bounds import check_range
from bonito_local.errors import UsageError, did_you_mean

_KINDS = ["ray"]
_MOST_A_CORE = 4  # engines
MOST_ACTORS = 10_000
_ADDRESS = re.compile(r"(?P<host>[^\s:/@]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What the user says about the cluster.

    Attributes:
        kind: "ray", or nothing: the engine runs in the job's own process.
        address: HOST:PORT of a cluster that the user runs, whose nodes see the passages; else
            one is started on this machine, for the job alone.
        actors: engines; 0 is one for each GPU, or each node where there is none.
    """

    kind: str = ""
    address: str = ""
    actors: int = 0

    @property
    def local(self) -> bool:
        """Whether a cluster is started on this machine, behind the air gap."""
        return bool(self.kind) and not self.address

    @property
    def host(self) -> tuple[str, int]:
        """Host and port of `address`, which was checked."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    def __str__(self) -> str:
        if not self.kind:
            return "none"
        return f"{self.kind} at {self.address}" if self.address else f"{self.kind} on this machine"


def check_cluster(options: ClusterOptions) -> None:
    """Raise UsageError for what names no cluster."""
    if options.kind and options.kind not in _KINDS:
        raise UsageError(f"Unknown cluster {options.kind!r}.", did_you_mean(options.kind, _KINDS))
    if not options.kind and (options.address or options.actors):
        raise UsageError(
            "A cluster's address or actors are given, but no cluster.",
            'Add --cluster ray, or kind = "ray" to [cluster].',
        )
    hint = "Use 1 or more, or 0 for what suits."
    check_range("actors", options.actors, 0, MOST_ACTORS, hint)
    if options.local and options.actors > (most := _MOST_A_CORE * logical_cores()):
        raise UsageError(
            f"{options.actors} engines on this machine's {logical_cores()} cores would only be in "
            "each other's way.",
            f"Ask for {most} actors at most, or name a cluster of more machines.",
        )
    if options.address:
        found = _ADDRESS.fullmatch(options.address)
        if not found or not 0 < int(found["port"]) < 1 << 16:
            raise UsageError(
                f"The cluster address {options.address!r} is no HOST:PORT.",
                "Name the head node as `ray start` does: 10.0.0.1:6379.",
            )
