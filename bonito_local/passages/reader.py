"""Documents to passages, one document at a time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bonito_local.errors import DocumentError, UsageError
from bonito_local.passages.discover import TABLES, find_documents
from bonito_local.passages.documents import MAX_BYTES, unreadable
from bonito_local.passages.process import texts
from bonito_local.passages.split import LeftOut, Lengths, split_text
from bonito_local.passages.types import Document, Passage, Problem

MIN_TOKENS = 16
_LEFT_OUT: dict[LeftOut, str] = {
    "short": "Left out {} fragment{} shorter than a sentence.",
    "letterless": "Left out {} piece{} of text with more figures and signs than letters.",
    "unbroken": "Left out {} run{} of 1,000 characters or more without a space: no prose.",
}


def iter_passages(
    paths: Sequence[Path],
    count_tokens: Callable[[str], int],
    lengths: Lengths,
    column: str | None = None,
) -> Iterator[Passage | Problem]:
    """Yield the passages of all documents under `paths`, and the problems met on the way.

    A bad document is a Problem and stops no other. One document is in memory at a time;
    of a table, a few rows.

    Raises:
        UsageError: a path does not exist, or the lengths cannot be.
    """
    check_lengths(lengths)
    for document in find_documents(paths):
        if isinstance(document, Problem):
            yield document
        else:
            yield from read_passages(document, count_tokens, lengths, column)


def check_lengths(lengths: Lengths) -> None:
    """Raise UsageError for passages too short to say anything, or of which little is new."""
    if lengths.most < MIN_TOKENS:
        raise UsageError(
            f"Passages of {lengths.most} tokens are too short.",
            "Leave the passage more room: lower --max-tokens, or use a model of longer context.",
        )
    if lengths.target is not None and not MIN_TOKENS <= lengths.target <= lengths.most:
        raise UsageError(
            f"Passages cannot aim at {lengths.target} tokens.",
            f"Use {MIN_TOKENS} to {lengths.most}, the most that one may have here.",
        )
    most = (lengths.target or lengths.most) // 2
    if not 0 <= lengths.overlap <= most:
        raise UsageError(
            f"Passages cannot overlap by {lengths.overlap} tokens.",
            f"Use 0 to {most}, half of a passage.",
        )


def read_passages(
    document: Document, count_tokens: Callable[[str], int], lengths: Lengths, column: str | None
) -> Iterator[Passage | Problem]:
    """Yield the passages of one document; where it cannot be read, the problem."""
    try:
        yield from passages_of(document, count_tokens, lengths, column)
    except DocumentError as error:
        yield Problem(document.source, error.title, error.remedy)


def passages_of(
    document: Document, count_tokens: Callable[[str], int], lengths: Lengths, column: str | None
) -> Iterator[Passage | Problem]:
    """Yield the passages of one document, and what is wrong with parts of it.

    Raises:
        DocumentError: it cannot be read, or not to its end.
    """
    if document.kind in TABLES:
        data, digest = None, file_sha256(document.path)
    else:
        data = _bytes(document.path)
        digest = hashlib.sha256(data).hexdigest()
    found, left_out = 0, Counter[LeftOut]()
    for text in texts(document, data, column):
        if isinstance(text, Problem):
            yield text
            continue
        for span in split_text(text, count_tokens, lengths):
            if span.left_out:
                left_out[span.left_out] += 1
                continue
            found += 1
            yield Passage(
                text=text.text[span.start : span.end],
                source=document.source,
                source_sha256=digest,
                page=text.page_at(span.start),
                start=span.start,
                end=span.end,
                heading=" > ".join(span.path) if text.row is None else f"row {text.row}",
            )
    if not found:
        raise DocumentError("The document holds too little text for a passage.", "Leave it out.")
    for why, count in left_out.items():
        yield Problem(document.source, _LEFT_OUT[why].format(count, "s" * (count > 1)))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, lower-case hex.

    Raises:
        DocumentError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DocumentError(
                f"The file is too large to be read whole ({size / 1e6:.0f} MB).",
                f"Split it into files of at most {MAX_BYTES // 1_000_000} MB.",
            )
        return path.read_bytes()
    except OSError as error:
        raise unreadable(error) from error
