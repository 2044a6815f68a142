"""Slides are pages, and what their speaker noted is read after them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile import _DRAWING, _SLIDES, _related, pptx
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx import Presentation
from written import SENTENCE

from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage

NOTED = "Tell them that the rent can be paid by standing order, and when that is best."


_MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def paragraph(text: str) -> str:
    return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"


def with_notes(slide: bytes, notes: str) -> bytes:
    stream = io.BytesIO(slide)
    with zipfile.ZipFile(stream, "a") as archive:
        rels = _related("notesSlide", "../notesSlides/notesSlide1.xml")
        archive.writestr("ppt/slides/_rels/slide1.xml.rels", rels)
        archive.writestr(
            "ppt/notesSlides/notesSlide1.xml",
            f"<p:notes {_DRAWING} {_SLIDES}><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr>"
            '<p:ph type="body" idx="3"/></p:nvPr></p:nvSpPr>'
            f"<p:txBody>{notes}</p:txBody></p:sp></p:spTree></p:cSld></p:notes>",
        )
    return stream.getvalue()


def test_notes_follow_their_slide(tmp_path: Path) -> None:
    data = with_notes(pptx(paragraph(SENTENCE)), paragraph(NOTED))
    assert extract_blocks(data, ".pptx") == [
        Block(SENTENCE, 0, ((0, 1),)),
        Block(NOTED, 0, ((0, 1),)),
    ]
    (tmp_path / "a.pptx").write_bytes(data)
    (found,) = iter_passages([tmp_path], lambda text: len(text.split()), Lengths(60))
    assert isinstance(found, Passage)
    assert (found.text, found.heading, found.page) == (f"{SENTENCE}\n\n{NOTED}", "", 1)


def test_tables_and_formulas_in_notes_are_read() -> None:
    cells = "".join(f"<a:tc><a:txBody>{paragraph(t)}</a:txBody></a:tc>" for t in ("Rent", "by May"))
    formula = f'<m:oMath xmlns:m="{_MATH}"><m:r><m:t>two = one + one</m:t></m:r></m:oMath>'
    notes = (
        f"<a:p>{formula}</a:p></p:txBody></p:sp><p:graphicFrame><a:graphic><a:graphicData><a:tbl>"
        f"<a:tr>{cells}</a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
        f"<p:sp><p:txBody>{paragraph(NOTED)}"
    )
    data = with_notes(pptx(paragraph(SENTENCE)), notes)
    assert read(data) == ([SENTENCE, "two = one + one", "Rent; by May", NOTED], [])


def presented(fill: Callable[[Any], None]) -> bytes:
    presentation = Presentation()
    fill(presentation)
    stream = io.BytesIO()
    presentation.save(stream)
    return stream.getvalue()


def read(data: bytes, *, hidden: bool = False) -> tuple[list[str], list[str]]:
    notes = Notes(hidden)
    blocks = extract_blocks(data, ".pptx", notes=notes)
    return [block.text for block in blocks], [problem.title for problem in notes.problems]


def box(shapes: Any, text: str) -> Any:
    shape = shapes.add_textbox(0, 0, 10, 10)
    shape.text_frame.text = text
    return shape


def test_each_shape_is_read() -> None:
    def fill(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = "Greeting guests"
        slide.placeholders[1].text = "Say your name\nOffer a chair"
        box(slide.shapes.add_group_shape().shapes, "In a group")
        box(slide.shapes, "One\vtwo")
        runs = box(slide.shapes, "10").text_frame.paragraphs[0]
        raised = runs.add_run()
        raised.text = "5"
        raised.font._element.set("baseline", "30000")
        table = slide.shapes.add_table(1, 2, 0, 0, 10, 10).table
        table.cell(0, 0).text, table.cell(0, 1).text = "A room with a view", "210 euros"
        table = slide.shapes.add_table(3, 3, 0, 0, 10, 10).table
        for at, text in enumerate(("Room", "", "Size", "Hall", "low", "12", "Loft", "high", "9")):
            table.cell(at // 3, at % 3).text = text
        table.cell(0, 0).merge(table.cell(0, 1))
        slide.notes_slide.notes_text_frame.text = "Tell the story."

    assert read(presented(fill)) == (
        [
            "Greeting guests", "- Say your name\n- Offer a chair", "In a group", "One\ntwo", "10⁵",
            "A room with a view; 210 euros",
            "Room: Hall, low; Size: 12\nRoom: Loft, high; Size: 9",
            "Tell the story.",
        ],
        [],
    )  # fmt: skip


def test_what_is_hidden_is_left_out_and_counted() -> None:
    def fill(presentation: Any) -> None:
        shown, other = (
            presentation.slides.add_slide(presentation.slide_layouts[6]) for _ in range(2)
        )
        box(shown.shapes, SENTENCE)
        box(shown.shapes, "Unseen")._element.nvSpPr.cNvPr.set("hidden", "1")
        box(other.shapes, "Secret")
        other._element.set("show", "0")

    data = presented(fill)
    assert read(data) == ([SENTENCE], ["Left out 1 hidden shape.", "Left out 1 hidden slide."])
    assert read(data, hidden=True) == ([SENTENCE, "Unseen", "Secret"], [])


_WORD = st.integers(0, 10**6).map(lambda at: f"word{at}x")
_SHAPE = st.tuples(st.sampled_from(("box", "group", "table")), st.lists(_WORD, min_size=1))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(_SHAPE, min_size=1, max_size=4), min_size=1, max_size=4))
def test_all_words_arrive_once_and_in_order(slides: list[list[tuple[str, list[str]]]]) -> None:
    def fill(presentation: Any) -> None:
        for shapes in slides:
            slide = presentation.slides.add_slide(presentation.slide_layouts[6])
            for kind, words in shapes:
                if kind == "table":
                    table = slide.shapes.add_table(1, len(words), 0, 0, 10, 10).table
                    for at, word in enumerate(words):
                        table.cell(0, at).text = word
                else:
                    group = slide.shapes.add_group_shape() if kind == "group" else slide
                    box(group.shapes, "\n".join(words))

    texts, problems = read(presented(fill))
    read_words = [word.rstrip(";") for word in " ".join(texts).split()]
    assert read_words == [word for shapes in slides for _, words in shapes for word in words]
    assert problems == []
