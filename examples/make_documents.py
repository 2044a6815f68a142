"""Write examples/documents from examples/sources, one document in each format.

Run it after a change to a source: `python examples/make_documents.py`. It needs
python-docx, fpdf2 and markdown-it-py (the `examples` extra).
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import docx
from fpdf import FPDF
from markdown_it import MarkdownIt

HERE = Path(__file__).parent
WRITTEN = datetime(2025, 4, 1, tzinfo=UTC)  # in every file, so that runs are alike

XML = '<?xml version="1.0" encoding="utf-8"?>\n'
CONTAINER = (
    f'{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)
PACKAGE = XML + (
    '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
    '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:identifier id="id">bonito-local-example</dc:identifier><dc:title>{title}</dc:title>'
    "<dc:language>en</dc:language>"
    '<meta property="dcterms:modified">{date:%Y-%m-%dT%H:%M:%SZ}</meta>'
    '</metadata><manifest><item id="nav" href="nav.xhtml" properties="nav" '
    'media-type="application/xhtml+xml"/>{items}</manifest><spine>{spine}</spine></package>'
)
PAGE = XML + (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
    'lang="en"><head><title>{title}</title></head><body>{body}</body></html>'
)


def blocks(source: str) -> list[tuple[int, str]]:
    """Return (heading level or 0, text) of a source made of headings and paragraphs."""
    found = []
    for block in re.split(r"\n\n+", source.strip()):
        marks = re.match(r"#*", block)
        level = len(marks[0]) if marks else 0
        found.append((level, block[level:].strip()))
    return found


def write_docx(source: str, path: Path) -> None:
    """Write headings and paragraphs with Word's own styles, and a page footer."""
    document = docx.Document()
    document.core_properties.created = document.core_properties.modified = WRITTEN
    for level, text in blocks(source):
        if level:
            document.add_heading(text, level - 1)
        else:
            document.add_paragraph(text)
    document.sections[0].footer.paragraphs[0].text = "Confidential"
    document.save(str(path))
    stamp(path)


def stamp(path: Path) -> None:
    """Give every member of a zip file the same date."""
    with zipfile.ZipFile(path) as zipped:
        members = [(info, zipped.read(info)) for info in zipped.infolist()]
    with zipfile.ZipFile(path, "w") as zipped:
        for info, data in members:
            fixed = zipfile.ZipInfo(info.filename, WRITTEN.timetuple()[:6])
            fixed.compress_type = info.compress_type
            zipped.writestr(fixed, data)


class _Page(FPDF):
    title_line = ""

    def header(self) -> None:
        self.set_font("Helvetica", size=9)
        self.cell(0, 10, self.title_line, new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=9)
        self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="C")


def write_pdf(source: str, path: Path) -> None:
    """Write A4 pages with a running header and page numbers."""
    title, *rest = blocks(source)
    page = _Page()
    page.set_creation_date(WRITTEN)
    page.title_line = f"Harrow Vale Hospital - {title[1]} - Confidential"
    page.set_auto_page_break(True, margin=22)
    page.add_page()
    for level, text in (title, *rest):
        page.set_font("Times", style="B" if level else "", size=(12, 18, 14)[level])
        page.multi_cell(0, 6 + level, text, new_x="LMARGIN", new_y="NEXT")
        page.ln(3)
    page.output(str(path))


def write_txt(source: str, path: Path) -> None:
    """Write plain text wrapped at 76 columns, headings in capitals."""
    parts = []
    for level, text in blocks(source):
        if level:
            parts.append(text.upper() + ("\n" + "=" * len(text) if level == 1 else ""))
        else:
            short = all(len(line) < 76 for line in text.split("\n"))
            parts.append(text if short else textwrap.fill(text, 76))
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_html(source: str, path: Path) -> None:
    """Write a page as a website has it, with navigation and footer."""
    title = blocks(source)[0][1]
    body = MarkdownIt("commonmark").enable("table").render(source)
    path.write_text(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}</title>\n<style>body {{ max-width: 40em; }}</style>\n</head>\n<body>\n"
        f'<nav><a href="/">Home</a> <a href="/shop">Shop</a> <a href="/help">Help</a></nav>\n'
        f"<main>\n{body}</main>\n</body>\n</html>\n",
        encoding="utf-8",
    )


def write_epub(source: str, path: Path) -> None:
    """Write an EPUB 3 (https://www.w3.org/TR/epub-33/), a chapter per second-level heading."""
    title, chapters = source.removeprefix("# ").split("\n", 1)
    pages = {}
    for number, chapter in enumerate(chapters.strip().removeprefix("## ").split("\n## "), 1):
        body = MarkdownIt("commonmark").render(f"# {chapter}")
        pages[f"chapter{number}.xhtml"] = (chapter.split("\n", 1)[0], body)
    links = "".join(f'<li><a href="{file}">{name}</a></li>' for file, (name, _) in pages.items())
    contents = f'<nav epub:type="toc"><ol>{links}</ol></nav>'
    items = "".join(
        f'<item id="c{i}" href="{file}" media-type="application/xhtml+xml"/>'
        for i, file in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(pages)))
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")  # first, and not compressed
        book.writestr("META-INF/container.xml", CONTAINER, zipfile.ZIP_DEFLATED)
        package = PACKAGE.format(title=title, date=WRITTEN, items=items, spine=spine)
        book.writestr("book.opf", package, zipfile.ZIP_DEFLATED)
        for file, (name, body) in {"nav.xhtml": (title, contents), **pages}.items():
            book.writestr(file, PAGE.format(title=name, body=body), zipfile.ZIP_DEFLATED)
    stamp(path)


def write_jsonl(source: str, path: Path) -> None:
    """Write a line for each second-level heading: its number and its text."""
    lines = []
    for ticket in source.split("\n## ")[1:]:
        number, text = ticket.split("\n", 1)
        row = {"ticket": int(number), "text": " ".join(text.split())}
        lines.append(json.dumps(row, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


DOCUMENTS = {
    "mutual-nda.docx": write_docx,
    "discharge-summary.pdf": write_pdf,
    "leave-policy.md": None,
    "incident-report.txt": write_txt,
    "privacy-notice.html": write_html,
    "lab-safety-guide.epub": write_epub,
    "office-lease.md": None,
    "support-tickets.jsonl": write_jsonl,
}


def main(folder: Path) -> None:
    """Write every document into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in DOCUMENTS.items():
        source = HERE / "sources" / f"{Path(name).stem}.md"
        if write is None:
            shutil.copyfile(source, folder / name)
        else:
            write(source.read_text(encoding="utf-8"), folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "documents")
