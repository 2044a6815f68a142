"""Text recognition of scanned pages, offline: by the Tesseract that kreuzberg carries.

Only its language data is needed, which systems ship beside the program: Debian and Ubuntu in
tesseract-ocr-eng, -deu and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from bonito_local.errors import DocumentError, UsageError
from bonito_local.passages.paging import MARKER, by_page

_NAMES = re.compile(r"[A-Za-z_]{2,20}(?:\+[A-Za-z_]{2,20})*")
_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    r"C:\Program Files\Tesseract-OCR\tessdata",
)


def data_folders() -> list[Path]:
    """Where language data may lie: the folder that the user names, or those of systems."""
    named = os.environ.get("TESSDATA_PREFIX")
    return [Path(named)] if named else [Path(folder) for folder in _FOLDERS]


def check_ocr(languages: str) -> None:
    """See that scanned pages in these languages ("eng", "eng+deu"; "" for none) can be read.

    Raises:
        UsageError: they are no names of languages, or their data is not there.
    """
    if languages and not _NAMES.fullmatch(languages):
        raise UsageError(
            f"ocr is {languages!r}.", 'Name languages as Tesseract does: "eng", or "eng+deu".'
        )
    if languages:
        _folder(languages)


def _folder(languages: str) -> Path:
    wanted = [f"{name}.traineddata" for name in languages.split("+")]
    folders = data_folders()
    for folder in folders:
        if all((folder / name).is_file() for name in wanted):
            return folder
    lacking = [
        name.removesuffix(".traineddata")
        for name in wanted
        if not any((folder / name).is_file() for folder in folders)
    ] or languages.split("+")
    named = os.environ.get("TESSDATA_PREFIX")
    raise UsageError(
        f"Tesseract's data for {' and '.join(lacking)} is not there"
        + (f" (TESSDATA_PREFIX is {named})." if named else "."),
        f"Install it (Debian, Ubuntu: tesseract-ocr-{lacking[0]}; macOS: brew install tesseract), "
        "or name the folder it is in with TESSDATA_PREFIX.",
    )


class Recognizer:
    """Reads pages that are pictures.

    Attributes:
        pages: those on which it has seen text, 1-based.
    """

    def __init__(self, languages: str, alive: Callable[[], None] = lambda: None) -> None:
        """Read `languages` ("eng+deu"); `alive` is called before each page: it takes seconds."""
        self.pages: list[int] = []
        self._languages = languages
        self._alive = alive

    def read(self, data: bytes, pages: Sequence[int]) -> dict[int, str]:
        """Return the text that is seen on these pages (1-based) of a PDF.

        Raises:
            DocumentError: text recognition failed.
        """
        found: dict[int, str] = {}
        for page in pages:
            self._alive()
            found[page] = _recognized(data, page, self._languages)
        self.pages += [page for page, text in found.items() if text.strip()]
        return found


def _recognized(data: bytes, page: int, languages: str) -> str:
    from kreuzberg import (
        ExtractionConfig,
        KreuzbergError,
        OcrConfig,
        PageConfig,
        TesseractConfig,
        extract_bytes_sync,
    )

    os.environ["TESSDATA_PREFIX"] = str(_folder(languages))
    seen = TesseractConfig(
        language=languages,
        output_format="text",
        enable_table_detection=False,
        use_cache=False,  # it would keep the text on disk
    )
    config = ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="plain",
        ocr=OcrConfig(backend="tesseract", language=languages, tesseract_config=seen),
        force_ocr_pages=[page],
        # The pages it gives one by one lack what was recognized.
        pages=PageConfig(extract_pages=True, insert_page_markers=True, marker_format=MARKER),
    )
    try:
        result = extract_bytes_sync(data, "application/pdf", config)
    except (KreuzbergError, RuntimeError, ValueError, OSError) as error:
        raise DocumentError(
            f"Text recognition failed ({' '.join(str(error).split())[:120]}).",
            "Leave the document out, or run text recognition (OCR) over it first.",
        ) from error
    return by_page(result.content).get(page, "")
