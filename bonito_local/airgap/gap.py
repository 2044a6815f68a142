"""Entering the air gap, layer by layer, and what of it this process is held by.

Nothing here can be taken back: once entered, a process and all that it starts stay
without network.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local.airgap.audit import refuse_programs, refuse_sockets
from bonito_local.airgap.broker import Address, Broker
from bonito_local.airgap.inherited import shut_sockets
from bonito_local.airgap.layers import AUDIT, LANDLOCK, SECCOMP, LayerRefused
from bonito_local.airgap.layers import NAMESPACE as NAMESPACE
from bonito_local.airgap.limits import leave_no_core
from bonito_local.airgap.switches import set_switches
from bonito_local.errors import AirGapError

_HELD = "BONITO_LOCAL_AIR_GAP"  # tells a started process what its parent's layers are


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What keeps a process from the network, strongest first.

    `limits` says, in whole sentences, what could not be enforced. `online` is set where the
    user allowed the network, `endpoint` is the one address that can be reached all the same,
    `local_sockets` where processes of the job may talk to each other.
    """

    layers: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    online: bool = False
    endpoint: str = ""
    local_sockets: bool = False

    @property
    def by_the_kernel(self) -> bool:
        """Whether native code and started programs are held too, not only Python."""
        return NAMESPACE in self.layers or SECCOMP in self.layers

    @property
    def loopback(self) -> bool:
        """Whether sockets that stay on this machine can be left open without others."""
        return NAMESPACE in self.layers or SECCOMP not in self.layers

    def __str__(self) -> str:
        if self.online:
            return "none: the network was allowed"
        return ", ".join(self.parts) or "none"

    @property
    def parts(self) -> tuple[str, ...]:
        """The layers, and what they leave open."""
        opened = (
            *((f"open to {self.endpoint}",) if self.endpoint else ()),
            *((f"open to {_OWN_SOCKETS}",) if self.local_sockets else ()),
        )
        return (*self.layers, *opened)


_OWN_SOCKETS = "this machine's own sockets"
OPEN = Enforcement(online=True)
_active: Enforcement | None = None
_broker: Broker | None = None


def active() -> Enforcement:
    """What this process is held by; nothing where it never entered."""
    return _active or Enforcement()


def enter(
    *,
    online: bool = False,
    local_sockets: bool = False,
    programs: bool = True,
    endpoint: Address | None = None,
) -> Enforcement:
    """Give up the network for this process and all that it will start; once, for good.

    Call it first, while the process has one thread: later the strongest layer is refused.

    Args:
        online: The user asked for the network: nothing is given up, and this is recorded.
        local_sockets: Leave Unix sockets, and a loopback interface of its own, to an engine
            whose processes talk to each other. Otherwise not one socket can be opened.
        programs: Whether this process may start others.
        endpoint: Host and port that `connect` goes on reaching, and nothing else does.

    Raises:
        AirGapError: this system has no way to leave one address open alone.
    """
    global _active
    if _active is None:
        if online:
            _active = OPEN
            leave_no_core()
        elif endpoint:
            _active = _enter_but_for(endpoint, local_sockets, programs)
        else:
            _active = _enter(local_sockets, programs)
    return _active


def connect(address: Address, timeout: float) -> socket.socket:
    """Return a socket connected to `address`; inside the air gap, to the one left open.

    Raises:
        OSError: nobody answers there.
        AirGapError: this process is in the air gap, and the address is another.
    """
    if _broker is not None and _broker.address == address:
        return _broker.connect(timeout)
    return socket.create_connection(address, timeout)


def _enter_but_for(endpoint: Address, local_sockets: bool, programs: bool) -> Enforcement:
    global _broker
    if not hasattr(os, "fork"):
        raise AirGapError(
            "On this system the air gap cannot leave one address open.",
            "Add --online: then what reads your documents may use the network too.",
        )
    _broker = Broker(endpoint)
    return replace(_enter(local_sockets, programs), endpoint=f"{endpoint[0]}:{endpoint[1]}")


def _enter(local_sockets: bool, programs: bool) -> Enforcement:
    set_switches(os.environ)
    shut_sockets(_broker.descriptors if _broker else ())
    layers: list[str] = []
    limits: list[str] = []
    if sys.platform == "linux":
        _enter_kernel_layers(local_sockets, programs, layers, limits)
    refuse_sockets(local=local_sockets)
    if not programs:
        refuse_programs()
    layers.append(AUDIT)
    leave_no_core()
    if layers == [AUDIT]:
        limits.append("Only Python code is held: native code and started programs are not.")
    os.environ[_HELD] = ",".join(layers)
    return Enforcement(tuple(layers), tuple(limits), local_sockets=local_sockets)


def _enter_kernel_layers(
    local_sockets: bool, programs: bool, layers: list[str], limits: list[str]
) -> None:
    from bonito_local.airgap.landlock import enter_domain
    from bonito_local.airgap.seccomp import Sockets, filter_calls

    threads = len(list(Path("/proc/self/task").iterdir()))
    _try(layers, limits, NAMESPACE, lambda: _enter_namespace(local_sockets))
    sockets: Sockets = "none"
    if local_sockets:
        # A filter sees no address: only inside the namespace is every socket a local one.
        sockets = "any" if layers else "unix"
    _try(layers, limits, SECCOMP, lambda: filter_calls(sockets, programs=programs))
    _try(layers, limits, LANDLOCK, lambda: enter_domain(local_sockets=local_sockets))
    if threads > 1 and LANDLOCK in layers:
        limits.append("Threads from before are in no Landlock domain.")


def _try(layers: list[str], limits: list[str], name: str, enter_layer: Callable[[], None]) -> None:
    """Add a layer, or the sentence that says why the system refuses it."""
    try:
        enter_layer()
    except LayerRefused as error:
        limits.append(f"No {_SHORT.get(name, name)}: {error}.")
    else:
        layers.append(name)


def _enter_namespace(local_sockets: bool) -> None:
    from bonito_local.airgap.namespaces import drop_capabilities, enter_namespace, is_empty

    # A process that was started inside need not, and as root could not as well, do it again.
    if NAMESPACE in os.environ.get(_HELD, "") and is_empty():
        return
    try:
        enter_namespace(loopback=local_sockets)
    except LayerRefused:
        with suppress(OSError):
            drop_capabilities()  # root without a namespace: its rights over the whole machine
        raise


_SHORT = {NAMESPACE: "network namespace"}
