"""What this machine has: physical cores and free memory, within the process's limits."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bonito_local.errors import ModelError

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def logical_cores() -> int:
    """Hardware threads this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return min(allowed or os.cpu_count() or 1, _quota() or 1 << 16)


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads of one core counted once."""
    if not hasattr(os, "sched_getaffinity"):
        import psutil

        return psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = {
        _read(_TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in allowed
    }
    return min(len(cores), _quota() or len(cores))


def processor() -> str:
    """The processor's model."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or platform.machine()


def available_memory() -> int:
    """Bytes that can be allocated without swapping."""
    free = _free_memory()
    if free is not None:
        return free
    import psutil  # only where the system does not tell by itself

    return int(psutil.virtual_memory().available)


def check_memory(model: Path, needed: int) -> None:
    """Raise ModelError where weights of so many bytes do not fit in the free memory.

    Asked before they are loaded: the system would end the process without a word, or swap. Linux
    alone tells how much gives way; elsewhere a model may load that seems not to fit.
    """
    free = _free_memory()
    if free is not None and needed > free:
        raise ModelError(
            f"{model} does not fit in memory: its weights take {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} are free.",
            "Close other programs, or use a smaller model or quantization.",
        )


def _free_memory() -> int | None:
    """Free bytes as Linux counts them, within the control group's limit; None elsewhere."""
    free = next(
        (
            int(line.split()[1]) * 1024
            for line in (_read(_MEMINFO) or "").splitlines()
            if line.startswith("MemAvailable:")
        ),
        None,
    )
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    if free is None or not (limit and used and limit.isdigit() and used.isdigit()):
        return free
    # Files that were read lately count as used there, and give way: a model that was just hashed.
    stat = dict(line.split() for line in (_read(_CGROUP / "memory.stat") or "").splitlines())
    cached = sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
    return max(0, min(free, int(limit) - int(used) + cached))


def _quota() -> int | None:
    """Cores that the process's control group may use at once; None without a limit."""
    quota, _, period = (_read(_CGROUP / "cpu.max") or "max").partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, int(quota) // int(period))
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
