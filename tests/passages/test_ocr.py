"""Scanned pages: read where Tesseract's data is there, else an error that says what is missing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont
from written import SENTENCE, pdf

from bonito_local.cli.main import run
from bonito_local.errors import UsageError
from bonito_local.passages.blocks import assemble
from bonito_local.passages.ocr import check_ocr, data_folders
from bonito_local.passages.pdf import pdf_blocks
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage, Problem, ReadOptions

SEEN = (
    "Either party may end this agreement by giving notice",
    "in writing thirty days before the first of a month.",
    "What has been paid for the time after that day is paid",
    "back, and the keys are given back on the day itself.",
)


def scanned(tmp_path: Path) -> Path:
    """A page of text, one that is a picture of text, one that is a picture of nothing."""
    folder = tmp_path / "documents"
    folder.mkdir()

    def scans(paper: FPDF) -> None:
        for lines in (SEEN, ()):
            picture = Image.new("RGB", (1240, 600), "white")
            draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=36)
            for at, line in enumerate(lines):
                draw.text((100, 100 + 60 * at), line, "black", font)
            paper.add_page()
            stream = BytesIO()
            picture.save(stream, "PNG")
            paper.image(stream, w=paper.epw)

    (folder / "a.pdf").write_bytes(pdf([[SENTENCE * 2]], prepare=scans))
    return folder


def words(text: str) -> int:
    return len(text.split())


def test_a_scan_is_read_or_what_that_needs_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scanned(tmp_path)
    command = ["generate", str(folder), "-t", "exqa", "--backend", "fake", "-o", f"{tmp_path}/out"]
    if not any((data / "eng.traineddata").is_file() for data in data_folders()):
        assert run([*command, "--ocr", "eng"]) == 2
        said = capsys.readouterr().err
        assert "Tesseract's data for eng is not there" in said
        assert "tesseract-ocr-eng" in said
        return
    items = list(iter_passages([folder], words, Lengths(60), ReadOptions(ocr="eng")))
    found = {item.page: item.text for item in items if isinstance(item, Passage)}
    assert found == {1: " ".join(SEEN), 3: f"{SENTENCE}{SENTENCE}"}
    assert [item.title for item in items if isinstance(item, Problem)] == [
        "Page 2 holds no text.",
        "Page 1 is a scan; text recognition read it.",
    ]


def test_without_ocr_the_pages_are_named(tmp_path: Path) -> None:
    items = list(iter_passages([scanned(tmp_path)], words, Lengths(60)))
    assert [item.page for item in items if isinstance(item, Passage)] == [3]
    (problem,) = (item for item in items if isinstance(item, Problem))
    assert problem.title == "2 pages hold no text (1, 2)."
    assert "--ocr eng" in problem.remedy


@pytest.mark.parametrize(
    ("languages", "title"),
    [
        ("eng", "Tesseract's data for eng is not there (TESSDATA_PREFIX is "),
        ("deu+eng", "Tesseract's data for eng is not there (TESSDATA_PREFIX is "),
        ("../eng", "ocr is '../eng'."),
    ],
)
def test_data_that_is_not_there(
    languages: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deu.traineddata").write_bytes(b"")
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    check_ocr("")
    check_ocr("deu")
    with pytest.raises(UsageError) as caught:
        check_ocr(languages)
    assert caught.value.title.startswith(title)


def test_what_is_seen_stands_on_its_page() -> None:
    node = {"content": {"node_type": "paragraph", "text": SENTENCE}, "page": 2}
    pages = {1: " ", 2: SENTENCE, 3: "", 4: ""}
    blocks = pdf_blocks([node], pages, {1: f"Rent\n\n{SEEN[0]}.", 3: "", 4: SEEN[1]})
    assert [(block.text, block.level, block.pages) for block in blocks] == [
        ("Rent", 3, ((0, 1),)),
        (f"{SEEN[0]}.", 0, ((0, 1),)),
        (SENTENCE, 0, ((0, 2),)),
        (SEEN[1], 0, ((0, 4),)),
        ("", 0, ((0, 3),)),
    ]
    assert assemble(blocks).textless == (3,)
