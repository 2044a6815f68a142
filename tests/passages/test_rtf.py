"""Rich Text: declared charsets, tables, notes, hidden text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes


def read(inner: bytes, *, hidden: bool = False) -> tuple[list[str], list[str]]:
    notes = Notes(hidden)
    blocks = extract_blocks(b"{\\rtf1\\ansi " + inner + b"}", ".rtf", notes=notes)
    return [block.text for block in blocks], [problem.title for problem in notes.problems]


@pytest.mark.parametrize(
    ("inner", "right"),
    [
        (rb"\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2", "Привет"),
        (rb"{\fonttbl{\f1\fcharset161 A;}}\f1 \'e1\'e2", "αβ"),
        (rb"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset128 B;}}\f0 a \f1\'83\'41\'83\'42", "a アィ"),
        (rb"{\fonttbl{\f1\fcharset2 Symbol;}}x {\f1\'b3} y", "x ≥ y"),
        (rb"\uc1 caf\u233?, \u8364\'80 and \u-10179?\u-8704?.", "café, € and 😀."),
        (rb"one\tab two\line three\~four twenty\_one Nov\-ember", "one two\nthree four twenty-one "
         "November"),
        (rb"10{\super 5} m", "10⁵ m"),
        (rb"{\upr{old}{\*\ud{new}}}", "new"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}} on", "link on"),
        (rb"a{\pict\bin5 }}}}}}b", "ab"),
    ],
)  # fmt: skip
def test_characters(inner: bytes, right: str) -> None:
    assert read(inner) == ([right], [])


def test_structure() -> None:
    body = (
        rb"{\stylesheet{\s1 heading 1;}}{\header Running}\pard\s1 Rent\par\pard It rose"
        rb"{\super\chftn}{\footnote\chftn  Without tax.} and fell.\par"
        rb"{\listtext\'b7\tab}one\par{\listtext\'b7\tab}two\par\pard"
        rb"{\shp{\*\shpinst{\sp{\sn a}{\sv 1}}{\shptxt A box.\par}}}Last.\par"
    )
    blocks = extract_blocks(b"{\\rtf1" + body + b"}", ".rtf")
    assert blocks == [
        Block("Rent", 1), Block("It rose and fell."), Block("Without tax."),
        Block("- one\n- two"), Block("Last."), Block("A box."),
    ]  # fmt: skip


def test_tables() -> None:
    def row(edges: bytes, *cells: bytes) -> bytes:
        held = b"".join(cell + rb"\cell " for cell in cells)
        return rb"\trowd" + edges + rb"\pard\intbl " + held + rb"\row "

    two = rb"\cellx10\cellx20"
    table = row(two, b"Name", b"Fee") + row(two, b"Hall", b"5") + rb"\pard After.\par"
    assert read(table) == (["Name: Hall; Fee: 5", "After."], [])
    assert read(row(two, b"Keys at noon", b"Mr Olsen")) == (["Keys at noon; Mr Olsen"], [])
    spans = row(rb"\cellx20\cellx30", b"Room", b"Size")
    spans += row(rb"\cellx10\cellx20\cellx30", b"Hall", b"ground floor", b"large")
    assert read(spans) == (["Room: Hall, ground floor; Size: large"], [])


def test_what_is_hidden_is_left_out_and_counted() -> None:
    body = rb"Kept. {\v Not shown.}{\deleted Gone for good.}{\*\annotation Ask her.}"
    body += rb"\par{\field{\*\fldinst TOC}{\fldrslt Rent 3\par}}Last."
    texts, problems = read(body)
    assert texts == ["Kept.", "Last."]
    assert problems == [
        "Left out 2 words of hidden text.",
        "Left out 3 words of tracked deletions.",
        "Left out 1 comment.",
        "Left out 1 table of contents.",
    ]
    texts, _ = read(body, hidden=True)
    assert texts == ["Kept. Not shown.Gone for good.", "Ask her.", "Last."]


_WORD = st.integers(0, 10**6).map(lambda at: f"word{at}x")
_WRAP = st.sampled_from(("{}", "{{\\b {}}}", "\\i {}\\i0 ", "{{\\field{{\\fldrslt {}}}}}"))
_GAP = st.sampled_from((" ", "\\tab ", "\\line ", "\\par ", "\\~", "\\u32?"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_WORD, _WRAP, _GAP), min_size=1))
def test_all_words_arrive_once_and_in_order(parts: list[tuple[str, str, str]]) -> None:
    texts, _ = read("".join(wrap.format(word) + gap for word, wrap, gap in parts).encode())
    assert " ".join(texts).split() == [word for word, _, _ in parts]
