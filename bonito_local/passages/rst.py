"""reStructuredText to headings and prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from bonito_local.passages.blocks import Block, rows_as_prose, tidy
from bonito_local.passages.notes import Notes
from bonito_local.passages.plain import decode

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|([^|]+)\|\s+)?([\w:.+-]+)::\s*(.*)")
_NOTE = re.compile(r"\.\.\s+\[[^\]]+\]\s+(.*)")
_TARGET = re.compile(r"(?:\.\.\s+_.*:(?:\s.*)?|__\s.*)")
_FIELD = re.compile(r":([^:`\s][^:`]*):(?:\s+(.*))?")
_ITEM = re.compile(r"(?:([-*+•])|(#|\d{1,4}|[A-Za-z])[.)]|\((#|\d{1,4}|[A-Za-z])\))\s+(?=\S)")
_GRID_RULE = re.compile(r"\+(?:[-=]+\+)+\s*")
_SIMPLE_RULE = re.compile(r"=+(?:\s+=+)+\s*")
# Directives whose content is no text of the document, or stands elsewhere.
_SILENT = frozenset(
    "code code-block sourcecode highlight image toctree contents include raw math index meta"
    " literalinclude default-role role replace unicode date class tags ifconfig plot graphviz"
    " automodule autoclass autofunction doctest testcode testsetup testoutput prompt ipython"
    " currentmodule module sectnum header footer target-notes".split()
)
_INLINE = (
    (re.compile(r"(?<!\\)``(.+?)``"), r"\1"),
    (re.compile(r"(?<!\\):[\w:.+-]+:`!?~?([^`<]*?)\s*(?:<[^`>]*>)?`"), r"\1"),
    (re.compile(r"(?<!\\)`([^`<]*?)\s*<[^`>]*>`__?"), r"\1"),
    (re.compile(r"\s?\[(?:\d+|#[\w-]*|\*)\]_"), ""),
    (re.compile(r"\[([\w-]+)\]_"), r"[\1]"),
    (re.compile(r"(?<!\\)`([^`]+)`(?:__?)?"), r"\1"),
    (re.compile(r"(?<![\\*\w])\*\*(\S(?:.*?\S)?)\*\*(?!\w)"), r"\1"),
    (re.compile(r"(?<![\\*\w])\*(\S(?:.*?\S)?)\*(?![\w*])"), r"\1"),
    (re.compile(r"\b([A-Za-z0-9-]+)__?(?=[\s.,;:!?)]|\Z)"), r"\1"),
    (re.compile(r"\\\s"), ""),
    (re.compile(r"\\(.)"), r"\1"),
)


def rst_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read reStructuredText; code, pictures, comments and what other files hold are left out."""
    reader = _Reader()
    reader.read(decode(data).expandtabs(8).replace("\r\n", "\n").split("\n"))
    notes.left_out(reader.comments, "comment", "")
    notes.left_out(reader.code, "block of code", "")
    return reader.blocks


