"""What travels from documents to jobs: passages, and what is said of documents left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Document:
    """A file to read. `source` is its path as shown to users, `kind` its suffix (".pdf")."""

    path: Path
    source: str
    kind: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How documents are read.

    `column` names the text column of tables (None: the one that clearly is), `ocr` the languages
    of scanned pages, as Tesseract does ("eng+deu"); where empty, those are not read. With
    `hidden`, text that a document hides from its readers is read too: hidden sheets, rows,
    columns, slides and words, comments, deletions that are tracked.
    """

    column: str | None = None
    ocr: str = ""
    hidden: bool = False


USUAL = ReadOptions()


@dataclass(frozen=True, slots=True)
class Note:
    """A line for a document's problems, before its source is known."""

    title: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of prose under one heading path: `text[body:end]` of a document's text.

    `start` is where its heading's own line begins, or `body` where it has none.
    """

    start: int
    body: int
    end: int
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A document's extracted text, or one row's of a table, cleaned to read as prose.

    `pages` holds (offset, page) where pages begin, 1-based; empty for formats without
    pages. `row` is the 1-based row of a table, the header line not counted. `textless` are
    pages that hold no text, `recognized` those that are pictures and were read all the same.
    """

    text: str
    sections: tuple[Section, ...]
    pages: tuple[tuple[int, int], ...] = ()
    row: int | None = None
    textless: tuple[int, ...] = ()
    recognized: tuple[int, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the page that holds `text[offset]`."""
        return next((page for at, page in reversed(self.pages) if at <= offset), None)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that a model gets as context.

    `start` and `end` cut it from the document's extracted text (for a row of a table:
    from the row's text). `page` is 1-based. `heading` is the path of headings above it,
    joined by " > "; for a row of a table "row N", 1-based, the header line not counted.
    `language` is an ISO 639-1 code, or empty where none could be told.
    """

    text: str
    source: str
    source_sha256: str
    page: int | None
    start: int
    end: int
    heading: str = ""
    language: str = ""

    @property
    def sha256(self) -> str:
        """Hash of the passage's text, lower-case hex."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Problem:
    """A document, or a part of one, that was left out; the others go on."""

    source: str
    title: str
    remedy: str = ""
