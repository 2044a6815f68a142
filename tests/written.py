"""Real documents for the tests, written on the fly."""

import io
import zipfile
from collections.abc import Callable

import docx
from fpdf import FPDF

SENTENCE = "The tenant pays the rent on the first working day of each month."


class _Paper(FPDF):
    running = ""

    def header(self) -> None:
        if self.running:
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, self.running, new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        if self.running:
            self.set_y(-15)
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="C")


def pdf(
    pages: list[list[str]], running: str = "", prepare: Callable[[FPDF], None] | None = None
) -> bytes:
    """Write pages of paragraphs; one that begins with "# " is set as a heading."""
    paper = _Paper()
    paper.running = running
    if prepare:
        prepare(paper)
    for page in pages:
        paper.add_page()
        for text in page:
            heading = text.startswith("# ")
            paper.set_font("Helvetica", "B" if heading else "", 16 if heading else 11)
            paper.multi_cell(0, 7, text.removeprefix("# "), new_x="LMARGIN", new_y="NEXT")
            paper.ln(5)
    return bytes(paper.output())


def word(*paragraphs: str) -> bytes:
    """Write a DOCX; a paragraph that begins with "# " is a heading."""
    document = docx.Document()
    for text in paragraphs:
        if text.startswith("# "):
            document.add_heading(text[2:], 1)
        else:
            document.add_paragraph(text)
    document.sections[0].header.paragraphs[0].text = "RUNNING HEADER"
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a zip file with its members changed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()
