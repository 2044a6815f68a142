"""What is drawn on a page of a PDF besides text: ruling lines, filled areas and pictures."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_MOST_OBJECTS = 20_000  # of a page that are looked at: maps and plots have more
_MOST_RULES = 2_000
_MOST_SEGMENTS = 400  # of one path: more is a drawing
_DEPTH = 3  # forms within forms
_THIN, _LONG = 3.0, 6.0  # points
_PICTURED = 0.5  # of the page, for a scan

Box = tuple[float, float, float, float]  # left, bottom, right, top
Rule = tuple[float, float, float, float]  # from x0, y0 to x1, y1; level or upright


@dataclass(slots=True)
class Drawings:
    """The drawings of one page, in its own coordinates."""

    rules: list[Rule] = field(default_factory=list)
    areas: list[Box] = field(default_factory=list)
    pictures: list[Box] = field(default_factory=list)

    def covers(self, x: float, y: float) -> bool:
        """Whether a filled area or a picture lies at this place."""
        return any(
            left <= x <= right and bottom <= y <= top
            for left, bottom, right, top in (*self.areas, *self.pictures)
        )

    def pictured(self, box: Box) -> bool:
        """Whether one picture, or several together, take most of the page."""
        left, bottom, right, top = box
        seen = sum(
            max(0.0, min(right, r) - max(left, x)) * max(0.0, min(top, t) - max(bottom, b))
            for x, b, r, t in self.pictures
        )
        return seen >= _PICTURED * (right - left) * (top - bottom)


def read_drawings(page: Any) -> Drawings:
    """Read what is drawn on a page (a raw handle of pdfium)."""
    from pypdfium2 import raw

    drawings = Drawings()
    for shown, kind, matrix in _objects(raw, page):
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            drawings.pictures.append(_box(raw, shown, matrix))
        elif kind == raw.FPDF_PAGEOBJ_SHADING:
            drawings.areas.append(_box(raw, shown, matrix))
        elif len(drawings.rules) < _MOST_RULES:
            _read_path(raw, shown, matrix, drawings)
    return drawings


def _objects(raw: Any, page: Any) -> Iterator[tuple[Any, int, Sequence[float]]]:
    """Yield paths and pictures with the matrix of the form that they are in."""
    kinds = (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING)
    plain: Sequence[float] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    count = min(_MOST_OBJECTS, raw.FPDFPage_CountObjects(page))
    left = _MOST_OBJECTS
    waiting = [(raw.FPDFPage_GetObject(page, at), plain, 0) for at in range(count - 1, -1, -1)]
    while waiting and left:
        shown, matrix, depth = waiting.pop()
        left -= 1
        kind = raw.FPDFPageObj_GetType(shown)
        if kind in kinds:
            yield shown, kind, matrix
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEPTH:
            own = raw.FS_MATRIX()
            raw.FPDFPageObj_GetMatrix(shown, ctypes.byref(own))
            inner = _times((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
            held = min(_MOST_OBJECTS, max(0, raw.FPDFFormObj_CountObjects(shown)))
            waiting += [
                (raw.FPDFFormObj_GetObject(shown, at), inner, depth + 1)
                for at in range(held - 1, -1, -1)
            ]


def _times(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    a, b, c, d, e, f = one
    x, y, z, w, p, q = other
    return (
        a * x + b * z, a * y + b * w, c * x + d * z, c * y + d * w,
        e * x + f * z + p, e * y + f * w + q,
    )  # fmt: skip


def _moved(x: float, y: float, matrix: Sequence[float]) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _box(raw: Any, shown: Any, matrix: Sequence[float]) -> Box:
    sides = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(shown, *map(ctypes.byref, sides))
    left, bottom, right, top = (side.value for side in sides)
    corners = [_moved(x, y, matrix) for x in (left, right) for y in (bottom, top)]
    across, up = [x for x, _ in corners], [y for _, y in corners]
    return min(across), min(up), max(across), max(up)


def _read_path(raw: Any, shown: Any, matrix: Sequence[float], drawings: Drawings) -> None:
    left, bottom, right, top = box = _box(raw, shown, matrix)
    filled, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(shown, ctypes.byref(filled), ctypes.byref(stroked))
    wide, high = right - left, top - bottom
    if wide <= _THIN or high <= _THIN:
        if max(wide, high) >= _LONG and (filled.value or stroked.value):
            x, y = (left + right) / 2, (bottom + top) / 2
            drawings.rules.append((left, y, right, y) if wide > high else (x, bottom, x, top))
        return
    if filled.value and not _is_white(raw, shown):
        drawings.areas.append(box)
    if stroked.value:
        drawings.rules += _level_segments(raw, shown, matrix)


def _is_white(raw: Any, shown: Any) -> bool:
    colour = [ctypes.c_uint() for _ in range(4)]
    raw.FPDFPageObj_GetFillColor(shown, *map(ctypes.byref, colour))
    return all(part.value >= 250 for part in colour[:3])


def _level_segments(raw: Any, shown: Any, matrix: Sequence[float]) -> Iterator[Rule]:
    """Yield the straight lines of a stroked path that are level or upright."""
    own = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(shown, ctypes.byref(own))
    whole = _times((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    count = raw.FPDFPath_CountSegments(shown)
    x, y = ctypes.c_float(), ctypes.c_float()
    first = last = (0.0, 0.0)
    for at in range(count if count <= _MOST_SEGMENTS else 0):
        segment = raw.FPDFPath_GetPathSegment(shown, at)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = _moved(x.value, y.value, whole)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield from _rule(last, point)
            if raw.FPDFPathSegment_GetClose(segment):
                yield from _rule(point, first)
        last = point


def _rule(one: tuple[float, float], other: tuple[float, float]) -> Iterator[Rule]:
    (x0, y0), (x1, y1) = sorted((one, other))
    if abs(y1 - y0) < 0.5 and x1 - x0 >= _LONG:
        yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
    elif x1 - x0 < 0.5 and abs(y1 - y0) >= _LONG:
        yield (x0 + x1) / 2, min(y0, y1), (x0 + x1) / 2, max(y0, y1)
