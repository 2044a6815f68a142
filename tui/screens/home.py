"""Home: every job of the user, live, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Vertical
from textual.widgets import Button, Label

from bonito_local.jobs.board import Board
from bonito_local.jobs.registry import Entry
from bonito_local.jobs.state import AT_WORK, JobState, Listed
from bonito_local.tui.format import Cell
from bonito_local.tui.messages import JobsSeen
from bonito_local.tui.screens import actions
from bonito_local.tui.screens.page import LOOK, Page
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.jobs import COLUMNS, JobPanel, job_cells

_LOOK_SECONDS = 0.5


class JobGrid(Grid):
    """Enter opens a job."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", tooltip="Open the job: rows, outcomes, log, settings")
    ]


class HomeScreen(Page):
    """The table of jobs, and the one under the cursor."""

    NAME = "Jobs"
    HELP = (
        "Every job you have started on this machine. Jobs run in processes of their own: "
        "closing the app leaves them running, and they are here again when you come back.\n\n"
        "Lost counts samples that ended without a row; the lines below the table say why. "
        "Tokens/s are read + written."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "nothing", show=False),
        Binding("n", "new", "New", tooltip="Make a new job"),
        Binding("e", "example", "Example", tooltip="Make a dataset of an example document"),
        Binding("s", "start", "Start", tooltip="Start the job, or go on with it"),
        Binding("p", "pause", "Pause", tooltip="Pause the job; what has finished is kept"),
        Binding("c", "cancel", "Cancel", tooltip="Cancel the job; its rows stay"),
        Binding("r", "review", "Review", tooltip="Review the rows by hand"),
        Binding("x", "export", "Export", tooltip="Write the dataset"),
        Binding("t", "retry", "Retry", show=False, tooltip="Ask again for samples without a row"),
        Binding("u", "duplicate", "Duplicate", show=False, tooltip="Make a new job like this one"),
        Binding("D", "delete", "Delete", show=False, tooltip="Delete the job, or take it off"),
        Binding("m", "models", "Models", tooltip="Models: installed, convert, verify, tune"),
        Binding("d", "doctor", "Doctor", show=False, tooltip="Doctor: check this machine"),
        Binding("comma", "settings", "Settings", show=False, tooltip="Settings"),
        Binding("q", "app.quit", "Quit", tooltip="Leave the app; jobs go on"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.entries: list[Entry] = []

    def content(self) -> ComposeResult:
        """The table, the panel, and what is said where there is no job."""
        yield JobGrid(COLUMNS, self._cells, id="jobs")
        yield JobPanel(id="job", markup=False)
        with Vertical(id="empty", classes="empty"):
            yield Label("No jobs yet", classes="dialog-title")
            yield Label(
                "A job turns documents into rows to train on.\n"
                "Choose a folder, choose what kinds of rows, press start.\n"
                "Nothing leaves this machine."
            )
            with Center():
                yield Button("New job (n)", id="new", variant="primary")
            with Center():
                yield Button("Try it on an example (e)", id="example")

    def on_mount(self) -> None:
        """Look at once, then twice a second."""
        self.query_one("#empty").display = False
        self.query_one(Grid).focus()
        self.look()
        self.set_interval(_LOOK_SECONDS, self.look)

    def on_screen_resume(self) -> None:
        """What was done elsewhere shows at once."""
        self.look()

    def look(self) -> None:
        """Look at the jobs, unless that is being done or nobody sees it."""
        if self.is_asked(LOOK) or not self.is_current:
            return
        first = [self.entries[at].id for at in self.query_one(Grid).in_sight]
        self.ask(lambda: self._look(first), group=LOOK)

    def _look(self, first: list[int]) -> None:
        """In a thread: tell the screen batch by batch."""
        entries = self.board.entries()
        self.post_message(JobsSeen(entries, ()))
        for batch in self.board.look(entries, first):
            self.post_message(JobsSeen(entries, batch))

    def on_jobs_seen(self, event: JobsSeen) -> None:
        """Show what has changed."""
        changed = event.changed or event.entries != self.entries
        if not changed and (self.entries or self.query_one("#empty").display):
            return
        there = self.selected()
        self.entries = list(event.entries)
        grid = self.query_one(Grid)
        grid.show(len(self.entries))
        ids = [entry.id for entry in self.entries]
        if there and there.id in ids:
            grid.cursor = ids.index(there.id)
        some = bool(self.entries)
        grid.display = self.query_one(JobPanel).display = some
        self.query_one("#empty").display = not some
        if not some:
            self.query_one("#new").focus()
        elif self.focused is None:
            grid.focus()
        self._show_selected()
        at_work = sum(1 for e in self.entries if (job := self._job(e)) and job.state in AT_WORK)
        total = len(self.entries)
        self.say(f"{at_work} at work, {total} in all" if total else "")

    def selected(self) -> Entry | None:
        """The job under the cursor."""
        at = self.query_one(Grid).cursor
        return self.entries[at] if at < len(self.entries) else None

    def _listed(self, entry: Entry) -> Listed | None:
        return self.board.jobs.get(entry.id)

    def _job(self, entry: Entry) -> JobState | None:
        listed = self._listed(entry)
        return listed.job if listed else None

    def _cells(self, index: int) -> Sequence[Cell]:
        entry = self.entries[index]
        return job_cells(entry, self._listed(entry))

    @on(Grid.Highlighted)
    def _show_selected(self) -> None:
        entry = self.selected()
        self.query_one(JobPanel).show(entry, self._listed(entry) if entry else None)
        self.offer()

    @on(Grid.Selected)
    def action_open(self) -> None:
        """Open the job under the cursor."""
        if entry := self.selected():
            from bonito_local.tui.screens.detail import DetailScreen

            self.app.push_screen(DetailScreen(entry.output))

    @on(Button.Pressed, "#new")
    def action_new(self) -> None:
        """Make a new job."""
        from bonito_local.tui.screens.new_job import NewJobScreen

        self.app.push_screen(NewJobScreen())

    @on(Button.Pressed, "#example")
    def action_example(self) -> None:
        """Make a dataset of the document that comes with the package."""
        from bonito_local.jobs.example import example_job
        from bonito_local.jobs.launch import launch

        self.notify("A made-up lease becomes a dataset, in a few seconds.")
        self.ask(lambda: launch(example_job(Path.cwd())), lambda _: self.look())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the job under the cursor."""
        if action == "example":
            return not self.entries
        if action in actions.NEEDS_JOB:
            entry = self.selected()
            return entry is not None and actions.possible(action, self._listed(entry))
        return True

    def _do(self, action: Callable[[Page, Entry], None]) -> None:
        if entry := self.selected():
            action(self, entry)

    def action_start(self) -> None:
        """Start the job, or go on with it."""
        if (entry := self.selected()) and (job := self._job(entry)):
            actions.start(self, entry.output, again=job.state == "finished")

    def action_pause(self) -> None:
        """Pause it."""
        self._do(lambda page, entry: actions.stop(page, entry.output, "pause"))

    def action_cancel(self) -> None:
        """Cancel it, after asking."""
        self._do(lambda page, entry: actions.cancel(page, entry.output))

    def action_retry(self) -> None:
        """Ask again for samples that ended without a row."""
        self._do(lambda page, entry: actions.retry(page, entry.output))

    def action_duplicate(self) -> None:
        """Make a new job like this one."""
        self._do(lambda page, entry: actions.duplicate(page, entry.output))

    def action_delete(self) -> None:
        """Delete it, or take it off the list."""
        self._do(lambda page, entry: actions.delete(page, entry.output))

    def action_review(self) -> None:
        """Review its rows."""
        self._do(lambda page, entry: actions.review(page, entry.output))

    def action_export(self) -> None:
        """Write its dataset."""
        self._do(lambda page, entry: actions.export(page, entry.output))

    def action_models(self) -> None:
        """Show the models."""
        from bonito_local.tui.screens.models import ModelsScreen

        self.app.push_screen(ModelsScreen())

    def action_doctor(self) -> None:
        """Check this machine."""
        from bonito_local.tui.screens.doctor import DoctorScreen

        self.app.push_screen(DoctorScreen())

    def action_settings(self) -> None:
        """Show the settings."""
        from bonito_local.tui.screens.settings import SettingsScreen

        self.app.push_screen(SettingsScreen())
