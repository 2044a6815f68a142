"""E-books (EPUB): the chapters in the order in which they are read."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.charsets import decode_page
from bonito_local.passages.completeness import Part, check_completeness
from bonito_local.passages.dom import attribute, parse, tag_of, walk
from bonito_local.passages.notes import Notes
from bonito_local.passages.webpage import Page, note_omissions, read_page
from bonito_local.passages.xhtml import as_html

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_CHAPTERS = (
    "application/xhtml+xml",
    "text/html",
    "application/x-dtbook+xml",
    "text/x-oeb1-document",
)
_PAGE_SUFFIX = re.compile(r"\.x?html?$", re.IGNORECASE)
_MOST_NAMED = 5


def epub_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read an EPUB's chapters by its spine, without its table of contents and note marks.

    Raises:
        DocumentError: it is damaged, encrypted, or no EPUB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            return _Book(book).blocks(notes)
    # What zipfile raises on a hostile file, by its sources: also these.
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        KeyError,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise DocumentError(
            f"The document is damaged, or no .epub file ({type(error).__name__}).",
            "Open it in the program that made it and save it again.",
        ) from error


class _Book:
    def __init__(self, book: zipfile.ZipFile) -> None:
        self._book = book
        self._names = {name.lower(): name for name in book.namelist()}

    def blocks(self, notes: Notes) -> list[Block]:
        whole, parts, missing = Page(), list[Part](), list[str]()
        for path in self._spine():
            name = self._names.get(path.lower())
            if name is None:
                missing.append(posixpath.basename(path))
                continue
            text = as_html(decode_page(self._book.read(name)))
            page = read_page(text, notes, _left_out)
            parts.append(Part(posixpath.basename(path), page.source))
            whole.add(page)
        if missing:
            names = ", ".join(missing[:_MOST_NAMED]) + ", ..." * (len(missing) > _MOST_NAMED)
            notes.add(f"Chapters that the book names are not in it ({names}).")
        note_omissions(whole, notes)
        for note in check_completeness(
            parts,
            "\n".join(block.text for block in whole.blocks),
            unit="chapter",
            left_out=[text for _, text in whole.omissions],
            added=whole.added,
        ):
            notes.add(note.title, note.remedy)
        return whole.blocks

    def _spine(self) -> list[str]:
        """Return the paths of the chapters in reading order."""
        container = _elements(self._read("META-INF/container.xml"), "rootfile")
        package = next((attribute(node, "full-path") for node in container), "")
        if not package:
            raise KeyError("rootfile")
        root = self._read(package)
        folder = posixpath.dirname(package)
        paths = {
            attribute(node, "id"): posixpath.normpath(
                posixpath.join(folder, unquote(attribute(node, "href").partition("#")[0]))
            )
            for node in _elements(root, "item")
            if "nav" not in attribute(node, "properties").split()
            and _is_chapter(attribute(node, "media-type"), attribute(node, "href"))
        }
        order = [attribute(node, "idref") for node in _elements(root, "itemref")]
        spine = [paths[name] for name in dict.fromkeys(order) if name in paths]
        self._check_open(spine)
        return spine or list(paths.values())

    def _read(self, path: str) -> LexborNode:
        return parse(as_html(decode_page(self._book.read(self._names[path.lower()]))))

    def _check_open(self, spine: list[str]) -> None:
        """See that the chapters are not encrypted; fonts may be.

        Raises:
            DocumentError: one is.
        """
        if "meta-inf/encryption.xml" not in self._names:
            return
        references = _elements(self._read("META-INF/encryption.xml"), "cipherreference")
        encrypted = {unquote(attribute(node, "uri")).lower() for node in references}
        if encrypted & {path.lower() for path in spine}:
            raise DocumentError("The document is encrypted.", "Use a copy without DRM.")


def _is_chapter(kind: str, path: str) -> bool:
    return kind in _CHAPTERS or (not kind and bool(_PAGE_SUFFIX.search(path)))


def _elements(root: LexborNode, tag: str) -> list[LexborNode]:
    """Return the elements of a name, whatever their namespace's prefix."""
    picked: list[LexborNode] = []

    def enter(node: LexborNode) -> bool:
        if tag_of(node) == tag:
            picked.append(node)
        return True

    walk(root, enter, lambda _: None)
    return picked


def _left_out(root: LexborNode) -> dict[int, str]:
    picked: dict[int, str] = {}

    def enter(node: LexborNode) -> bool:
        if node.is_text_node or node.is_comment_node:
            return False
        kinds = f"{attribute(node, 'epub:type')} {attribute(node, 'role')}".split()
        if node.tag == "nav":
            picked[node.mem_id] = "menu"
        elif "pagebreak" in kinds or "doc-pagebreak" in kinds:
            picked[node.mem_id] = "page number"
        return True

    walk(root, enter, lambda _: None)
    return picked
