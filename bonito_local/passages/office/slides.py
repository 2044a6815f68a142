"""Slides (PPTX), read from their XML: each is a page, and what its speaker noted follows it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.completeness import Part
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.grid import LABEL, Cell, Row, table_lines
from bonito_local.passages.office.mathtext import math_text
from bonito_local.passages.office.omitted import Omitted
from bonito_local.passages.office.outline import Lines, in_one_line
from bonito_local.passages.office.package import (
    DIAGRAM,
    MC,
    A,
    M,
    P,
    Package,
    R,
    damaged,
    is_on,
)
from bonito_local.passages.office.symbols import raised
from bonito_local.passages.office.wordinline import choose
from bonito_local.passages.office.wordstyles import format_number

_TITLES = ("title", "ctrTitle")
_RUNNING = ("dt", "ftr", "hdr", "sldNum", "sldImg")
_TITLE_LEVEL = 2
_COUNTERS = {"arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter"}
_COUNTERS |= {"romanLc": "lowerRoman", "romanUc": "upperRoman"}
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_OLE = f"{P}oleObj"
_RAW = re.compile(rb"<a:t(?:\s[^>]*)?>([^<]*)<|</a:p>|<a:(?:br|tab)\b")
_FALLBACK = re.compile(rb"<mc:Fallback\b.*?</mc:Fallback>", re.DOTALL)


def slide_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read a presentation into blocks, each with its slide as its page.

    Raises:
        DocumentError: the document is damaged, or no presentation.
    """
    package = Package(data, ".pptx")
    main = package.main()
    root = package.xml(main)
    if root is None or root.tag != f"{P}presentation":
        raise damaged(".pptx", "its main part is no presentation")
    relations = package.relations(main)
    omitted = Omitted(notes)
    blocks: list[Block] = []
    parts: list[Part] = []
    for number, element in enumerate(root.iterfind(f"{P}sldIdLst/{P}sldId"), start=1):
        held = relations.get(element.get(f"{R}id", ""))
        slide = package.xml(held.target) if held and not held.external else None
        if held is None or slide is None:
            notes.add(f"Slide {number} is not in the document.", "Save it anew.")
            continue
        if not is_on(slide.get("show"), default=True) and not notes.hidden:
            omitted.leave_out("hidden slide")
            continue
        reader = _Slide(package, held.target, omitted)
        read = [replace(block, pages=((0, number),)) for block in reader.blocks(slide)]
        blocks += read
        names = [held.target, *package.related(held.target, "notesSlide")]
        names += package.related(held.target, "comments") if notes.hidden else []
        raw = " ".join(raw_words(package.read(name) or b"") for name in names)
        parts.append(Part(str(number), raw))
    omitted.report()
    omitted.check(parts, "\n".join(block.text for block in blocks), "slide")
    return blocks


def raw_words(part: bytes) -> str:
    """Return the words of a part's text elements, without regard to its structure."""
    pieces = [
        " " if found[1] is None else found[1].decode("utf-8", "replace")
        for found in _RAW.finditer(_FALLBACK.sub(b"", part))
    ]
    return html.unescape("".join(pieces))


