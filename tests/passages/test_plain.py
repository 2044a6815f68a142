import codecs
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.plain import decode, plain_blocks

TEXT = "The caf\u00e9 \u2013 open \u201cdaily\u201d."


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    ],
)
def test_common_encodings_are_read(data: bytes) -> None:
    assert decode(data) == TEXT


@pytest.mark.parametrize("data", [b"", b" \n", bytes(range(256)) * 20, b"\x00\x01" * 50])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        decode(data)


PROSE = (
    "The pump was started at noon and ran without a fault until the pressure fell. "
    "The operator then closed the valve, called the shift leader and waited for help."
)


def test_hard_wrapped_lines_become_one_paragraph() -> None:
    wrapped = textwrap.fill(PROSE, 60)
    assert plain_blocks(f"{wrapped}\r\n\r\n{wrapped}") == [Block(PROSE), Block(PROSE)]


def test_unwrapped_paragraphs_bullets_and_fields_keep_their_lines() -> None:
    fields = (
        "Site: the Kestrel Point works, building C, dosing room\nDate: 8 February 2025, in the "
        "early morning hours\nBy: Tomasz"
    )
    bullets = "- the first point, which is a rather long one to read\n- the second\n2) the third"
    for text in (fields, bullets, f"{PROSE}\n{PROSE}"):
        assert plain_blocks(text) == [Block(text)]


def test_headings_are_told_from_prose() -> None:
    text = f"REPORT 7\n========\n\nA Subject\n---------\n{PROSE}\n\nCAUSES\n\n{PROSE}\n\nIt rained."
    assert plain_blocks(text) == [
        Block("REPORT 7", 1),
        Block("A Subject", 2),
        Block(PROSE),
        Block("CAUSES", 2),
        Block(PROSE),
        Block("It rained."),
    ]


def test_lines_that_would_all_be_headings_are_prose() -> None:
    assert plain_blocks("roses are red\n\nviolets are blue") == [
        Block("roses are red"),
        Block("violets are blue"),
    ]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab .-=\n\t:*1)é\u2028"), max_size=200))
def test_no_word_is_lost(text: str) -> None:
    kept = "".join(block.text for block in plain_blocks(text))
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]
