"""Org mode to headings and prose."""

from __future__ import annotations

import re

from bonito_local.passages.blocks import Block, rows_as_prose, tidy
from bonito_local.passages.notes import Notes
from bonito_local.passages.plain import decode, plain_blocks

_HEADING = re.compile(r"(\*+)\s+(.*)")
_STATE = re.compile(r"^(?:TODO|DONE|NEXT|WAITING|CANCELLED)\s+|\[#[A-Z]\]\s+|\s+:[\w@#%:]+:\s*$")
_BEGIN = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_DRAWER = re.compile(r"\s*:[\w-]+:\s*")
_KEYWORD = re.compile(r"\s*#\+\w+:?.*", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#(?:\s.*)?")
_TIMES = re.compile(r"\s*(?:CLOSED|SCHEDULED|DEADLINE|CLOCK):.*")
_LINK = re.compile(r"\[\[([^\]]*)\](?:\[([^\]]*)\])?\]")
_EMPHASIS = re.compile(r"(?<![\w*/_=~+])([*/_=~+])(\S(?:[^\n]*?\S)?)\1(?![\w*/_=~+])")
_NOTE = re.compile(r"\[fn:[^\]]*\]")
_TABLE_RULE = re.compile(r"\s*\|[-+|]+\s*")
_CODE = ("src", "example", "export", "comment")


def org_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read Org mode; code, comments, drawers and keywords are left out."""
    reader = _Reader()
    for line in decode(data).replace("\r\n", "\n").split("\n"):
        if reader.skips(line):
            continue
        if heading := _HEADING.match(line):
            reader.heading(_inline(_STATE.sub("", heading[2])), len(heading[1]))
        elif line.lstrip().startswith("|"):
            reader.row(line)
        else:
            reader.text(_inline(line) if line.strip() else "")
    reader.flush()
    notes.left_out(reader.comments, "comment", "")
    notes.left_out(reader.code, "block of code", "")
    return reader.blocks


class _Reader:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.comments = self.code = 0
        self._lines: list[str] = []
        self._rows: list[list[str]] = []
        self._end: re.Pattern[str] | None = None  # of what is being left out

    def skips(self, line: str) -> bool:
        """Whether a line is no text of the document."""
        if self._end:
            self._end = None if self._end.fullmatch(line) else self._end
            return True
        if begin := _BEGIN.match(line):
            name = begin[1].lower()
            if name in _CODE:
                self._end = re.compile(rf"\s*#\+end_{name}\s*", re.IGNORECASE)
                self.comments += name == "comment"
                self.code += name != "comment"
            return True
        if _DRAWER.fullmatch(line):
            self._end = re.compile(r"\s*:END:\s*", re.IGNORECASE)
            return True
        if _COMMENT.fullmatch(line):
            self.comments += bool(line.strip("# \t"))
            return True
        return bool(_KEYWORD.fullmatch(line) or _TIMES.fullmatch(line))

    def heading(self, title: str, level: int) -> None:
        """Begin a section."""
        self.flush()
        if title:
            self.blocks.append(Block(title, level))

    def row(self, line: str) -> None:
        """Take a row of a table, or the rule between rows."""
        if self._lines:
            self.flush()
        if not _TABLE_RULE.fullmatch(line):
            self._rows.append([_inline(cell) for cell in line.strip().strip("|").split("|")])

    def text(self, line: str) -> None:
        """Take a line of text."""
        if self._rows:
            self.flush()
        self._lines.append(line)

    def flush(self) -> None:
        """End a table or paragraphs."""
        if len(self._rows) == 1:
            self.blocks.append(Block("; ".join(filter(None, self._rows[0]))))
        elif self._rows:
            self.blocks.append(Block(rows_as_prose(self._rows[0], self._rows[1:])))
        self.blocks += plain_blocks("\n".join(self._lines), headings=False)
        self._rows, self._lines = [], []


def _inline(text: str) -> str:
    text = _NOTE.sub("", _LINK.sub(lambda link: link[2] or link[1], text))
    return tidy(_EMPHASIS.sub(r"\2", text))