class _Slide:
    def __init__(self, package: Package, name: str, omitted: Omitted) -> None:
        self._package = package
        self._name = name
        self._relations = package.relations(name)
        self._omitted = omitted
        self._title = ""
        self._lines = Lines()

    def blocks(self, slide: Element) -> list[Block]:
        tree = slide.find(f"{P}cSld/{P}spTree")
        if tree is not None:
            self._shapes(tree)
            self._add_formulas(tree)
        self._notes()
        self._comments()
        blocks = self._lines.end()
        return [Block(self._title, _TITLE_LEVEL), *blocks] if self._title else blocks

    def _add_formulas(self, root: Element | None) -> None:
        """Record the formulas of a part: no text element of the slide holds them."""
        formulas = root.iter(f"{M}oMath") if root is not None else ()
        self._omitted.added += map(math_text, formulas)

    def _shapes(self, tree: Element) -> None:
        for shape in tree:
            if shape.tag == f"{MC}AlternateContent":
                self._shapes(choose(shape))
                continue
            if _is_hidden(shape) and not self._omitted.hidden:
                texts = (t.text or "" for t in shape.iter(f"{A}t"))
                self._omitted.leave_out("hidden shape", " ".join(texts))
            elif shape.tag == f"{P}grpSp":
                self._shapes(shape)
            elif shape.tag in (f"{P}sp", f"{P}cxnSp"):
                self._shape(shape)
            elif shape.tag == f"{P}graphicFrame":
                self._frame(shape)

    def _shape(self, shape: Element) -> None:
        body = shape.find(f"{P}txBody")
        kind = _placeholder(shape)
        if body is None:
            return
        if kind in _RUNNING:
            self._omitted.texts.append(_text_of(body))
        elif kind in _TITLES and not self._title:
            self._title = in_one_line(tidy("\n".join(map(_paragraph, body.iterfind(f"{A}p")))))
        else:
            self._paragraphs(body, is_list=kind in ("body", "obj", ""))

    def _paragraphs(self, body: Element, *, is_list: bool) -> None:
        """Read a shape's paragraphs; with `is_list` those of a placeholder have bullets."""
        paragraphs = [p for p in body.iterfind(f"{A}p") if tidy(_paragraph(p))]
        is_list = is_list and len(paragraphs) > 1
        counts: dict[int, int] = {}
        for paragraph in paragraphs:
            text = tidy(_paragraph(paragraph))
            properties = paragraph.find(f"{A}pPr")
            label = _label(properties, counts, is_list)
            if label:
                self._omitted.added.append(label)
                self._lines.add_item(label, text)
            else:
                self._lines.add(text)
        self._lines.break_list()

    def _frame(self, frame: Element) -> None:
        for element in frame.iter():
            if element.tag == f"{A}tbl":
                self._table(element)
            elif element.tag == f"{DIAGRAM}relIds":
                self._diagram(element.get(f"{R}dm", ""))
            elif element.tag == _CHART:
                self._omitted.leave_out("chart")
            elif element.tag == _OLE:
                self._omitted.leave_out("embedded object")

    def _diagram(self, relation: str) -> None:
        held = self._relations.get(relation)
        root = self._package.xml(held.target) if held and not held.external else None
        for point in root.iter(f"{DIAGRAM}pt") if root is not None else ():
            text = in_one_line(tidy("\n".join(map(_paragraph, point.iter(f"{A}p")))))
            self._omitted.added.append(text)
            self._lines.add(text)

    def _table(self, table: Element) -> None:
        rows: list[Row] = []
        labels: dict[int, Cell] = {}
        for element in table.iterfind(f"{A}tr"):
            row: Row = []
            for column, held in enumerate(element.iterfind(f"{A}tc")):
                body = held.find(f"{A}txBody")
                found = body.iterfind(f"{A}p") if body is not None else ()
                texts = [tidy(_paragraph(paragraph)) for paragraph in found]
                text = in_one_line([Block(text) for text in texts])
                span = held.get("gridSpan", "1")
                cell = Cell(text, column, int(span) if span.isdecimal() else 1, _is_bold(held))
                above = labels.get(column)
                if is_on(held.get("vMerge")) and not text and above and len(above.text) <= LABEL:
                    cell = replace(above, repeated=True)
                elif held.get("rowSpan", "1") != "1":
                    labels[column] = cell
                row.append(cell)
            rows.append(row)
        properties = table.find(f"{A}tblPr")
        named = properties is not None and is_on(properties.get("firstRow")) and len(rows) > 1
        header_rows = 1 if named and len([c for c in rows[0] if c.text]) > 1 else None
        self._lines.add("\n".join(table_lines(rows, header_rows, self._omitted)))

    def _notes(self) -> None:
        for name in self._package.related(self._name, "notesSlide"):
            root = self._package.xml(name)
            self._add_formulas(root)
            for shape in root.iter() if root is not None else ():
                if shape.tag == f"{P}graphicFrame":
                    self._frame(shape)
                body = shape.find(f"{P}txBody") if shape.tag == f"{P}sp" else None
                if body is None:
                    continue
                if _placeholder(shape) in _RUNNING:
                    self._omitted.texts.append(_text_of(body))
                    continue
                for paragraph in body.iterfind(f"{A}p"):
                    self._lines.add(tidy(_paragraph(paragraph)))

    def _comments(self) -> None:
        for name in self._package.related(self._name, "comments"):
            root = self._package.xml(name)
            for comment in root if root is not None else ():
                if not self._omitted.hidden:
                    self._omitted.leave_out("comment")
                    continue
                old = [t.text or "" for t in comment.iter(f"{P}text")]
                self._omitted.added += old
                for text in old + [_paragraph(p) for p in comment.iter(f"{A}p")]:
                    self._lines.add(tidy(text))


