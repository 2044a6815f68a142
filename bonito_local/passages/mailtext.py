"""The text of a mail's parts: what its writer wrote, apart from quotes and signatures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bonito_local.passages.blocks import Block
from bonito_local.passages.dom import count_words, text_of
from bonito_local.passages.mailparts import Choice, TextPart
from bonito_local.passages.notes import Notes
from bonito_local.passages.plain import plain_blocks
from bonito_local.passages.quotes import FEW_WORDS, ends_introduction, select_lines
from bonito_local.passages.webpage import Page, read_page

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_QUOTES = (
    "blockquote[type=cite], blockquote.gmail_quote, blockquote.yahoo_quoted, .moz-cite-prefix,"
    " .yahoo_quoted, .protonmail_quote, .tutanota_quote, .zmail_extra, .gmail_quote blockquote"
)
_SIGNATURES = (
    ".gmail_signature, .gmail_signature_prefix, .moz-signature, #Signature, #signature,"
    " #x_Signature, .protonmail_signature_block"
)
_LONGEST_SIGNATURE = 80  # words: more is text that was written into a signature's element
_ADDRESS = re.compile(r"\S+://\S+|\S+@\S+")
_MORE = 1.5  # times the words: the HTML says more than the plain text


@dataclass(slots=True)
class Written:
    """What was read of a text, and what was not: for the count of words, and to be said.

    `raw` is the text, read by another way; `omitted` are texts left out by what they are
    ("quote", "signature"), `added` texts put in.
    """

    blocks: list[Block]
    raw: str
    omitted: list[tuple[str, str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # of a page: hidden words, comments

    def words(self) -> int:
        """Return how many words were read, addresses not counted."""
        return count_words(_ADDRESS.sub("", "\n".join(block.text for block in self.blocks)))


def read_choice(choice: Choice, notes: Notes, forwarded: bool) -> Written:
    """Read the plain text of a choice, or its HTML where that says much more.

    `forwarded` says that the mail's subject is a forwarded one's.
    """
    plain = read_plain(choice.plain, forwarded) if choice.plain else None
    if plain and not choice.html:
        return plain
    page = _read_html(choice.html, notes, forwarded)
    if plain and plain.words() and page.words() <= _MORE * plain.words():
        return plain
    return page if page.words() or not plain else plain


def read_plain(parts: Sequence[TextPart], forwarded: bool) -> Written:
    """Read plain text."""
    lines = [line for part in parts for line in [*_unflowed(part), ""]]
    kept, omitted = select_lines(lines, forwarded)
    blocks = plain_blocks("\n".join(line for _, line in kept), headings=False)
    return Written(blocks, "\n".join(lines), omitted)


def _read_html(pages: Sequence[str], notes: Notes, forwarded: bool) -> Written:
    written = Written([], "")
    for html in pages:
        page = read_page(html, notes, _left_out)
        kept, omitted = _select(page, forwarded)
        if not kept or (forwarded and count_words(" ".join(b.text for b in kept)) < FEW_WORDS):
            # The mail that was forwarded may be marked as a quote.
            whole = read_page(html, notes)
            blocks, left = _select(whole, forwarded)
            if blocks and page.counts.get("quote"):
                page, kept, omitted = whole, blocks, left
        written.blocks += kept
        written.raw += page.source + "\n"
        written.omitted += [*omitted, *page.omissions]
        written.added += page.added
        for what, count in page.counts.items():
            written.counts[what] = written.counts.get(what, 0) + count
    return written


def _select(page: Page, forwarded: bool) -> tuple[list[Block], list[tuple[str, str]]]:
    """Return what of a page's blocks is written, and the lines that are not."""
    places = [(i, line) for i, block in enumerate(page.blocks) for line in block.text.split("\n")]
    kept, omitted = select_lines([line for _, line in places], forwarded)
    texts: dict[int, list[str]] = {}
    for at, line in kept:
        texts.setdefault(places[at][0], []).append(line)
    blocks = [
        replace(page.blocks[i], text=text)
        for i, lines in texts.items()
        if (text := "\n".join(lines).strip())
    ]
    return blocks, [(label, line) for label, line in omitted if line != ">"]


def _left_out(root: LexborNode) -> dict[int, str]:
    """Return the quotes and signatures that mail programs mark as such in HTML."""
    picked = {node.mem_id: "quote" for node in root.css(_QUOTES)}
    for node in root.css("blockquote"):
        if node.mem_id not in picked and ends_introduction(_text_before(node)):
            picked[node.mem_id] = "quote"
    for node in root.css(_SIGNATURES):
        if count_words(text_of(node)) <= _LONGEST_SIGNATURE:
            picked[node.mem_id] = "signature"
    return picked


def _text_before(node: LexborNode) -> str:
    """Return the text of what stands right before an element, or before what it begins."""
    at: LexborNode | None = node
    for _ in range(3):
        before = at.prev if at is not None else None
        while before is not None:
            text = before.text_content or "" if before.is_text_node else text_of(before)
            if text.strip():
                return " ".join(text.split())[-300:]
            before = before.prev
        at = at.parent if at is not None else None
    return ""


def _unflowed(part: TextPart) -> list[str]:
    """Return the lines of a text; those that a program broke to wrap them are joined."""
    lines = part.text.split("\n")
    if not part.flowed:
        return lines
    joined: list[str] = []
    open_depth = -1  # of quotes, of the line that goes on
    for line in lines:
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")  # stuffed, so that it is no quote and no "From "
        soft = content.endswith(" ") and content != "-- "
        shown = content[:-1] if soft and part.joins_bare else content
        if depth == open_depth and content != "-- ":
            joined[-1] += shown
        else:
            joined.append(f"{'>' * depth} {shown}" if depth else _stuffed(shown))
        open_depth = depth if soft else -1
    return [line if line == "-- " else line.rstrip() for line in joined]


def _stuffed(line: str) -> str:
    """Keep a line that begins with a quote's sign from being taken for one."""
    return f"\u200b{line}" if line.startswith(">") else line
