"""Web pages to blocks: what a reader of the page sees, without its menus."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.boilerplate import menus
from bonito_local.passages.completeness import Part, check_completeness
from bonito_local.passages.dom import (
    BLOCKS,
    SILENT,
    attribute,
    count_words,
    is_deleted,
    is_hidden,
    parse,
    tag_of,
    text_of,
    walk,
)
from bonito_local.passages.lists import Lists
from bonito_local.passages.notes import READ_HIDDEN, Notes, counted
from bonito_local.passages.webtables import table_blocks
from bonito_local.passages.xhtml import as_html, is_xml

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# The nodes of a tree that are left out, by their identity, and what each is ("menu").
Omitted = Mapping[int, str]

_HEADING = re.compile(r"h([1-6])")
_LONGEST_HEADING = 300  # characters: more is a page whose author closed no heading
_BOLD_HEADING = 7  # below the six levels that HTML has
_BOLD_HEADING_LENGTH = 80
_BOLD = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\n\r\f]+")
_NOTE_MARK = re.compile(r"[\[(]?(?:\d{1,3}|[a-z]|[ivx]{1,5}|[*†‡§¶#]{1,3}|note \d+)[\])]?")
_BACK_LINK = re.compile(r"[¶#🔗↩↑^⏎⤴\ufe0e\ufe0f]+")
_NOTE_ROLES = ("noteref", "doc-noteref", "footnote-ref", "footnoteref")
_POWERS = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_LAST_WORD = re.compile(r"\w+\Z")
_MARKUP = re.compile(r"<[^>]*>|\[(?:if|endif)\b[^\]]*\]", re.IGNORECASE)
_OMISSIONS = {
    "hidden": "of hidden text",
    "deleted": "of struck-out text",
    "menu": "of menus, banners and footers",
    "readers": "of readers' comments",
    "quote": "quoted from other mails",
    "signature": "of signatures",
    "embedded": "in embedded objects",
}


@dataclass(slots=True)
class Page:
    """What was read of a page: its blocks, and for the check of its words what is not in them.

    `omissions` are texts left out on purpose, each after what it is ("menu"); `added` are texts
    put in (numbers of items, the names of columns on each row). `counts` says how many words
    were left out as what. `source` is all text of the page's tree.
    """

    blocks: list[Block] = field(default_factory=list)
    omissions: list[tuple[str, str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    source: str = ""

    def add(self, other: Page) -> None:
        """Add what was read of a page that follows, or of a part."""
        self.blocks += other.blocks
        self.add_counts(other)

    def add_counts(self, other: Page) -> None:
        """Add what was left out of another page, and put in, but not its blocks."""
        self.omissions += other.omissions
        self.added += other.added
        for what, count in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + count


def page_blocks(text: str, notes: Notes) -> list[Block]:
    """Read a web page: its headings, paragraphs, lists and tables, without menus and banners.

    What is hidden and what is struck out is left out unless `notes` asks for it. What was left
    out, and words that were lost, are recorded there.
    """
    if is_xml(text):
        text = as_html(text)
    page = read_page(text, notes, menus)
    if not page.blocks:
        page = read_page(text, notes)
    note_omissions(page, notes)
    check_words(page, notes)
    return page.blocks


def read_page(text: str, notes: Notes, omit: Callable[[LexborNode], Omitted] | None = None) -> Page:
    """Read HTML without the nodes that `omit` picks of its tree. Records nothing in `notes`."""
    root = parse(text)
    reader = _Reader(omit(root) if omit else {}, notes.hidden)
    before = root.prev
    while before is not None:  # comments may stand before the root
        reader.enter(before)
        before = before.prev
    walk(root, reader.enter, reader.leave)
    reader.finish()
    reader.page.source = text_of(root)
    return reader.page


def note_omissions(page: Page, notes: Notes) -> None:
    """Record how much of a page was left out, and why."""
    for what, description in _OMISSIONS.items():
        if count := page.counts.get(what, 0):
            remedy = READ_HIDDEN if what in ("hidden", "deleted") else ""
            notes.add(f"Left out {counted(count, 'word')} {description}.", remedy)
    notes.left_out(page.counts.get("comment", 0), "comment")


def check_words(page: Page, notes: Notes) -> None:
    """Record words of the page's tree that are in no block, and those in more than one."""
    for note in check_completeness(
        [Part("", page.source)],
        "\n".join(block.text for block in page.blocks),
        left_out=[omitted for _, omitted in page.omissions],
        added=page.added,
    ):
        notes.add(note.title, note.remedy)


