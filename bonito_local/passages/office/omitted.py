"""What a reader leaves out of a document on purpose: counted, said, and no loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bonito_local.passages.completeness import Part, check_completeness, words_of_text
from bonito_local.passages.notes import READ_HIDDEN, Notes, counted
from bonito_local.passages.office.grid import Words

_WORDS = ("hidden text", "tracked deletions")  # counted by words, not by pieces
_HIDDEN = ("hidden", "comment", "tracked")


class Omitted(Words):
    """Texts that are left out by kind ("hidden row"), and those that a reader puts in."""

    def __init__(self, notes: Notes) -> None:
        """Report to `notes`; where they say so, hidden text is not to be left out."""
        super().__init__()
        self.hidden = notes.hidden
        self._notes = notes
        self._counts: Counter[str] = Counter()

    def leave_out(self, kind: str, text: str = "", count: int = 1) -> None:
        """Record a text that is left out; of hidden and deleted text the words are counted."""
        if kind in _WORDS:
            count = sum(1 for _ in words_of_text(text))
        self._counts[kind] += count
        if text:
            self.texts.append(text)

    def count_words(self, kind: str, text: str) -> None:
        """Count the words of a text that is left out and that no raw words include."""
        self._counts[kind] += sum(1 for _ in words_of_text(text))

    def report(self) -> None:
        """Add a problem for each kind that was left out."""
        for kind, count in self._counts.items():
            if not count:
                continue
            remedy = READ_HIDDEN if kind.startswith(_HIDDEN) else ""
            what = f"{counted(count, 'word')} of {kind}" if kind in _WORDS else counted(count, kind)
            self._notes.add(f"Left out {what}.", remedy)

    def check(self, parts: Sequence[Part], text: str, unit: str) -> None:
        """Add a problem where the document's raw words are not those of its text."""
        for note in check_completeness(
            parts, text, unit=unit, left_out=self.texts, added=self.added
        ):
            self._notes.add(note.title, note.remedy)
