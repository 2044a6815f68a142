"""What kind of document a file is, told by its first bytes; suffixes are often wrong or missing."""

from __future__ import annotations

import re

from bonito_local.passages.encoding import bom_encoding

HEAD = 4096  # bytes that are looked at
ZIP, OLE = ".zip", ".ole"  # containers: what is in them tells the kind
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_STARTS = (
    (b"%PDF-", ".pdf"),
    (b"PK\x03\x04", ZIP),
    (_OLE, OLE),
    (b"{\\rtf", ".rtf"),
    (b"PAR1", ".parquet"),
    (b"ARROW1", ".arrow"),
)
_OTHERS = (  # known, and no documents
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"RIFF", b"OggS", b"ID3"),
    *(b"\x7fELF", b"MZ", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"\xfd7zXZ", b"Rar!", b"\0asm"),
    *(b"SQLite format 3", b"\xca\xfe\xba\xbe", b"fLaC", b"\0\0\0\x1cftyp", b"\0\0\0\x20ftyp"),
)
_SPACE = rb"(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*"
_PAGE = re.compile(_SPACE + rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XML = re.compile(rb"\s*<\?xml\b")
_MAILBOX = re.compile(rb"From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n[A-Za-z-]+:")
_FIELD = re.compile(rb"([A-Za-z][A-Za-z-]*):[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n")
# Fields that people do not write at the head of a memo.
_MAIL_FIELDS = frozenset(
    (b"received", b"message-id", b"mime-version", b"return-path", b"delivered-to", b"x-mailer")
)
_CAPTIONS = re.compile(rb"\d+\s*\r?\n\d\d:\d\d:\d\d,\d\d\d --> \d\d:")
_MEMBERS = (
    (b"word/document", ".docx"),
    (b"ppt/presentation", ".pptx"),
    (b"xl/workbook", ".xlsx"),
    (b"META-INF/container.xml", ".epub"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", ".odt"),
)
_STREAMS = (("WordDocument", ".doc"), ("__properties_version1.0", ".msg"))
_BINARY = frozenset(".pdf .docx .pptx .xlsx .odt .epub .msg .doc .rtf .parquet .arrow".split())
_IN_CONTAINER = {
    ZIP: frozenset(".docx .pptx .xlsx .odt .epub".split()),
    OLE: frozenset(".doc .msg .docx .pptx .xlsx".split()),  # the last: older, or encrypted
}


def kind_of(head: bytes, suffix: str) -> str:
    """Return the kind that a file's first bytes have, `suffix` where they agree with it.

    It is "" for what is neither text nor known, and `ZIP` or `OLE` for a container of something
    else than the suffix says.
    """
    for start, kind in _STARTS:
        if head.startswith(start) or (kind == ".pdf" and start in head[:1024]):
            return suffix if suffix == kind or suffix in _IN_CONTAINER.get(kind, ()) else kind
    if head.startswith(_OTHERS):
        return ""
    if not _is_text(head):
        return suffix
    kind = _text_kind(head)
    if suffix in _BINARY:
        return kind or ".txt"
    if kind in (".html", ".eml", ".mbox"):
        return suffix if suffix in _LIKE[kind] else kind
    return suffix or kind or ".txt"


_LIKE = {
    ".html": (".html", ".htm", ".xhtml", ".xml"),
    ".eml": (".eml", ".mbox", ".emlx"),
    ".mbox": (".eml", ".mbox"),
}


def kind_within(data: bytes, kind: str) -> str:
    """Return the kind of document in a container, "" for one that is none; others as they are."""
    if kind == ZIP or (kind in _IN_CONTAINER[ZIP] and data.startswith(b"PK")):
        kinds = [held for name, held in _MEMBERS if name in data]
        return kind if kind in kinds or (kind != ZIP and not kinds) else next(iter(kinds), "")
    if kind == OLE or (kind in _IN_CONTAINER[OLE] and data.startswith(_OLE)):
        kinds = [held for name, held in _STREAMS if name.encode("utf-16-le") in data]
        return kind if kind in kinds or (kind != OLE and not kinds) else next(iter(kinds), "")
    return kind


def _text_kind(head: bytes) -> str:
    """Return the kind of a text that shows by its first line or tag, "" for any other."""
    encoding = bom_encoding(head)
    if encoding:
        head = head.decode(encoding, "replace").encode("utf-8")
    if _PAGE.match(head):
        return ".html"
    if _XML.match(head):
        return ".xml"
    if _MAILBOX.match(head):
        return ".mbox"
    fields, at = set(), 0
    while field := _FIELD.match(head, at):
        fields.add(field[1].lower())
        at = field.end()
    if len(fields) >= 3 and fields & _MAIL_FIELDS:
        return ".eml"
    if head.startswith(b"WEBVTT"):
        return ".vtt"
    if _CAPTIONS.match(head):
        return ".srt"
    if head.lstrip()[:1] in (b"{", b"["):
        return ".json"
    return ""


def _is_text(head: bytes) -> bool:
    """Whether bytes may be text: no zeros but those of UTF-16, and few control characters."""
    if bom_encoding(head):
        return True
    zeros = (head[::2].count(0), head[1::2].count(0))
    if any(zeros):
        codec = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        text = head.decode(codec, "replace")
        controls = sum(sign < " " and sign not in "\t\n\r\f" for sign in text)
        return max(zeros) > len(text) / 4 and controls <= len(text) / 50
    controls = sum(head.count(code) for code in range(32) if code not in (8, 9, 10, 12, 13, 27))
    return controls <= len(head) / 50
