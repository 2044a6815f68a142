"""Write the table of docs/privacy.md: what a process in the air gap can still do, by system.

`tests/airgap/test_ways_out.py` tries every way on every system, and compares.
"""

from __future__ import annotations

from pathlib import Path

from bonito_local.airgap.ways import ways

PAGE = Path(__file__).parent / "privacy.md"
BEGIN, END = "<!-- ways out: begin -->\n", "<!-- ways out: end -->"

# System -> the ways that are open there to a job, and those open to a reader.
_MEMORY = "/proc/PID/mem"
_READERS = {"a signal to another process", "a file in a folder that others read"}
OPEN: dict[str, tuple[set[str], set[str]]] = {
    "whole": (set(), set()),
    "no user namespaces": (set(), set()),
    "no Landlock": (set(), _READERS),
    "neither": ({_MEMORY}, {_MEMORY, *_READERS}),
}
_COLUMNS = ("Linux 5.19 or newer", "no user namespaces", "no Landlock", "neither", "macOS, Windows")


def table() -> str:
    """Return the table, in Markdown."""
    lines = [
        f"| way out | {' | '.join(_COLUMNS)} |",
        f"|---{'|---' * len(_COLUMNS)}|",
    ]
    jobs = {way.name for way in ways("job", public=True)}
    for way in ways("reader", public=True):
        cells = [_cell(way.name, way.name in jobs, system) for system in OPEN]
        elsewhere = "-" if way.name in _LINUX_ALONE else "open"
        elsewhere = "Python" if way.name in _HELD_BY_PYTHON else elsewhere
        lines.append(f"| {way.name} | {' | '.join([*cells, elsewhere])} |")
    return "\n".join(lines) + "\n"


_HELD_BY_PYTHON = {
    "TCP to this machine",
    "UDP to this machine",
    "TCP to a public address",
    "UDP to a public address",
    "DNS",
    "Unix socket by its path",
    "Unix datagram to a path",
    "typing into the terminal (TIOCSTI)",
    "a core file",
    "a socket from before",
}


_LINUX_ALONE = {
    "Unix datagram to an abstract name (native code)",
    "netlink",
    "vsock, to a virtual machine's host",
    "io_uring",
    "process_vm_writev",
    "/proc/PID/mem",
    "pidfd_getfd",
    "keys of the kernel",
    "a look-up by the kernel",
}


def _cell(way: str, of_jobs: bool, system: str) -> str:
    job, reader = (way in held for held in OPEN[system])
    if not of_jobs:
        return "**open**" if reader else "readers: refused"
    return "**open**" if job or reader else "refused"


def page(text: str) -> str:
    """Return the page with a fresh table in the place of the one there."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
