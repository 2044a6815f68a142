"""Scanned pages: read where Tesseract's data is there, else an error that says what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont
from written import SENTENCE, pdf

from bonito_local.cli.main import run
from bonito_local.errors import UsageError
from bonito_local.passages.documents import read_text
from bonito_local.passages.ocr import Recognizer, check_ocr, data_folders
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


class Eyes(Recognizer):
    """See the same on every page."""

    def read(self, data: bytes, pages: Sequence[int]) -> dict[int, str]:
        self.pages += pages[:1]
        return {page: f"Rent\n\n{SEEN[0]}." if page == pages[0] else "" for page in pages}


def test_what_is_seen_stands_on_its_page() -> None:
    eyes = Eyes("eng")
    text = read_text(pdf([[], [SENTENCE], [], [SEEN[1]]]), ".pdf", eyes)
    assert text.text == f"Rent\n\n{SEEN[0]}.\n\n{SENTENCE}\n\n{SEEN[1]}"
    assert [page for _, page in text.pages] == [1, 1, 2, 4]
    assert (text.textless, text.recognized) == ((3,), (1,))
