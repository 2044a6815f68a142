"""RTF as control words, characters and groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)",
    re.DOTALL,
)
CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030",
    136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256",
    186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_PAGES = {10000: "mac_roman", 936: "gb18030", 1361: "johab", 65001: "utf-8"}


@dataclass(frozen=True, slots=True)
class Token:
    """A control `word` with its number, a `symbol` ("{", "}", "~"), or `data` to decode."""

    word: str = ""
    number: int | None = None
    symbol: str = ""
    data: bytes = b""


def tokens(data: bytes) -> Iterator[Token]:
    """Yield the tokens of RTF; the raw bytes of pictures are passed over."""
    at = 0
    while found := _TOKEN.search(data, at):
        at = found.end()
        word, number, character, symbol, brace, text = found.groups()
        if word:
            name = word.decode("ascii")
            count = int(number) if number else None
            if name == "bin":
                at += max(0, count or 0)
            else:
                yield Token(word=name, number=count)
        elif character:
            yield Token(data=bytes([int(character, 16)]))
        elif symbol:
            yield Token(symbol=symbol.decode("latin-1"))
        elif brace:
            yield Token(symbol=brace.decode("ascii") * 2)
        else:
            yield Token(data=text)


def code_page(number: int | None) -> str:
    """Return the name of a Windows code page's encoding, Windows-1252 for an unknown one."""
    name = _PAGES.get(number or 0, f"cp{number}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name
