"""What this machine has: physical cores and free memory, within the process's limits."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def logical_cores() -> int:
    """Hardware threads this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return min(allowed or os.cpu_count() or 1, _quota() or 1 << 16)


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads of one core counted once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
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
    """Bytes that can be allocated without swapping; half the memory where unknown."""
    free = _meminfo_available()
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    if limit and used and limit.isdigit() and used.isdigit():
        return max(0, min(free, int(limit) - int(used)))
    return free


def _quota() -> int | None:
    """Cores that the process's control group may use at once; None without a limit."""
    quota, _, period = (_read(_CGROUP / "cpu.max") or "max").partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, int(quota) // int(period))
    return None


def _meminfo_available() -> int:
    for line in (_read(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    if not hasattr(os, "sysconf"):
        return 4 << 30
    return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE")) // 2


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
