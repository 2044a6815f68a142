"""The seam to pdfium: the words of each page with their places, and what else a page holds.

pdfium runs in the process, downloads nothing and writes nothing.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bonito_local.errors import DocumentError
from bonito_local.passages.pdf_drawings import Drawings, read_drawings
from bonito_local.passages.pdf_forms import Field, read_annotations
from bonito_local.passages.pdf_garbled import is_garbled

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

_INVISIBLE = 3  # the render mode of text that is not painted
_TINY = 1.5  # points: smaller text is not meant to be seen
_WHITE = 250
_LAYER = 3  # times the words that are seen: as many over a picture are the text of a scan
_RUN = re.compile(r"[^\s\ufeff\x02\ufffe]+[\x02\ufffe]?")  # a hyphen at a line's end is the last


@dataclass(slots=True)
class Word:
    """A run of characters without white space, in one font, in the frame of its own direction.

    `x0`, `x1` run along the line, `y` is the baseline, upwards. `angle` is the direction in
    degrees. `space` is what stands before it: "" (it is glued on), " " or a line end.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    angle: int
    space: str


@dataclass(slots=True)
class Page:
    """A page as pdfium reads it.

    `text` is the plain text, `box` left, bottom, right and top of what is shown of the page.
    `hidden` counts words that nobody sees, `garbled` those that are no language: both are left
    out. `layered` is true for words over a picture of the page, as in a scan with a text layer.
    `comments` are texts of annotations that are to be read, `unread_comments` counts the others.
    """

    number: int
    text: str
    box: tuple[float, float, float, float]
    words: list[Word]
    hidden: int
    garbled: int
    layered: bool
    drawings: Drawings
    fields: list[Field] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unread_comments: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """What a document is besides its pages: an XFA form (1 in part, 2 in whole), attachments."""

    xfa: int
    attachments: int


def open_pdf(data: bytes, *, hidden: bool = False) -> tuple[Kind, Iterator[Page]]:
    """Open the bytes of a PDF. With `hidden`, text that nobody sees and comments are read too.

    Raises:
        DocumentError: it is encrypted or damaged.
    """
    from pypdfium2 import PdfDocument, PdfiumError
    from pypdfium2.raw import FORMTYPE_XFA_FOREGROUND, FORMTYPE_XFA_FULL

    try:
        document = PdfDocument(data)
    except PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise DocumentError("The document is encrypted.", "Save it without a password.") from (
                error
            )
        raise damaged(str(error)) from error
    if not len(document):
        raise damaged("it has no pages")
    forms = {FORMTYPE_XFA_FULL: 2, FORMTYPE_XFA_FOREGROUND: 1}
    kind = Kind(forms.get(document.get_formtype(), 0), document.count_attachments())
    return kind, _pages(document, hidden)


def damaged(reason: str) -> DocumentError:
    """Return the error of a file that is no PDF, or one that cannot be read."""
    return DocumentError(
        f"The document is damaged, or no .pdf file ({' '.join(reason.split())[:120]}).",
        "Open it in the program that made it and save it again.",
    )


def _pages(document: PdfDocument, hidden: bool) -> Iterator[Page]:
    from pypdfium2 import PdfiumError

    if document.get_formtype():
        document.init_forms()
    try:
        for index in range(len(document)):
            try:
                page = document[index]
            except PdfiumError as error:
                raise damaged(f"page {index + 1}: {error}") from error
            try:
                yield _read(document, page, index + 1, hidden)
            finally:
                page.close()
    finally:
        document.close()


