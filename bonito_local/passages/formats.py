"""Readers of formats that are text, or parts of text: web pages, mails, books and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bonito_local.passages.blocks import Block, check_readable
from bonito_local.passages.charsets import decode_page
from bonito_local.passages.epub import epub_blocks
from bonito_local.passages.mail import mail_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.webpage import page_blocks


def _page(data: bytes, notes: Notes) -> list[Block]:
    text = decode_page(data)
    check_readable(text)
    return page_blocks(text, notes)


READERS: Mapping[str, Callable[[bytes, Notes], list[Block]]] = {
    ".eml": mail_blocks,
    ".epub": epub_blocks,
    ".htm": _page,
    ".html": _page,
    ".mbox": mail_blocks,
    ".xhtml": _page,
}
