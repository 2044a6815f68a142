"""Formulas of Office (OMML) as a line of text: "E = mc^2", "(a + b)/2"."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from bonito_local.passages.office.package import M

# Parts whose end runs into the next one: x_i y, not x_iy.
_MARKED = ("sSup", "sSub", "sSubSup", "f", "rad", "func")


def math_text(element: Element) -> str:
    """Return a formula's text on one line."""
    return " ".join(_joined(element).split())


def _joined(element: Element | None) -> str:
    """Join a formula's parts; what follows a raised or lowered word stays apart from it."""
    text = ""
    marked = False
    for part in element if element is not None else ():
        piece = _text(part)
        if marked and text[-1:].isalnum() and piece[:1].isalnum():
            text += " "
        text += piece
        marked = bool(piece) and part.tag.removeprefix(M) in _MARKED
    return text


def _text(element: Element) -> str:
    tag = element.tag.removeprefix(M)
    if tag == "t":
        return element.text or ""
    if tag.endswith("Pr"):
        return ""

    def part(name: str) -> str:
        return _joined(element.find(f"{M}{name}"))

    if tag == "f":
        return f"{_grouped(part('num'))}/{_grouped(part('den'))}"
    if tag == "func":
        argument = part("e")
        return f"{part('fName')}{' ' * argument[:1].isalnum()}{argument}"
    if tag in ("sSup", "sSub", "sSubSup"):
        below, above = part("sub"), part("sup")
        marks = f"{below and '_' + _grouped(below)}{above and '^' + _grouped(above)}"
        return f"{part('e')}{marks}"
    if tag == "rad":
        degree = part("deg")
        return f"{degree and degree + ' '}\u221a{_grouped(part('e'))}"
    if tag == "nary":
        return _nary(element, part("sub"), part("sup"), part("e"))
    if tag == "d":
        begin, end = _sign(element, "begChr", "("), _sign(element, "endChr", ")")
        inner = [_joined(held) for held in element.iterfind(f"{M}e")]
        return f"{begin}{_sign(element, 'sepChr', ', ').join(inner)}{end}"
    if tag == "m":
        rows = [[_joined(e) for e in row.iterfind(f"{M}e")] for row in element.iterfind(f"{M}mr")]
        return "; ".join(", ".join(row) for row in rows)
    if tag == "eqArr":
        return "; ".join(_joined(e) for e in element.iterfind(f"{M}e"))
    return _joined(element)


def _nary(element: Element, below: str, above: str, inner: str) -> str:
    sign = _sign(element, "chr", "\u222b")
    return f"{sign}{below and '_' + _grouped(below)}{above and '^' + _grouped(above)} {inner}"


def _sign(element: Element, name: str, usual: str) -> str:
    properties = element.find(f"{element.tag}Pr")
    held = None if properties is None else properties.find(f"{M}{name}")
    return usual if held is None else held.get(f"{M}val", "")


def _grouped(text: str) -> str:
    text = text.strip()
    return text if len(text) < 2 or text.isalnum() else f"({text})"
