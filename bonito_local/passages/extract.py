"""Documents of all kinds but tables to blocks; kreuzberg reads Outlook's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bonito_local.errors import DocumentError
from bonito_local.passages.archives import check_archive
from bonito_local.passages.blocks import Block, check_readable
from bonito_local.passages.formats import READERS
from bonito_local.passages.mail import outlook_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.ocr import Recognizer
from bonito_local.passages.office.readers import OFFICE_READERS
from bonito_local.passages.pdf import pdf_blocks

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_MIME = {
    ".msg": "application/vnd.ms-outlook",
}
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # the container of encrypted and of old Office files
_OFFICE_XML = (".docx", ".pptx", ".xlsx")
_ARCHIVES = (*_OFFICE_XML, ".odt", ".epub")
_RECOGNIZE = "Read it by text recognition (OCR): --ocr eng, or ocr in a job file."


def extract_blocks(
    data: bytes, kind: str, eyes: Recognizer | None = None, notes: Notes | None = None
) -> list[Block]:
    """Read the bytes of a document of kind ".pdf", ".docx" and so on into blocks.

    What is left out of it is recorded in `notes`.

    Raises:
        DocumentError: it is empty, encrypted, corrupt, or holds no text.
    """
    notes = notes or Notes()
    if not data:
        raise DocumentError("The file is empty.", "Leave it out, or check that it was saved.")
    if kind in _OFFICE_XML and data.startswith(_OLE):
        raise DocumentError(
            f"The document is encrypted, or in a format older than {kind}.",
            "Save it without a password in the current format.",
        )
    if kind in _ARCHIVES:
        check_archive(data)
    reader = READERS.get(kind) or OFFICE_READERS.get(kind)
    blocks = reader(data, notes) if reader else _blocks(data, kind, eyes, notes)
    if not any(block.text for block in blocks):
        if kind == ".pdf" and eyes is None:
            raise DocumentError("The document holds no text: it may be a scan.", _RECOGNIZE)
        raise DocumentError("The document holds no text.", "Leave it out.")
    check_readable("\n".join(block.text for block in blocks))
    return blocks


def _blocks(data: bytes, kind: str, eyes: Recognizer | None, notes: Notes) -> list[Block]:
    if kind == ".pdf":
        return pdf_blocks(data, eyes, notes)
    return outlook_blocks(data, lambda held: _extract(held, kind).content, notes)


def _extract(data: bytes, kind: str) -> ExtractionResult:
    from kreuzberg import (
        ExtractionConfig,
        KreuzbergError,
        extract_bytes_sync,
    )

    config = ExtractionConfig(
        use_cache=False,  # it would keep the text on disk
        enable_quality_processing=False,
        disable_ocr=True,  # type: ignore[call-arg] # its stubs lack it
        output_format="plain",
    )
    try:
        return extract_bytes_sync(data, _MIME[kind], config)
    except (KreuzbergError, RuntimeError, ValueError, OSError) as error:
        raise _document_error(str(error), kind) from error


def _document_error(message: str, kind: str) -> DocumentError:
    if "password" in message.lower() or "encrypt" in message.lower():
        return DocumentError("The document is encrypted.", "Save it without a password.")
    if "security limit" in message.lower():
        return DocumentError(
            "The document unpacks to far more than its size; it is not read, to be safe.",
            "Save it anew with the program that made it.",
        )
    detail = " ".join(message.split()).removeprefix("ParsingError: ")[:120]
    return DocumentError(
        f"The document is damaged, or no {kind} file ({detail}).",
        "Open it in the program that made it and save it again.",
    )
