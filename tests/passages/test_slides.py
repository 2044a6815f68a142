"""Slides are pages, and what their speaker noted is read after them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from hostile import _DRAWING, _SLIDES, _related, pptx
from written import SENTENCE

from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.slides import slide_blocks
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage

NOTED = "Tell them that the rent can be paid by standing order, and when that is best."


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
            f"<p:txBody>{paragraph(notes)}</p:txBody></p:sp></p:spTree></p:cSld></p:notes>",
        )
    return stream.getvalue()


def test_notes_follow_their_slide(tmp_path: Path) -> None:
    data = with_notes(pptx(paragraph(SENTENCE)), NOTED)
    assert extract_blocks(data, ".pptx") == [
        Block(SENTENCE, 2, ((0, 1),)),
        Block(NOTED, 0, ((0, 1),)),
    ]
    (tmp_path / "a.pptx").write_bytes(data)
    (found,) = iter_passages([tmp_path], lambda text: len(text.split()), Lengths(60))
    assert isinstance(found, Passage)
    assert (found.text, found.heading, found.page) == (NOTED, SENTENCE, 1)


def test_what_a_slide_calls_notes_is_its_own() -> None:
    own = f"\ue0001\ue001\n\n## Rent\n\nNotes:\n\n{SENTENCE}\n\n\ue0002\ue001\n\n{SENTENCE}"
    plain = own.replace("## ", "")
    blocks = [
        Block("Rent", 2, ((0, 1),)),
        Block("Notes:", 0, ((0, 1),)),
        Block(SENTENCE, 0, ((0, 1),)),
        Block(SENTENCE, 0, ((0, 2),)),
    ]
    assert slide_blocks(own, plain) == slide_blocks(own, "") == blocks
    noted = plain.replace("\n\n\ue0002", f"\n\nNotes:\n\n{NOTED}\n\n\ue0002")
    assert slide_blocks(own, noted) == [*blocks[:3], Block(NOTED, 0, ((0, 1),)), blocks[3]]
