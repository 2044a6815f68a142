"""Word 97 to 2003 and Outlook: files of known text, written by their specifications."""

import contextlib
import random
import struct
from itertools import pairwise

import pytest
from written import SENTENCE, compound

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.word97 import word_97_blocks

TEXT = 0x400  # where the text begins
HIDDEN, DELETED, ROW_END = 0x083C, 0x0800, 0x2417
Run = tuple[str, int]  # text and what is set for it


def page(places: list[int], entries: list[bytes], width: int) -> bytes:
    """Write a page that says what is set for ranges of the file."""
    head = struct.pack(f"<{len(places)}I", *places)
    offsets, data, at = b"", bytearray(512), 510
    for entry in entries:
        if entry:
            at -= len(entry) + len(entry) % 2
            data[at : at + len(entry)] = entry
        offsets += bytes([at // 2 if entry else 0]).ljust(width, b"\0")
    data[: len(head) + len(offsets)] = head + offsets
    data[511] = len(entries)
    return bytes(data)


def doc(paragraphs: list[tuple[int, list[Run]]], comments: str = "", flags: int = 0) -> bytes:
    """Write paragraphs: each its style, and its runs; the last character ends it."""
    text, runs, ends = "", [TEXT], [TEXT]
    characters, styles = list[bytes](), list[bytes]()
    for style, pieces in paragraphs:
        row_end = any(what == ROW_END for _, what in pieces)
        for piece, what in pieces:
            text += piece
            runs.append(TEXT + len(text))
            characters.append(struct.pack("<BHB", 3, what, 1) if what in (HIDDEN, DELETED) else b"")
        ends.append(TEXT + len(text))
        change = struct.pack("<HB", ROW_END, 1) if row_end else b"\0"
        styles.append(struct.pack("<BH", 3 if row_end else 2, style) + change)
    lengths = (len(text), 0, 0, 0, len(comments), 0, 0)
    text += comments
    clx = struct.pack("<IIHIH", 0, len(text), 0, (2 * TEXT) | 0x40000000, 0)
    clx = b"\x02" + struct.pack("<I", len(clx)) + clx
    first = struct.pack("<III", TEXT, runs[-1], 3)
    second = struct.pack("<III", TEXT, ends[-1], 4)
    fib = bytearray(TEXT)
    struct.pack_into("<HH", fib, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", fib, 0x0A, flags)
    struct.pack_into("<7i", fib, 0x4C, *lengths)
    struct.pack_into("<II", fib, 0x1A2, 0, len(clx))
    struct.pack_into("<IIII", fib, 0xFA, len(clx), 12, len(clx) + 12, 12)
    body = text.encode("cp1252").ljust(0x200, b"\0")
    assert len(body) == 0x200
    assert all(a <= b for a, b in pairwise(runs))
    main = bytes(fib) + body + page(runs, characters, 1) + page(ends, styles, 13)
    return compound({"WordDocument": main, "0Table": clx + first + second})


def read(data: bytes, hidden: bool = False) -> tuple[list[Block], list[str]]:
    notes = Notes(hidden)
    return word_97_blocks(data, notes), [problem.title for problem in notes.problems]


def plain(*texts: str) -> list[tuple[int, list[Run]]]:
    return [(0, [(f"{text}\r", 0)]) for text in texts]


def test_headings_paragraphs_and_lines_are_read() -> None:
    data = doc([(1, [("Rent\r", 0)]), *plain(f"{SENTENCE}\x0b“Always” – co\x1eop.")])
    assert read(data) == ([Block("Rent", 1), Block(f"{SENTENCE}\n“Always” – co-op.")], [])
    assert extract_blocks(data, ".doc")[0] == Block("Rent", 1)


def test_hidden_and_deleted_text_and_comments_are_left_out_and_counted() -> None:
    runs = [("The rent is ", 0), ("not ", DELETED), ("due", 0), (" they say", HIDDEN), (".\r", 0)]
    data = doc([(0, runs)], comments="\x05ask Ann\r")
    assert read(data) == (
        [Block("The rent is due.")],
        [
            "Left out 1 comment.",
            "Left out 2 words of hidden text.",
            "Left out 1 word of deleted text.",
        ],
    )
    texts = [block.text for block in read(data, hidden=True)[0]]
    assert texts == ["The rent is not due they say.", "ask Ann"]


def test_fields_show_what_they_came_to() -> None:
    link = '\x13 HYPERLINK "https://x" \x14our site\x15'
    inner = "\x13 TOC \\o \x13 PAGE \x142\x15\x14One\x15"
    assert read(doc(plain(f"See {link}. {inner} \x13EMBED Package\x15end.")))[0] == [
        Block("See our site. One end.")
    ]


def test_tables_are_rows() -> None:
    row_end = (0, [("\x07", ROW_END)])
    cells = [(0, [(f"{text}\x07", 0)]) for text in ("Day", "Fee", "Monday", "20 euros")]
    table = [*cells[:2], row_end, *cells[2:], row_end]
    assert read(doc([*plain("Before."), *table, *plain("After.")]))[0] == [
        Block("Before."),
        Block("Day: Monday; Fee: 20 euros"),
        Block("After."),
    ]


def test_an_encrypted_or_broken_document_is_an_error() -> None:
    with pytest.raises(DocumentError, match="encrypted"):
        read(doc(plain("x"), flags=0x0100))
    with pytest.raises(DocumentError, match=r"no \.doc file"):
        read(b"no container")
    whole = doc(plain(SENTENCE, SENTENCE))
    drawn = random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(drawn.choice((1, 5, 40))):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        with contextlib.suppress(DocumentError):
            read(bytes(data))


def message(properties: dict[int, str | bytes]) -> bytes:
    """Write a message of Outlook."""
    streams = {"__properties_version1.0": bytes(32)}
    for tag, value in properties.items():
        kind, data = "0102", value
        if isinstance(data, str):
            kind, data = "001F", data.encode("utf-16-le")
        streams[f"__substg1.0_{tag:04X}{kind}"] = data
    return compound(streams)


def test_the_html_of_a_message_is_read_where_its_text_says_less() -> None:
    html = f"<p>{SENTENCE}</p><blockquote type=cite>QUOTED old</blockquote><p>{SENTENCE}</p>"
    data = message({0x0037: "RE: Rent", 0x1000: "See HTML.", 0x1013: html.encode()})
    notes = Notes()
    assert extract_blocks(data, ".msg", None, notes) == [
        Block("Rent", 1),
        Block(SENTENCE),
        Block(SENTENCE),
    ]
    assert [problem.title for problem in notes.problems] == [
        "Left out 2 words quoted from other mails."
    ]
