"""OpenDocument texts: lists, notes, tables; hidden and deleted text; encryption said."""

from __future__ import annotations

import pytest
from hostile import odt, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes

_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_SPACES = " ".join(
    f'xmlns:{prefix}="{_ODF}{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "style": "style",
        "draw": "drawing", "fo": "xsl-fo-compatible",
    }.items()
)  # fmt: skip


def document(body: str, styles: str = "") -> bytes:
    return zipped(
        {
            "content.xml": f"<office:document-content {_SPACES}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>"
        }
    )


def read(data: bytes, *, hidden: bool = False) -> tuple[list[str], list[str]]:
    notes = Notes(hidden)
    blocks = extract_blocks(data, ".odt", notes=notes)
    return [block.text for block in blocks], [problem.title for problem in notes.problems]


def par(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def test_paragraphs_lists_and_notes() -> None:
    style = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" '
        'style:num-format="1" style:num-suffix="."/><text:list-level-style-bullet '
        'text:level="2"/></text:list-style><style:style style:name="U">'
        '<style:text-properties style:text-position="super 58%"/></style:style>'
    )
    inner = f"<text:list><text:list-item>{par('inner')}</text:list-item></text:list>"
    body = (
        par("a<text:tab/>b<text:s text:c='3'/>c 10<text:span text:style-name='U'>5</text:span>")
        + f'<text:list text:style-name="L"><text:list-item>{par("one")}{inner}</text:list-item>'
        f"<text:list-item>{par('two')}</text:list-item></text:list>"
        + par(
            "It rose<text:note><text:note-citation>1</text:note-citation><text:note-body>"
            f"{par('Without tax.')}</text:note-body></text:note> and fell."
        )
        + par(f"Beside <draw:frame><draw:text-box>{par('a box')}</draw:text-box></draw:frame>it.")
    )
    texts, problems = read(document(body, style))
    assert texts == [
        "a b c 10⁵", "1. one\n- inner\n2. two", "It rose and fell.", "Without tax.",
        "Beside it.", "a box",
    ]  # fmt: skip
    assert problems == []


def test_tables() -> None:
    def row(*cells: str) -> str:
        held = "".join(f"<table:table-cell>{par(cell)}</table:table-cell>" for cell in cells)
        return f"<table:table-row>{held}</table:table-row>"

    def table(*rows: str) -> bytes:
        return document(f"<table:table>{''.join(rows)}</table:table>")

    assert read(table(row("Keys at noon", "Mr Olsen"))) == (["Keys at noon; Mr Olsen"], [])
    assert read(table(row("Name", "Fee"), row("Hall", "5"))) == (["Name: Hall; Fee: 5"], [])


def test_what_is_hidden_is_left_out_and_counted() -> None:
    styles = (
        '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
    )
    contents = f"<text:index-body>{par('Rent 3')}</text:index-body>"
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><office:change-info>Ann"
        "</office:change-info>"
        f"{par('Gone for good.')}</text:deletion></text:changed-region></text:tracked-changes>"
        f"<text:table-of-content>{contents}</text:table-of-content>"
        + par("Shown. <text:span text:style-name='H'>Not shown.</text:span>")
        + f'<text:section text:display="none">{par("Nor this.")}</text:section>'
        + par(f"Last.<office:annotation>{par('Ask her.')}</office:annotation>")
    )
    texts, problems = read(document(body, styles))
    assert texts == ["Shown.", "Last."]
    assert problems == [
        "Left out 3 words of tracked deletions.",
        "Left out 1 table of contents.",
        "Left out 4 words of hidden text.",
        "Left out 1 comment.",
    ]
    texts, _ = read(document(body, styles), hidden=True)
    assert texts == ["Gone for good.", "Shown. Not shown.", "Nor this.", "Last.", "Ask her."]


def test_an_encrypted_document_is_said_to_be() -> None:
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>"
    )
    data = zipped({"content.xml": b"\x8f\x01\x02", "META-INF/manifest.xml": manifest})
    with pytest.raises(DocumentError, match="The document is encrypted"):
        extract_blocks(data, ".odt")


def test_a_document_type_is_refused() -> None:
    with pytest.raises(DocumentError, match="document type"):
        extract_blocks(odt("<text:p>x</text:p>", "<!DOCTYPE x>"), ".odt")
    assert extract_blocks(odt("<text:h>Rent</text:h><text:p>x</text:p>"), ".odt") == [
        Block("Rent", 1), Block("x"),
    ]  # fmt: skip


_WORD = st.integers(0, 10**6).map(lambda at: f"word{at}x")
_WRAP = st.sampled_from(("{}", "<text:span>{}</text:span>", "<text:a>{}</text:a>"))
_PARAGRAPH = st.lists(st.tuples(_WORD, _WRAP, st.sampled_from((" ", "<text:tab/>", "<text:s/>"))))
_KIND = st.sampled_from(
    ("<text:p>{}</text:p>", "<text:h>{}</text:h><text:p>x</text:p>",
     "<text:list><text:list-item><text:p>{}</text:p></text:list-item></text:list>",
     "<text:section><text:p>{}</text:p></text:section>")
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(_KIND, _PARAGRAPH), min_size=1))
def test_all_words_arrive_once_and_in_order(structure: list) -> None:  # type: ignore[type-arg]
    words = [word for _, parts in structure for word, _, _ in parts]
    body = [
        kind.format("".join(wrap.format(word) + gap for word, wrap, gap in parts))
        for kind, parts in structure
    ]
    texts, problems = read(document("".join(body) + par("End.")))
    read_words = [word for word in " ".join(texts).split() if word.startswith("word")]
    assert read_words == words
    assert problems == []
