"""Raw text of PDFs, read by pdfium and not by the package's readers.

Called by ingest_fidelity.py. The text is pdfium's, page by page. There is more than one right
text, and each reader is compared with the one that it is nearest to: with all words of the file;
or without what the documentation says is left out, found here by other ways than the package's:

- words that nobody sees: the page is drawn, and where most of a word's letters have no ink in
  their boxes, the word is invisible, of the colour of its ground, covered, or beside the page
  (not where a page of pictures has no other text: that is the text layer of a scan);
- words with characters of no script, which fonts without a Unicode map give;
- tables of contents: lines with leaders, and pages nearly all of whose lines end in numbers that
  rise;
- running headers: lines that stand, numbers apart, once on most pages.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from ingest_fidelity_office import Raw

SCALE = 2  # pixels for each point
INK = 24  # least difference of the darkest and lightest pixel, of 255
LEADERS = re.compile(r"(?:\. ?|…|_){4,}\s*\w{1,5}\s*$")
ENTRY = re.compile(r".*\D\s+(\d{1,4})\s*$")
NO_SCRIPT = re.compile(r"[\x01-\x08\x0e-\x1f\ufffd\ue000-\uf8ff]").search
FEWEST_ENTRIES = 8
MOST = 0.8
FEWEST_PAGES = 3
LONGEST_HEADER = 15  # words


def raw_pdf(path: Path) -> Raw | None:
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError:
        return None
    whole, shown = [], []
    for page in document:
        text_page = page.get_textpage()
        whole.append(text_page.get_text_range())
        shown.append(_shown_text(page, text_page))
    headers = _headers(shown)
    body = ["\n".join(_body_lines(text, headers)) for text in shown]
    return ["\n".join(pages) for pages in (whole, shown, body)], len(whole)


def _shown_text(page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage) -> str:
    """Return a page's text without words that are not seen, or are of no script."""
    count = text_page.count_chars()
    letters = [chr(pdfium.FPDFText_GetUnicode(text_page, at)) for at in range(count)]
    pixels = page.render(scale=SCALE, grayscale=True).to_numpy()
    pixels = pixels.reshape(pixels.shape[:2])
    to_pixels = _to_pixels(page, pixels.shape[1], pixels.shape[0])
    words: list[str] = []
    seen: list[bool] = []
    word = ""
    for at, letter in enumerate([*letters, " "]):
        if letter.isspace() or letter == "\0":
            words += [word if sum(seen) * 2 > len(seen) and not NO_SCRIPT(word) else ""]
            words.append(letter)
            word, seen = "", []
            continue
        word += letter
        seen.append(_has_ink(text_page, at, pixels, to_pixels))
    text = "".join(words).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    pictured = any(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]))
    return text if text.strip() or not pictured else text_page.get_text_range()


def _to_pixels(page: pypdfium2.PdfPage, width: int, height: int) -> np.ndarray:
    """Return the matrix that turns points of a page, which may be turned, into pixels."""
    ends = []
    for x, y in ((0, 0), (1000, 0), (0, 1000)):
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
        ends.append((across.value, down.value))
    origin, right, up = np.array(ends, float)
    return np.stack([(right - origin) / 1000, (up - origin) / 1000, origin], axis=1)


def _has_ink(
    text_page: pypdfium2.PdfTextPage, at: int, pixels: np.ndarray, to_pixels: np.ndarray
) -> bool:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    if not pdfium.FPDFText_GetCharBox(text_page, at, left, right, bottom, top):
        return False
    corners = np.array([[left.value, right.value], [bottom.value, top.value], [1, 1]])
    (x0, x1), (y0, y1) = np.sort(to_pixels @ corners, axis=1)
    x0, y0 = max(0, int(x0) - 1), max(0, int(y0) - 1)
    box = pixels[y0 : max(0, int(y1) + 2), x0 : max(0, int(x1) + 2)]
    return bool(box.size) and int(box.max()) - int(box.min()) >= INK


def _headers(pages: Sequence[str]) -> set[str]:
    counts: Counter[str] = Counter()
    for page in pages:
        lines = Counter(map(_key, page.splitlines()))
        counts.update(line for line, times in lines.items() if line and times == 1)
    least = max(FEWEST_PAGES, len(pages) / 2)
    short = (line for line in counts if len(line.split()) <= LONGEST_HEADER)
    return {line for line in short if counts[line] >= least}


def _key(line: str) -> str:
    return " ".join(re.sub(r"\d+|\b[ivxl]+\b", "#", line).split())


def _body_lines(page: str, headers: set[str]) -> list[str]:
    lines = [line for line in page.splitlines() if line.strip() and _key(line) not in headers]
    numbers = [int(found[1]) for line in lines if (found := ENTRY.match(line))]
    rising = sum(before <= after for before, after in pairwise(numbers))
    entries = len(numbers) >= max(FEWEST_ENTRIES, MOST * len(lines))
    if entries and rising >= MOST * (len(numbers) - 1):
        return []
    return [line for line in lines if not LEADERS.search(line)]
