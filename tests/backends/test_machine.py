"""What the machine has, within the process's limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bonito_local.backends.llamacpp import machine
from bonito_local.errors import ModelError


def test_of_this_machine() -> None:
    assert 1 <= machine.physical_cores() <= (os.cpu_count() or 1)
    assert 2**26 < machine.available_memory() < 2**50


def test_elsewhere_than_on_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linux = machine.available_memory()
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.available_memory() == pytest.approx(linux, rel=0.5)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert 1 <= machine.physical_cores() <= (os.cpu_count() or 1)


def test_hyper_threads_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    monkeypatch.setattr(machine, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert machine.physical_cores() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2}, raising=False)
    assert machine.physical_cores() == 1


def test_container_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert machine.physical_cores() == 8
    (tmp_path / "cpu.max").write_text("300000 100000\n")
    assert machine.physical_cores() == 3
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine.physical_cores() == 1
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert machine.available_memory() == 600_000
    # A file that was read lately is cached, and gives way.
    (tmp_path / "memory.stat").write_text("anon 100000\nactive_file 200000\ninactive_file 50000\n")
    assert machine.available_memory() == 850_000


def test_weights_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    machine.check_memory(Path("m.gguf"), 1 << 60)  # nobody says what is free
    (tmp_path / "meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable:    2097152 kB\n")
    machine.check_memory(Path("m.gguf"), 2 << 30)
    with pytest.raises(ModelError) as caught:
        machine.check_memory(Path("m.gguf"), 9 << 29)
    assert caught.value.title == (
        "m.gguf does not fit in memory: its weights take 4.5 GiB, and 2.0 are free."
    )
