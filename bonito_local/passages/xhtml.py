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
# Elements that an HTML parser reads to their end tag, whatever stands before it.
_SWALLOWING = re.compile(r"script|style|title|iframe|noscript|textarea|xmp", re.IGNORECASE)


def is_xml(text: str) -> bool:
    """Whether a page says that it is XML."""
    return bool(_XML.match(text))


def as_html(text: str) -> str:
    """Close the elements that XML allows to be empty; unwrap character data.

    An HTML parser takes `<title/>` for an open title, and the page for its text.
    """
    text = _DECLARATION.sub("", text)
    text = _CDATA.sub(lambda data: escape(data[1], quote=False), text)
    return _EMPTY.sub(_close, text)


def _close(empty: re.Match[str]) -> str:
    name = empty[1]
    if name.lower() in _VOID:
        return empty[0]
    if _SWALLOWING.fullmatch(name):
        # A page of HTML that says it is XML may end one of its own that looks empty.
        after = re.compile(rf"<(/?){name}\b", re.IGNORECASE).search(empty.string, empty.end())
        if after and after[1]:
            return empty[0]
    return f"<{name}{empty[2]}></{name}>"
