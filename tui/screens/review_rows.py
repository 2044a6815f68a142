"""The rows of a review: which are shown, the one under the cursor, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from bonito_local.jobs.chosen import Reviewed
from bonito_local.jobs.review import Review, open_review
from bonito_local.jobs.rows import Filter, Shown
from bonito_local.jobs.state import AT_WORK, JobState, job_state
from bonito_local.tui.format import count, plural
from bonito_local.tui.pager import PAGE, Pager
from bonito_local.tui.screens.dialog import AskText
from bonito_local.tui.screens.page import LOOK, Page
from bonito_local.tui.screens.review_dialogs import FilterDialog, SourceDialog
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.review import ReviewGrid, progress
from bonito_local.tui.widgets.row_view import RowView

_SECONDS = 2.0  # between two looks at a job that is at work


class ReviewRows(Page):
    """Rows of a filter, and the one under the cursor beside its passage."""

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output = output
        self.filter = Filter(outcome="accepted")
        self.pager = Pager(self._want)
        self.reviewed = Reviewed(0, 0, 0)
        self.review: Review | None = None
        self._count_again = False
        self._complete = self._at_work = False

    def content(self) -> ComposeResult:
        """How far the review is, the rows, the row."""
        yield Static("", id="progress", markup=False)
        with Vertical(classes="rows-and-row"):
            yield ReviewGrid(self._at, lambda: self.pager.numbers, id="review")
            yield RowView()

    def on_mount(self) -> None:
        """Open the store and look at the rows that would be in the dataset."""
        self.say("", f"Review of {self.output.name}")
        self.grid.focus()
        self.ask(self._open, self._opened)
        self.set_interval(_SECONDS, self._look_again)

    @property
    def grid(self) -> ReviewGrid:
        """The table."""
        return self.query_one(ReviewGrid)

    def _open(self) -> tuple[Review, list[int], list[Shown]]:
        review = open_review(self.output)
        numbers = review.first(self.filter, PAGE)
        return review, numbers, review.page(numbers)

    def _opened(self, opened: tuple[Review, list[int], list[Shown]]) -> None:
        self.review, numbers, rows = opened
        self._have_first(numbers, rows)
        self.count_decided()

    def _look_again(self) -> None:
        """While the job is at work: rows that have come since join the end of the list."""
        review, wanted, held = self.review, self.filter, self.pager.numbers
        if review is None or self.is_asked(LOOK) or not self._complete:
            return

        def new() -> tuple[bool, list[int]]:
            at_work = job_state(self.output).state in AT_WORK
            if not at_work and not self._at_work:
                return at_work, []
            known = set(held)
            numbers = review.numbers(wanted, lambda: not self.is_attached) or ()
            return at_work, [number for number in numbers if number not in known]

        def found(answer: tuple[bool, list[int]]) -> None:
            # One last look follows after the job has ended.
            self._at_work, fresh = answer
            if fresh and held is self.pager.numbers:
                self.pager.set_numbers([*held, *fresh], more=True)
                self.grid.show(len(self.pager.numbers))
                self.show_row()
                self.count_decided()

        self.ask(new, found, LOOK)

    async def on_unmount(self) -> None:
        """Close the store, once no thread is at work on it."""
        await self.bonito.answered(self)
        if self.review is not None:
            self.review.close()

    def show_filter(self, wanted: Filter) -> None:
        """Show the rows of a filter: the first at once, all as soon as they are counted."""
        review, self.filter = self.review, wanted
        if review is None:
            return
        self.grid.drop()
        self.ask(lambda: review.first(wanted, PAGE), self._have_first, "numbers")
        self.count_decided()

    def _have_first(self, numbers: Sequence[int], rows: Sequence[Shown] = ()) -> None:
        review, wanted = self.review, self.filter
        self._complete = len(numbers) < PAGE
        self.pager.set_numbers(numbers)
        if rows:
            self.pager.put(0, rows)
        self.grid.show(len(numbers))
        self.grid.cursor = 0
        self.show_row()
        if review is not None and len(numbers) == PAGE:
            gone = lambda: not self.is_attached or self.filter != wanted  # noqa: E731
            self.ask(lambda: review.numbers(wanted, gone), self._have_all, "numbers")

    def _have_all(self, numbers: Sequence[int] | None) -> None:
        if numbers is not None:
            self._complete = True
            self.pager.set_numbers(numbers, more=True)
            self.grid.show(len(numbers))
            self.show_progress()

    def _want(self, page: int, numbers: Sequence[int]) -> None:
        review, of = self.review, self.filter
        if review is not None:
            self.ask(lambda: review.page(numbers), lambda rows: self._have_page(page, rows, of))

    def _have_page(self, page: int, rows: Sequence[Shown], of: Filter) -> None:
        if of == self.filter:
            self.pager.put(page, rows)
            self.grid.refresh()
            self.show_row()

    def count_decided(self) -> None:
        """Count what was decided, in a thread; one at a time, as with many rows it takes long."""
        if (review := self.review) is None:
            return
        self._count_again = self.is_asked("count")
        if not self._count_again:
            self.ask(review.reviewed, self._have_progress, "count")

    def _have_progress(self, reviewed: Reviewed) -> None:
        self.reviewed = reviewed
        self.show_progress()
        if self._count_again:
            self.count_decided()

    @on(ReviewGrid.Picked)
    def show_progress(self) -> None:
        """Say how much was decided, and what is shown."""
        total = len(self.pager.numbers)
        told = progress(self.reviewed, total, self.filter, len(self.grid.picked))
        self.query_one("#progress", Static).update(told, layout=False)
        at = self.grid.cursor + 1 if total else 0
        self.say(f"{count(at)} of {plural(total, 'row')}")

    def _at(self, index: int) -> Shown | None:
        return self.pager.at(index) if index < len(self.pager.numbers) else None

    @property
    def row(self) -> Shown | None:
        """The row under the cursor."""
        return self._at(self.grid.cursor)

    @on(Grid.Highlighted)
    def show_row(self) -> None:
        """Show the row under the cursor."""
        empty = "" if self.pager.numbers else "No such rows. f chooses others."
        self.query_one(RowView).show(self.row, empty)
        self.show_progress()

    def action_back(self) -> None:
        """Pick none; if none was, go back, once what was decided is kept."""
        if not self.grid.drop():
            self.bonito.when_kept(super().action_back)

    def action_filter(self) -> None:
        """Choose which rows to look at."""
        if (review := self.review) is not None:
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
        review, row = self.review, self.row
        if review is not None and row is not None:
            self.ask(
                lambda: review.around(row.passage_id),
                lambda around: self.app.push_screen(SourceDialog(row, around)),
            )
