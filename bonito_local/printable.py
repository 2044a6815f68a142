"""What may be shown on a terminal of text that comes from others: documents, names of files."""

from __future__ import annotations

import re

# C0 and C1 but tab and line feed, DEL, and what turns the direction of text around.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Show what would steer a terminal as its number, \xNN or \uNNNN.

    An escape sequence in a document's name could otherwise write to the clipboard, or fake output.
    """
    return _HARMFUL.sub(_number, text)


def one_line(text: str) -> str:
    r"""Show what is to stand in one line: a line feed in a name is \x0a, a tab \x09."""
    return printable(text).translate(_BREAKS)


def shortened(text: str) -> str:
    """Leave out the middle of a message that quotes a value of thousands of characters."""
    half = _LONGEST_MESSAGE // 2
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:half]} … {text[-half:]}"


_LONGEST_MESSAGE = 2000
_BREAKS = {ord(sign): f"\\x{ord(sign):02x}" for sign in "\n\t"} | {
    ord(sign): f"\\u{ord(sign):04x}" for sign in "\u2028\u2029"
}


def _number(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
