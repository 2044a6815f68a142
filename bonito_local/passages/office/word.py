"""Word documents (DOCX), read from their XML: headings, paragraphs, lists, tables, notes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from bonito_local.passages.archives import check_archive
from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.completeness import Part
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.grid import LABEL, Cell, Row, table_lines
from bonito_local.passages.office.omitted import Omitted
from bonito_local.passages.office.outline import BOLD_LEVEL, Lines, in_one_line, settle_headings
from bonito_local.passages.office.package import DIAGRAM, MC, A, Package, R, W, damaged
from bonito_local.passages.office.wordinline import (
    CONTENTS,
    DELETED,
    INDEX,
    PROMPT,
    Field,
    Line,
    choose,
    is_on_element,
    is_prompt,
    read_line,
)
from bonito_local.passages.office.wordraw import raw_words
from bonito_local.passages.office.wordstyles import (
    Numbering,
    Style,
    Styles,
    numbering_of,
    outline_level,
    value,
)
from bonito_local.passages.plain import decode, plain_blocks

# Reads HTML, RTF and the like, which a document may hold: bytes and suffix to blocks.
Embedded = Callable[[bytes, str], list[Block]]

_CONTENTS_STYLE = re.compile(r"(?:toc|index) (?:\d|heading)|table of (?:figures|authorities)|toa.*")
_WRAPPERS = tuple(f"{W}{name}" for name in ("customXml", "smartTag", "ins", "moveTo", "sdtContent"))
_MOST_DEPTH = 3  # of documents in documents
_LONG_CELL = 1000  # characters: a table of such cells lays out a page


def word_blocks(data: bytes, notes: Notes, embedded: Embedded, depth: int = 0) -> list[Block]:
    """Read a Word document into blocks; `embedded` reads parts of other kinds in it.

    Raises:
        DocumentError: the document is damaged, encrypted, or no Word document.
    """
    document = _Document(Package(data, ".docx"), notes, embedded, depth)
    return document.blocks()


class _Document:
    """A Word document and all its stories: the body, notes, comments, boxes."""

    def __init__(self, package: Package, notes: Notes, embedded: Embedded, depth: int) -> None:
        self._package = package
        self._main = package.main()
        self._relations = package.relations(self._main)
        self.styles = Styles(self._part("styles"))
        self.numbering = Numbering(self._part("numbering"), self.styles)
        self.omitted = Omitted(notes)
        self.hidden = notes.hidden
        self.fields: list[Field] | None = []
        self.in_contents = False
        self._notes = notes
        self._embedded = embedded
        self._depth = depth
        self._stories = {kind: self._story(kind) for kind in ("footnote", "endnote", "comment")}

    def blocks(self) -> list[Block]:
        root = self._package.xml(self._main)
        bodies = [] if root is None else root.findall(f"{W}body")
        if not bodies:
            raise damaged(".docx", "its main part is no text")
        if not all(map(_is_balanced, bodies)):
            self.fields = None
        self.omitted.leave_out("comment", count=0 if self.hidden else len(self._stories["comment"]))
        reader = _Story(self)
        for body in bodies:
            reader.read(body)
        blocks = settle_headings(reader.end())
        if not self._depth:
            self.omitted.report()
            self._check(blocks)
        return blocks

    def _check(self, blocks: list[Block]) -> None:
        names = [self._main, *self._package.related(self._main, "footnotes")]
        names += self._package.related(self._main, "endnotes")
        if self.hidden:
            names += self._package.related(self._main, "comments")
        parts = [
            Part(posixpath.basename(name), raw_words(self._package.read(name) or b""))
            for name in names
        ]
        self.omitted.check(parts, "\n".join(block.text for block in blocks), "part")

    def _part(self, kind: str) -> Element | None:
        names = [held.target for held in self._relations.values() if held.kind == kind]
        return self._package.xml(names[0]) if names else None

    def _story(self, kind: str) -> dict[str, Element]:
        root = self._part(f"{kind}s")
        found = root.iterfind(f"{W}{kind}") if root is not None else ()
        # Those with a type are separators.
        usual = (None, "normal")
        return {e.get(f"{W}id", ""): e for e in found if e.get(f"{W}type") in usual}

    # What `wordinline.Source` asks for.

    def note(self, kind: str, number: str) -> list[Block]:
        """Return a note's text, the first time it is referred to; a comment's if it is to be."""
        if kind == "comment" and not self.hidden:
            return []
        element = self._stories[kind].pop(number, None)
        if element is None:
            return []
        text = "\n".join(block.text for block in self.box(element))
        return [Block(text)] if text else []

    def box(self, content: Element) -> list[Block]:
        """Return what a text box holds."""
        fields, self.fields = self.fields, [] if _is_balanced(content) else None
        story = _Story(self)
        story.read(content)
        self.fields = fields
        return [Block(block.text) for block in story.end()]

    def diagram(self, relation: str) -> list[Block]:
        """Return the text of a diagram (SmartArt), a line for each shape."""
        held = self._relations.get(relation)
        root = self._package.xml(held.target) if held and not held.external else None
        if root is None:
            return []
        lines = []
        for point in root.iter(f"{DIAGRAM}pt"):
            paragraphs = point.iter(f"{A}p")
            text = " ".join("".join(t.text or "" for t in p.iter(f"{A}t")) for p in paragraphs)
            lines.append(tidy(text))
        text = "\n".join(filter(None, lines))
        self.omitted.added.append(text)
        return [Block(text)] if text else []

    def leave_out(self, kind: str, text: str = "", count: int = 1) -> None:
        """Record a text that is left out."""
        self.omitted.leave_out(kind, text, count)

    def put_in(self, text: str) -> None:
        """Record a text that no text element holds as it is read."""
        self.omitted.added.append(text)

    def chunk(self, relation: str) -> list[Block]:
        """Return the text of a document that stands in this one (altChunk)."""
        held = self._relations.get(relation)
        data = self._package.read(held.target) if held and not held.external else None
        if held is None or data is None or self._depth >= _MOST_DEPTH:
            self.omitted.leave_out("embedded document")
            return []
        suffix = posixpath.splitext(held.target)[1].lower()
        if suffix in (".docx", ".docm", ".dotx"):
            check_archive(data)
            blocks = word_blocks(data, self._notes, self._embedded, self._depth + 1)
        elif suffix == ".txt":
            blocks = plain_blocks(decode(data))
        elif suffix in (".htm", ".html", ".xhtml", ".rtf"):
            blocks = self._embedded(data, suffix)
        else:
            self.omitted.leave_out("embedded document")
            return []
        self.omitted.added += [block.text for block in blocks]
        return [block for block in blocks if block.text]


class _Story:
    """One run of paragraphs and tables: the body, a cell, a text box, a note."""

    def __init__(self, document: _Document, in_cell: bool = False) -> None:
        self._document = document
        self._in_cell = in_cell
        self._lines = Lines()
        self._joined = ""  # a drop cap, or a paragraph whose end was deleted
        self.bold: bool | None = None
        self.tables = 0

    def end(self) -> list[Block]:
        """Return what was read."""
        self._flush()
        return self._lines.end()

    def read(self, container: Element) -> None:
        """Read the paragraphs and tables in an element."""
        for child in container:
            tag = child.tag
            if tag == f"{W}p":
                self._paragraph(child)
            elif tag == f"{W}tbl":
                self._flush()
                self._table(child)
            elif tag == f"{W}sdt":
                self._control(child)
            elif tag == f"{W}altChunk":
                for block in self._document.chunk(child.get(f"{R}id", "")):
                    self._lines.add(block.text, block.level)
            elif tag == f"{W}subDoc":
                self._document.leave_out("linked document")
            elif tag == f"{MC}AlternateContent":
                self.read(choose(child))
            elif tag in _WRAPPERS:
                self.read(child)

    def _control(self, element: Element) -> None:
        properties, content = element.find(f"{W}sdtPr"), element.find(f"{W}sdtContent")
        if content is None:
            return
        place = f"{W}docPartObj/{W}docPartGallery"
        gallery = None if properties is None else properties.find(place)
        if value(gallery) == "Table of Contents":
            self._leave_out_contents(CONTENTS, _all_text(content))
        elif is_prompt(element):
            self._document.leave_out(PROMPT, _all_text(content))
        else:
            self.read(content)

    def _leave_out_contents(self, kind: str, text: str) -> None:
        self._document.leave_out(kind, text, 0 if self._document.in_contents else 1)
        self._document.in_contents = True

    def _paragraph(self, paragraph: Element) -> None:
        document = self._document
        properties = paragraph.find(f"{W}pPr")
        style = _paragraph_style(document.styles, properties)
        line = read_line(paragraph, style, document)
        for kind, text in line.dropped.items():
            if kind in (CONTENTS, INDEX):
                self._leave_out_contents(kind, text)
            elif kind == DELETED:
                document.omitted.count_words(DELETED, text)
            else:
                document.omitted.leave_out(kind or "field", text, 0)
        text = tidy(line.text)
        if text and _CONTENTS_STYLE.fullmatch(style.name):
            self._leave_out_contents(INDEX if style.name.startswith("index") else CONTENTS, text)
            return
        if text:
            document.in_contents = False
        if self._goes_on(properties):
            self._joined += line.text
        else:
            line.text, self._joined = self._joined + line.text, ""
            self._add(line, properties, style)
        self._lines.later += line.after

    def _goes_on(self, properties: Element | None) -> bool:
        """Whether the next paragraph stands in one line with this one."""
        if properties is None:
            return False
        frame = properties.find(f"{W}framePr")
        if frame is not None and frame.get(f"{W}dropCap") in ("drop", "margin"):
            return True
        mark = properties.find(f"{W}rPr")
        if mark is None or self._document.hidden:
            return False
        return mark.find(f"{W}del") is not None or mark.find(f"{W}moveFrom") is not None

    def _flush(self) -> None:
        if text := tidy(self._joined):
            self._lines.add(text)
        self._joined = ""

    def _add(self, line: Line, properties: Element | None, style: Style) -> None:
        text = tidy(line.text)
        level = None if properties is None else outline_level(properties)
        level = (style.level if level is None else level) or 0
        number, number_level = numbering_of(properties)
        number = style.number if number is None else number
        label = ""
        if number not in (None, "0") and (text or not line.dropped):
            at = number_level if number_level is not None else style.number_level or 0
            label = self._document.numbering.label(number or "", at)
        if not text:
            return
        if label and label != "-":
            self._document.omitted.added.append(label)
        self.bold = line.bold if self.bold is None else self.bold and line.bold
        if style.name == "title" and not self._in_cell:
            self._lines.add(in_one_line(text), title=True)
        elif level:
            self._lines.add(in_one_line(f"{'' if label == '-' else label} {text}"), level)
        elif label:
            self._lines.add_item(label, text)
        else:
            is_heading = line.bold and not self._in_cell
            self._lines.add(text, BOLD_LEVEL if is_heading else 0)

    def _table(self, table: Element) -> None:
        """Read a table: as rows, or as paragraphs where it only lays out a page."""
        self.tables += 1
        document = self._document
        rows: list[Row] = []
        stories: list[list[tuple[Cell, _Story, list[Block]]]] = []
        headers = 0
        labels: dict[int, Cell] = {}
        for element in self._inside(table, f"{W}tr"):
            properties = element.find(f"{W}trPr")
            if properties is not None and not document.hidden:
                deleted = properties.find(f"{W}del") is not None
                if deleted or is_on_element(properties, "hidden"):
                    text = _all_text(element)
                    document.omitted.leave_out("hidden row" if not deleted else "tracked row", text)
                    continue
            read = self._row(element, properties, labels)
            if properties is not None and is_on_element(properties, "tblHeader"):
                headers += headers == len(rows)
            stories.append(read)
            rows.append([cell for cell, _, _ in read])
        for _, story, _ in [held for row in stories for held in row]:
            self._lines.later += story._lines.later_left()
        if _lays_out(stories):
            for _, _, blocks in [held for row in stories for held in row]:
                for block in blocks:
                    self._lines.add(block.text, block.level, joined=block.text.startswith("- "))
            return
        known = headers if 0 < headers < len(rows) else None
        self._lines.add("\n".join(table_lines(rows, known, document.omitted)))

    def _inside(self, element: Element, tag: str) -> Iterator[Element]:
        """Yield the rows of a table, or the cells of a row, through what wraps them."""
        for child in element:
            if child.tag == tag:
                yield child
            elif child.tag == f"{W}sdt" and is_prompt(child):
                self._document.leave_out(PROMPT, _all_text(child))
            elif child.tag == f"{W}sdt" or child.tag in _WRAPPERS:
                yield from self._inside(child, tag)

    def _row(
        self, element: Element, properties: Element | None, labels: dict[int, Cell]
    ) -> list[tuple[Cell, _Story, list[Block]]]:
        """Read a row's cells; `labels` are the merged cells that go on from the row above."""
        before = None if properties is None else value(properties.find(f"{W}gridBefore"))
        column = _count(before)
        read = []
        for held in self._inside(element, f"{W}tc"):
            cell_properties = held.find(f"{W}tcPr")
            span, merged = 1, None
            if cell_properties is not None:
                span = max(1, _count(value(cell_properties.find(f"{W}gridSpan")) or "1"))
                merged = cell_properties.find(f"{W}vMerge")
            story = _Story(self._document, in_cell=True)
            story.read(held)
            blocks = story.end()
            cell = Cell(in_one_line(blocks), column, span, bool(story.bold))
            if merged is not None and value(merged) != "restart":
                above = labels.get(column)
                if not cell.text and above and len(above.text) <= LABEL:
                    cell = Cell(above.text, column, span, above.bold, repeated=True)
            elif merged is not None:
                labels[column] = cell
            read.append((cell, story, blocks))
            column += span
        return read


