"""Paragraphs, lists and headings as a reader meets them, gathered into blocks."""

from __future__ import annotations

from dataclasses import replace

from bonito_local.passages.blocks import Block, tidy

BOLD_LEVEL = 7  # of a bold paragraph that reads as a heading: below those that styles make
_BOLD_LENGTH = 80
_HEADING_LENGTH = 200
_ENDS = ".;,:!?"


class Lines:
    """Gathers paragraphs; the items of a list become one block.

    `later` are blocks that follow a list or a paragraph: notes and boxes anchored in it.
    """

    def __init__(self) -> None:
        self.later: list[Block] = []
        self._blocks: list[Block] = []
        self._items: list[str] = []
        self._titled = False

    def add(self, text: str, level: int = 0, *, title: bool = False, joined: bool = False) -> None:
        """Add a paragraph (`level` 0) or a heading; a title stands above all headings.

        With `joined` it is a list that goes on.
        """
        if joined and not level:
            self._items.append(text)
            return
        self._end_list()
        self._release()
        if not text:
            return
        if level == BOLD_LEVEL and not _titles(text):
            level = 0
        if 0 < level < BOLD_LEVEL and len(text) > _HEADING_LENGTH:
            level = 0
        if title:
            self._titled = True
            self._blocks.append(Block(text, 1))
        else:
            self._blocks.append(Block(text, level + (level > 0 and self._titled)))

    def add_item(self, label: str, text: str) -> None:
        """Add an item of a list with its label ("-", "2.")."""
        if not self._items:
            self._release()
        self._items.append(f"{label} {' '.join(text.split())}")

    def end(self) -> list[Block]:
        """Return all blocks."""
        self._end_list()
        self._release()
        return self._blocks

    def break_list(self) -> None:
        """End a list: the next item begins another."""
        self._end_list()

    def later_left(self) -> list[Block]:
        """Return the blocks that were to follow, for another to add them."""
        left, self.later = self.later, []
        return left

    def _end_list(self) -> None:
        if self._items:
            self._blocks.append(Block("\n".join(self._items)))
            self._items = []

    def _release(self) -> None:
        self._blocks += [block for block in self.later if block.text]
        self.later = []


def settle_headings(blocks: list[Block]) -> list[Block]:
    """Take for prose the bold lines, and long headings, that no prose follows."""
    settled: list[Block] = []
    following = Block("", 1)
    for block in reversed(blocks):
        is_doubtful = block.level >= BOLD_LEVEL or len(block.text) > _BOLD_LENGTH
        is_doubtful |= block.text[-1:] in ".!?;"
        if block.level and is_doubtful and following.level > 0:
            block = replace(block, level=0)
        settled.append(block)
        if block.text:
            following = block
    return settled[::-1]


def in_one_line(blocks: list[Block] | str) -> str:
    """Join blocks, or lines, as one line: a cell, a heading."""
    if isinstance(blocks, str):
        return " ".join(tidy(blocks).split())
    text = ""
    for line in [line for block in blocks for line in block.text.split("\n")]:
        line = line.removeprefix("- ").strip()
        if not line:
            continue
        text += ("" if not text else " " if text[-1] in ".!?;,:" else ", ") + line
    return text


def _titles(text: str) -> bool:
    return len(text) <= _BOLD_LENGTH and "\n" not in text and text[-1:] not in _ENDS
