"""Readers of formats that are text, or parts of text: web pages, mails, books and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bonito_local.passages.blocks import Block, check_readable
from bonito_local.passages.captions import caption_blocks
from bonito_local.passages.charsets import decode_page
from bonito_local.passages.data import json_blocks, notebook_blocks, xml_blocks
from bonito_local.passages.epub import epub_blocks
from bonito_local.passages.mail import mail_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.org import org_blocks
from bonito_local.passages.rst import rst_blocks
from bonito_local.passages.tex import tex_blocks
from bonito_local.passages.webpage import page_blocks
from bonito_local.passages.word97 import word_97_blocks


def _page(data: bytes, notes: Notes) -> list[Block]:
    text = decode_page(data)
    check_readable(text)
    return page_blocks(text, notes)


def _xml(data: bytes, notes: Notes) -> list[Block]:
    """Read XML; a web page in it is one."""
    if b"http://www.w3.org/1999/xhtml" in data[:2000] and b"<html" in data[:2000]:
        return _page(data, notes)
    return xml_blocks(data, notes)


READERS: Mapping[str, Callable[[bytes, Notes], list[Block]]] = {
    ".doc": word_97_blocks,
    ".eml": mail_blocks,
    ".emlx": mail_blocks,
    ".epub": epub_blocks,
    ".htm": _page,
    ".html": _page,
    ".ipynb": notebook_blocks,
    ".json": json_blocks,
    ".mbox": mail_blocks,
    ".org": org_blocks,
    ".rst": rst_blocks,
    ".srt": caption_blocks,
    ".tex": tex_blocks,
    ".vtt": caption_blocks,
    ".xhtml": _page,
    ".xml": _xml,
}