def _paragraph_style(styles: Styles, properties: Element | None) -> Style:
    name = None if properties is None else value(properties.find(f"{W}pStyle"))
    return styles.get(styles.default if name is None else name)


def _all_text(element: Element) -> str:
    """Return the text in an element, shown or not."""
    pieces = []
    for part in element.iter():
        if part.tag == f"{W}t":
            pieces.append(part.text or "")
        elif part.tag in (f"{W}p", f"{W}tab", f"{W}br", f"{W}cr"):
            pieces.append(" ")
    return "".join(pieces)


def _is_balanced(story: Element) -> bool:
    """Whether all fields that begin in a story end in it: else none is to be believed."""
    open_fields = 0
    for mark in story.iter(f"{W}fldChar"):
        kind = mark.get(f"{W}fldCharType")
        open_fields += (kind == "begin") - (kind == "end")
        if open_fields < 0:
            return False
    return not open_fields


def _lays_out(rows: list[list[tuple[Cell, _Story, list[Block]]]]) -> bool:
    """Whether a table is paragraphs beside each other, not rows of values."""
    cells = [held for row in rows for held in row if held[2]]
    if not cells:
        return False
    if len({cell.column for cell, _, _ in cells}) == 1:
        return True
    if len(rows) == 1 and any(len(blocks) > 1 for _, _, blocks in cells):
        return True
    return any(
        len(cell.text) > _LONG_CELL or story.tables or any(0 < b.level < BOLD_LEVEL for b in blocks)
        for cell, story, blocks in cells
    )


def _count(text: str | None) -> int:
    return min(int(text), 1000) if text and text.isdecimal() else 0
