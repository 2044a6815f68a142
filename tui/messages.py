"""What workers and widgets tell the screens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from bonito_local.jobs.preview import Found
    from bonito_local.jobs.registry import Entry
    from bonito_local.jobs.state import Listed


class JobsSeen(Message):
    """The jobs that are on the list, and those of them that have changed."""

    def __init__(self, entries: Sequence[Entry], changed: Sequence[Listed]) -> None:
        super().__init__()
        self.entries = entries
        self.changed = changed


class PreviewFound(Message):
    """A preview came upon something."""

    def __init__(self, found: Found, look: int) -> None:
        super().__init__()
        self.found = found
        self.look = look


class Step(Message):
    """A long piece of work has come so far."""

    def __init__(self, text: str, share: float | None = None) -> None:
        super().__init__()
        self.text = text
        self.share = share
