"""The words of a Word part without regard to its structure: what its text is compared with."""

from __future__ import annotations

import html
import re

from bonito_local.passages.office.symbols import symbol
from bonito_local.passages.office.wordinline import from_hex

_RAW = re.compile(
    rb"<(?:(?!m:)\w+:)?t(?:\s[^>]*)?>([^<]*)<|</(?:\w+:)?p>|<(?:\w+:)?(?:tab|br|cr|ptab|oMath|fldChar)\b"
    rb"|<(?:\w+:)?(noBreakHyphen)\b|<(?:\w+:)?framePr[^>]*dropCap=\"(drop|margin)"
    rb"|<(?:\w+:)?sym\b([^>]*)>"
)
_SYM = re.compile(rb"(font|char)=[\"']([^\"']*)")
_FALLBACK = re.compile(rb"<mc:Fallback>.*?</mc:Fallback>", re.DOTALL)


def raw_words(part: bytes) -> str:
    """Return the words of a part's text elements, without regard to its structure."""
    pieces = []
    is_drop_cap = False
    for found in _RAW.finditer(_FALLBACK.sub(b"", part)):
        if found[1] is not None:
            pieces.append(found[1].decode("utf-8", "replace"))
        elif found[3]:
            is_drop_cap = True
        elif found[2]:
            pieces.append("-")
        elif found[4] is not None:
            held = {name: text.decode("utf-8", "replace") for name, text in _SYM.findall(found[4])}
            pieces.append(symbol(held.get(b"font", ""), from_hex(held.get(b"char", ""))))
        elif is_drop_cap and b"/" in found[0]:
            is_drop_cap = False  # the paragraph goes on in the next
        else:
            pieces.append(" ")
    return html.unescape("".join(pieces))
