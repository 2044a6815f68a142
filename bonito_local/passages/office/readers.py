"""Readers of office documents, by the suffix of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bonito_local.passages.blocks import Block
from bonito_local.passages.charsets import decode_page
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.opendocument import odt_blocks
from bonito_local.passages.office.rtf import rtf_blocks
from bonito_local.passages.office.sheets import sheet_blocks
from bonito_local.passages.office.slides import slide_blocks
from bonito_local.passages.office.word import word_blocks
from bonito_local.passages.webpage import page_blocks


def _word(data: bytes, notes: Notes) -> list[Block]:
    def embedded(part: bytes, suffix: str) -> list[Block]:
        if suffix == ".rtf":
            return rtf_blocks(part, notes)
        return page_blocks(decode_page(part), notes)

    return word_blocks(data, notes, embedded)


OFFICE_READERS: Mapping[str, Callable[[bytes, Notes], list[Block]]] = {
    ".docx": _word,
    ".odt": odt_blocks,
    ".pptx": slide_blocks,
    ".rtf": rtf_blocks,
    ".xlsx": sheet_blocks,
}
