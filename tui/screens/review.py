"""Review: a person goes through the rows, keys in hand; every step can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from bonito_local.jobs.review import REASONS, Review
from bonito_local.jobs.rows import Decision, Shown
from bonito_local.tui.format import plural
from bonito_local.tui.screens import actions
from bonito_local.tui.screens.dialog import AskText, Choose, Confirm
from bonito_local.tui.screens.review_dialogs import EditDialog
from bonito_local.tui.screens.review_rows import ReviewRows
from bonito_local.tui.writes import Writes

_VERBS: dict[Decision, str] = {"accepted": "Accept", "rejected": "Reject", "": "Clear"}
_MANY = 5000  # rows that take noticeably long


class ReviewScreen(ReviewRows):
    """The rows, and what you say of them."""

    NAME = "Review"
    HELP = (
        "Go through the rows: a keeps one, r leaves it out and asks why; the cursor goes on to "
        "the next. Space picks rows: the next key is then for all that are picked. What you "
        "decide goes before what the checks said, and the dataset follows it when it is written "
        "(x). Nothing is deleted, and u takes back one step after another."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("a", "decide('accepted')", "Accept", tooltip="Accept the row"),
        Binding("r", "reject", "Reject", tooltip="Reject the row, with a reason"),
        Binding("e", "edit", "Edit", tooltip="Write another instruction or response"),
        Binding("u", "undo", "Undo", tooltip="Take back the last step"),
        Binding("f", "filter", "Filter", tooltip="Choose which rows to look at"),
        Binding("slash", "search", "Find", tooltip="Only rows with a text"),
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
        super().__init__(output)
        self._writes = Writes(self)

    def kept(self) -> bool:
        """Whether all that was decided is in the store."""
        return self._writes.done()

    def chosen(self) -> list[int]:
        """The numbers of the picked rows, or of the one under the cursor."""
        if self.grid.picked:
            return sorted(self.grid.picked)
        return [self.row.id] if self.row is not None else []

    def _write(self, what: Callable[[Review], object], numbers: Sequence[int]) -> None:
        """Write one after another, in a thread: undo takes back the last."""
        review = self.review
        if review is None or not numbers:
            return
        self.grid.drop()
        self._writes.add(lambda: what(review), lambda _: self._written(numbers))

    def _written(self, numbers: Sequence[int]) -> None:
        self.pager.again(numbers)
        self.count_decided()

    def action_decide(self, decision: Decision, why: str = "") -> None:
        """Keep the rows or leave them out; after a single one go on to the next."""
        numbers, row = self.chosen(), self.row
        if len(numbers) != 1:
            self._decide_many(numbers, decision, why)
            return
        if row is not None and (decision != "accepted" or row.instruction):
            self.pager.change(numbers[0], decision=decision, why=why)
        on_it = row is not None and row.id == numbers[0]
        self._write(lambda review: review.decide(numbers, decision, why), numbers)
        self.grid.refresh()
        if decision and on_it and self.grid.cursor < self.grid.count - 1:
            self.grid.cursor += 1
        else:
            self.show_row()

    def _decide_many(self, numbers: Sequence[int], decision: Decision, why: str = "") -> None:
        if len(numbers) > _MANY:
            self.notify(f"{_VERBS[decision]} {plural(len(numbers), 'row')} …")

        def decide(review: Review) -> None:
            done = review.decide(numbers, decision, why)
            self.app.call_from_thread(
                self.notify, f"{plural(done, 'row')} {decision or 'cleared'}. u takes it back."
            )

        self._write(decide, numbers)

    def action_reject(self) -> None:
        """Ask why, then reject."""
        if numbers := self.chosen():
            question = "Why is it left out?" if len(numbers) == 1 else "Why are they left out?"
            ask = Choose(question, [reason.capitalize() for reason in REASONS])
            self.app.push_screen(ask, self._rejected)

    def _rejected(self, at: int | None) -> None:
        if at is not None:
            self.action_decide("rejected", REASONS[at])

    def action_all(self, decision: Decision) -> None:
        """Decide on every row of the filter, after asking."""
        numbers = self.pager.numbers
        verb = _VERBS[decision]
        ask = Confirm(f"{verb} {plural(len(numbers), 'row')}?", "u takes it back at once.", verb)

        def sure(yes: bool | None) -> None:
            if yes:
                self._decide_many(numbers, decision)

        if numbers:
            self.app.push_screen(ask, sure)

    def action_undo(self) -> None:
        """Take back the last step."""
        if (review := self.review) is not None:
            self._writes.add(review.undo, self._undone)

    def _undone(self, numbers: list[int] | None) -> None:
        if not numbers:
            self.notify("There is nothing to take back.")
            return
        self._written(numbers)
        if len(numbers) == 1 and numbers[0] in self.pager.numbers:
            self.grid.cursor = self.pager.numbers.index(numbers[0])

    def action_score(self, score: int) -> None:
        """Give the rows a score."""
        numbers = self.chosen()
        for number in numbers:
            self.pager.change(number, score=score or None)
        self._write(lambda review: review.score(numbers, score or None), numbers)
        self.grid.refresh()
        self.show_row()

    def action_edit(self) -> None:
        """Write another text."""
        if (row := self.row) is None:
            return

        def edited(texts: tuple[str, str] | None) -> None:
            if texts and texts != (row.instruction, row.response):
                self._write(lambda review: review.edit(row.id, *texts), [row.id])

        self.app.push_screen(EditDialog(row), edited)

    def action_tags(self) -> None:
        """Set the rows' tags."""
        numbers = self.chosen()
        self._ask_text("Tags", lambda row: row.tags, lambda r, text: r.tag(numbers, text), numbers)

    def action_note(self) -> None:
        """Write a note on the row."""
        if (row := self.row) is not None:
            self._ask_text("Note", lambda row: row.note, lambda r, t: r.note(row.id, t), [row.id])

    def _ask_text(
        self,
        title: str,
        held: Callable[[Shown], str],
        keep: Callable[[Review, str], object],
        numbers: Sequence[int],
    ) -> None:
        def told(text: str | None) -> None:
            if text is not None:
                self._write(lambda review: keep(review, text), numbers)

        if numbers and self.row is not None:
            title = title if len(numbers) == 1 else f"{title} of {plural(len(numbers), 'row')}"
            self.app.push_screen(AskText(title, held(self.row)), told)

    def action_export(self) -> None:
        """Write the dataset."""
        actions.export(self, self.output)
