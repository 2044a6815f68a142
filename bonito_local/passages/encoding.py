"""Which encoding the bytes of a text are in."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 16_000  # bytes that a guess looks at, in pieces
_LATIN = 0.15  # share of letters above ASCII: up to it a text is in a language of the West
# What Windows-1252 does not have, and its capitals right after a small letter.
_MAC = re.compile(rb"[\x81\x8d\x8f\x90\x9d]|[a-z][\x8a\x8c\x8e\x9f\xc0-\xde]")
_ABOVE = re.compile(rb"[\x80-\xff]")


def bom_encoding(data: bytes) -> str | None:
    """Return the encoding that a byte order mark at the start names."""
    return next((name for bom, name in _BOMS if data.startswith(bom)), None)


def guess_encoding(data: bytes) -> str:
    """Return the likely encoding of a text that is not all UTF-8 and has no byte order mark.

    It is UTF-8 all the same where broken bytes are few among its characters above ASCII.
    UTF-16 shows by the zeros of its ASCII characters; a text of mostly ASCII letters is taken for
    Windows-1252, or Mac Roman where it would be odd in that; charset-normalizer tells the others.
    """
    shown = data.decode("utf-8", "replace")
    broken = shown.count("\ufffd")
    if len(shown.encode("ascii", "ignore")) + 10 * broken < len(shown):
        return "utf-8"
    sample = _sample(data)
    for name, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if zeros.count(0) > len(zeros) / 2:
            return name
    letters = len(re.findall(rb"[A-Za-z]", sample))
    above = len(_ABOVE.findall(sample))
    if above <= _LATIN * (letters + above):
        return "mac_roman" if len(_MAC.findall(sample)) > above / 3 else "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else "cp1252"


def _sample(data: bytes) -> bytes:
    """Return pieces that hold characters above ASCII, as far as there are some."""
    first = _ABOVE.search(data)
    at = max(0, first.start() - _SAMPLE // 2) if first else 0
    at -= at % 4
    return data[at : at + _SAMPLE]
