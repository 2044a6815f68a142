"""Raw text of office documents (DOCX, PPTX, XLSX, ODT), read without the package's readers.

Called by ingest_fidelity.py. A file's XML is walked in its order: `w:t`, `a:t`, cells of text,
`text:p`. Text boxes and notes stand after the paragraph that they are anchored in, or at the end
of the document: there is more than one right order, and each reader is compared with the one that
it is nearest to. Left out are what the documentation says is no text of the body: tracked
deletions, hidden text, hidden sheets, rows, columns and slides, prompts of empty fields, tables of
contents, running headers, page numbers. Numbers of sheets are shown differently by each program:
only words without figures count. Characters of symbol fonts are missing here.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError

# A raw text in each order that is right, and its pages, slides or sheets.
Raw = tuple[list[str], int]

_SCHEMAS = "http://schemas.openxmlformats.org/"
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
W = f"{{{_SCHEMAS}wordprocessingml/2006/main}}"
A = f"{{{_SCHEMAS}drawingml/2006/main}}"
P = f"{{{_SCHEMAS}presentationml/2006/main}}"
X = f"{{{_SCHEMAS}spreadsheetml/2006/main}}"
M = f"{{{_SCHEMAS}officeDocument/2006/math}}"
R = f"{{{_SCHEMAS}officeDocument/2006/relationships}}"
FALLBACK = f"{{{_SCHEMAS}markup-compatibility/2006}}Fallback"
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_SIGNS = {"tab": " ", "ptab": " ", "br": " ", "cr": " ", "noBreakHyphen": "-"}
_CONTENTS = re.compile(r"\s*(TOC|INDEX|TOA)\b")
# Parts of a formula that are words of their own.
_MATH = {f"{M}{name}" for name in ("oMath", "fName", "sub", "sup", "num", "den", "deg", "mr")}
T, OFFICE = f"{{{_ODF}text:1.0}}", f"{{{_ODF}office:1.0}}"
_ERRORS = (zipfile.BadZipFile, KeyError, ParseError, ValueError, OSError, RuntimeError)


class _Parts:
    """The parts of a zip package."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._names = {name.replace("\\", "/").lower(): name for name in self._zip.namelist()}

    def xml(self, name: str) -> Element | None:
        found = self._names.get(name.lower())
        if found is None:
            return None
        data = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", self._zip.read(found))
        return ElementTree.fromstring(data)

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """Return the kind and target of each relationship of a part, by its id."""
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        found = {}
        for held in root if root is not None else ():
            target = posixpath.normpath(posixpath.join("/", folder, held.get("Target", "")))
            kind = held.get("Type", "").rpartition("/")[2]
            found[held.get("Id", "")] = kind, target.lstrip("/")
        return found

    def of_kind(self, part: str, kind: str) -> list[str]:
        return [target for held, target in self.related(part).values() if held == kind]


def raw_word(path: Path) -> Raw | None:
    try:
        parts = _Parts(path)
        main = parts.of_kind("", "officeDocument")[0]
        root = parts.xml(main)
        notes: dict[tuple[str, str], Element] = {}
        for kind in ("footnote", "endnote"):
            for name in parts.of_kind(main, f"{kind}s"):
                held = parts.xml(name)
                for note in held if held is not None else ():
                    if note.get(f"{W}type", "normal") == "normal":
                        notes[kind, note.get(f"{W}id", "")] = note
        contents = _contents_styles(parts, main)
    except (*_ERRORS, IndexError):
        return None
    if root is None:
        return None
    texts = []
    for in_place in (True, False):
        story = _Story(notes, contents)
        story.in_place = in_place
        story.read(root)
        texts.append("\n".join(story.lines + story.late))
    return texts, 1


def _contents_styles(parts: _Parts, main: str) -> set[str]:
    """Return the ids of the styles of tables of contents and indexes."""
    styles = set()
    for name in parts.of_kind(main, "styles"):
        root = parts.xml(name)
        for style in root.iter(f"{W}style") if root is not None else ():
            held = style.find(f"{W}name")
            title = "" if held is None else held.get(f"{W}val", "")
            if re.fullmatch(r"(?i)(toc|index) \d|table of (figures|authorities)", title):
                styles.add(style.get(f"{W}styleId", ""))
    return styles


