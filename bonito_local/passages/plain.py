"""Plain text: bytes to characters, hard-wrapped lines to paragraphs."""

from __future__ import annotations

import re

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, check_readable, join_lines, tidy, words_of
from bonito_local.passages.encoding import bom_encoding, guess_encoding

_BULLET = re.compile(r"(?:[-*+•‣▪◦·–]|\(?[0-9]{1,3}[.)]|\(?[a-z][.)]|\([ivx]+\))\s+\S")
_FIELD = re.compile(r"[A-Z][\w ,/()-]{0,40}: ")
_RULE = re.compile(r"([-=_*~#.])\1{2,}")
_WRAP_MIN, _WRAP_MAX = 45, 120  # a line as long as this was wrapped by an editor


def decode(data: bytes) -> str:
    """Decode by byte order mark, else UTF-8, else what the bytes look like.

    Raises:
        DocumentError: there are no bytes, or they are no text.
    """
    encoding = bom_encoding(data)
    if not data:
        raise DocumentError("The file is empty.", "Leave it out, or check that it was saved.")
    if encoding:
        text = data.decode(encoding, "replace")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode(guess_encoding(data), "replace")
    check_readable(text)
    return text


def plain_blocks(text: str, headings: bool = True) -> list[Block]:
    """Split plain text into paragraphs and headings.

    A heading is a short line that stands alone, underlined, numbered or without a full
    stop at its end, with text below it. Without `headings` only underlined ones are.
    """
    text = tidy(text)
    words = words_of(text) if "-\n" in text else set()  # wanted only to heal words cut in two
    blocks: list[Block] = []
    for chunk in re.split(r"\n\s*\n", text):
        lines = [line for line in chunk.split("\n") if line]
        underlined = len(lines) > 1 and _RULE.fullmatch(lines[1])
        if underlined and _RULE.fullmatch(lines[0]) is None:
            blocks.append(Block(lines[0], level=1 if lines[1][0] == "=" else 2))
            lines = lines[2:]
        lines = [line for line in lines if not _RULE.fullmatch(line)]
        if headings and len(lines) == 1 and _is_heading(lines[0]):
            blocks.append(Block(lines[0], level=2 if lines[0].isupper() else 3))
        elif lines:
            blocks.append(Block("\n".join(_unwrap(lines, words))))
    # A text of headings alone (a poem, a list of names) is prose after all.
    if not any(block.level == 0 for block in blocks):
        blocks = [Block(block.text) for block in blocks]
    elif blocks[-1].level:
        blocks[-1] = Block(blocks[-1].text)
    return blocks


def _is_heading(line: str) -> bool:
    if line[0] in "*#-+•>|" or line[-1] in ".!?;,:\"'”)":
        return False  # an item, a remark, a sentence
    return len(line) <= 70 and len(line.split()) <= 10


def _unwrap(lines: list[str], words: set[str]) -> list[str]:
    """Join each line to the one before where an editor's wrapping parted them."""
    groups: list[list[str]] = []
    for line in lines:
        previous = groups[-1][-1] if groups else ""
        wrapped = _WRAP_MIN <= len(previous) <= _WRAP_MAX
        if wrapped and not _BULLET.match(line) and not _FIELD.match(line):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [join_lines(group, words) for group in groups]
