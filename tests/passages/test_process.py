"""The reader process: what it is kept from, and what becomes of a document that ends it."""

import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import CANARY, PROSE, Hostile, bases, bombs, mutated, nested, reaching, truncated
from written import SENTENCE, word

from bonito_local.errors import DocumentError
from bonito_local.passages import process
from bonito_local.passages.ahead import opened
from bonito_local.passages.discover import find_documents
from bonito_local.passages.documents import read_table
from bonito_local.passages.reader import iter_passages, read_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import USUAL, Document, Passage, Problem, Text

# Neither UTF-8 nor Western, so that charset_normalizer is asked; its words are English.
CYRILLIC = ("Read as it should be. \u0427\u0438\u0442\u0430\u0435\u043c. " * 9).encode("cp1251")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Readers of this test alone: what is patched or planted must reach no other."""
    process.shared.end()
    yield
    process.shared.end()


def words(text: str) -> int:
    return len(text.split())


def read(path: Path) -> list[Passage | Problem]:
    """Read a folder ahead, as jobs do, and a file in the process that is kept, which is faster."""
    if path.is_dir():
        return list(iter_passages([path], words, Lengths(60)))
    document = Document(path, str(path), path.suffix.lower())
    return list(read_passages(document, words, Lengths(60)))


def titles(items: list[Passage | Problem]) -> list[str]:
    return [item.title if isinstance(item, Problem) else item.text for item in items]


def planted(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have the reader process import our charset_normalizer, which does `code` when asked."""
    (folder / "charset_normalizer.py").write_text(
        "import os, sys, time, ctypes\n"
        "class Match:\n    encoding = 'cp1251'\n    def best(self): return self\n"
        f"def from_bytes(data):\n    {code}\n    return Match()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def two_documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_bytes(CYRILLIC)
    (folder / "b.txt").write_text(PROSE)
    return folder


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("ctypes.string_at(0)", "crashed, or ran out of memory (SIGSEGV)"),
        ("os.abort()", "crashed, or ran out of memory (SIGABRT)"),
        ("os._exit(3)", "crashed, or ran out of memory (status 3)"),
        ("raise KeyError('the text')", "cannot be read (KeyError)."),
        ("bytearray(8 << 30)", "too much memory"),
        ("import nothing_of_this_name", "not installed (nothing_of_this_name)"),
        ("os.write(1, b'noise')", "Read as it should be."),
    ],
)
def test_a_parser_that_fails_costs_its_document_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, title: str
) -> None:
    planted(tmp_path, monkeypatch, code)
    bad, *good = titles(read(two_documents(tmp_path)))
    assert title in bad
    assert "the text" not in bad
    assert " ".join(good) == PROSE


def test_a_parser_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_SECONDS", 5.0)  # a busy machine starts a process in 2
    planted(tmp_path, monkeypatch, "time.sleep(60)")
    start = time.monotonic()
    bad, *good = titles(read(two_documents(tmp_path)))
    assert time.monotonic() - start < 40
    assert bad == "Reading took more than 5 s; it was stopped."
    assert " ".join(good) == PROSE


def test_one_process_reads_many_documents_and_ends_when_told(tmp_path: Path) -> None:
    for at in range(20):
        (tmp_path / f"{at}.docx").write_bytes(word(f"Lease {at}. {SENTENCE}"))
    readers = process.Readers()
    for document in find_documents([tmp_path]):
        assert isinstance(document, Document)
        digest, text = opened(document, USUAL, readers)
        assert digest == hashlib.sha256(document.path.read_bytes()).hexdigest()
        assert isinstance(text, Text)
        assert SENTENCE in text.text
    (reader,) = readers._all
    assert reader.alive()
    readers.end()
    assert not reader.alive()
    assert readers._all == set()


def test_a_table_left_in_the_middle_ends_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "\n".join(f"{i}. {SENTENCE} {SENTENCE}" for i in range(1000)))
    items = read_passages(Document(path, "a.csv", ".csv"), words, Lengths(60))
    first = next(items)
    assert isinstance(first, Passage)
    assert first.text.startswith("0. The tenant")
    del items
    assert process.shared._all == set()
    assert len(read(path)) == 1000


@LINUX
def test_reading_that_is_left_in_the_middle_leaves_no_thread_and_no_process(
    tmp_path: Path,
) -> None:
    text = "text\n" + "\n".join(f"{i}. {SENTENCE} {SENTENCE}" for i in range(1000))
    for at in range(40):
        (tmp_path / f"{at:02}.csv").write_text(text)
    threads, children = threading.active_count(), len(_children())
    items = iter_passages([tmp_path], words, Lengths(60))
    for _ in range(1500):
        assert isinstance(next(items), Passage)
    assert len(_children()) > children
    del items
    deadline = time.monotonic() + 10  # the clock of a reader looks up four times a second
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() == threads
    assert len(_children()) == children