class _Story:
    """The paragraphs of a Word document; notes and boxes follow theirs, or come late."""

    def __init__(self, notes: dict[tuple[str, str], Element], contents: set[str]) -> None:
        self._notes = dict(notes)
        self._contents = contents
        self._fields: list[str] = []
        self.in_place = True
        self.lines: list[str] = []
        self.late: list[str] = []

    def read(self, element: Element) -> None:
        for child in element:
            if child.tag == f"{W}p":
                self._paragraph(child)
            elif child.tag not in (FALLBACK, f"{W}del", f"{W}moveFrom"):
                gallery = child.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
                is_contents = gallery is not None and gallery.get(f"{W}val") == "Table of Contents"
                if not is_contents and not _is_prompt(child):
                    self.read(child)

    def _paragraph(self, paragraph: Element) -> None:
        pieces: list[str] = []
        anchored: list[Element] = []
        self._inline(paragraph, pieces, anchored)
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        if style is None or style.get(f"{W}val") not in self._contents:
            self.lines.append("".join(pieces))
        for held in anchored:
            story = _Story(self._notes, self._contents)
            story.read(held)
            is_late = not self.in_place and held.tag != f"{W}txbxContent"
            (self.late if is_late else self.lines).extend(story.lines)

    def _inline(self, element: Element, pieces: list[str], anchored: list[Element]) -> None:
        for child in element:
            tag = child.tag.removeprefix(W)
            if _is_left_out(child):
                continue
            if tag in _SIGNS:
                pieces.append(_SIGNS[tag] if tag != "tab" or not element.tag.endswith("s") else "")
            elif tag in ("t", "fldChar", "instrText"):
                self._text(child, tag, pieces)
            elif tag in ("footnoteReference", "endnoteReference"):
                key = tag.removesuffix("Reference"), child.get(f"{W}id", "")
                anchored += filter(None, [self._notes.pop(key, None)])
            elif tag == "txbxContent":
                anchored.append(child)
            elif tag == "p":
                self._paragraph(child)
            else:
                pieces.append(" " if child.tag in _MATH else "")
                pieces.append(child.text or "" if child.tag == f"{M}t" else "")
                self._inline(child, pieces, anchored)
                pieces.append(" " if child.tag in _MATH else "")

    def _text(self, part: Element, tag: str, pieces: list[str]) -> None:
        """Add a text, unless it stands in a field that makes a table of contents."""
        if tag == "fldChar" and part.get(f"{W}fldCharType") == "begin":
            self._fields.append("")
        elif tag == "fldChar" and part.get(f"{W}fldCharType") == "end" and self._fields:
            self._fields.pop()
        elif tag == "instrText" and self._fields:
            self._fields[-1] += part.text or ""
        elif tag == "t" and not any(map(_CONTENTS.match, self._fields)):
            pieces.append(part.text or "")


def _is_left_out(element: Element) -> bool:
    """Whether an element is deleted, hidden, a prompt, or the old form of another."""
    name = element.tag.removeprefix(W)
    return (
        element.tag == FALLBACK
        or name in ("del", "moveFrom", "rt")
        or _is_prompt(element)
        or (name == "r" and _is_on(element.find(f"{W}rPr/{W}vanish")))
    )


def _is_prompt(element: Element) -> bool:
    """Whether a content control shows what to write there: nobody has."""
    return element.tag == f"{W}sdt" and _is_on(element.find(f"{W}sdtPr/{W}showingPlcHdr"))


def _is_on(flag: Element | None) -> bool:
    return flag is not None and flag.get(f"{W}val", "1") not in ("0", "false", "off")


def raw_slides(path: Path) -> Raw | None:
    try:
        parts = _Parts(path)
        main = parts.of_kind("", "officeDocument")[0]
        root = parts.xml(main)
        relations = parts.related(main)
        lines: list[str] = []
        count = 0
        for held in root.iterfind(f"{P}sldIdLst/{P}sldId") if root is not None else ():
            name = relations[held.get(f"{R}id", "")][1]
            slide = parts.xml(name)
            if slide is None or slide.get("show") in ("0", "false"):
                continue
            count += 1
            lines += _drawn(slide, parts, name)
            for note in parts.of_kind(name, "notesSlide"):
                if (notes := parts.xml(note)) is not None:
                    lines += _drawn(notes, parts, note)
    except (*_ERRORS, IndexError):
        return None
    return ["\n".join(lines)], count


def _drawn(element: Element, parts: _Parts, name: str) -> Iterator[str]:
    """Yield the paragraphs of the shapes in a slide, in order; a slide's title first."""
    shapes = list(_shapes(element))
    titles = [s for s in shapes if _placeholder(s) in ("title", "ctrTitle")][:1]
    for shape in titles + [s for s in shapes if s not in titles]:
        if _placeholder(shape) in ("dt", "ftr", "hdr", "sldNum", "sldImg"):
            continue
        yield from _paragraphs(shape)
        for held in shape.iter(f"{{{_SCHEMAS}drawingml/2006/diagram}}relIds"):
            kind, target = parts.related(name).get(held.get(f"{R}dm", ""), ("", ""))
            data = parts.xml(target) if kind else None
            if data is not None:
                yield from _paragraphs(data)


def _shapes(element: Element) -> Iterator[Element]:
    for child in element:
        if child.tag in (f"{P}sp", f"{P}graphicFrame", f"{P}cxnSp"):
            yield child
        elif child.tag != FALLBACK:
            yield from _shapes(child)


