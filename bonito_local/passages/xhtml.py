"""XHTML, made ready for a parser of HTML."""

from __future__ import annotations

import re
from html import escape

_XML = re.compile(r"\A\ufeff?\s*<\?xml\b")
_DECLARATION = re.compile(r"<\?[^>]*\?>")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_EMPTY = re.compile(
    r"""<([A-Za-z][\w:.-]*)((?:\s+[^<>\s=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*)\s*/>"""
)
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr image".split()
)
_SWALLOWING = frozenset("script style title iframe noscript textarea".split())


def is_xml(text: str) -> bool:
    """Whether a page says that it is XML."""
    return bool(_XML.match(text))


def as_html(text: str, xml: bool = True) -> str:
    """Close the elements that XML allows to be empty; unwrap character data.

    An HTML parser takes `<title/>` for an open title, and the page for its text. Where a page
    is not `xml`, only such elements are closed: browsers take others for open.
    """
    if not xml:
        return _EMPTY.sub(_close_swallowing, text)
    text = _DECLARATION.sub("", text)
    text = _CDATA.sub(lambda data: escape(data[1], quote=False), text)
    return _EMPTY.sub(_close, text)


def _close(empty: re.Match[str]) -> str:
    name = empty[1]
    return empty[0] if name.lower() in _VOID else f"<{name}{empty[2]}></{name}>"


def _close_swallowing(empty: re.Match[str]) -> str:
    return _close(empty) if empty[1].lower() in _SWALLOWING else empty[0]