def _paragraph(paragraph: Element) -> str:
    pieces = []
    for part in _parts(paragraph):
        if part.tag in (f"{A}r", f"{A}fld"):
            text = part.findtext(f"{A}t") or ""
            properties = part.find(f"{A}rPr")
            baseline = "" if properties is None else properties.get("baseline", "")
            is_raised = baseline.rstrip("%").isdecimal() and not baseline.startswith("0")
            pieces.append(raised(text) if is_raised else text)
        elif part.tag == f"{A}br":
            pieces.append("\n")
        elif part.tag in (f"{M}oMath", f"{M}oMathPara"):
            pieces.append(f" {math_text(part)} ")
    return "".join(pieces).replace("\v", "\n").replace("_x000B_", "\n")


def _parts(paragraph: Element) -> Iterator[Element]:
    for part in paragraph:
        if part.tag == f"{MC}AlternateContent":
            yield from _parts(choose(part))
        elif part.tag.endswith("}m"):  # a formula, wrapped
            yield from _parts(part)
        else:
            yield part


def _label(properties: Element | None, counts: dict[int, int], is_list: bool) -> str:
    """Return a paragraph's bullet or number, "" where it has none."""
    level = 0
    if properties is not None:
        at = properties.get("lvl", "0")
        level = int(at) if at.isdecimal() else 0
        numbered = properties.find(f"{A}buAutoNum")
        if numbered is not None:
            for deeper in [held for held in counts if held > level]:
                del counts[deeper]
            start = numbered.get("startAt", "1")
            begun = counts.get(level, (int(start) if start.isdecimal() else 1) - 1)
            counts[level] = begun + 1
            kind = numbered.get("type", "arabicPeriod")
            name = next((held for held in _COUNTERS if kind.startswith(held)), "arabic")
            sign = ")" if "Paren" in kind else "" if kind.endswith("Plain") else "."
            return f"{format_number(counts[level], _COUNTERS[name])}{sign}"
        if properties.find(f"{A}buNone") is not None:
            return ""
        if properties.find(f"{A}buChar") is not None:
            return "-"
    counts.clear()
    return "-" if is_list else ""


def _placeholder(shape: Element) -> str | None:
    """Return the kind of a placeholder, None of another shape."""
    held = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return None if held is None else held.get("type", "")


def _is_hidden(shape: Element) -> bool:
    for properties in shape:
        if properties.tag.startswith(f"{P}nv"):
            held = properties.find(f"{P}cNvPr")
            return held is not None and is_on(held.get("hidden"))
    return False


def _is_bold(cell: Element) -> bool:
    runs = [run for run in cell.iter(f"{A}r") if (run.findtext(f"{A}t") or "").strip()]
    properties = [run.find(f"{A}rPr") for run in runs]
    return bool(runs) and all(held is not None and is_on(held.get("b")) for held in properties)


def _text_of(body: Element) -> str:
    return "\n".join(map(_paragraph, body.iterfind(f"{A}p")))