def _placeholder(shape: Element) -> str:
    held = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return "" if held is None else held.get("type", "body")


def _paragraphs(element: Element) -> Iterator[str]:
    for paragraph in element.iter(f"{A}p"):
        yield "".join(
            (part.text or "") if part.tag == f"{A}t" else " "
            for part in paragraph.iter()
            if part.tag in (f"{A}t", f"{A}br")
        ).replace("_x000B_", " ")


def raw_sheets(path: Path) -> Raw | None:
    try:
        parts = _Parts(path)
        main = parts.of_kind("", "officeDocument")[0]
        root = parts.xml(main)
        relations = parts.related(main)
        strings: list[str] = []
        for name in parts.of_kind(main, "sharedStrings"):
            held = parts.xml(name)
            strings += map(_string, held if held is not None else ())
        lines: list[str] = []
        count = 0
        for element in root.iterfind(f"{X}sheets/{X}sheet") if root is not None else ():
            target = relations[element.get(f"{R}id", "")][1]
            sheet = parts.xml(target)
            if sheet is None or element.get("state", "visible") != "visible":
                continue
            count += 1
            rows = list(_sheet_rows(sheet, strings))
            lines += [element.get("name", ""), *rows] if any(rows) else []
            for name in parts.of_kind(target, "drawing"):
                if (drawn := parts.xml(name)) is not None:
                    lines += _paragraphs(drawn)
    except (*_ERRORS, IndexError):
        return None
    return ["\n".join(lines)], count


def _sheet_rows(sheet: Element, strings: list[str]) -> Iterator[str]:
    hidden: set[int] = set()
    for held in sheet.iterfind(f"{X}cols/{X}col"):
        if held.get("hidden") in ("1", "true"):
            hidden |= set(range(int(held.get("min", "1")), int(held.get("max", "1")) + 1))
    for row in sheet.iter(f"{X}row"):
        if row.get("hidden") in ("1", "true"):
            continue
        texts = []
        for cell in row.iterfind(f"{X}c"):
            column = 0
            for letter in re.sub("[^A-Z]", "", cell.get("r", "")):
                column = 26 * column + ord(letter) - 64
            value, kind = cell.findtext(f"{X}v") or "", cell.get("t")
            if kind == "s":
                value = strings[int(value)] if value else ""
            elif kind == "inlineStr":
                value = "".join(map(_string, cell.iterfind(f"{X}is")))
            elif kind == "b":
                value = {"1": "TRUE", "0": "FALSE"}.get(value, "")
            elif kind not in ("str", "e"):
                continue
            if column not in hidden:
                texts.append(value)
        yield " ".join(texts)


def _string(item: Element) -> str:
    texts = [item.findtext(f"{X}t"), *(run.findtext(f"{X}t") for run in item.iterfind(f"{X}r"))]
    return "".join(filter(None, texts))


def raw_odt(path: Path) -> Raw | None:
    try:
        root = _Parts(path).xml("content.xml")
    except _ERRORS:
        return None
    body = None if root is None else root.find(f"{OFFICE}body/{OFFICE}text")
    if body is None:
        return None
    texts = []
    for in_place in (True, False):
        lines: list[str] = []
        late: list[str] = []
        _read_odt(body, lines, lines if in_place else late)
        texts.append("\n".join(lines + late))
    return texts, 1


def _read_odt(element: Element, lines: list[str], notes: list[str]) -> None:
    for child in element:
        if child.tag in (f"{T}p", f"{T}h"):
            pieces: list[str] = [child.text or ""]
            anchored: list[Element] = []
            _inline_odt(child, pieces, anchored)
            lines.append("".join(pieces))
            for held in anchored:
                is_note = held.tag == f"{T}note-body"
                _read_odt(held, notes if is_note else lines, notes)
        elif not _is_aside(child):
            _read_odt(child, lines, notes)


def _inline_odt(element: Element, pieces: list[str], anchored: list[Element]) -> None:
    for child in element:
        if child.tag in (f"{T}s", f"{T}tab", f"{T}line-break"):
            pieces.append(" ")
        elif child.tag == f"{T}note":
            anchored += child.iterfind(f"{T}note-body")
        elif child.tag.startswith(f"{{{_ODF}drawing"):
            anchored.append(child)
        elif not _is_aside(child):
            pieces.append(child.text or "")
            _inline_odt(child, pieces, anchored)
        pieces.append(child.tail or "")


def _is_aside(element: Element) -> bool:
    """Whether an element's text is none of the body's."""
    name = element.tag.rpartition("}")[2]
    return name in ("tracked-changes", "annotation", "table-of-content", "alphabetical-index",
                    "illustration-index", "table-index", "object", "ruby-text")  # fmt: skip
