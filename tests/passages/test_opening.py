"""Documents that are replaced after they were found, before they are read."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bonito_local.passages import process, scratch
from bonito_local.passages.ahead import opened, stopped_by
from bonito_local.passages.discover import find_documents
from bonito_local.passages.reader import iter_passages, read_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import USUAL, Document, Passage, Problem

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
TEXT = "The tenant pays rent of 1200 euros on the first day of each month to the landlord. " * 3


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    process.shared.end()
    yield
    process.shared.end()


def words(text: str) -> int:
    return len(text.split())


def link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "secret.txt")


KINDS: dict[str, Callable[[Path], object]] = {
    "link": link,
    "pipe": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "gone": lambda path: None,
}


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_was_replaced_is_one_line(
    kind: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.txt").write_text(f"text\nSECRET {TEXT}\n")
    (tmp_path / "d").mkdir()
    path = tmp_path / "d" / f"a{suffix}"
    path.write_text(f"text\n{TEXT}\n")
    (document,) = find_documents([tmp_path / "d"])
    assert isinstance(document, Document)
    path.unlink()
    KINDS[kind](path)
    begun = time.monotonic()
    (item,) = read_passages(document, words, Lengths(60))
    assert isinstance(item, Problem), item
    assert time.monotonic() - begun < 10


def test_a_folder_on_the_way_that_was_replaced_is_not_followed(tmp_path: Path) -> None:
    for name in ("found", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"{name}. {TEXT}")
    (document,) = find_documents([tmp_path / "found"])
    assert isinstance(document, Document)
    (tmp_path / "found").rename(tmp_path / "away")
    (tmp_path / "found").symlink_to(tmp_path / "other")
    (item,) = read_passages(document, words, Lengths(60))
    assert isinstance(item, Problem)
    assert "replaced by a link" in item.title


def test_a_link_that_was_one_when_it_was_found_is_read(tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / ".real.txt").write_text(TEXT)
    (tmp_path / "d" / "sub" / "a.txt").symlink_to("../.real.txt")
    (item,) = iter_passages([tmp_path / "d"], words, Lengths(60))
    assert isinstance(item, Passage)
    assert item.source.endswith("sub/a.txt")


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_a_file_of_holes_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"text\n{TEXT}\n")
    os.truncate(tmp_path / name, 1 << 41)
    begun = time.monotonic()
    (item,) = iter_passages([tmp_path], words, Lengths(60))
    assert isinstance(item, Problem)
    assert "mostly holes" in item.title
    assert time.monotonic() - begun < 10


def test_a_table_that_is_hashed_for_long_is_left_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text\n{TEXT}\n")
    os.truncate(path, (1 << 30) - 1)  # a file of holes that is not said to be one
    begun = time.monotonic()
    with stopped_by(lambda: True), pytest.raises(KeyboardInterrupt):
        list(iter_passages([path], words, Lengths(60)))
    assert time.monotonic() - begun < 5
    readers = process.Readers()
    document = Document(path, "a.csv", ".csv")
    assert list(opened(document, USUAL, readers, lambda: True)) == []


def test_a_folder_that_cannot_be_entered_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `lost+found` at the root of a disk: even whether it is a job's cannot be asked."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "a.txt").write_text(TEXT)
    before = Path.stat

    def refusing(path: Path, **more: bool) -> os.stat_result:
        if "lost+found" in path.parts and path.name != "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return before(path, **more)

    monkeypatch.setattr(Path, "stat", refusing)
    found = list(find_documents([tmp_path]))
    assert [document.source for document in found if isinstance(document, Document)] == [
        str(tmp_path / "a.txt")
    ]


def test_a_path_that_is_too_long_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("n" * 200, dir_fd=at)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)
    items = list(iter_passages([tmp_path], words, Lengths(60)))
    assert [item.source for item in items if isinstance(item, Passage)] == [str(tmp_path / "a.txt")]
    assert any(isinstance(item, Problem) and "too long" in item.title for item in items)


def test_each_reader_has_a_folder_of_its_own_which_ends_with_it() -> None:
    one, other = process._Reader(tables=False), process._Reader(tables=False)
    try:
        assert one._folder != other._folder
        assert one._folder.stat().st_mode & 0o777 == 0o700
        (one._folder / "planted.so").touch()
    finally:
        one.end()
        other.end()
    assert not one._folder.exists()


def test_what_a_killed_process_left_is_removed_before_anything_is_read() -> None:
    scratch._parent.cache_clear()
    parent = scratch._parent()
    (parent / "process-999999999-x").mkdir()
    (parent / "process-999999999-x" / "planted.so").touch()
    (parent / "libpdfium.so").touch()  # as the first versions shared it
    (parent / f"process-{os.getpid()}-y").mkdir()
    scratch._parent.cache_clear()
    assert [path.name for path in scratch._parent().iterdir()] == [f"process-{os.getpid()}-y"]
    (parent / f"process-{os.getpid()}-y").rmdir()


def test_a_full_disk_is_said_and_no_document_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bonito_local.errors import OutputError

    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04 broken")
    (document,) = find_documents([tmp_path])
    assert isinstance(document, Document)
    monkeypatch.setattr(process, "_LITTLE", 1 << 60)
    with pytest.raises(OutputError, match="full: documents cannot be read"):
        list(read_passages(document, words, Lengths(60)))


def test_a_reader_that_cannot_be_started_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bonito_local.errors import OutputError

    def refused() -> Path:
        raise OSError(24, "Too many open files")

    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04 broken")
    (document,) = find_documents([tmp_path])
    assert isinstance(document, Document)
    monkeypatch.setattr(process, "make_scratch", refused)
    with pytest.raises(OutputError, match="can be started: Too many open files"):
        list(read_passages(document, words, Lengths(60)))
