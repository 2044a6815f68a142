"""Step 2 of a new job: which kinds of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from bonito_local.tasks import TASK_TYPES, TaskType
from bonito_local.tui.format import ACCENT, DIM, GOOD, STRONG, Cell, cell
from bonito_local.tui.widgets.grid import Column, Grid
from bonito_local.tui.widgets.jobs import content

_COLUMNS = (Column("", 1), Column("Task", 13), Column("Its rows are about", 30, flex=True))


class TaskGrid(Grid):
    """Space or Enter takes the task under the cursor, or leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "select", "Choose", tooltip="Choose the task type, or leave it"),
    ]


class TasksStep(Vertical):
    """The sixteen task types, those of the user's own that `chosen` has, and an example of one."""

    class Changed(Message):
        """Other task types are chosen."""

    def __init__(self, chosen: Sequence[TaskType]) -> None:
        super().__init__()
        self._offered = (*TASK_TYPES, *(task for task in chosen if task.own))
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        """The list and the example."""
        yield TaskGrid(_COLUMNS, self._cells, id="tasks")
        yield Static(id="example", markup=False)

    def on_mount(self) -> None:
        """Fill the list."""
        self.query_one(TaskGrid).show(len(self._offered))
        self._explain()

    @property
    def tasks(self) -> tuple[TaskType, ...]:
        """What is chosen, in the order of the list."""
        return tuple(task for task in self._offered if task in self._chosen)

    def _cells(self, index: int) -> list[Cell]:
        task = self._offered[index]
        on = task in self._chosen
        mark = cell("●", ACCENT) if on else cell("○", DIM)
        return [mark, cell(task.short, STRONG if on else ""), cell(task.meaning, "" if on else DIM)]

    @on(Grid.Highlighted)
    def _explain(self) -> None:
        task = self._offered[self.query_one(TaskGrid).cursor]
        pieces = [
            (f"{task.name.capitalize()}, of a passage about ending a lease:\n", STRONG),
            ("instruction  ", DIM),
            (task.instruction + "\n", ""),
            ("response     ", DIM),
            (task.response, GOOD),
        ]
        self.query_one("#example", Static).update(content(pieces))

    @on(Grid.Selected)
    def _toggle(self, event: Grid.Selected) -> None:
        self._chosen ^= {self._offered[event.index]}
        self.query_one(TaskGrid).refresh()
        self.post_message(self.Changed())
