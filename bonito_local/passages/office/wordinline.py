"""The text of one paragraph in Word: runs, fields, notes, boxes, and what is hidden or deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol
from xml.etree.ElementTree import Element

from bonito_local.passages.blocks import Block
from bonito_local.passages.office.mathtext import math_text
from bonito_local.passages.office.package import DIAGRAM, MC, M, R, W, is_on
from bonito_local.passages.office.symbols import in_symbol_font, raised, symbol
from bonito_local.passages.office.wordstyles import Style, Styles, flag, value

CONTENTS, INDEX = "table of contents", "index"
PROMPT = "prompt of an empty field"
DELETED, HIDDEN, MOVED = "tracked deletions", "hidden text", "moved text"
_CONTENTS_FIELD = re.compile(r"\s*(TOC|INDEX|TOA)\b", re.IGNORECASE)
_SIGNS = {
    "tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "",
}  # fmt: skip
_SILENT = frozenset(
    "rPr pPr sdtPr sdtEndPr instrText delInstrText fldData ffData footnoteRef endnoteRef"
    " annotationRef separator continuationSeparator numberingChange del moveFrom rt".split()
)
_REFERENCES = ("footnoteReference", "endnoteReference", "commentReference")
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_PICTURE_TEXT = "{urn:schemas-microsoft-com:vml}textpath"


@dataclass(slots=True)
class Field:
    """A field that is open: `shown` once its result began; `kind` of contents and indexes."""

    instruction: str = ""
    shown: bool = False
    kind: str = ""


class Source(Protocol):
    """What a paragraph is read in: a story of the document."""

    styles: Styles
    hidden: bool
    fields: list[Field] | None

    def note(self, kind: str, number: str) -> list[Block]:
        """Return a note's or a comment's text, the first time."""

    def box(self, content: Element) -> list[Block]:
        """Return what a text box holds."""

    def diagram(self, relation: str) -> list[Block]:
        """Return the text of a diagram."""

    def leave_out(self, kind: str, text: str = "", count: int = 1) -> None:
        """Record a text that is left out."""

    def put_in(self, text: str) -> None:
        """Record a text that no text element holds as it is read."""


@dataclass(slots=True)
class Line:
    """A paragraph's text, and the blocks that are anchored in it.

    `dropped` holds what was left out of it, by kind. `bold` is true where all of its text is.
    """

    text: str = ""
    bold: bool = False
    after: list[Block] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)


def read_line(paragraph: Element, style: Style, source: Source) -> Line:
    """Read a paragraph's text."""
    reader = _Reader(style, source)
    reader.read(paragraph)
    return reader.line()


