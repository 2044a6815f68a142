"""Finding documents: files named by the user, and all there are in a folder."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bonito_local.errors import DocumentError, UsageError
from bonito_local.passages import JOB_FOLDER
from bonito_local.passages.kinds import HEAD, OLE, kind_of
from bonito_local.passages.opening import open_document
from bonito_local.passages.types import Document, Problem

PLAIN = frozenset({".txt", ".text"})
MARKDOWN = frozenset({".md", ".markdown"})
TABLES = frozenset({".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow"})
OFFICE = frozenset(
    ".pdf .docx .doc .html .htm .xhtml .epub .pptx .xlsx .odt .rtf .eml .emlx .mbox .msg".split(),
)
SOURCES = frozenset(".rst .tex .org .xml .json .ipynb .vtt .srt".split())
_DATASETS_OWN = re.compile(r"(?:state|dataset_info|dataset_dict)\.json|cache-.*\.arrow")
KINDS = PLAIN | MARKDOWN | TABLES | OFFICE | SOURCES


def find_documents(paths: Sequence[Path]) -> Iterator[Document | Problem]:
    """Yield the documents among `paths` and in the folders there, sorted, each file once.

    Hidden files and folders are passed over, and so are datasets of bonito-local: an output
    among the documents is not read when its job goes on. Links inside a folder are not followed
    when they lead out of it, nor when they lead to a folder. What a folder holds of
    other kinds is reported in one line per kind. A file without a suffix is read as what its first
    bytes are; one with a suffix that nobody knows, where it is named, or is no plain text.

    Raises:
        UsageError: a path does not exist; nothing was yielded before.
    """
    paths = list(dict.fromkeys(paths))
    check_paths(paths)
    return _find(paths)


def check_paths(paths: Sequence[Path]) -> None:
    """Check what the user named before anything slow begins.

    Raises:
        UsageError: a path does not exist or cannot be opened.
    """
    for path in paths:
        try:
            path.stat()
        except FileNotFoundError as error:
            raise UsageError(f"{path} does not exist.", "Check its spelling.") from error
        except OSError as error:
            raise UsageError(f"{path} cannot be opened: {_reason(error)}.") from error
        except ValueError as error:
            raise UsageError("A path with a zero byte in it names no file.") from error


def _find(paths: Sequence[Path]) -> Iterator[Document | Problem]:
    seen: set[Path] = set()
    for path in paths:
        for found in _in_folder(path) if stat.S_ISDIR(_mode(path)) else [_one(path, _real(path))]:
            if isinstance(found, Document):
                if found.path in seen:
                    continue
                seen.add(found.path)
            yield found


def _real(path: Path) -> Path:
    """Return the path without links; it is this one that is opened later, and no link in it."""
    # Not Path.resolve, which raises for links that lead to each other (Python 3.11, 3.12).
    return Path(os.path.realpath(path))


def _mode(path: Path, *, links: bool = True) -> int:
    """Return what a path leads to, as `stat` has it; 0 where it cannot be looked at."""
    try:
        return path.stat(follow_symlinks=links).st_mode
    except (OSError, ValueError):
        return 0


def _one(path: Path, real: Path) -> Document | Problem:
    kind = path.suffix.lower()
    try:
        mode = real.stat().st_mode
        if not stat.S_ISREG(mode):
            return Problem(str(path), "This is not an ordinary file.", "Copy its text into one.")
        shown = kind if kind in KINDS else _kind_by_content(real)
    except DocumentError as error:
        return Problem(str(path), error.title, error.remedy)
    except OSError as error:
        return Problem(str(path), f"The file cannot be read: {_reason(error)}.")
    if not shown:
        what = f"{kind} files are" if kind else "Files without a suffix and without text are"
        return Problem(str(path), f"{what} not a kind of document that can be read.", _REMEDY)
    return Document(real, str(path), shown)


def _kind_by_content(path: Path) -> str:
    """Return the kind of a file whose suffix says none, "" where its content says none either.

    Raises:
        OSError: it cannot be read.
        DocumentError: it cannot be opened as a document.
    """
    with os.fdopen(open_document(path), "rb") as file:
        head = file.read(HEAD)
    return kind_of(head, "") if head else ".txt"


def _is_readable(path: Path, kind: str) -> bool:
    """Whether a file in a folder is a document, by its suffix or, without a known one, by content.

    A text with a suffix that is not known may be a program: it is not read.
    """
    if kind in KINDS:
        return True
    if kind in _PROGRAMS or not stat.S_ISREG(_mode(path)):
        return False
    try:
        shown = _kind_by_content(path)
    except (OSError, DocumentError):
        return False
    return bool(shown) if not kind else shown in _UNMISTAKEN


def _in_folder(folder: Path) -> Iterator[Document | Problem]:
    root = _real(folder)
    others: Counter[str] = Counter()
    unreadable: list[Problem] = []
    empty = True

    def report(error: OSError) -> None:
        problem = f"The folder cannot be read: {_reason(error)}."
        unreadable.append(Problem(str(error.filename), problem))

    for parent, folders, files in os.walk(folder, onerror=report):
        real_parent = _real(Path(parent))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not _is_ours(Path(parent, name))
        )
        yield from unreadable
        unreadable.clear()
        for name in folders:
            link = Path(parent, name)
            if stat.S_ISLNK(_mode(link, links=False)):
                yield Problem(
                    str(link), "Links to folders are not followed.", "Name the folder itself."
                )
        for name in sorted(files):
            path = Path(parent, name)
            kind = path.suffix.lower()
            # ~$: what Word leaves beside an open document; beside a dataset's rows lie what
            # `datasets` tells of them, and its cache.
            if name.startswith((".", "~$")) or _DATASETS_OWN.fullmatch(name):
                continue
            empty = False
            is_link = stat.S_ISLNK(_mode(path, links=False))
            real = _real(path) if is_link else real_parent / name
            leads_out = not real.is_relative_to(root)
            if kind in KINDS and leads_out:
                yield Problem(
                    str(path), "The link leads out of the folder.", "Name the document itself."
                )
            elif leads_out or not _is_readable(real, kind):
                others[kind or "no suffix"] += 1
            else:
                yield _one(path, real)
    yield from unreadable
    for kind, count in sorted(others.items()):
        yield Problem(
            str(folder), f"Left out {count} file{'s'[: count > 1]} of another kind ({kind})."
        )
    if empty:
        yield Problem(str(folder), "The folder holds no documents.", _REMEDY)


def _is_ours(folder: Path) -> bool:
    """Whether a job or an export of bonito-local wrote the folder."""
    if stat.S_ISDIR(_mode(folder / JOB_FOLDER)):
        return True
    try:
        with (folder / "export.json").open("rb") as file:
            return b'"made_by": "bonito-local"' in file.read(64)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


# Kinds that show by their first bytes, whatever the suffix is.
_UNMISTAKEN = frozenset((".pdf", ".rtf", ".html", ".eml", ".mbox", OLE))
# Containers and pages that are parts of programs.
_PROGRAMS = frozenset(
    ".jar .apk .whl .zip .php .jsp .asp .aspx .vue .svelte .ppt .xls .exe".split()
)
_REMEDY = f"Known kinds: {' '.join(sorted(KINDS))}."
