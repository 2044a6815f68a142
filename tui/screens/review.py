"""Review: a person goes through the rows, keys in hand; every step can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from bonito_local.jobs.review import REASONS, Review, Reviewed, open_review
from bonito_local.jobs.rows import Decision, Filter, Shown
from bonito_local.jobs.state import JobState, job_state
from bonito_local.tui.format import count, plural
from bonito_local.tui.pager import PAGE, Pager
from bonito_local.tui.screens import actions
from bonito_local.tui.screens.dialog import AskText, Choose, Confirm
from bonito_local.tui.screens.page import Page
from bonito_local.tui.screens.review_dialogs import EditDialog, FilterDialog, SourceDialog
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.review import ReviewGrid, progress
from bonito_local.tui.widgets.row_view import COLUMNS, RowView, row_cells
from bonito_local.tui.writes import Writes


class ReviewScreen(Page):
    """Rows of a filter, the one under the cursor beside its passage, and what you say of it."""

    NAME = "Review"
    HELP = (
        "Go through the rows: a keeps one, r leaves it out and asks why; the cursor goes on to "
        "the next. What you decide goes before what the checks said, and the dataset follows it "
        "when it is written (x). Nothing is deleted, and u takes back one step after another."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("a", "decide('accepted')", "Accept", tooltip="Accept the row"),
        Binding("r", "reject", "Reject", tooltip="Reject the row, with a reason"),
        Binding("e", "edit", "Edit", tooltip="Write another instruction or response"),
        Binding("u", "undo", "Undo", tooltip="Take back the last step"),
        Binding("f", "filter", "Filter", tooltip="Choose which rows to look at"),
        Binding("slash", "search", "Search", tooltip="Only rows with a text"),
        Binding("t", "tags", "Tags", show=False, tooltip="Set tags"),
        Binding("n", "note", "Note", show=False, tooltip="Write a note"),
        *(
            Binding(str(at), f"score({at})", show=False, tooltip="Give a score of 1 to 5")
            for at in range(1, 6)
        ),
        Binding("0", "score(0)", show=False, tooltip="Take the score back"),
        Binding("A", "all('accepted')", show=False, tooltip="Accept all rows of the filter"),
        Binding("R", "all('rejected')", show=False, tooltip="Reject all rows of the filter"),
        Binding("c", "decide('')", show=False, tooltip="Clear the decision"),
        Binding("x", "export", "Export", show=False, tooltip="Write the dataset"),
    ]

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output = output
        self.filter = Filter(outcome="accepted")
        self.pager = Pager(self._want)
        self.reviewed = Reviewed(0, 0, 0)
        self._review: Review | None = None
        self._writes = Writes(self)

    def content(self) -> ComposeResult:
        """The rows, the row, and how far the review is."""
        yield Static("", id="progress", markup=False)
        with Vertical(classes="rows-and-row"):
            yield ReviewGrid(COLUMNS, self._cells, id="review")
            yield RowView()

    def on_mount(self) -> None:
        """Open the store and look at the rows that would be in the dataset."""
        self.say("", f"Review of {self.output.name}")
        self.query_one(Grid).focus()
        self.ask(self._open, self._opened)

    def _open(self) -> tuple[Review, list[int], list[Shown]]:
        review = open_review(self.output)
        numbers = review.first(self.filter, PAGE)
        return review, numbers, review.page(numbers)

    def _opened(self, opened: tuple[Review, list[int], list[Shown]]) -> None:
        self._review, numbers, rows = opened
        self._have_first(numbers, rows)
        self.ask(self._review.reviewed, self._have_progress, "progress")

    def on_unmount(self) -> None:
        """Close the store."""
        if self._review is not None:
            self._review.close()

    def show_filter(self, wanted: Filter) -> None:
        """Show the rows of a filter: the first at once, all as soon as they are counted."""
        review, self.filter = self._review, wanted
        if review is None:
            return
        self.ask(lambda: review.first(wanted, PAGE), self._have_first, "numbers")
        self.ask(review.reviewed, self._have_progress, "progress")

    def _have_first(self, numbers: Sequence[int], rows: Sequence[Shown] = ()) -> None:
        review, wanted = self._review, self.filter
        self.pager.set_numbers(numbers)
        if rows:
            self.pager.put(0, rows)
        grid = self.query_one(Grid)
        grid.show(len(numbers))
        grid.cursor = 0
        self._show_row()
        if review is not None and len(numbers) == PAGE:
            gone = lambda: not self.is_attached or self.filter != wanted  # noqa: E731
            self.ask(lambda: review.numbers(wanted, gone), self._have_all, "numbers")

    def _have_all(self, numbers: Sequence[int] | None) -> None:
        if numbers is not None:
            self.pager.set_numbers(numbers, more=True)
            self.query_one(Grid).show(len(numbers))
            self._show_progress()

    def _want(self, page: int, numbers: Sequence[int]) -> None:
        review, of = self._review, self.filter
        if review is not None:
            self.ask(lambda: review.page(numbers), lambda rows: self._have_page(page, rows, of))

    def _have_page(self, page: int, rows: Sequence[Shown], of: Filter) -> None:
        if of == self.filter:
            self.pager.put(page, rows)
            self.query_one(Grid).refresh()
            self._show_row()

    def _have_progress(self, reviewed: Reviewed) -> None:
        self.reviewed = reviewed
        self._show_progress()

    def _show_progress(self) -> None:
        total = len(self.pager.numbers)
        told = progress(self.reviewed, total, self.filter)
        self.query_one("#progress", Static).update(told, layout=False)
        at = self.query_one(Grid).cursor + 1 if total else 0
        self.say(f"{count(at)} of {plural(total, 'row')}")

    def _cells(self, index: int) -> Any:
        row = self.pager.at(index) if index < len(self.pager.numbers) else None
        return row_cells(row) if row else None

    @property
    def row(self) -> Shown | None:
        """The row under the cursor."""
        at = self.query_one(Grid).cursor
        return self.pager.at(at) if at < len(self.pager.numbers) else None

    @on(Grid.Highlighted)
    def _show_row(self) -> None:
        empty = "" if self.pager.numbers else "No such rows. f chooses others."
        self.query_one(RowView).show(self.row, empty)
        self._show_progress()

    def _write(self, what: Callable[[Review], object], numbers: Sequence[int]) -> None:
        """Write one after another, in a thread: undo takes back the last."""
        review = self._review
        if review is None:
            return
        self._writes.add(lambda: what(review), lambda _: self._written(numbers))

    def _written(self, numbers: Sequence[int]) -> None:
        self.pager.again(numbers)
        if (review := self._review) is not None:
            self.ask(review.reviewed, self._have_progress, "progress")

    def action_decide(self, decision: Decision, why: str = "") -> None:
        """Keep the row or leave it out, and go on to the next."""
        row = self.row
        if row is None:
            return
        if decision != "accepted" or row.instruction:
            self.pager.change(row.id, decision=decision, why=why)
        self._write(lambda review: review.decide([row.id], decision, why), [row.id])
        grid = self.query_one(Grid)
        grid.refresh()
        if decision and grid.cursor < grid.count - 1:
            grid.cursor += 1
        else:
            self._show_row()

    def action_reject(self) -> None:
        """Ask why, then reject."""
        if self.row is not None:
            ask = Choose("Why is it left out?", [reason.capitalize() for reason in REASONS])
            self.app.push_screen(ask, self._rejected)

    def _rejected(self, at: int | None) -> None:
        if at is not None:
            self.action_decide("rejected", REASONS[at])

    def action_all(self, decision: Decision) -> None:
        """Decide on every row of the filter, after asking."""
        numbers = list(self.pager.numbers)
        verb = "Accept" if decision == "accepted" else "Reject"
        ask = Confirm(f"{verb} {plural(len(numbers), 'row')}?", "u takes it back at once.", verb)

        def sure(yes: bool | None) -> None:
            if yes:
                self._write(lambda review: review.decide(numbers, decision), numbers)

        if numbers:
            self.app.push_screen(ask, sure)

    def action_undo(self) -> None:
        """Take back the last step."""
        if (review := self._review) is not None:
            self._writes.add(review.undo, self._undone)

    def _undone(self, numbers: list[int] | None) -> None:
        if not numbers:
            self.notify("There is nothing to take back.")
            return
        self._written(numbers)
        if len(numbers) == 1 and numbers[0] in self.pager.numbers:
            self.query_one(Grid).cursor = self.pager.numbers.index(numbers[0])

    def action_score(self, score: int) -> None:
        """Give the row a score."""
        if (row := self.row) is not None:
            self.pager.change(row.id, score=score or None)
            self._write(lambda review: review.score([row.id], score or None), [row.id])
            self._show_row()

    def action_edit(self) -> None:
        """Write another text."""
        if (row := self.row) is None:
            return

        def edited(texts: tuple[str, str] | None) -> None:
            if texts and texts != (row.instruction, row.response):
                self._write(lambda review: review.edit(row.id, *texts), [row.id])

        self.app.push_screen(EditDialog(row), edited)

    def action_tags(self) -> None:
        """Set the row's tags."""
        if (row := self.row) is not None:
            self._ask_text("Tags", row.tags, lambda review, text: review.tag([row.id], text))

    def action_note(self) -> None:
        """Write a note on the row."""
        if (row := self.row) is not None:
            self._ask_text("Note", row.note, lambda review, text: review.note(row.id, text))

    def _ask_text(self, title: str, held: str, keep: Callable[[Review, str], object]) -> None:
        row = self.row

        def told(text: str | None) -> None:
            if text is not None and row is not None:
                self._write(lambda review: keep(review, text), [row.id])

        self.app.push_screen(AskText(title, held), told)

    def action_filter(self) -> None:
        """Choose which rows to look at."""
        if (review := self._review) is not None:
            self.ask(lambda: (job_state(self.output), review.documents()), self._ask_filter)

    def _ask_filter(self, found: tuple[JobState, list[tuple[int, str]]]) -> None:
        job, documents = found
        dialog = FilterDialog(self.filter, job.ledger.tasks(), documents)

        def chosen(wanted: Filter | None) -> None:
            if wanted is not None:
                self.show_filter(wanted)

        self.app.push_screen(dialog, chosen)

    def action_search(self) -> None:
        """Only rows with a text."""

        def found(text: str | None) -> None:
            if text is not None:
                self.show_filter(replace(self.filter, text=text.strip()))

        self.app.push_screen(AskText("Rows with this text", self.filter.text), found)

    @on(Grid.Selected)
    def _source(self) -> None:
        review, row = self._review, self.row
        if review is not None and row is not None:
            self.ask(
                lambda: review.around(row.passage_id),
                lambda around: self.app.push_screen(SourceDialog(row, around)),
            )

    def action_export(self) -> None:
        """Write the dataset."""
        actions.export(self, self.output)
