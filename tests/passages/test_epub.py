"""E-books written with known chapters."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.epub import epub_blocks
from bonito_local.passages.notes import Notes

CONTAINER = "<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>"


def book(
    chapters: dict[str, bytes],
    spine: list[str],
    more: dict[str, str] | None = None,
    prefix: str = "",
) -> bytes:
    items = "".join(
        f"<{prefix}item id='{name}' href='text/{name}%20x.xhtml'"
        f" media-type='application/xhtml+xml'/>"
        for name in chapters
    )
    refs = "".join(f"<{prefix}itemref idref='{name}'/>" for name in spine)
    package = (
        f"<?xml version='1.0'?><{prefix}package><{prefix}metadata><title>A book</title>"
        f"</{prefix}metadata><{prefix}manifest>{items}<{prefix}item id='nav' href='nav.xhtml'"
        f" properties='nav' media-type='application/xhtml+xml'/></{prefix}manifest>"
        f"<{prefix}spine><{prefix}itemref idref='nav'/>{refs}</{prefix}spine></{prefix}package>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("mimetype", "application/epub+zip")
        file.writestr("META-INF/container.xml", CONTAINER)
        file.writestr("OPS/book.opf", package)
        file.writestr("OPS/nav.xhtml", "<nav><a href='text/a x.xhtml'>One</a></nav>")
        for name, data in chapters.items():
            file.writestr(f"OPS/text/{name} x.xhtml", data)
        for name, text in (more or {}).items():
            file.writestr(name, text)
    return stream.getvalue()


def chapter(body: str) -> bytes:
    return f"<html><head><title/></head><body>{body}</body></html>".encode()


@pytest.mark.parametrize("prefix", ["", "opf:"])
def test_chapters_are_read_by_the_spine_without_contents(prefix: str) -> None:
    notes = Notes()
    chapters = {
        "a": chapter("<h1>Last</h1><p>It ends.</p>"),
        "b": chapter("<h1>First</h1><p>It begins.</p>"),
    }
    assert epub_blocks(book(chapters, ["b", "a"], prefix=prefix), notes) == [
        Block("First", 1),
        Block("It begins."),
        Block("Last", 1),
        Block("It ends."),
    ]
    assert notes.problems == []


def test_note_marks_and_page_numbers_are_left_out() -> None:
    notes = Notes()
    page = chapter(
        "<p>It rains<a epub:type='noteref' href='#n1'>1</a> and"
        " <span epub:type='pagebreak'>12</span>pours<sup><a href='n.xhtml#n2'>*</a></sup>.</p>"
        "<aside epub:type='footnote' id='n1'><p><a href='#r' role='doc-backlink'>1</a> A lot.</p>"
        "</aside>"
    )
    assert epub_blocks(book({"a": page}, ["a"]), notes) == [
        Block("It rains and pours."),
        Block("A lot."),
    ]
    assert notes.problems == []


def test_the_charset_that_a_chapter_declares_is_used() -> None:
    text = "Źródłem ciepła jest piec."
    page = f"<?xml version='1.0' encoding='iso-8859-2'?><html><body><p>{text}</p></body></html>"
    assert epub_blocks(book({"a": page.encode("iso-8859-2")}, ["a"]), Notes()) == [Block(text)]


def test_a_missing_chapter_is_said() -> None:
    notes = Notes()
    whole = book({"a": chapter("<p>It begins.</p>"), "b": chapter("<p>x</p>")}, ["a", "b"])
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            if "text/b" not in name:
                new.writestr(name, old.read(name))
    assert epub_blocks(stream.getvalue(), notes) == [Block("It begins.")]
    (problem,) = notes.problems
    assert problem.title == "Chapters that the book names are not in it (b x.xhtml)."


def test_an_encrypted_book_is_an_error() -> None:
    encryption = "<e><enc:CipherReference URI='OPS/text/a%20x.xhtml'/></e>"
    data = book({"a": chapter("x")}, ["a"], {"META-INF/encryption.xml": encryption})
    with pytest.raises(DocumentError, match="encrypted"):
        epub_blocks(data, Notes())
    fonts = "<e><enc:CipherReference URI='OPS/font.otf'/></e>"
    data = book({"a": chapter("It begins.")}, ["a"], {"META-INF/encryption.xml": fonts})
    assert epub_blocks(data, Notes()) == [Block("It begins.")]


@settings(deadline=None, max_examples=30)
@given(st.permutations("abcdef"), st.integers(1, 4))
def test_every_word_of_a_book_arrives_once_and_in_order(order: list[str], count: int) -> None:
    chapters = {
        name: chapter("".join(f"<p>{name}{i}w tells.</p>" for i in range(count)))
        for name in "abcdef"
    }
    shown = [block.text for block in epub_blocks(book(chapters, order), Notes())]
    assert shown == [f"{name}{i}w tells." for name in order for i in range(count)]
