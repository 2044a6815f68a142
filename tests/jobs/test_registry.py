from pathlib import Path

import pytest

from bonito_local.errors import JobError
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.registry import Registry, state_folder
from bonito_local.jobs.turns import turn


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_job_is_listed_once(tmp_path: Path) -> None:
    registry = Registry()
    odd = tmp_path / "na\udcffme"
    assert (registry.add(tmp_path / "a"), registry.add(odd)) == (1, 2)
    assert registry.add(tmp_path / "a") == 1
    assert [entry.output for entry in registry.entries()] == [tmp_path / "a", odd]
    registry.remove(tmp_path / "a")
    assert [entry.id for entry in registry.entries()] == [2]
    assert registry.add(tmp_path / "a") == 3  # A number is never given twice.


def test_the_list_is_for_the_user_alone(tmp_path: Path) -> None:
    Registry().add(tmp_path)
    assert state_folder().stat().st_mode & 0o777 == 0o700
    assert (state_folder() / "jobs.sqlite").stat().st_mode & 0o777 == 0o600


def test_the_queue_is_by_priority_and_then_by_time(tmp_path: Path) -> None:
    registry = Registry()
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        registry.add(tmp_path / name)
        registry.wait(tmp_path / name, "llamacpp", priority)
    registry.add(tmp_path / "f")
    registry.wait(tmp_path / "f", "fake", 9)
    assert [path.name for path in registry.waiting("llamacpp")] == list("bdace")
    registry.leave(tmp_path / "d")
    registry.remove(tmp_path / "a")
    assert [path.name for path in registry.waiting("llamacpp")] == list("bce")


def test_a_turn_waits_for_the_engine_and_tells_so(tmp_path: Path) -> None:
    told: list[Progress] = []
    with turn(tmp_path / "a", "fake", 0, told.append, pytest.fail, lambda: False):
        assert told == []
        with turn(tmp_path / "c", "other", 0, told.append, pytest.fail, lambda: False):
            assert told == []
        with turn(tmp_path / "b", "fake", 0, told.append, pytest.fail, lambda: len(told) > 1):
            assert [progress.phase for progress in told] == ["waiting", "waiting"]
    assert Registry().waiting("fake") == []


def test_of_those_that_wait_the_living_are_ahead(tmp_path: Path) -> None:
    """A job that waits holds its own lock; one whose process died does not."""
    told: list[Progress] = []
    registry = Registry()
    for name in ("living", "dead"):
        registry.add(tmp_path / name)
        registry.wait(tmp_path / name, "fake", 9)
    (tmp_path / "dead" / ".job").mkdir(parents=True)
    with (
        open_job(tmp_path / "living"),
        turn(tmp_path / "b", "fake", 0, told.append, pytest.fail, lambda: len(told) > 1),
    ):
        assert len(told) == 2
    told.clear()
    with turn(tmp_path / "b", "fake", 0, told.append, pytest.fail, lambda: False):
        assert told == []


def test_a_list_that_cannot_be_used_is_a_warning(tmp_path: Path) -> None:
    Registry().add(tmp_path)
    (state_folder() / "jobs.sqlite").write_bytes(b"noise" * 999)
    with pytest.raises(JobError, match=r"list of jobs in .* cannot be used"):
        Registry().entries()
    warned: list[str] = []
    with turn(tmp_path / "a", "fake", 0, lambda _: None, warned.append, lambda: False):
        assert len(warned) == 1
    assert "not on the list" in warned[0]


def test_a_home_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    with pytest.raises(JobError, match="cannot be used"):
        Registry().add(tmp_path)
