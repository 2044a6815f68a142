"""Zip containers (DOCX, PPTX, XLSX, ODT, EPUB), looked through before anything parses them."""

from __future__ import annotations

import io
import zipfile
import zlib
from itertools import pairwise

from bonito_local.errors import DocumentError

MOST_MEMBERS = 10_000
MOST_BYTES = 1_000_000_000  # unpacked
_ALWAYS_ALLOWED = 50_000_000
_MOST_RATIO = 100  # unpacked to packed, above what is always allowed
_PIECE = 1 << 20
_LOCAL_HEADER = 30


def check_archive(data: bytes) -> None:
    """Unpack the members, keeping nothing, as far as it is safe to: sizes that are named may lie.

    What is no zip file, or a damaged one, is left for the parser to tell.

    Raises:
        DocumentError: it has too many members, some that share bytes, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return
    left = min(MOST_BYTES, max(_ALWAYS_ALLOWED, _MOST_RATIO * len(data)))
    if len(members) > MOST_MEMBERS or _overlap(members):
        raise _bomb()
    for member in members:
        left -= _unpacked(data, member, left)
        if left < 0:
            raise _bomb()


def _overlap(members: list[zipfile.ZipInfo]) -> bool:
    """Whether two members are made of the same bytes, which no program writes in earnest."""
    spans = sorted((m.header_offset, m.header_offset + m.compress_size) for m in members)
    return any(end > start for (_, end), (start, _) in pairwise(spans))


def _unpacked(data: bytes, member: zipfile.ZipInfo, most: int) -> int:
    """Return the bytes that a member unpacks to, or a little more than `most`."""
    if member.compress_type != zipfile.ZIP_DEFLATED:
        return max(member.file_size, member.compress_size)
    header = data[member.header_offset : member.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER:
        return 0
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = member.header_offset + _LOCAL_HEADER + names
    packed = memoryview(data)[start : start + member.compress_size]
    unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    rest: bytes | memoryview = packed
    try:
        while rest and total <= most and not unpacker.eof:
            total += len(unpacker.decompress(rest, _PIECE))
            rest = unpacker.unconsumed_tail
    except zlib.error:
        return total
    return total


def _bomb() -> DocumentError:
    return DocumentError(
        "The document unpacks to far more than its size; it is not read, to be safe.",
        "Save it anew with the program that made it.",
    )
