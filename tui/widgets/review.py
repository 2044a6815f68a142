"""Parts of the review: its table, and the line that says how far it is."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from bonito_local.jobs.review import Reviewed
from bonito_local.jobs.rows import Filter
from bonito_local.tui.format import ACCENT, BAD, DIM, GOOD, bar, count
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.jobs import content


class ReviewGrid(Grid):
    """Enter shows where the row comes from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Source", tooltip="Show the passage in its document")
    ]


def progress(reviewed: Reviewed, total: int, shown: Filter) -> Content:
    """How much was decided, and which rows are shown."""
    done = reviewed.accepted + reviewed.rejected
    part = min(1.0, done / total) if total else 0.0
    return content(
        [
            *bar(part, 16),
            (f"  {count(reviewed.accepted)} accepted", GOOD),
            (f"  {count(reviewed.rejected)} rejected", BAD),
            (f"  {count(reviewed.edited)} edited", ACCENT),
            (f"  {filter_words(shown)}", DIM),
        ]
    )


def filter_words(shown: Filter) -> str:
    """Which rows a filter leaves, in words."""
    words = [shown.outcome, shown.task, f"'{shown.text}'" if shown.text else ""]
    words += [{"none": "undecided", "any": "decided"}.get(shown.decision, shown.decision)]
    words += ["one document" if shown.document else ""]
    return "showing " + (", ".join(filter(None, words)) or "all rows")
