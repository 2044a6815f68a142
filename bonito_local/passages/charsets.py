"""Charsets that mails and web pages declare, by their names on the web (WHATWG Encoding)."""

from __future__ import annotations

import codecs
import re

from webencodings import lookup

from bonito_local.passages.encoding import bom_encoding, guess_encoding

_DECLARED_WITHIN = 8192  # bytes: browsers look at 1024, but scripts stand before many a meta tag
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1|\Z)", re.DOTALL | re.I)
_META = re.compile(rb"<meta\b([^>]*)>", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']*\s*([A-Za-z0-9_:.+-]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9_:.+-]+)[\"']")
# Python's codecs that decode all that a browser does under a name of the standard.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-8-i": "iso8859-8",
}
_MISSPELLED = {b"utf8mb4": "utf-8", b"unicode": "utf-8", b"ansi": "cp1252", b"utf": "utf-8"}
_SINGLE_BYTE = re.compile(r"cp(?:125\d|866|874)|iso8859-\d+|koi8-\w|mac[-_]\w+")


def codec_of(label: str) -> str | None:
    """Return the Python codec for a charset's name; None for a name that nobody knows.

    Names mean what they mean to browsers: iso-8859-1 is Windows-1252, gb2312 is GB 18030.
    """
    label = label.strip().strip("\"';,").lower()
    if named := _MISSPELLED.get(label.encode("ascii", "ignore")):
        return named
    encoding = lookup(label)
    if encoding and encoding.name == "replacement":  # browsers refuse some, for scripts' sake
        encoding = None
    try:
        name = encoding.codec_info.name if encoding else codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    if name in ("x-user-defined", "ascii", "iso8859-1"):
        return "cp1252"
    if not _is_text(name):
        return None
    return _WIDER.get(name, name)


def decode_declared(data: bytes, label: str) -> str:
    """Decode a text whose charset was declared, as far as its bytes bear the declaration out.

    A byte order mark counts first. Bytes that are UTF-8 are that, whatever a single-byte charset
    is named; bytes that are no UTF-8 are guessed.
    """
    codec = bom_encoding(data) or codec_of(label)
    if codec is None or (codec == "utf-8" and not _is_utf_8(data)):
        codec = "utf-8" if _is_utf_8(data) else guess_encoding(data)
    elif _SINGLE_BYTE.fullmatch(codec) and _is_utf_8(data):
        codec = "utf-8"
    elif codec.startswith("utf-16") and not bom_encoding(data):
        # Without a mark the zeros tell which byte comes first, or that it is no UTF-16.
        codec = guess_encoding(data) if b"\0" in data or not _is_utf_8(data) else "utf-8"
    try:
        return data.decode(codec, "latin1-for-unknown")
    except (LookupError, ValueError):
        return data.decode(guess_encoding(data), "replace")


def decode_page(data: bytes, label: str = "") -> str:
    """Decode HTML or XHTML: by `label` where it was sent with one, else as the page declares."""
    return decode_declared(data, label or declared_charset(data))


def declared_charset(data: bytes) -> str:
    """Return the charset that a page declares in its XML declaration or a meta tag, or ""."""
    head = data[:_DECLARED_WITHIN]
    if xml := _XML.match(head.removeprefix(codecs.BOM_UTF8)):
        return xml[1].decode("ascii")
    for meta in _META.finditer(_COMMENT.sub(b"", head)):
        charset = _CHARSET.search(meta[1])
        label = charset[1].decode("ascii") if charset else ""
        if label and codec_of(label):
            return label
    return ""


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_text(name: str) -> bool:
    try:
        b"a".decode(name)
    except LookupError:
        return False  # what turns bytes into other bytes
    except ValueError:
        return True
    return True


def _latin1_for_unknown(error: UnicodeError) -> tuple[str, int]:
    """Stand a byte that a charset leaves undefined for the character of its number, as browsers do.

    In a charset of several bytes a character it stands for a broken one.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    if error.encoding == "charmap":
        return wrong.decode("latin-1"), error.end
    return "\ufffd", error.end


codecs.register_error("latin1-for-unknown", _latin1_for_unknown)
