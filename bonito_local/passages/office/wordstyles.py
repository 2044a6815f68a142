"""Word's styles and numbering: what is a heading, bold or hidden, and the labels of lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from bonito_local.passages.office.package import W, is_on

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_LEVELS = 9
_MOST_BASES = 50  # styles that styles are based on
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says; None where it says nothing. `level` is a heading's, from 1."""

    name: str = ""
    level: int | None = None
    bold: bool | None = None
    hidden: bool | None = None
    number: str | None = None
    number_level: int | None = None
    raised: bool | None = None


class Styles:
    """The styles of a document, each with what it has from those it is based on."""

    def __init__(self, root: Element | None) -> None:
        self._own: dict[str, tuple[Style, str]] = {}
        self._whole: dict[str, Style] = {}
        self.default = ""
        for element in root.iter(f"{W}style") if root is not None else ():
            name = element.get(f"{W}styleId", "")
            self._own[name] = (_style(element), value(element.find(f"{W}basedOn")) or "")
            if is_on(element.get(f"{W}default")) and element.get(f"{W}type") == "paragraph":
                self.default = name

    def get(self, style_id: str) -> Style:
        """Return a style by its id; an empty one where there is no such style."""
        if style_id not in self._whole:
            chain: list[Style] = []
            at = style_id
            while at in self._own and len(chain) < _MOST_BASES:
                own, at = self._own[at]
                chain.append(own)
            whole = Style()
            for own in reversed(chain):
                said = {
                    name: held
                    for name in Style.__slots__
                    if (held := getattr(own, name)) not in (None, "")
                }
                whole = replace(whole, **said)
            self._whole[style_id] = whole
        return self._whole[style_id]


def value(element: Element | None) -> str | None:
    """Return an element's w:val."""
    return None if element is None else element.get(f"{W}val")


def flag(properties: Element | None, name: str) -> bool | None:
    """Return a property that is on or off; None where it is not set."""
    element = None if properties is None else properties.find(f"{W}{name}")
    return None if element is None else is_on(element.get(f"{W}val"), default=True)


def _style(element: Element) -> Style:
    name = value(element.find(f"{W}name")) or ""
    paragraph, run = element.find(f"{W}pPr"), element.find(f"{W}rPr")
    level: int | None = None
    if heading := _HEADING.fullmatch(name):
        level = int(heading[1])
    elif paragraph is not None:
        level = outline_level(paragraph)
    number, number_level = numbering_of(paragraph)
    raised = None if run is None else value(run.find(f"{W}vertAlign"))
    return Style(
        name=name.lower(),
        level=level,
        bold=flag(run, "b"),
        hidden=flag(run, "vanish"),
        number=number,
        number_level=number_level,
        raised=None if raised is None else raised == "superscript",
    )


def outline_level(paragraph: Element) -> int | None:
    """Return the heading level, from 1, that paragraph properties give; 0 for body text."""
    text = value(paragraph.find(f"{W}outlineLvl"))
    if text is None or not text.isdecimal():
        return None
    return int(text) + 1 if int(text) < _LEVELS else 0


def numbering_of(paragraph: Element | None) -> tuple[str | None, int | None]:
    """Return the list and the level in it, from 0, that paragraph properties name."""
    properties = None if paragraph is None else paragraph.find(f"{W}numPr")
    if properties is None:
        return None, None
    level = value(properties.find(f"{W}ilvl"))
    return (
        value(properties.find(f"{W}numId")),
        int(level) if level and level.isdecimal() else None,
    )


@dataclass(frozen=True, slots=True)
class _Level:
    format: str = "decimal"
    text: str = ""
    start: int = 1
    legal: bool = False


class Numbering:
    """The lists of a document, which count as their paragraphs are read in order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._kinds: dict[str, str] = {}  # of a list: what it counts with
        self._starts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()
        if root is None:
            return
        links: dict[str, str] = {}
        for kind in root.iter(f"{W}abstractNum"):
            name = kind.get(f"{W}abstractNumId", "")
            self._levels[name] = dict(map(_level, kind.iterfind(f"{W}lvl")))
            if style := value(kind.find(f"{W}numStyleLink")):
                links[name] = style
        for held in root.iter(f"{W}num"):
            self._add(held)
        for name, style in links.items():
            linked = self._kinds.get(styles.get(style).number or "", name)
            self._levels[name] = self._levels.get(linked, {})

    def _add(self, held: Element) -> None:
        name = held.get(f"{W}numId", "")
        kind = value(held.find(f"{W}abstractNumId")) or ""
        self._kinds[name] = kind
        for override in held.iterfind(f"{W}lvlOverride"):
            at = int(override.get(f"{W}ilvl") or 0)
            start = value(override.find(f"{W}startOverride"))
            if start and start.isdecimal():
                self._starts.setdefault(name, {})[at] = int(start)
            for level in override.iterfind(f"{W}lvl"):
                own = f"{kind} of {name}"
                if self._kinds[name] != own:
                    self._kinds[name] = own
                    self._levels[own] = dict(self._levels.get(kind, {}))
                self._levels[own][at] = _level(level)[1]

    def label(self, number: str, level: int) -> str:
        """Count a paragraph of a list; return its label: "-", "3.", "(a)", "" for none."""
        kind = self._kinds.get(number)
        levels = self._levels.get(kind or "", {})
        if kind is None or level not in levels:
            return ""
        counts = self._counts.setdefault(kind, {})
        if number not in self._begun:
            self._begun.add(number)
            for at, start in self._starts.get(number, {}).items():
                counts[at] = start - 1
        counts[level] = counts.get(level, levels[level].start - 1) + 1
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]
        shown = levels[level]
        if shown.format == "bullet":
            return "-"
        if shown.format == "none" and "%" not in shown.text:
            return shown.text.strip()

        def number_at(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            held = levels.get(at, _Level())
            count = counts.setdefault(at, held.start)
            return format_number(count, "decimal" if shown.legal else held.format)

        return re.sub("%([1-9])", number_at, shown.text).strip()


def _level(element: Element) -> tuple[int, _Level]:
    at = element.get(f"{W}ilvl") or "0"
    start = value(element.find(f"{W}start"))
    level = _Level(
        value(element.find(f"{W}numFmt")) or "decimal",
        value(element.find(f"{W}lvlText")) or "",
        int(start) if start and start.isdecimal() else 1,
        bool(flag(element, "isLgl")),
    )
    return int(at) if at.isdecimal() else 0, level


def format_number(number: int, kind: str) -> str:
    """Write a number as lists do: `kind` is one of OOXML's number formats."""
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if kind == "lowerLetter" else letter.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        text = ""
        for size, sign in _ROMAN:
            count, number = divmod(number, size)
            text += sign * count
        return text if kind == "lowerRoman" else text.upper()
    if kind == "decimalZero":
        return f"{number:02}"
    if kind == "none":
        return ""
    return str(number)
