"""Plots as SVG, drawn by hand: bars, stacked bars, histograms and curves.

Colours are classes, so that a page can set its own and a dark screen gets others; every value
stands beside its bar as a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH = 640
_LINE = 26  # of a bar and the gap below it
_BAR = 14
_LABEL = 128  # room for names, left of the bars
_VALUE = 72  # room for numbers, right of them
_BINS = 32
_MOST_NAME = 20  # characters

STYLE = """\
.plot text { font: 12px system-ui, sans-serif; fill: var(--ink, #57606a); }
.plot .value { fill: var(--strong, #24292f); font-variant-numeric: tabular-nums; }
.plot .axis { stroke: var(--rule, #d0d7de); stroke-width: 1; }
.plot .bar, .plot .accepted { fill: var(--good, #2f7d6d); }
.plot .line { fill: none; stroke: var(--good, #2f7d6d); stroke-width: 1.5; }
.plot .rejected { fill: var(--warn, #d08a2e); }
.plot .unparseable { fill: var(--bad, #b8505f); }
.plot .duplicate { fill: var(--calm, #8a7bb8); }
.plot .failed { fill: var(--deep, #5b3f7a); }
.plot .pending { fill: var(--rule, #d0d7de); }
.plot .middle { stroke: var(--strong, #24292f); stroke-width: 1.5; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) {
  .plot.alone text { fill: #9ba3ad; } .plot.alone .value { fill: #e6edf3; }
  .plot.alone .axis { stroke: #3d444d; } .plot.alone .middle { stroke: #e6edf3; }
}
"""


def standalone(svg: str) -> str:
    """A plot as a file of its own, with its colours."""
    head, tail = svg.split(">", 1)
    head = head.replace('class="plot"', 'class="plot alone" xmlns="http://www.w3.org/2000/svg"')
    return f"{head}><style>{STYLE}</style>{tail}\n"


def bars(values: Mapping[str, int], title: str) -> str:
    """A bar for each name, with its number and its share of all."""
    most, total = max(values.values(), default=0) or 1, sum(values.values()) or 1
    room = _WIDTH - _LABEL - _VALUE
    parts = []
    for at, (name, value) in enumerate(values.items()):
        top = at * _LINE + 6
        width = max(1.0, room * value / most) if value else 0.0
        parts += [
            _name(name, top),
            f'<rect class="bar" x="{_LABEL}" y="{top}" width="{width:.1f}" '
            f'height="{_BAR}" rx="2"/>',
            _number(f"{value:,} · {value / total:.0%}", _LABEL + width + 8, top),
        ]
    return _svg(parts, len(values) * _LINE + 6, title)


def stacked(rows: Mapping[str, Mapping[str, int]], kinds: Sequence[str], title: str) -> str:
    """A bar for each name, cut by kind; all are as long as their sums are to one another."""
    most = max((sum(counts.values()) for counts in rows.values()), default=0) or 1
    room = _WIDTH - _LABEL - _VALUE
    used = [kind for kind in kinds if any(counts.get(kind) for counts in rows.values())]
    parts, left = [], float(_LABEL)
    for kind in used:
        parts.append(f'<rect class="{kind}" x="{left:.0f}" y="4" width="10" height="10" rx="2"/>')
        parts.append(f'<text x="{left + 15:.0f}" y="13">{escape(kind)}</text>')
        left += 15 + 7 * len(kind) + 18
    for at, (name, counts) in enumerate(rows.items()):
        top, left = at * _LINE + 30, float(_LABEL)
        parts.append(_name(name, top))
        for kind in used:
            width = room * counts.get(kind, 0) / most
            if width:
                parts.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" '
                    f'height="{_BAR}"><title>{escape(kind)}: {counts[kind]:,}</title></rect>'
                )
            left += width
        parts.append(_number(f"{sum(counts.values()):,}", left + 8, top))
    return _svg(parts, len(rows) * _LINE + 30, title)


def histogram(counts: Counter[int], middle: int, title: str) -> str:
    """How often each length occurs, in bins of equal width; `middle` is marked."""
    longest = max(counts, default=0)
    step = max(1, -(-(longest + 1) // _BINS))
    heights: Counter[int] = Counter()
    for length, count in counts.items():
        heights[length // step] += count
    bins, most = longest // step + 1, max(heights.values(), default=0) or 1
    height, width = 96, (_WIDTH - 2) / max(bins, 1)
    parts = []
    for at, count in sorted(heights.items()):
        tall = max(1.5, height * count / most)
        told = f"{at * step} to {at * step + step - 1} words: {count:,}"
        parts.append(
            f'<rect class="bar" x="{at * width + 1:.1f}" y="{height - tall + 18:.1f}" '
            f'width="{max(width - 1.5, 1):.1f}" height="{tall:.1f}"><title>{told}</title></rect>'
        )
    place = min((middle + 0.5) / step * width, _WIDTH - 1)
    side, shift = ("end", -6) if place > _WIDTH / 2 else ("start", 6)
    parts += [
        f'<line class="axis" x1="0" y1="{height + 18.5}" x2="{_WIDTH}" y2="{height + 18.5}"/>',
        f'<line class="middle" x1="{place:.1f}" y1="4" x2="{place:.1f}" y2="{height + 18}"/>',
        f'<text class="value" x="{place + shift:.1f}" y="13" text-anchor="{side}">'
        f"median {middle:,}</text>",
        f'<text x="0" y="{height + 34}">0</text>',
        f'<text x="{_WIDTH}" y="{height + 34}" text-anchor="end">{longest:,} words</text>',
    ]
    return _svg(parts, height + 40, title)


def curve(points: Sequence[tuple[int, float]], title: str) -> str:
    """A line through (x, y), x rising; its first, least and last values stand beside it."""
    height, left = 160, 44
    if not points:
        return _svg([], 8, title)
    values = [y for _, y in points]
    low, high = min(values), max(values)
    first, last = points[0][0], points[-1][0]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / max(last - first, 1)
        down = (high - y) / ((high - low) or 1)
        return left + across * (_WIDTH - left - _VALUE), 8 + down * (height - 16)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    end = place(*points[-1])
    parts = [
        f'<line class="axis" x1="{left}" y1="{height}" x2="{_WIDTH - _VALUE}" y2="{height}"/>',
        f'<polyline class="line" points="{line}"/>',
        f'<text class="value" x="{end[0] + 6:.1f}" y="{end[1] + 4:.1f}">{values[-1]:.3f}</text>',
        *(
            f'<text x="{left - 6}" y="{place(first, y)[1] + 4:.1f}" text-anchor="end">'
            f"{y:.2f}</text>"
            for y in dict.fromkeys((high, low))
        ),
        f'<text x="{left}" y="{height + 16}">{first:,}</text>',
        f'<text x="{_WIDTH - _VALUE}" y="{height + 16}" text-anchor="end">{last:,}</text>',
    ]
    return _svg(parts, height + 22, title)


def _name(name: str, top: int) -> str:
    short = name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"
    shown = escape(short or "(empty)")
    return f'<text x="{_LABEL - 10}" y="{top + 11}" text-anchor="end">{shown}</text>'


def _number(text: str, left: float, top: int) -> str:
    return f'<text class="value" x="{left:.1f}" y="{top + 11}">{text}</text>'


def _svg(parts: Sequence[str], height: int, title: str) -> str:
    body = "".join(parts)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'
    )