class _Reader:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.comments = self.code = 0
        self._styles: list[str] = []  # of headings, from the top
        self._substitutes: dict[str, str] = {}
        self._lines: list[str] = []  # of the list or paragraph that is open
        self._in_list = False

    def read(self, lines: Sequence[str]) -> None:
        """Read lines that begin at the margin."""
        for line in lines:
            directive = _DIRECTIVE.match(line)
            if directive and directive[1]:
                shown = directive[3] if directive[2] == "replace" else ""
                self._substitutes[directive[1]] = shown
        at = 0
        while at < len(lines):
            at = self._next(lines, at)
        self._flush()

    def _next(self, lines: Sequence[str], at: int) -> int:
        line = lines[at]
        if not line.strip():
            # An item may follow one with a blank line between; other text begins anew.
            if not (self._in_list and _ITEM.match(_first(lines, at).strip())):
                self._flush()
            return at + 1
        if title := self._title(lines, at):
            return title
        readers: tuple[tuple[re.Pattern[str], Callable[[Sequence[str], int], int]], ...] = (
            (_GRID_RULE, self._grid),
            (_SIMPLE_RULE, self._simple_table),
        )
        for rule, read in readers:
            if rule.fullmatch(line):
                return read(lines, at)
        if line.startswith(".. ") or line.rstrip() == ".." or _TARGET.fullmatch(line):
            return self._explicit(lines, at)
        return self._paragraph(lines, at)

    def _title(self, lines: Sequence[str], at: int) -> int:
        """Read a heading with a line under it, or under and over; return what is next, or 0."""
        over = bool(_ADORNMENT.fullmatch(lines[at]))
        text_at = at + over
        if text_at + 1 >= len(lines) or not lines[text_at].strip():
            return text_at if over else 0
        under = lines[text_at + 1].rstrip()
        text = lines[text_at].strip()
        fits = len(under) >= min(len(text), 4) and not lines[at].startswith("..")
        if not _ADORNMENT.fullmatch(under) or not fits or (over and under[0] != lines[at][0]):
            return text_at if over else 0
        self._flush()
        style = under[0] * (1 + over)
        if style not in self._styles:
            self._styles.append(style)
        self._add(text, self._styles.index(style) + 1)
        return text_at + 2

    def _explicit(self, lines: Sequence[str], at: int) -> int:
        """Read a directive, a note, a target or a comment, with its indented lines."""
        self._flush()
        line = lines[at]
        end, content = _indented(lines, at + 1)
        if directive := _DIRECTIVE.match(line):
            self._directive(directive, content)
        elif note := _NOTE.match(line):
            self._within([note[1], *content])
        elif not _TARGET.fullmatch(line):
            text = " ".join([line[2:], *content]).strip()
            self.comments += bool(text)
        return end

    def _directive(self, directive: re.Match[str], content: list[str]) -> None:
        substitute, name, argument = directive.groups()
        if substitute:
            return
        if name in _SILENT:
            self.code += name in ("code", "code-block", "sourcecode", "literalinclude")
            return
        while content and _FIELD.fullmatch(content[0].strip()):
            content = content[1:]  # options
        if name in ("list-table", "csv-table"):
            self._within([argument, ""])
            self._listed(content, name == "csv-table")
            return
        if name == "rubric" or name.endswith("topic"):
            self._add(argument, 7)
        elif argument and name not in ("figure", "only", "container"):
            content = [argument, *([""] if ":" in name else []), *content]
        self._within(content)

    def _listed(self, content: Sequence[str], commas: bool) -> None:
        if commas:
            import csv

            rows = [[tidy(cell) for cell in row] for row in csv.reader(filter(str.strip, content))]
        else:
            rows = []
            for line in content:
                text = line.strip()
                if text.startswith("* -"):
                    rows.append([self._inline(text[3:].strip())])
                elif text.startswith("-") and rows:
                    rows[-1].append(self._inline(text[1:].strip()))
                elif text and rows:
                    rows[-1][-1] = f"{rows[-1][-1]} {self._inline(text)}"
        if rows:
            self.blocks.append(Block(_table(rows)))

    def _within(self, content: Sequence[str]) -> None:
        inner = _Reader()
        inner._styles, inner._substitutes = self._styles, self._substitutes
        inner.read(_dedented(content))
        self.blocks += inner.blocks
        self.comments += inner.comments
        self.code += inner.code

    def _grid(self, lines: Sequence[str], at: int) -> int:
        self._flush()
        columns = [i for i, sign in enumerate(lines[at].rstrip()) if sign == "+"]
        rows: list[list[str]] = []
        cells = [""] * (len(columns) - 1)
        at += 1
        while at < len(lines) and lines[at][:1] in ("+", "|"):
            line = lines[at]
            if line.startswith("+"):
                rows += [[self._inline(tidy(cell)) for cell in cells]] if any(cells) else []
                cells = [""] * (len(columns) - 1)
            else:
                for i, (start, end) in enumerate(pairwise(columns)):
                    cells[i] = f"{cells[i]} {line[start + 1 : end].strip(' |')}".strip()
            at += 1
        if rows:
            self.blocks.append(Block(_table(rows)))
        return at

    def _simple_table(self, lines: Sequence[str], at: int) -> int:
        self._flush()
        starts = [part.start() for part in re.finditer(r"=+", lines[at])]
        bounds = list(zip(starts, [*starts[1:], None], strict=True))
        rows: list[list[str]] = []
        rules, at = 1, at + 1
        while at < len(lines) and rules < 3:
            line = lines[at]
            at += 1
            if _SIMPLE_RULE.fullmatch(line):
                rules += 1
                if rules == 2 and not _closes(lines, at):
                    break
                continue
            cells = [self._inline(tidy(line[start:end])) for start, end in bounds]
            if not cells[0] and rows:
                rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells, strict=True)]
            elif any(cells):
                rows.append(cells)
        if rows:
            self.blocks.append(Block(_table(rows)))
        return at

    def _paragraph(self, lines: Sequence[str], at: int) -> int:
        """Read lines that belong together: a paragraph, an item, a term with its meaning."""
        item = _ITEM.match(lines[at].strip())
        indent = _indent(lines[at])
        pieces = [lines[at].strip()]
        at += 1
        while at < len(lines) and lines[at].strip():
            line = lines[at]
            if _indent(line) > indent and not item:
                break  # what is said of a term, or a quote
            if _ITEM.match(line.strip()) or (item and _indent(line) <= indent):
                break
            if _ADORNMENT.fullmatch(line) or line.startswith(".. ") or _FIELD.fullmatch(line):
                break
            pieces.append(line.strip())
            at += 1
        text = " ".join(pieces)
        if field := _FIELD.fullmatch(text):
            text = f"{field[1]}: {field[2]}" if field[2] else ""
        if text.endswith("::"):
            text = text[:-1] if text != "::" else ""
        text = self._inline(text)
        if bool(item) != self._in_list:
            self._flush()
        self._in_list = bool(item)
        if item and text:
            text = re.sub(r"^[*+•]\s", "- ", text)
        self._lines += [text] if text else []
        return at

    def _inline(self, text: str) -> str:
        for name, shown in self._substitutes.items():
            text = text.replace(f"|{name}|", shown)
        for pattern, shown in _INLINE:
            text = pattern.sub(shown, text)
        return tidy(text)

    def _add(self, text: str, level: int) -> None:
        if text := self._inline(text):
            self.blocks.append(Block(text, level))

    def _flush(self) -> None:
        if self._lines:
            self.blocks.append(Block("\n".join(self._lines)))
        self._lines = []


