"""An app of its own for each test: its home, its list of jobs, its settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_jobs import finished_job


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, where the app is opened too."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def job(home: Path) -> Path:
    """A finished job of twelve samples, six of them accepted."""
    return finished_job(home / "contracts")


@pytest.fixture
def documents(home: Path) -> Path:
    """A folder with two documents and a file that cannot be read."""
    folder = home / "documents"
    folder.mkdir()
    for name in ("lease", "policy"):
        days = " ".join(
            f"The {name} names day {day} as the day on which rent is paid." for day in range(1, 13)
        )
        (folder / f"{name}.txt").write_text(days)
    (folder / "photo.png").write_bytes(b"png")
    return folder
