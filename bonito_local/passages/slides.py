"""Slides: each is a page, and what its speaker noted follows it."""

from __future__ import annotations

from bonito_local.passages.blocks import Block
from bonito_local.passages.markdown import markdown_blocks
from bonito_local.passages.paging import by_page
from bonito_local.passages.plain import plain_blocks

_NOTES = "\n\nNotes:\n\n"  # how kreuzberg parts them from the slide, in plain text alone


def has_notes(data: bytes) -> bool:
    """Whether a PPTX has speaker's notes."""
    return b"ppt/notesSlides/" in data


def slide_blocks(content: str, plain: str) -> list[Block]:
    """Read slides as Markdown, and their notes as they are in `plain`, the same with notes."""
    noted = by_page(plain)
    blocks: list[Block] = []
    for slide, text in by_page(content).items():
        found = markdown_blocks(text, inline_html=False)
        shown = noted.get(slide, "")
        if shown.count(_NOTES) > text.count(_NOTES):
            notes = plain_blocks(shown.rpartition(_NOTES)[2])
            found += [Block(block.text) for block in notes]
        blocks += [Block(block.text, block.level, ((0, slide),)) for block in found]
    return blocks