class _Reader:
    """Gathers blocks while a tree is walked."""

    def __init__(self, omitted: Omitted, hidden: bool) -> None:
        self.page = Page()
        self._omitted = omitted
        self._hidden = hidden
        self._pieces: list[str] = []
        self._heading = 0
        self._pre = 0
        self._bold = 0  # open elements that set bold
        self._letters = [0, 0]  # of the paragraph: all, bold
        self._lists = Lists()
        self._after_link = False

    def enter(self, node: LexborNode) -> bool:
        """Take a node's text, or begin a block; whether its children are to be read."""
        if node.is_text_node:
            self._text(node.text_content or "")
            return False
        if node.is_comment_node:
            self._comment(node.comment_content or "")
            return False
        tag = tag_of(node)
        if tag in SILENT or tag.startswith(("-", "!")):
            self._embedded(node, tag)
            return False
        if self._is_left_out(node):
            return False
        if tag == "br":
            self._pieces.append(" " if self._heading else "\n")
            return False
        if tag == "a" and self._after_link:
            self._pieces.append(" ")
        self._after_link = False
        if tag == "table" and (table := table_blocks(node, self._read_cell, self._is_left_out)):
            self._end_paragraph()
            for block in table.blocks:
                self._emit(block.text, block.level)
            self.page.added += table.added
            return False
        self._begin(node, tag)
        return True

    def leave(self, node: LexborNode) -> None:
        """End what a node began."""
        tag = tag_of(node)
        if tag in BLOCKS:
            self._end_paragraph()
        if _HEADING.fullmatch(tag) or self._heading_role(node):
            self._heading = 0
        elif tag in ("pre", "listing", "xmp", "plaintext"):
            self._pre -= 1
        elif tag in ("ul", "ol", "menu", "dir", "dl"):
            if text := self._lists.close():
                self._add(text, 0)
        elif tag in ("q", "rt"):
            self._pieces.append("\u201d" if tag == "q" else ")")
        self._after_link = tag == "a"
        if _is_bold(node, tag):
            self._bold -= 1

    def finish(self) -> None:
        """End the last block. Headings with nothing below them are paragraphs."""
        self._end_paragraph()
        self.page.added += self._lists.numbers
        blocks = self.page.blocks
        for at, block in enumerate(blocks):
            after = blocks[at + 1].level if at + 1 < len(blocks) else block.level
            if block.level and 0 < after <= block.level:
                blocks[at] = Block(block.text)

    def _begin(self, node: LexborNode, tag: str) -> None:
        if tag in BLOCKS:
            self._end_paragraph()
        level = _HEADING.fullmatch(tag)
        if level or self._heading_role(node):
            self._heading = int(level[1]) if level else self._heading_role(node)
        elif tag in ("pre", "listing", "xmp", "plaintext"):
            self._pre += 1
        elif tag in ("ul", "ol", "menu", "dir", "dl"):
            self._lists.open(node)
        elif tag in ("li", "dt", "dd"):
            self._lists.item(node)
        elif tag in ("q", "rt"):
            self._pieces.append("\u201c" if tag == "q" else " (")
        if _is_bold(node, tag):
            self._bold += 1

    def _heading_role(self, node: LexborNode) -> int:
        if attribute(node, "role") != "heading":
            return 0
        level = attribute(node, "aria-level")
        return min(6, max(1, int(level))) if level.isascii() and level.isdigit() else 2

    def _is_left_out(self, node: LexborNode) -> bool:
        tag = tag_of(node)
        what = self._omitted.get(node.mem_id, "")
        if not self._hidden and not what:
            what = "hidden" if is_hidden(node) else "deleted" if is_deleted(node) else ""
        if not what and tag == "sup":
            what = self._superscript(node)
        elif not what and tag == "a":
            what = "note mark" if _is_note_mark(node) else ""
        elif not what and tag == "button" and not self._heading:
            what = "menu" if count_words(text_of(node)) < 20 else ""
        if not what:
            return False
        self._omit(node, what)
        if what == "quote":
            # Stands for the quote in what is read of a mail, for its lines to be told apart.
            self._end_paragraph()
            self._emit(">", 0)
        return True

    def _omit(self, node: LexborNode, what: str) -> None:
        text = "" if what == "power" else text_of(node)
        if count := count_words(text):
            if what == "note mark" and (before := _LAST_WORD.search("".join(self._pieces[-3:]))):
                # To another reader the mark and the word before it are one word.
                self.page.added.append(before[0])
                text = before[0] + text
            self.page.omissions.append((what, text))
            self.page.counts[what] = self.page.counts.get(what, 0) + count

    def _embedded(self, node: LexborNode, tag: str) -> None:
        """Read a page that stands in a frame; say of other objects that they are not read."""
        if tag == "object":
            self._omit(node, "embedded")
        elif source := attribute(node, "srcdoc") if tag == "iframe" else "":
            self._end_paragraph()
            root = parse(source)
            inner = _Reader({}, self._hidden)
            walk(root, inner.enter, inner.leave)
            inner.finish()
            self.page.add_counts(inner.page)
            for block in inner.page.blocks:
                self._emit(block.text, block.level)

    def _superscript(self, node: LexborNode) -> str:
        """Write a power as one ("10⁶"), and say whether a superscript is left out, as what."""
        text = text_of(node)
        marks = [link for link in node.css("a") if _is_note_mark(link)]
        if marks and _NOTE_MARK.fullmatch(text):
            return "note mark"
        before = "".join(self._pieces[-2:])[-1:]
        powers = text.translate(_POWERS)
        if before.isdigit() and text and not set(powers) - set("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ"):
            self._pieces.append(powers)
            return "power"
        return ""

    def _text(self, text: str) -> None:
        if not self._pre or self._heading:
            text = _SPACES.sub(" ", text)
        if not text:
            return
        if not text.isspace():
            self._after_link = False
            letters = len(text) - text.count(" ")
            self._letters[0] += letters
            self._letters[1] += letters if self._bold else 0
        self._pieces.append(text)

    def _comment(self, comment: str) -> None:
        text = " ".join(_MARKUP.sub(" ", comment).split())
        if comment.lstrip().lower().startswith("[if") or not count_words(text):
            return
        if self._hidden:
            self._end_paragraph()
            self._emit(text, 0)
            self.page.added.append(text)
        else:
            self.page.counts["comment"] = self.page.counts.get("comment", 0) + 1

    def _end_paragraph(self) -> None:
        text = tidy("".join(self._pieces))
        bold = 0 < self._letters[0] == self._letters[1]
        self._pieces, self._letters = [], [0, 0]
        if not text:
            return
        if self._heading and len(text) <= _LONGEST_HEADING and not self._lists:
            self._add(" ".join(text.split()), self._heading)
            return
        for paragraph in re.split(r"\n{2,}", text):
            titled = bold and len(paragraph) <= _BOLD_HEADING_LENGTH and not self._lists
            titled = titled and "\n" not in paragraph and paragraph[-1] not in ".;,:!?"
            self._emit(paragraph, _BOLD_HEADING if titled else 0)

    def _emit(self, text: str, level: int) -> None:
        if self._lists:
            self._lists.add(text)
        else:
            self._add(text, level)

    def _add(self, text: str, level: int) -> None:
        if text:
            self.page.blocks.append(Block(text, level))

    def _read_cell(self, cell: LexborNode) -> str:
        """Return the text of a table's cell on one line."""
        inner = _Reader(self._omitted, self._hidden)
        walk(cell, inner.enter, inner.leave)
        inner.finish()
        self.page.add_counts(inner.page)
        return " ".join(" ".join(block.text for block in inner.page.blocks).split())


def _is_bold(node: LexborNode, tag: str) -> bool:
    return tag in ("b", "strong") or bool(_BOLD.search(attribute(node, "style")))


def _is_note_mark(link: LexborNode) -> bool:
    """Whether a link is the mark of a footnote, or leads from a note back to its mark."""
    kinds = f"{attribute(link, 'epub:type')} {attribute(link, 'role')} {attribute(link, 'class')}"
    if "backlink" in kinds or "footnote-back" in kinds:
        return True
    text = text_of(link).lower()
    if "#" not in attribute(link, "href"):
        return False
    if _BACK_LINK.fullmatch(text):
        return True
    if not _NOTE_MARK.fullmatch(text):
        return False
    parent = link.parent
    raised = link.css_first("sup") is not None or (parent is not None and parent.tag == "sup")
    return raised or any(role in kinds.split() for role in _NOTE_ROLES)
