"""Documents to passages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bonito_local.errors import DocumentError, UsageError
from bonito_local.passages import process
from bonito_local.passages.ahead import Opened, opened, read_ahead
from bonito_local.passages.discover import TABLES, find_documents
from bonito_local.passages.language import language
from bonito_local.passages.split import LeftOut, Lengths, split_text
from bonito_local.passages.types import USUAL, Document, Passage, Problem, ReadOptions

MIN_TOKENS = 16
_RECOGNIZE = (
    "If they are scans, text recognition (OCR) reads them: --ocr eng, or ocr in a job file."
)
_MISREAD = "Look at what became of them: text recognition misreads words."
_LEFT_OUT: dict[LeftOut, str] = {
    "short": "Left out {} fragment{} shorter than a sentence.",
    "letterless": "Left out {} piece{} of text with more figures and signs than letters.",
    "unbroken": "Left out {} run{} of 1,000 characters or more without a space: no prose.",
}


def iter_passages(
    paths: Sequence[Path],
    count_tokens: Callable[[str], int],
    lengths: Lengths,
    options: ReadOptions = USUAL,
) -> Iterator[Passage | Problem]:
    """Yield the passages of all documents under `paths`, and the problems met on the way.

    A bad document is a Problem and stops no other. A few documents are read at a time, and
    come in the order that `find_documents` finds them in.

    Raises:
        UsageError: a path does not exist, or the lengths cannot be.
    """
    check_lengths(lengths)
    for found in read_ahead(find_documents(paths), options):
        if isinstance(found, Problem):
            yield found
            continue
        document, items = found
        try:
            yield from passages_of(document, items, count_tokens, lengths)
        except DocumentError as error:
            yield Problem(document.source, error.title, error.remedy)


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
    document: Document,
    count_tokens: Callable[[str], int],
    lengths: Lengths,
    options: ReadOptions = USUAL,
) -> Iterator[Passage | Problem]:
    """Yield the passages of one document; where it cannot be read, the problem."""
    try:
        yield from passages_of(
            document, opened(document, options, process.shared), count_tokens, lengths
        )
    except DocumentError as error:
        yield Problem(document.source, error.title, error.remedy)


def passages_of(
    document: Document,
    items: Iterator[Opened],
    count_tokens: Callable[[str], int],
    lengths: Lengths,
) -> Iterator[Passage | Problem]:
    """Yield the passages of one document that is `opened`, and what is wrong with parts of it.

    Raises:
        DocumentError: it cannot be read, or not to its end.
    """
    digest = ""
    found, left_out, foreign = 0, Counter[LeftOut](), Counter[str]()
    for text in items:
        if isinstance(text, str):
            digest = text
            continue
        if isinstance(text, Problem):
            yield text
            continue
        if text.textless:
            yield Problem(document.source, _textless(text.textless), _RECOGNIZE)
        if text.recognized:
            yield Problem(document.source, _recognized(text.recognized), _MISREAD)
        for span in split_text(text, count_tokens, lengths):
            if span.left_out:
                left_out[span.left_out] += 1
                continue
            found += 1
            passage = text.text[span.start : span.end]
            spoken = language(passage)
            foreign[spoken] += spoken not in ("", "en")
            yield Passage(
                text=passage,
                source=document.source,
                source_sha256=digest,
                page=text.page_at(span.start),
                start=span.start,
                end=span.end,
                heading=" > ".join(span.path) if text.row is None else f"row {text.row}",
                language=spoken,
            )
    if not found:
        if document.kind in TABLES:
            raise DocumentError(
                "No row of the table holds enough text for a passage.",
                "Name the column of its text with --column, or leave it out.",
            )
        raise DocumentError("The document holds too little text for a passage.", "Leave it out.")
    if others := foreign.total():
        codes = ", ".join(code for code, count in foreign.most_common(3) if count)
        yield Problem(
            document.source,
            f"{others} of {found} passages {'is' if others == 1 else 'are'} not English ({codes}).",
            "They are kept; Bonito's models know English, so their rows may be poor.",
        )
    for why, count in left_out.items():
        yield Problem(document.source, _LEFT_OUT[why].format(count, "s" * (count > 1)))


def _textless(pages: Sequence[int]) -> str:
    if len(pages) == 1:
        return f"Page {pages[0]} holds no text."
    return f"{len(pages)} pages hold no text ({_shown(pages)})."


def _recognized(pages: Sequence[int]) -> str:
    if len(pages) == 1:
        return f"Page {pages[0]} is a scan; text recognition read it."
    return f"{len(pages)} pages are scans; text recognition read them ({_shown(pages)})."


def _shown(pages: Sequence[int]) -> str:
    return ", ".join(map(str, pages[:10])) + ", ..." * (len(pages) > 10)
