"""Kinds of documents by their content."""

from pathlib import Path

import pytest
from written import SENTENCE, outlook, pdf, word

from bonito_local.errors import DocumentError
from bonito_local.passages.discover import find_documents
from bonito_local.passages.documents import read_text
from bonito_local.passages.kinds import kind_of
from bonito_local.passages.notes import Notes
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Document, Passage, Problem

PAGE = f"<!DOCTYPE html>\n<html><body><h1>Rules</h1><p>{SENTENCE}</p></body></html>".encode()
MAIL = f"Received: x\nFrom: a@x\nMessage-ID: <1>\nSubject: Rent\n\n{SENTENCE}\n".encode()
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"


@pytest.mark.parametrize(
    ("data", "suffix", "kind"),
    [
        (b"%PDF-1.7", ".txt", ".pdf"),
        (b"junk\n%PDF-1.7", "", ".pdf"),
        (b"PK\x03\x04", ".docx", ".docx"),
        (b"PK\x03\x04", ".csv", ".zip"),
        (b"{\\rtf1", ".doc", ".rtf"),
        (PAGE, ".doc", ".html"),
        (PAGE, ".txt", ".html"),
        (PAGE, ".htm", ".htm"),
        (b"<!-- x --><html>", "", ".html"),
        (MAIL, ".txt", ".eml"),
        (b"From: Ann\nTo: Bo\nSubject: Memo\n\nx", ".txt", ".txt"),
        (b"From a@x Tue May 7 10:12:00 2024\nFrom: a\n\nx", "", ".mbox"),
        (b"WEBVTT\n", "", ".vtt"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nx", "", ".srt"),
        (b'{"a": 1}', "", ".json"),
        (b'{"a": 1}', ".jsonl", ".jsonl"),
        (b"plain words", "", ".txt"),
        (b"plain words", ".log", ".log"),
        (b"plain words", ".docx", ".txt"),
        ("plain words".encode("utf-16"), "", ".txt"),
        (PNG, "", ""),
        (PNG, ".txt", ""),
        (b"\0\1\2\3" * 50, "", ""),
    ],
)
def test_the_kind_is_told_by_the_first_bytes(data: bytes, suffix: str, kind: str) -> None:
    assert kind_of(data, suffix) == kind


@pytest.mark.parametrize(
    ("data", "kind", "shown"),
    [
        (word(SENTENCE), ".txt", ".docx"),
        (word(SENTENCE), ".xlsx", ".docx"),
        (pdf([[SENTENCE]]), ".docx", ".pdf"),
        (outlook("Rent", SENTENCE), ".docx", ".msg"),
        (PAGE, ".docx", ".html"),
        (MAIL, ".txt", ".eml"),
        (SENTENCE.encode(), ".pdf", ".txt"),
    ],
)
def test_a_document_with_a_wrong_suffix_is_read_and_that_is_said(
    data: bytes, kind: str, shown: str
) -> None:
    notes = Notes()
    assert SENTENCE in read_text(data, kind, None, notes).text
    titles = [problem.title for problem in notes.problems]
    assert (
        f"The document is no {kind} file, whatever its name says: it is read as {shown}." in titles
    )


@pytest.mark.parametrize("data", [PNG, b"\x7fELF\x02\x01\x01" + bytes(90)])
def test_what_is_no_document_is_an_error_whatever_its_suffix(data: bytes) -> None:
    for kind in (".txt", ".html", ".eml", ".docx", ".pdf"):
        with pytest.raises(DocumentError, match="neither text nor"):
            read_text(data, kind)


def test_a_folder_holds_documents_without_suffix_and_no_programs(tmp_path: Path) -> None:
    files = {
        "README": SENTENCE.encode(),
        "letter": word(SENTENCE),
        "page.asp_": PAGE,
        "mail.txt_": MAIL,
        "a.py": b"print(1)",
        "lib.jar": word(SENTENCE),
        "picture": PNG,
        "notes.bak": SENTENCE.encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    items = list(find_documents([tmp_path]))
    kinds = {item.path.name: item.kind for item in items if isinstance(item, Document)}
    assert kinds == {
        "README": ".txt",
        "letter": ".zip",
        "mail.txt_": ".eml",
        "page.asp_": ".html",
    }
    assert {item.title for item in items if isinstance(item, Problem)} == {
        "Left out 1 file of another kind (.bak).",
        "Left out 1 file of another kind (.jar).",
        "Left out 1 file of another kind (.py).",
        "Left out 1 file of another kind (no suffix).",
    }
    named = next(iter(find_documents([tmp_path / "notes.bak"])))
    assert isinstance(named, Document)
    assert named.kind == ".txt"


def test_passages_come_of_files_whatever_they_are_called(tmp_path: Path) -> None:
    for name, data in {"a": word(SENTENCE), "b.csv": PAGE, "c.txt": MAIL, "d.txt": PNG}.items():
        (tmp_path / name).write_bytes(data)
    items = list(iter_passages([tmp_path], len, Lengths(500)))
    texts = [(Path(item.source).name, item.text) for item in items if isinstance(item, Passage)]
    assert [name for name, _ in texts] == ["a", "b.csv", "c.txt"]
    assert all(SENTENCE in text for _, text in texts)
    problems = [Path(item.source).name for item in items if isinstance(item, Problem)]
    assert problems == ["b.csv", "c.txt", "d.txt"]
