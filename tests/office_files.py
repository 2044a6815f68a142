"""Office documents for the tests, written on the fly from their XML."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

import openpyxl
from hostile import zipped
from openpyxl.worksheet.worksheet import Worksheet

_SCHEMAS = "http://schemas.openxmlformats.org/"
RELATIONS = f"{_SCHEMAS}officeDocument/2006/relationships"
_LINKS = f'xmlns="{_SCHEMAS}package/2006/relationships"'
_NAMES = {
    "w": f"{_SCHEMAS}wordprocessingml/2006/main",
    "r": RELATIONS,
    "m": f"{_SCHEMAS}officeDocument/2006/math",
    "mc": f"{_SCHEMAS}markup-compatibility/2006",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "v": "urn:schemas-microsoft-com:vml",
}
_SPACES = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in _NAMES.items())


def run(text: str, properties: str = "") -> str:
    """A run of Word."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def par(*runs: str, properties: str = "") -> str:
    """A paragraph of Word, of runs or of plain text."""
    inner = "".join(held if held.startswith("<") else run(held) for held in runs)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def cell(*paragraphs: str, properties: str = "") -> str:
    """A cell of Word, of paragraphs or of plain text."""
    inner = "".join(held if held.startswith("<") else par(held) for held in paragraphs)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inner or par()}</w:tc>"


def table(*rows: list[str]) -> str:
    """A table of Word, of rows of cells or of plain text."""
    lines = [[held if held.startswith("<") else cell(held) for held in row] for row in rows]
    inner = "".join("<w:tr>" + "".join(line) + "</w:tr>" for line in lines)
    return f"<w:tbl>{inner}</w:tbl>"


def docx(
    *body: str,
    main: str = "word/document.xml",
    parts: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Write a Word document: `parts` are by kind ("footnotes"), `files` by name, with ids."""
    inner = "".join(held if held.startswith("<") else par(held) for held in body)
    members: dict[str, str | bytes] = {
        "_rels/.rels": _relations([("r1", "officeDocument", main)]),
        main: f"<w:document {_SPACES}><w:body>{inner}</w:body></w:document>",
    }
    links = []
    for kind, content in (parts or {}).items():
        links.append((kind, kind, f"{kind}.xml"))
        members[f"word/{kind}.xml"] = f"<w:{kind} {_SPACES}>{content}</w:{kind}>"
    for name, data in (files or {}).items():
        links.append((name, "aFChunk", name))
        members[f"word/{name}"] = data
    folder, _, name = main.rpartition("/")
    members[f"{folder}/_rels/{name}.rels"] = _relations(links)
    return zipped(members)


def _relations(links: list[tuple[str, str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="{name}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for name, kind, target in links
    )
    return f"<Relationships {_LINKS}>{inner}</Relationships>"


def workbook(fill: Callable[[Worksheet], None]) -> bytes:
    """Write a workbook with one sheet, which `fill` fills."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Costs"
    fill(sheet)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