def _table(rows: Sequence[Sequence[str]]) -> str:
    if len(rows) == 1:
        return "; ".join(filter(None, rows[0]))
    return rows_as_prose(rows[0], rows[1:])


def _closes(lines: Sequence[str], at: int) -> bool:
    """Whether another rule of a simple table follows, before two blank lines."""
    for line in lines[at:]:
        if _SIMPLE_RULE.fullmatch(line):
            return True
        if not line.strip():
            return False
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _first(lines: Sequence[str], at: int) -> str:
    return next((line for line in lines[at:] if line.strip()), "")


def _indented(lines: Sequence[str], at: int) -> tuple[int, list[str]]:
    """Return where indented lines end that begin here, and the lines at the margin."""
    end = at
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
        end += 1
    while end > at and not lines[end - 1].strip():
        end -= 1
    return end, _dedented(lines[at:end])


def _dedented(lines: Sequence[str]) -> list[str]:
    # The first line may stand on that of what holds it.
    rest = [_indent(line) for line in lines[1:] if line.strip()]
    first = _indent(lines[0]) if lines and lines[0].strip() else None
    least = min(rest, default=0)
    if first is not None:
        least = min(least, first) if first else least
    return [line.strip() if i == 0 else line[least:] for i, line in enumerate(lines)]
