"""Numbers and paths that nothing can be made of."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from bonito_local import bounds
from bonito_local.bounds import check_range, read_small, user_folder, user_path
from bonito_local.errors import UsageError
from bonito_local.passages.opening import open_document


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), 10**30, 10**5000, -1, 1e308, -(10**400)],
    ids=range(8),
)
def test_a_number_beyond_its_bounds_is_named_in_one_short_line(value: float) -> None:
    with pytest.raises(UsageError) as raised:
        check_range("n", value, 0, 100)
    assert raised.value.title.startswith("n is ")
    assert len(str(raised.value)) < 120


@pytest.mark.parametrize("value", [0, 100, 0.5])
def test_a_number_within_its_bounds_passes(value: float) -> None:
    check_range("n", value, 0, 100)


def test_a_home_that_there_is_not_and_a_zero_byte_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/x") == Path("/home/me/x")
    with pytest.raises(UsageError, match="~nosuchuser is no user's home"):
        user_path("~nosuchuser/x")
    with pytest.raises(UsageError, match="zero byte"):
        user_path("a\0b")


def test_a_folder_is_one_that_can_be_looked_at(tmp_path: Path) -> None:
    assert user_folder(str(tmp_path)) == tmp_path
    (tmp_path / "file").touch()
    hostile = ("", "~nosuchuser", "a\0b", "a" * 300, str(tmp_path / "file"), str(tmp_path / "no"))
    assert [user_folder(text) for text in hostile] == [None] * len(hostile)


@pytest.mark.timeout(10)
@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_a_small_file_is_an_ordinary_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"12345")
    assert read_small(tmp_path / "plain", 5) == b"12345"
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_small(tmp_path / "plain", 4)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="no ordinary file"):
            read_small(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="blocks of POSIX")
def test_a_file_is_read_whose_blocks_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "whole"
    path.write_bytes(b"weights")
    real = os.fstat

    def uncounted(number: int) -> SimpleNamespace:
        found = real(number)
        return SimpleNamespace(st_mode=found.st_mode, st_size=found.st_size, st_blocks=0)

    monkeypatch.setattr(bounds, "_HOLES_BYTES", 1)
    monkeypatch.setattr(bounds, "_HOLES_RATIO", 0)
    monkeypatch.setattr(os, "fstat", uncounted)
    with bounds.open_ordinary(path) as file:
        assert file.read() == b"weights"
    number = open_document(path.resolve())
    assert os.read(number, 9) == b"weights"
    os.close(number)
