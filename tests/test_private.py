"""Folders and files of the user's own, and those that somebody else prepared."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bonito_local.private import NotPrivateError, check, create, make_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


@pytest.fixture
def loose() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("loose")
def test_folders_on_the_way_are_the_users_alone_too(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    for name in ("a", "a/b", "a/b/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("loose")
def test_files_are_the_users_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    os.close(create(tmp_path / "file"))
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def linked(folder: Path) -> None:
    (folder / "elsewhere").touch()
    (folder / "file").symlink_to(folder / "elsewhere")


def hard_linked(folder: Path) -> None:
    (folder / "elsewhere").touch()
    (folder / "file").hardlink_to(folder / "elsewhere")


def writable(folder: Path) -> None:
    (folder / "file").touch()
    (folder / "file").chmod(0o666)


def folder_writable(folder: Path) -> None:
    (folder / "file").touch()
    folder.chmod(0o777)


PREPARED: dict[str, Callable[[Path], object]] = {
    "a link": linked,
    "another name": hard_linked,
    "other users may write to": writable,
    "may write": folder_writable,
    "no ordinary file": lambda folder: os.mkfifo(folder / "file"),
    "is no ordinary": lambda folder: (folder / "file").mkdir(),
}


@pytest.mark.parametrize("said", PREPARED)
def test_what_others_prepared_is_refused(said: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    PREPARED[said](tmp_path)
    with pytest.raises(NotPrivateError, match=said):
        check([tmp_path / "file"], tmp_path)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "file").touch(mode=0o600)
    check([tmp_path / "file"], tmp_path)
    os.chown(tmp_path / "file", 1234, 1234)
    with pytest.raises(NotPrivateError, match="belongs to another user"):
        check([tmp_path / "file"], tmp_path)
