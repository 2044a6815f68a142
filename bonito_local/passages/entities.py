"""Keeping &, <, > and quotes in DOCX: kreuzberg 4 drops the entities that stand for them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

_PARTS = re.compile(r"word/(document|footnotes|endnotes)\.xml")
_MAX_BYTES = 100_000_000  # unpacked; kreuzberg refuses more
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
# Characters for private use stand in; tidied text has none.
_STAND_INS = {shown: chr(0xE001 + i) for i, shown in enumerate(_NAMED.values())}


def hide_entities(data: bytes) -> bytes:
    """Return the DOCX with the entities in its text replaced by stand-ins.

    What is no DOCX is returned as it is, for the reader to refuse.
    """
    stream = io.BytesIO()
    try:
        with (
            zipfile.ZipFile(io.BytesIO(data)) as old,
            zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as new,
        ):
            if sum(info.file_size for info in old.infolist()) > _MAX_BYTES:
                return data
            for info in old.infolist():
                part = old.read(info)
                if _PARTS.fullmatch(info.filename):
                    part = _ENTITY.sub(_hide, part.decode("utf-8")).encode("utf-8")
                new.writestr(info.filename, part)
    # What zipfile raises on a hostile file, by its sources: also these.
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ):
        return data
    return stream.getvalue()


def show_entities(markdown: str) -> str:
    """Put the characters back for their stand-ins, escaped for Markdown."""
    for shown, hidden in _STAND_INS.items():
        markdown = markdown.replace(hidden, f"\\{shown}")
    return markdown


def _hide(found: re.Match[str]) -> str:
    name = found[1]
    if name in _NAMED:
        return _STAND_INS[_NAMED[name]]
    code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    character = chr(code) if 31 < code < 0xD800 or 0xE000 <= code < 0x110000 else " "
    return _STAND_INS.get(character, character)
