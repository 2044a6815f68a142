"""One document to its text, in this process: called in the reader process, never around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, assemble
from bonito_local.passages.discover import KINDS, MARKDOWN, PLAIN
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.kinds import HEAD, kind_of, kind_within
from bonito_local.passages.markdown import markdown_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.ocr import Recognizer
from bonito_local.passages.opening import open_document, unreadable
from bonito_local.passages.plain import decode, plain_blocks
from bonito_local.passages.tables import read_rows
from bonito_local.passages.types import Document, Problem, Text

MAX_BYTES = 200_000_000  # of a document that is read whole, and of its text; tables are streamed
_TABLE_ALLOWED, _TABLE_RATIO = 10_000_000, 100  # text of a table; more only with its size


def read_text(
    data: bytes, kind: str, eyes: Recognizer | None = None, notes: Notes | None = None
) -> Text:
    """Return the text of a document's bytes, and of its scanned pages what `eyes` see there.

    What is left out of it is recorded in `notes`.

    Raises:
        DocumentError: it is damaged, holds no text, or unpacks to too much.
    """
    text = assemble(_blocks(data, kind, eyes, notes))
    if len(text.text) > MAX_BYTES:
        raise DocumentError(
            f"The document unpacks to more text than is read ({len(text.text) / 1e6:.0f} MB).",
            "Split it into smaller files.",
        )
    return replace(text, recognized=tuple(eyes.pages)) if eyes else text


def read_table(document: Document, column: str | None) -> Iterator[Text | Problem]:
    """Yield the text of each row of a table, and what is wrong with it.

    Raises:
        DocumentError: it cannot be read, or holds no text.
    """
    opened = open_document(document.path)
    try:
        left = max(_TABLE_ALLOWED, _TABLE_RATIO * os.fstat(opened).st_size)
        for row in read_rows(_same(document.path, opened), document.source, document.kind, column):
            if isinstance(row, Problem):
                yield row
                continue
            left -= len(row[1])
            if left < 0:
                raise DocumentError(
                    "The table unpacks to far more than its size; the rest is not read.",
                    "Write it anew, without rows that repeat.",
                )
            yield assemble(_flat(plain_blocks(row[1])), row=row[0])
    except OSError as error:
        raise unreadable(error) from error
    finally:
        os.close(opened)


def _same(path: Path, opened: int) -> Path:
    """Return a path that leads to the open file, whatever the one it was opened by leads to now."""
    by_number = Path(f"/proc/self/fd/{opened}")
    return by_number if by_number.exists() else path


def _blocks(data: bytes, kind: str, eyes: Recognizer | None, notes: Notes | None) -> list[Block]:
    kind = _true_kind(data, kind, notes or Notes())
    if kind in PLAIN:
        return plain_blocks(decode(data))
    if kind in MARKDOWN:
        return markdown_blocks(decode(data))
    return extract_blocks(data, kind, eyes, notes)


def _true_kind(data: bytes, kind: str, notes: Notes) -> str:
    """Return the kind that a document's content has, and say where its suffix is another.

    Raises:
        DocumentError: it is neither text nor a kind of document that is known.
    """
    shown = kind_within(data, kind_of(data[:HEAD], kind)) if data else kind
    if not shown or (shown not in KINDS and shown != kind):
        raise DocumentError(
            f"The document is neither text nor of a kind that can be read (named {kind}).",
            "Check that the file is what its suffix says.",
        )
    if shown != kind and kind in KINDS:
        notes.add(f"The document is no {kind} file, whatever its name says: it is read as {shown}.")
    return shown


def _flat(blocks: list[Block]) -> list[Block]:
    """Take headings as prose: a row of a table is one text."""
    return [Block(block.text) for block in blocks]
