"""What is reported of a PDF besides its text: parts left out, and text that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bonito_local.passages.notes import READ_HIDDEN, Notes, counted
from bonito_local.passages.pdf_lines import Lines
from bonito_local.passages.pdf_pages import Kind, Page

_WAIT = re.compile(r"\s*(?:please wait|if this message is not eventually replaced)", re.IGNORECASE)
_VIEWER = re.compile(r"viewer may not be able to display|adobe reader", re.IGNORECASE)
_PLACEHOLDER = 2_000  # characters: a page with more is no placeholder
_RUNNING = 0.05  # of the words: fewer in headers and footers need no mention
_MOST_NAMED = 10
_RECOGNIZE = "Text recognition (OCR) reads them: --ocr eng, or ocr in a job file."


class Findings:
    """What is to be said of a document, gathered page by page.

    Attributes:
        garbled: the number of words that are no language, by page.
        contents: the number of lines of tables of contents, by page.
        reordered: the pages whose words stand in another order than in their plain text.
        running: the number of words in headers and footers, and of all words.
    """

    def __init__(self, kind: Kind) -> None:
        self.garbled: dict[int, int] = {}
        self.contents: dict[int, int] = {}
        self.reordered: list[int] = []
        self.running = (0, 0)
        self._kind = kind
        self._hidden: dict[int, int] = {}
        self._layered: list[int] = []
        self._comments: dict[int, int] = {}
        self._watermarks: list[int] = []
        self._numbered: list[int] = []

    def add(self, page: Page) -> None:
        """Note what a page holds besides its text."""
        if page.garbled:
            self.garbled[page.number] = page.garbled
        if page.hidden:
            self._hidden[page.number] = page.hidden
        if page.unread_comments:
            self._comments[page.number] = page.unread_comments
        if page.layered:
            self._layered.append(page.number)

    def left_out(self, number: int, lines: Lines) -> None:
        """Note what was left out when a page's lines were made."""
        if lines.watermarks:
            self._watermarks.append(number)
        if lines.numbers:
            self._numbered.append(number)

    def is_placeholder(self, pages: Sequence[str]) -> bool:
        """Whether the pages only say that a viewer should load the form."""
        text = "\n".join(pages)
        waits = bool(_WAIT.match(text)) and len(text) <= _PLACEHOLDER
        return waits and (bool(self._kind.xfa) or bool(_VIEWER.search(text)))

    def report(self, notes: Notes, seen: Mapping[int, str]) -> None:
        """Record what was gathered; `seen` is what text recognition read on pages."""
        unread = [number for number in self.garbled if not seen.get(number, "").strip()]
        if unread:
            count = counted(sum(self.garbled[number] for number in unread), "word")
            notes.add(
                f"Left out {count} in fonts without a Unicode map: {_pages(unread)}.", _RECOGNIZE
            )
        if self._layered:
            notes.add(
                f"Read the text layer over pictures, made by text recognition: "
                f"{_pages(self._layered)}.",
                "Look at what became of them: text recognition misreads words.",
            )
        for what, held in (("hidden word", self._hidden), ("comment", self._comments)):
            if held:
                count = counted(sum(held.values()), what)
                notes.add(f"Left out {count}: {_pages(held)}.", READ_HIDDEN)
        notes.left_out(self._kind.attachments, "attached file", "")
        if self.contents:
            count = counted(sum(self.contents.values()), "line of a table of contents")
            notes.add(f"Left out {count}: {_pages(self.contents)}.")
        if self.reordered:
            notes.add(
                "Tables or columns were read in another order than the file keeps their words: "
                f"{_pages(self.reordered)}.",
                "Compare the passages with the document; if they are wrong, leave it out.",
            )
        running, words = self.running
        if running > _RUNNING * words:
            notes.add(f"Left out {counted(running, 'word')} of headers and footers.")
        if self._watermarks:
            notes.add(f"Left out a watermark: {_pages(self._watermarks)}.")
        if self._numbered:
            notes.add(f"Left out the numbers of lines in the margin: {_pages(self._numbered)}.")
        if self._kind.xfa == 2:
            notes.add(
                "The document is also a form (XFA); what only that part holds was left out.",
                "Open it in Adobe Reader and print it to a new PDF.",
            )


def _pages(numbers: Iterable[int]) -> str:
    held = list(numbers)
    shown = ", ".join(map(str, held[:_MOST_NAMED])) + ", ..." * (len(held) > _MOST_NAMED)
    return f"page{'s' * (len(held) > 1)} {shown}"
