"""Proof that the air gap holds: a child enters it and tries to get out, by every way.

Run as a module it is that child: `python -m bonito_local.airgap.probe SUBJECT TARGETS`, with
what its parent watches in JSON. The subject `outside` enters nothing: the same attempts then show
that they would have got through.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bonito_local.airgap import native
from bonito_local.airgap.gap import Enforcement, enter
from bonito_local.airgap.ways import LINUX, Subject, Targets, Way, ways
from bonito_local.errors import AirGapError

_SECONDS = 60
_THROUGH = "got through"
_MEMORY = 3 << 30
_OUTSIDE = "outside"
# A process of the user's: it says where a byte of its memory is, and waits. It allows to be traced,
# where a system would forbid that without an air gap.
_VICTIM = """
import ctypes, sys
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)
held = ctypes.create_string_buffer(b"-")
print(ctypes.addressof(held), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a child that entered the air gap met: attempt -> how it ended.

    `reached` are those that got out, `control` those that reach their targets without the air
    gap: were it empty, nothing would be proven.
    """

    enforcement: Enforcement
    attempts: dict[str, str]
    control: tuple[str, ...]

    @property
    def reached(self) -> tuple[str, ...]:
        """The attempts that got out."""
        return tuple(name for name, ended in self.attempts.items() if ended == _THROUGH)

    @property
    def holds(self) -> bool:
        """Whether nothing got out that gets out otherwise."""
        return bool(self.control) and not self.reached


def prove(subject: Subject = "job") -> Proof:
    """Let two children try, one as a process of this kind and one outside, and compare."""
    outside = _watched(_OUTSIDE)
    inside = _watched(subject)
    enforcement = Enforcement(tuple(inside["layers"]), tuple(inside["limits"]))
    control = [name for name in inside["attempts"] if outside["attempts"].get(name) == _THROUGH]
    return Proof(enforcement, inside["attempts"], tuple(control))


def _watched(subject: str) -> dict[str, dict[str, str]]:
    with _targets() as (targets, descriptors):
        command = [sys.executable, "-P", "-m", "bonito_local.airgap.probe", subject]
        try:
            ended = subprocess.run(
                [*command, json.dumps(asdict(targets))],
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
                pass_fds=descriptors,
                start_new_session=os.name == "posix",
            )
        except subprocess.TimeoutExpired as error:
            raise AirGapError(
                f"The air gap could not be tried within {_SECONDS} s.", "Try again."
            ) from error
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise AirGapError(
            f"The air gap could not be tried: {said[-1] if said else ended.returncode}.",
            "Install bonito-local again.",
        )
    found: dict[str, dict[str, str]] = json.loads(ended.stdout)
    return found


@contextmanager
def _targets() -> Iterator[tuple[Targets, tuple[int, ...]]]:
    """Make all that the attempts reach for; yields it, and the descriptors among it."""
    with ExitStack() as stack:
        tcp = stack.enter_context(closing(socket.socket()))
        udp = stack.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        for sock in (tcp, udp):
            sock.bind(("127.0.0.1", 0))
        tcp.listen(16)
        targets = Targets(tcp.getsockname()[1], udp.getsockname()[1])
        descriptors: tuple[int, ...] = ()
        if os.name == "posix":
            targets, descriptors = _posix_targets(stack, targets)
        yield targets, descriptors


def _posix_targets(stack: ExitStack, targets: Targets) -> tuple[Targets, tuple[int, ...]]:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bonito-local-"))
    Path(folder).chmod(0o777)
    own = stack.enter_context(tempfile.TemporaryDirectory(prefix="bonito-local-"))
    stream = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
    stream.bind(f"{folder}/stream")
    stream.listen(16)
    datagram = stack.enter_context(closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
    datagram.bind(f"{folder}/datagram")
    near, far = (stack.enter_context(closing(sock)) for sock in socket.socketpair())
    descriptors = [near.fileno()]
    far.setblocking(False)
    targets = replace(
        targets,
        stream=f"{folder}/stream",
        datagram=f"{folder}/datagram",
        inherited=near.fileno(),
        folder=folder,
        own=own,
    )
    if LINUX:
        targets = _linux_targets(stack, targets)
        descriptors += [targets.terminal] * (targets.terminal >= 0)
    return targets, tuple(descriptors)


def _linux_targets(stack: ExitStack, targets: Targets) -> Targets:
    abstract = stack.enter_context(closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
    name = f"bonito-local-{os.getpid()}-{os.urandom(4).hex()}"
    abstract.bind(f"\0{name}")
    victim = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-P", "-c", _VICTIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    stack.callback(victim.kill)
    address = int(victim.stdout.readline() or 0) if victim.stdout else 0
    queue = semaphore = -1
    try:
        queue = native.make_queue()
        stack.callback(native.remove_queue, queue)
        semaphore = native.make_semaphore()
        stack.callback(native.remove_semaphore, semaphore)
    except OSError:  # a kernel without such queues
        pass
    terminal = -1
    try:
        controller, terminal = os.openpty()
        stack.callback(os.close, controller)
        stack.callback(os.close, terminal)
    except OSError:  # a system without terminals to open
        pass
    return replace(
        targets,
        abstract=name,
        victim=victim.pid,
        address=address,
        queue=queue,
        semaphore=semaphore,
        terminal=terminal,
    )


def attempt_all(tried: list[Way], targets: Targets) -> dict[str, str]:
    """Try each way out, and return how each attempt ended."""
    return {way.name: _ended(way, targets) for way in tried}


def _ended(way: Way, targets: Targets) -> str:
    try:
        way.attempt(targets)
    except AirGapError:
        return "refused by the Python audit hook"
    except TimeoutError:
        return _THROUGH  # the packets went; nobody answered
    except OSError as error:
        return f"refused: {(error.strerror or str(error)).lower()}"
    return _THROUGH


def _take_terminal(terminal: int) -> None:
    """Make a terminal this session's own, as the shell's is for what it starts."""
    import fcntl
    import termios

    try:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    except OSError:  # then there is nothing to type into
        return


def main(subject: str, targets: Targets) -> None:
    """Be the child: enter the air gap, try to get out, print what happened."""
    # A reader is started in a session of its own, without a terminal.
    if LINUX and subject in (_OUTSIDE, "job") and targets.terminal >= 0:
        _take_terminal(targets.terminal)
    held = Enforcement()
    if subject == "job":
        held = enter()
    elif subject != _OUTSIDE:
        from bonito_local.airgap.confinement import confine

        held = enter(programs=False)
        confine(_MEMORY, None if subject == "tables" else (), [Path(targets.own)])
    # Without the air gap nothing is sent beyond this machine.
    outside = subject == _OUTSIDE
    tried = ways("job" if subject == "job" else "reader", public=not outside)
    attempts = attempt_all(tried, targets)
    report = {"layers": held.layers, "limits": held.limits, "attempts": attempts}
    sys.stdout.write(json.dumps(report))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Targets(**json.loads(sys.argv[2])))