def test_documents_come_in_order_however_long_each_takes(tmp_path: Path) -> None:
    sizes = [3000, 1, 400, 1, 1, 2000, 1, 30, 1, 1]
    for at, size in enumerate(sizes):
        text = " ".join(f"Clause {i} of document {at} binds the tenant." for i in range(size))
        (tmp_path / f"{at:02}.txt").write_text(text)
    found = [Path(item.source).name for item in read(tmp_path)]
    assert list(dict.fromkeys(found)) == [f"{at:02}.txt" for at in range(len(sizes))]
    assert found == sorted(found)


def _children() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


def test_a_table_that_unpacks_to_far_more_than_its_size_is_left_there(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [PROSE] * 100_000}), path)
    read: list[Text | Problem] = []
    with pytest.raises(DocumentError, match="unpacks to far more"):
        read.extend(read_table(Document(path, "a.parquet", ".parquet"), None))
    assert len(read) == max(10_000_000, 100 * path.stat().st_size) // len(PROSE)


@LINUX
def test_a_reader_ends_with_its_parent(tmp_path: Path) -> None:
    """Even one that hangs: a job that is killed leaves nothing behind."""
    import subprocess

    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "charset_normalizer.py").write_text("")
    (tmp_path / "a.txt").write_text(PROSE)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from bonito_local.passages import process\n"
        "from bonito_local.passages.reader import read_passages\n"
        "from bonito_local.passages.split import Lengths\n"
        "from bonito_local.passages.types import Document\n"
        "document = Document(Path(sys.argv[1]), 'a', '.txt')\n"
        "list(read_passages(document, len, Lengths(600)))\n"
        "print(next(iter(process.shared._all))._process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        reader = int(parent.stdout.readline())
        os.kill(reader, signal.SIGSTOP)
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{reader}").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{reader}/stat").read_text().split()[2]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{reader}").exists()


@LINUX
def test_a_reader_opens_no_file_of_the_users_and_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    (tmp_path / "planted").mkdir()
    for attempt in (f"open({str(secret)!r})", f"open({str(tmp_path / 'new')!r}, 'w')"):
        process.shared.end()
        code = f"{attempt}.read(5)"
        planted(tmp_path / "planted", monkeypatch, code)
        (tmp_path / "a.txt").write_bytes(CYRILLIC)
        (found,) = titles(read(tmp_path / "a.txt"))
        assert "PermissionError" in found
        assert CANARY not in found
    assert not (tmp_path / "new").exists()


def test_nothing_is_unpacked_into_a_folder_that_others_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "a.pdf").write_bytes(bases()[".pdf"])
    assert PROSE[:40] in " ".join(titles(read(tmp_path / "a.pdf")))
    assert list((tmp_path / "shared").iterdir()) == []


def drawn(hostile: Iterator[Hostile], step: int) -> list[Hostile]:
    return list(hostile)[::step]


def test_hostile_documents_are_read_or_reported(tmp_path: Path) -> None:
    """A part of benchmarks/hostile.py: no crash, no hang, and no text of another file."""
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{CANARY} {PROSE}")
    some = [
        *drawn(truncated(), 5),
        *drawn(mutated(2), 1),
        *reaching(str(secret)),
        *drawn(nested(2000), 1),
    ]
    assert len(some) >= 100
    (tmp_path / "documents").mkdir()
    for hostile in some:
        path = tmp_path / "documents" / hostile.name
        path.write_bytes(hostile.made())
        found = read(path)
        assert found, hostile
        assert all(item.title for item in found if isinstance(item, Problem))
        assert CANARY not in "".join(titles(found)), hostile
        path.unlink()


@pytest.mark.parametrize("name", ["laughs", "quadratic", "overlapping", "cells", "lying.odt"])
def test_bombs_are_read_without_going_off(tmp_path: Path, name: str) -> None:
    for bomb in [bomb for bomb in bombs() if bomb.name.startswith(name)]:
        path = tmp_path / bomb.name
        path.write_bytes(bomb.made())
        found = read(path)
        assert found, bomb
        assert sum(map(len, titles(found))) < 60_000_000, bomb


@pytest.mark.parametrize(
    "name", ["a\nb.txt", "\u202etxt.exe.txt", "-rf.txt", "'; rm.txt", "\udcff.txt"]
)
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(PROSE)
    assert " ".join(titles(read(tmp_path))) == PROSE
