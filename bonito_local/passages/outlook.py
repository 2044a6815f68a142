"""Messages that Outlook saved (.msg, MS-OXMSG): their text, and what is attached."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

from olefile import OleFileIO

from bonito_local.passages.charsets import codec_of, decode_declared, decode_page
from bonito_local.passages.mailparts import Choice, TextPart

_SUBJECT, _BODY, _HTML = 0x0037, 0x1000, 0x1013
_CODE_PAGE, _INTERNET_CODE_PAGE = 0x3FFD, 0x3FDE
_LONG_NAME, _NAME, _METHOD, _CONTENT_ID = 0x3707, 0x3704, 0x3705, 0x3712
_EMBEDDED = 5  # how a mail is attached
_TOP, _INNER = 32, 8  # bytes before the properties of a message, and of an attachment
# What olefile and struct raise on a damaged file.
DAMAGED = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error)


@dataclass(slots=True)
class Outlook:
    """A message: its subject, its text as plain text and HTML, and what is attached to it."""

    subject: str = ""
    text: Choice = field(default_factory=Choice)
    names: list[str] = field(default_factory=list)
    mails: int = 0


def read_outlook(data: bytes) -> Outlook:
    """Read the properties of a message.

    Raises:
        OSError: it is no compound file; a damaged one may raise any of `DAMAGED`.
    """
    with OleFileIO(io.BytesIO(data)) as file:
        store = _Store(file, "", _TOP)
        held = Outlook(" ".join(store.text(_SUBJECT).split()))
        if body := store.text(_BODY):
            held.text.plain.append(TextPart(body.replace("\r\n", "\n").replace("\r", "\n")))
        if page := store.page():
            held.text.html.append(page)
        folders = {entry[0] for entry in file.listdir() if entry[0].startswith("__attach_")}
        for folder in sorted(folders):
            attached = _Store(file, f"{folder}/", _INNER)
            if attached.numbers.get(_METHOD) == _EMBEDDED:
                held.mails += 1
            elif not (attached.text(_CONTENT_ID) and page):
                name = attached.text(_LONG_NAME) or attached.text(_NAME) or "unnamed"
                held.names.append(" ".join(name.split()))
    return held


class _Store:
    """The properties of a message or of an attachment."""

    def __init__(self, file: OleFileIO, folder: str, header: int) -> None:
        self._file, self._folder = file, folder
        self.numbers: dict[int, int] = {}
        name = f"{folder}__properties_version1.0"
        entries = self._stream(name)[header:]
        for at in range(0, len(entries) - 15, 16):
            kind, tag, _, value = struct.unpack_from("<HHIi", entries, at)
            if kind == 3:  # a number
                self.numbers[tag] = value

    def text(self, tag: int) -> str:
        """Return a property that is text, "" where there is none."""
        wide = self._stream(f"{self._folder}__substg1.0_{tag:04X}001F")
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self._stream(f"{self._folder}__substg1.0_{tag:04X}001E").rstrip(b"\0")
        return decode_declared(narrow, self._charset(_CODE_PAGE)) if narrow else ""

    def page(self) -> str:
        """Return the HTML of the text, "" where there is none."""
        if page := self._stream(f"{self._folder}__substg1.0_{_HTML:04X}0102"):
            return decode_page(page, self._charset(_INTERNET_CODE_PAGE))
        return self.text(_HTML)

    def _charset(self, tag: int) -> str:
        number = self.numbers.get(tag, 0)
        named = {65001: "utf-8", 20127: "us-ascii", 28591: "iso-8859-1", 936: "gbk"}.get(number)
        label = named or f"cp{number}"
        return label if codec_of(label) else ""

    def _stream(self, name: str) -> bytes:
        if not self._file.exists(name):
            return b""
        with self._file.openstream(name) as stream:
            return bytes(stream.read())