class _Reader:
    def __init__(self, style: Style, source: Source) -> None:
        self._style = style
        self._source = source
        self._pieces: list[str] = []
        self._plain = False  # some of the text is not bold
        self._after: list[Block] = []
        self._dropped: dict[str, list[str]] = {}
        self._deleted = 0

    def line(self) -> Line:
        text = "".join(self._pieces)
        dropped = {kind: "".join(pieces) for kind, pieces in self._dropped.items()}
        bold = bool(text.strip()) and not self._plain
        return Line(text, bold, self._after, dropped)

    def read(self, element: Element) -> None:
        for child in element:
            tag = child.tag
            if tag == f"{W}r":
                self._run(child)
            elif tag == f"{W}moveFrom":  # stands where it was moved to
                self._drop(MOVED, f" {''.join(t.text or '' for t in child.iter(f'{W}t'))} ")
            elif tag == f"{W}del":
                self._deleted += 1
                self.read(child)
                self._deleted -= 1
            elif tag == f"{W}sdt":
                self._control(child)
            elif tag == f"{W}fldSimple":
                self._simple_field(child)
            elif tag in (f"{M}oMath", f"{M}oMathPara"):
                text = math_text(child)
                self._source.put_in(text)
                self._put(f" {text} ", Style())
            elif tag == f"{MC}AlternateContent":
                self.read(choose(child))
            elif tag.removeprefix(W) not in _SILENT:
                self.read(child)

    def _control(self, element: Element) -> None:
        """Read a content control, but for the prompt of one that nobody filled in."""
        content = element.find(f"{W}sdtContent")
        if content is None:
            return
        if is_prompt(element):
            self._source.leave_out(PROMPT, "".join(content.itertext()))
        else:
            self.read(content)

    def _simple_field(self, element: Element) -> None:
        found = _CONTENTS_FIELD.match(element.get(f"{W}instr", ""))
        fields = self._source.fields
        if fields is not None and found:
            fields.append(Field(shown=True, kind=_kind(found[1])))
            self.read(element)
            fields.pop()
        else:
            self.read(element)

    def _run(self, run: Element) -> None:
        properties = run.find(f"{W}rPr")
        style = self._run_style(properties)
        fonts = None if properties is None else properties.find(f"{W}rFonts")
        font = "" if fonts is None else fonts.get(f"{W}ascii", "")
        for child in run:
            self._part(child, style, font)

    def _run_style(self, properties: Element | None) -> Style:
        own = Style()
        if properties is not None and (name := value(properties.find(f"{W}rStyle"))):
            own = self._source.styles.get(name)
        bold, hidden = flag(properties, "b"), flag(properties, "vanish")
        up = None if properties is None else value(properties.find(f"{W}vertAlign"))
        return Style(
            bold=_first(bold, own.bold, self._style.bold),
            hidden=_first(hidden, own.hidden, self._style.hidden),
            raised=up == "superscript" if up else own.raised,
        )

    def _part(self, part: Element, style: Style, font: str) -> None:
        tag = part.tag.removeprefix(W)
        if tag in ("t", "delText"):
            text = in_symbol_font(font, part.text or "")
            self._put(raised(text) if style.raised else text, style)
        elif tag in _SIGNS:
            self._put(_SIGNS[tag], style)
        elif tag == "sym":
            code = part.get(f"{W}char", "")
            self._put(symbol(part.get(f"{W}font", ""), from_hex(code)), style)
        elif tag == "fldChar":
            self._field(part)
        elif tag == "instrText":
            self._instruction(part.text or "")
        elif tag in _REFERENCES:
            if not self._is_left_out(style):
                kind = tag.removesuffix("Reference")
                self._after += self._source.note(kind, part.get(f"{W}id", ""))
        elif tag in ("drawing", "pict", "object"):
            self._drawing(part, style)
        elif tag == "ruby":
            self.read(part)
        elif tag not in _SILENT:
            for child in choose(part):
                self._part(child, style, font)

    def _instruction(self, text: str) -> None:
        fields = self._source.fields
        if fields and not fields[-1].shown:
            fields[-1].instruction += text

    def _field(self, mark: Element) -> None:
        fields = self._source.fields
        if fields is None:
            return
        kind = mark.get(f"{W}fldCharType")
        if kind == "begin":
            fields.append(Field())
            if (choice := _drop_down(mark)) is not None:
                self._put(choice, Style())
        elif kind == "separate" and fields:
            fields[-1].shown = True
            if found := _CONTENTS_FIELD.match(fields[-1].instruction):
                fields[-1].kind = _kind(found[1])
        elif kind == "end" and fields:
            fields.pop()

    def _drawing(self, part: Element, style: Style) -> None:
        if self._is_left_out(style):
            kind = DELETED if self._deleted else HIDDEN
            texts = [t.text or "" for t in part.iter(f"{W}t")]
            self._drop(kind, f" {' '.join(texts)} ")
            return
        for found in _contents(part):
            if found.tag == f"{W}txbxContent":
                self._after += self._source.box(found)
            elif found.tag == f"{DIAGRAM}relIds":
                self._after += self._source.diagram(found.get(f"{R}dm", ""))
            elif found.tag == _PICTURE_TEXT and found.get("string"):
                self._source.put_in(found.get("string", ""))
                self._after.append(Block(found.get("string", "")))
            elif found.tag == _CHART:
                self._source.leave_out("chart")
        if part.tag == f"{W}object":
            self._source.leave_out("embedded object")

    def _is_left_out(self, style: Style) -> bool:
        return not self._source.hidden and bool(self._deleted or style.hidden)

    def _put(self, text: str, style: Style) -> None:
        if not text:
            return
        fields = self._source.fields or []
        if kind := next((held.kind for held in fields if held.kind), ""):
            self._drop(kind, text)
        elif any(not held.shown for held in fields):
            self._drop("", text)
        elif self._is_left_out(style):
            self._drop(DELETED if self._deleted else HIDDEN, text)
        else:
            self._pieces.append(text)
            self._plain |= not style.bold and bool(text.strip())
            for pieces in self._dropped.values():
                pieces.append(" ")

    def _drop(self, kind: str, text: str) -> None:
        self._dropped.setdefault(kind, []).append(text)


def choose(alternate: Element) -> Element:
    """Return the first choice of an element for programs old and new; another as it is."""
    if alternate.tag != f"{MC}AlternateContent":
        return alternate
    choice = alternate.find(f"{MC}Choice")
    if choice is None:
        choice = alternate.find(f"{MC}Fallback")
    return alternate if choice is None else choice


def is_on_element(properties: Element, name: str) -> bool:
    """Whether properties hold an element that is on."""
    element = properties.find(f"{W}{name}")
    return element is not None and is_on(element.get(f"{W}val"), default=True)


def is_prompt(control: Element) -> bool:
    """Whether a content control shows what to write there: nobody has."""
    properties = control.find(f"{W}sdtPr")
    return properties is not None and is_on_element(properties, "showingPlcHdr")


def _contents(element: Element) -> Iterator[Element]:
    """Yield the text boxes and the like in a drawing, each once."""
    for child in element:
        if child.tag in (f"{W}txbxContent", f"{DIAGRAM}relIds", _PICTURE_TEXT, _CHART):
            yield child
        elif child.tag == f"{MC}AlternateContent":
            yield from _contents(choose(child))
        else:
            yield from _contents(child)


def _drop_down(mark: Element) -> str | None:
    """Return what is chosen in a form's list of choices."""
    choices = mark.find(f"{W}ffData/{W}ddList")
    if choices is None:
        return None
    entries = [value(entry) or "" for entry in choices.iterfind(f"{W}listEntry")]
    at = value(choices.find(f"{W}result")) or "0"
    return entries[int(at)] if at.isdecimal() and int(at) < len(entries) else ""


def _kind(word: str) -> str:
    return INDEX if word.upper() == "INDEX" else CONTENTS


def _first(*values: bool | None) -> bool:
    return next((held for held in values if held is not None), False)


def from_hex(code: str) -> int:
    """Return the number that a hexadecimal attribute holds; 0 where it is none."""
    try:
        return int(code, 16)
    except ValueError:
        return 0