def _read(document: PdfDocument, page: PdfPage, number: int, all_: bool) -> Page:
    box = page.get_bbox()
    drawings = read_drawings(page.raw)
    textpage = page.get_textpage()
    try:
        reader = _Reader(textpage, box, drawings, all_)
        text, words, hidden = reader.words()
        layered = hidden > _LAYER * len(words) and drawings.pictured(box)
        if layered:
            reader = _Reader(textpage, box, drawings, all_=True)
            text, words, hidden = reader.words()
    finally:
        textpage.close()
    fields, comments = read_annotations(document.formenv, page.raw)
    unread = 0 if all_ else len(comments)
    comments = comments if all_ else []
    return Page(
        number,
        text,
        box,
        words,
        hidden,
        reader.garbled,
        layered,
        drawings,
        fields,
        comments,
        unread,
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """What all characters of one text object share."""

    along: tuple[float, float]  # the direction of the line
    size: float
    bold: bool
    angle: int
    hidden: bool
    white: bool
    font: int

    def alike(self, other: _Style) -> bool:
        return self is other or (self.size == other.size and self.font == other.font)


class _Reader:
    """Reads the characters of one page into words.

    Attributes:
        garbled: the number of words that are no language, left out.
    """

    def __init__(
        self,
        textpage: PdfTextPage,
        box: tuple[float, float, float, float],
        drawings: Drawings,
        all_: bool,
    ) -> None:
        from pypdfium2 import raw

        self._raw: Any = raw
        self._page: Any = textpage.raw
        self._box = box
        self._drawings = drawings
        self._all = all_
        self.garbled = 0
        self._styles: dict[int, _Style] = {}
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._rect = raw.FS_RECTF()
        self._refs = (ctypes.byref(self._x), ctypes.byref(self._y), ctypes.byref(self._rect))

    def words(self) -> tuple[str, list[Word], int]:
        """Return the plain text, the words that are seen, and how many are not."""
        text = self._text()
        words: list[Word] = []
        hidden: list[Word] = []
        outside: list[tuple[int, Word]] = []
        fonts: dict[int, list[Word]] = defaultdict(list)
        spans: dict[int, tuple[int, int]] = {}
        end = 0
        for match in _RUN.finditer(text):
            between = text[end : match.start()]
            space = "\n" if "\n" in between and " " not in between else " " * bool(between)
            end = match.end()
            for first, last, style in self._parts(match.start(), match.end() - 1):
                word = self._word(text[first : last + 1], first, last, style, space)
                space = ""
                spans[id(word)] = first, last
                fonts[style.font].append(word)
                if self._unseen(style):
                    hidden.append(word)
                elif self._outside():
                    outside.append((len(words), word))
                else:
                    words.append(word)
        hidden += _put_back(outside, words)
        garbled = [
            word
            for held in fonts.values()
            if is_garbled(" ".join(word.text for word in held))
            for word in held
        ]
        self.garbled = len(garbled)
        gone = {id(word) for word in (*hidden, *garbled)}
        words = [word for word in words if id(word) not in gone] if gone else words
        text = _whole(_without(text, sorted(spans[key] for key in gone)))
        return text.replace("\r\n", "\n").replace("\ufffe", "\x02"), words, len(hidden)

    def _text(self) -> str:
        """Return the page's text. Its places are pdfium's: a letter may take two (surrogates)."""
        count = max(0, self._raw.FPDFText_CountChars(self._page))
        units = (ctypes.c_ushort * (count + 1))()
        self._raw.FPDFText_GetText(self._page, 0, count, units)
        text = bytes(units).decode("utf-16-le", "replace").rstrip("\0")
        if len(text) == count and "\ufffd" not in text:
            return text
        # Some characters take two units, or none: the places would be those of others.
        # GetUnicode gives the two halves of a letter outside the first 65,536 one by one.
        codes = (self._raw.FPDFText_GetUnicode(self._page, at) for at in range(count))
        return "".join(chr(code) if 0 < code < 0x110000 else "\ufffd" for code in codes)

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int, _Style]]:
        """Cut a run where its size or font changes: a raised mark is a part of its own."""
        style = self._style(first)
        if first == last or style.alike(self._style(last)):
            yield first, last, style
            return
        start = first
        for at in range(first + 1, last + 1):
            other = self._style(at)
            if not style.alike(other):
                yield start, at - 1, style
                start, style = at, other
        yield start, last, style

    def _style(self, at: int) -> _Style:
        shown = self._raw.FPDFText_GetTextObject(self._page, at)
        key = ctypes.addressof(shown.contents) if shown else 0
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self._new_style(at, shown)
        return style

    def _new_style(self, at: int, shown: Any) -> _Style:
        raw, page = self._raw, self._page
        matrix = raw.FS_MATRIX()
        raw.FPDFText_GetMatrix(page, at, ctypes.byref(matrix))
        nominal = raw.FPDFText_GetFontSize(page, at) or 1.0
        size = abs(nominal) * math.hypot(matrix.c, matrix.d)
        length = math.hypot(matrix.a, matrix.b)
        x, y = (matrix.a / length, matrix.b / length) if length else (1.0, 0.0)
        if nominal < 0:
            x, y = -x, -y
        degrees = round(math.degrees(math.atan2(y, x))) % 360
        upright = round(degrees / 90) * 90
        if abs(degrees - upright) <= 2:
            degrees = upright % 360
            x, y = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[degrees // 90]
        mode = raw.FPDFTextObj_GetTextRenderMode(shown) if shown else 0
        colour = [ctypes.c_uint() for _ in range(4)]
        raw.FPDFText_GetFillColor(page, at, *map(ctypes.byref, colour))
        white = all(part.value >= _WHITE for part in colour[:3]) and mode == 0
        hidden = mode == _INVISIBLE or size < _TINY
        font = raw.FPDFTextObj_GetFont(shown) if shown else None
        key = ctypes.addressof(font.contents) if font else 0
        return _Style((x, y), size, self._bold(at), degrees, hidden, white, key)

    def _bold(self, at: int) -> bool:
        name = ctypes.create_string_buffer(80)
        self._raw.FPDFText_GetFontInfo(self._page, at, name, 80, None)
        named = name.value.lower()
        return b"bold" in named or b"black" in named or b"heavy" in named or b"cmbx" in named

    def _word(self, text: str, first: int, last: int, style: _Style, space: str) -> Word:
        raw, page, (x, y, rect) = self._raw, self._page, self._refs
        raw.FPDFText_GetCharOrigin(page, first, x, y)
        (along, up), at_x, at_y = style.along, self._x.value, self._y.value
        raw.FPDFText_GetLooseCharBox(page, last, rect)
        box = self._rect
        left = at_x * along + at_y * up
        corners = [box.left, box.right], [box.bottom, box.top]
        ends = [x * along + y * up for x in corners[0] for y in corners[1]]
        start, end = left, max(ends)
        if (first != last and end < left) or "\u0590" <= text[0] <= "\u08ff":
            start, end = self._extent(first, last, style)
        base = at_y * along - at_x * up
        text = _whole(text.replace("\ufffe", "\x02"))
        return Word(text, start, end, base, style.size, style.bold, style.angle, space)

    def _extent(self, first: int, last: int, style: _Style) -> tuple[float, float]:
        """Return where a word starts and ends whose characters do not run from left to right."""
        ends = []
        for at in (first, last):
            self._raw.FPDFText_GetLooseCharBox(self._page, at, self._refs[2])
            box = self._rect
            for x in (box.left, box.right):
                ends += [x * style.along[0] + y * style.along[1] for y in (box.bottom, box.top)]
        return min(ends), max(ends)

    def _unseen(self, style: _Style) -> bool:
        """Tell whether the word read last is not painted, or white on white."""
        if self._all:
            return False
        if style.hidden:
            return True
        return style.white and not self._drawings.covers(self._x.value, self._y.value)

    def _outside(self) -> bool:
        left, bottom, right, top = self._box
        x, y = self._x.value, self._y.value
        return not (self._all or (left - 2 <= x <= right + 2 and bottom - 2 <= y <= top + 2))


def _whole(text: str) -> str:
    """Join the halves of letters that pdfium counts as two characters."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text without these spans, first and last character included."""
    parts, at = [], 0
    for first, last in spans:
        parts += [text[at:first], " "]
        at = last + 1
    return "".join([*parts, text[at:]]) if spans else text


def _put_back(outside: list[tuple[int, Word]], words: list[Word]) -> list[Word]:
    """Put words beside the page back that are on a line with others. Return the rest."""
    if not outside:
        return []
    lines = {(word.angle, round(word.y)) for word in words}
    hidden = []
    for at, word in reversed(outside):
        if any((word.angle, round(word.y) + by) in lines for by in (-1, 0, 1)):
            words.insert(at, word)
        else:
            hidden.append(word)
    return hidden[::-1]
