"""Documents of known text in many formats, and markitdown reading them: what ingest.py compares.

Runs in an environment of its own, which ingest.py starts it in:

    python -m venv peers
    peers/bin/pip install "markitdown[pdf,docx,pptx,xlsx,outlook]" python-docx fpdf2 odfpy ebooklib
"""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Blocks = list[tuple[int, str]]  # heading level, or 0, and text


def txt(blocks: Blocks, path: Path) -> None:
    path.write_text("\n\n".join(text for _, text in blocks), encoding="utf-8")


def md(blocks: Blocks, path: Path) -> None:
    path.write_text(
        "\n\n".join("#" * level + " " * bool(level) + text for level, text in blocks),
        encoding="utf-8",
    )


def _tags(blocks: Blocks) -> str:
    tags = []
    for level, text in blocks:
        tag = f"h{level}" if level else "p"
        tags.append(f"<{tag}>{html.escape(text)}</{tag}>")
    return "\n".join(tags)


def web(blocks: Blocks, path: Path) -> None:
    menu = '<nav><a href="/">Home</a> <a href="/about">About us</a></nav>'
    foot = "<footer><p>Imprint - Contact - Cookies</p></footer>"
    page = f"<body>{menu}<main>{_tags(blocks)}</main>{foot}</body>"
    path.write_text(f"<!doctype html><html><head><title>x</title></head>{page}</html>", "utf-8")


def word(blocks: Blocks, path: Path) -> None:
    import docx

    made = docx.Document()
    made.sections[0].header.paragraphs[0].text = "Northwind Legal - confidential"
    for level, text in blocks:
        made.add_heading(text, level) if level else made.add_paragraph(text)
    made.save(path)


def pdf(blocks: Blocks, path: Path) -> None:
    from fpdf import FPDF

    class Paper(FPDF):
        def header(self) -> None:
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, "Northwind Legal - confidential", new_x="LMARGIN", new_y="NEXT")

        def footer(self) -> None:
            self.set_y(-15)
            self.set_font("Helvetica", size=9)
            self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="C")

    paper = Paper()
    paper.add_page()
    for level, text in blocks:
        paper.set_font("Helvetica", "B" if level else "", 16 - level if level else 11)
        text = "\n".join(
            " ".join(_hyphened(word) for word in line.split(" ")) for line in text.split("\n")
        )
        shown = text.encode("latin-1", "ignore").decode("latin-1")
        paper.multi_cell(0, 6, shown, new_x="LMARGIN", new_y="NEXT", align="L")
        paper.ln(4)
    paper.output(path)


def _hyphened(word: str) -> str:
    """Let a long word be broken with a hyphen, as a typesetter does."""
    half = len(word) // 2
    return f"{word[:half]}\u00ad{word[half:]}" if len(word) > 9 and word.isalpha() else word


def slides(blocks: Blocks, path: Path) -> None:
    from pptx import Presentation

    made = Presentation()
    slide = None
    for level, text in blocks:
        if level or slide is None:
            slide = made.slides.add_slide(made.slide_layouts[1])
            slide.shapes.title.text = text if level else ""
        if not level:
            frame = slide.placeholders[1].text_frame
            paragraph = frame.add_paragraph() if frame.text else frame.paragraphs[0]
            paragraph.text = text
    made.save(path)


def sheet(blocks: Blocks, path: Path) -> None:
    import openpyxl

    made = openpyxl.Workbook()
    made.active.append(["Clause", "Text"])
    title = ""
    for level, text in blocks:
        if level:
            title = text
        else:
            made.active.append([title, text])
    made.save(path)


def open_document(blocks: Blocks, path: Path) -> None:
    from odf import text as odf
    from odf.opendocument import OpenDocumentText

    made = OpenDocumentText()
    for level, text in blocks:
        made.text.addElement(odf.H(outlinelevel=level, text=text) if level else odf.P(text=text))
    made.save(path)


def book(blocks: Blocks, path: Path) -> None:
    from ebooklib import epub

    made = epub.EpubBook()
    made.set_identifier("x")
    made.set_title("x")
    chapter = epub.EpubHtml(title="x", file_name="a.xhtml")
    chapter.content = _tags(blocks)
    made.add_item(chapter)
    made.spine = [chapter]
    made.add_item(epub.EpubNcx())
    epub.write_epub(path, made)


def rtf(blocks: Blocks, path: Path) -> None:
    def shown(text: str) -> str:
        text = text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
        text = text.replace("\n", "\\line ")
        return "".join(c if ord(c) < 128 else f"\\u{ord(c)}?" for c in text)

    head = r"{\rtf1\ansi{\header Northwind Legal - confidential\par}{\footer Page 1\par}"
    body = "\n".join(
        rf"\pard\s{level}\b {shown(text)}\b0\par" if level else rf"\pard {shown(text)}\par"
        for level, text in blocks
    )
    path.write_text(f"{head}{body}}}", encoding="ascii")


def mail(blocks: Blocks, path: Path) -> None:
    from email.message import EmailMessage

    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@x.example", "b@x.example", blocks[0][1]
    made.set_content("\n\n".join(text for _, text in blocks[1:]) + "\n\n-- \nAnn Bell\nNorthwind\n")
    path.write_bytes(bytes(made))


MAKERS: dict[str, Callable[[Blocks, Path], None]] = {
    ".txt": txt, ".md": md, ".html": web, ".docx": word, ".pdf": pdf, ".pptx": slides,
    ".xlsx": sheet, ".epub": book, ".odt": open_document, ".rtf": rtf, ".eml": mail,
}  # fmt: skip


def make(source: Path, folder: Path) -> None:
    for name, blocks in json.loads(source.read_text()).items():
        for kind, maker in MAKERS.items():
            maker([(level, text) for level, text in blocks], folder / f"{name}{kind}")


def convert(rounds: int) -> None:
    """For each line of paths on standard input: convert them, and answer with seconds and texts."""
    from markitdown import MarkItDown

    converter = MarkItDown()
    for line in sys.stdin:
        paths, texts = json.loads(line), {}
        started = time.process_time()
        for _ in range(rounds):
            for path in paths:
                texts[path] = converter.convert(path).text_content
        print(json.dumps([time.process_time() - started, texts]), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        convert(int(sys.argv[2]))
