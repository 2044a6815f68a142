import contextlib
import random
import re
import socket
import zipfile
from pathlib import Path

import pytest
from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from hostile import xlsx
from written import SENTENCE, pdf, rezipped, word

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks

ODF = "urn:oasis:names:tc:opendocument:xmlns:"
NOISE = random.Random(0).randbytes(4000)


def blank_epub() -> bytes:
    return word(SENTENCE)  # a zip file, but no EPUB


def encrypted() -> bytes:
    def lock(paper: FPDF) -> None:
        paper.set_encryption("owner", "user", EncryptionMethod.RC4)

    return pdf([[SENTENCE]], prepare=lock)


def bomb() -> bytes:
    filler = b"<w:p><w:r><w:t>" + b"A" * 120_000_000 + b"</w:t></w:r></w:p>"

    def inflate(name: str, data: bytes) -> bytes:
        if name != "word/document.xml":
            return data
        at = data.index(b"<w:p>")
        return data[:at] + filler + data[at:]

    return rezipped(word(SENTENCE), inflate)


def halved_xml(name: str, data: bytes) -> bytes:
    return data[: len(data) // 2] if name == "word/document.xml" else data


@pytest.mark.parametrize(
    ("data", "kind", "title"),
    [
        (b"", ".pdf", "The file is empty"),
        (b"", ".docx", "The file is empty"),
        (b"", ".html", "The file is empty"),
        (b"%PDF-1.7\n" + NOISE, ".pdf", "damaged, or no .pdf"),
        (NOISE, ".pdf", "damaged, or no .pdf"),
        (pdf([[SENTENCE]])[:700], ".pdf", "damaged, or no .pdf"),
        (b"plain words, no PDF", ".pdf", "damaged, or no .pdf"),
        (encrypted(), ".pdf", "The document is encrypted"),
        (pdf([[]]), ".pdf", "no text: it may be a scan"),
        (word(SENTENCE)[:9000], ".docx", "damaged, or no .docx"),
        (b"plain words, no zip", ".docx", "damaged, or no .docx"),
        (rezipped(word(SENTENCE), halved_xml), ".docx", "damaged, or no .docx"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + NOISE, ".docx", "encrypted, or in a format older"),
        (word(), ".docx", "holds no text"),
        (bomb(), ".docx", "unpacks to far more"),
        (blank_epub(), ".epub", "damaged, or no .epub"),
        (NOISE, ".epub", "damaged, or no .epub"),
        (NOISE, ".html", "cannot be decoded"),
        (b"<html><body><script>x=1</script></body></html>", ".html", "holds no text"),
        (b"{\\rtf1", ".rtf", "holds no text"),
        (b"PK\x03\x04", ".odt", "damaged, or no .odt"),
        (b"x", ".pptx", "damaged, or no .pptx"),
        (b"x", ".xlsx", "damaged, or no .xlsx"),
    ],
)
def test_a_bad_document_is_one_clear_error(data: bytes, kind: str, title: str) -> None:
    with pytest.raises(DocumentError, match=title) as caught:
        extract_blocks(data, kind)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_scan_is_said_to_need_text_recognition(tmp_path: Path) -> None:
    from PIL import Image

    def scan(paper: FPDF) -> None:
        Image.new("RGB", (300, 200), "white").save(tmp_path / "scan.png")
        paper.add_page()
        paper.image(str(tmp_path / "scan.png"))

    with pytest.raises(DocumentError, match="it may be a scan") as caught:
        extract_blocks(pdf([[]], prepare=scan), ".pdf")
    assert "OCR" in caught.value.remedy


@pytest.mark.parametrize("kind", [".pdf", ".docx", ".epub", ".odt", ".rtf", ".eml", ".html"])
def test_noise_never_ends_in_another_error(kind: str) -> None:
    drawn = random.Random(kind)
    whole = {".pdf": pdf([[SENTENCE] * 3]), ".docx": word(SENTENCE)}.get(kind, NOISE)
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(drawn.choice((1, 20, 400))):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        with contextlib.suppress(DocumentError):
            assert any(block.text for block in extract_blocks(bytes(data), kind))


def test_docx_has_headings_and_paragraphs_and_no_running_header() -> None:
    blocks = extract_blocks(word("# 1. Rent", SENTENCE, "Dear <Name>, 2 * 3_a."), ".docx")
    assert blocks == [Block("1. Rent", 1), Block(SENTENCE), Block("Dear <Name>, 2 * 3_a.")]


def test_docx_keeps_ampersands_brackets_and_quotes() -> None:
    text = "R&D found p<0.05 and x>3, said \"A\" & 'B'; &amp; stays."
    assert extract_blocks(word("# Q&A", text), ".docx") == [Block("Q&A", 1), Block(text)]

    def as_entities(name: str, data: bytes) -> bytes:
        if name != "word/document.xml":
            return data
        return data.replace(b"(1)", b"don&apos;t &quot;go&quot; &#8211; &#x41;&#38;&#60;b&#62;")

    data = rezipped(word("Please (1) now."), as_entities)
    assert extract_blocks(data, ".docx") == [Block('Please don\'t "go" \u2013 A&<b> now.')]


def test_html_drops_navigation_scripts_and_title() -> None:
    page = (
        "<html><head><title>Shop</title><style>p {}</style></head><body>"
        "<nav><a href='/'>Home</a></nav><h1>Notice</h1><p>We keep <a href='x'>your\ndata</a> for "
        "<b>two</b> years &lt;at most&gt;.</p><ul><li>5 * 3 _x_</li></ul><script>a()</script>"
        "<table><tr><th>Data</th><th>Kept</th></tr><tr><td>Mail</td><td>1 year</td></tr></table>"
        "</body></html>"
    )
    assert extract_blocks(page.encode(), ".html") == [
        Block("Notice", 1),
        Block("We keep your data for two years <at most>."),
        Block("- 5 * 3 _x_"),
        Block("Data: Mail; Kept: 1 year"),
    ]


def test_html_in_windows_1252_is_read() -> None:
    page = "<p>Caf\u00e9 \u2013 open</p>".encode("cp1252")
    assert extract_blocks(page, ".html") == [Block("Caf\u00e9 \u2013 open")]


def test_rtf_is_read_without_what_stands_on_every_page() -> None:
    rtf = (
        rb"{\rtf1\ansi{\header A running {\b header}\par}{\footerf \{ Page 1 \par}"
        rb"{\info{\title No}}The\~\b lease\b0  ends, \ldblquote well\rdblquote\~known, on"
        rb" No\-vem\-ber\_five.\par Next.\par}"
    )
    assert extract_blocks(rtf, ".rtf") == [
        Block("The lease ends, \u201cwell\u201d known, on November-five."),
        Block("Next."),
    ]
    assert extract_blocks(b"{\\rtf1 a{\\header {never closed", ".rtf") == [Block("a")]
    assert extract_blocks(b"{\\rtf1 a{\\header \\bin3 }}}}b}", ".rtf") == [Block("ab")]


def test_a_sheet_is_rows_and_one_without_column_names_is_cells() -> None:
    def sheet(first: str) -> bytes:
        cells = (first, "Fee", "2024-03-01", "It is due on the first day.")
        made = xlsx("".join(f"<si><t>{cell}</t></si>" for cell in cells))
        rows = (
            '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
            '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>3</v></c></row>'
        )

        def put(name: str, data: bytes) -> bytes:
            return re.sub(rb"<row.*</row>", rows.encode(), data) if "sheet1" in name else data

        return rezipped(made, put)

    (_, table) = extract_blocks(sheet("Day"), ".xlsx")
    assert table == Block("Day: 2024-03-01; Fee: It is due on the first day.")
    (_, table) = extract_blocks(sheet("This sheet is kept by the team."), ".xlsx")
    assert table.text.split("\n") == [
        "This sheet is kept by the team.; Fee",
        "2024-03-01; It is due on the first day.",
    ]


def test_odt_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.odt"
    with zipfile.ZipFile(path, "w") as odt:
        odt.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        odt.writestr(
            "content.xml",
            f'<o:document-content xmlns:o="{ODF}office:1.0" xmlns:text="{ODF}text:1.0">'
            "<o:body><o:text>"
            f'<text:h text:outline-level="1">Rent</text:h><text:p>{SENTENCE}</text:p>'
            "</o:text></o:body></o:document-content>",
        )
    assert extract_blocks(path.read_bytes(), ".odt") == [Block("Rent", 1), Block(SENTENCE)]


def test_reading_opens_no_connection_and_writes_no_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    extract_blocks(pdf([[SENTENCE]]), ".pdf")
    assert list(tmp_path.iterdir()) == []
