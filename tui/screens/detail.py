"""One job: its rows as they come, how they ended, its log and its settings."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static, TabbedContent, TabPane

from bonito_local.jobs.control import read_log
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.registry import Entry
from bonito_local.jobs.rows import Rows, Shown
from bonito_local.jobs.state import JobState, Listed, job_state
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Problem
from bonito_local.printable import printable
from bonito_local.tui.format import ACCENT, DIM, STRONG, WARN, Piece
from bonito_local.tui.screens import actions
from bonito_local.tui.screens.page import LOOK, Page
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.jobs import JobPanel, content
from bonito_local.tui.widgets.outcomes import Throughput, bars
from bonito_local.tui.widgets.row_view import COLUMNS, RowView, row_cells

_LOOK_SECONDS = 0.5
_LATEST = 200
_LOG_LINES = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the job found."""

    job: JobState
    rows: list[Shown]
    log: str
    settings: dict[str, Any]
    request: dict[str, Any]
    problems: list[Problem]


class DetailScreen(Page):
    """Looks twice a second, in a thread, and never writes."""

    NAME = "Job"
    HELP = (
        "The newest rows are on top, each with the passage it is about. Of an extractive answer, "
        "the place in the passage is marked. Outcomes says how every sample ended and why; what "
        "does not add up to a row is never hidden."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start", tooltip="Start the job, or go on with it"),
        Binding("p", "pause", "Pause", tooltip="Pause the job; what has finished is kept"),
        Binding("c", "cancel", "Cancel", tooltip="Cancel the job; its rows stay"),
        Binding("r", "review", "Review", tooltip="Review the rows by hand"),
        Binding("x", "export", "Export", tooltip="Write the dataset"),
        Binding("t", "retry", "Retry", show=False, tooltip="Ask again for samples without a row"),
        *(Binding(str(at + 1), f"tab({at})", show=False) for at in range(4)),
    ]

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output = output
        self.seen: Seen | None = None

    def content(self) -> ComposeResult:
        """The state on top, then four tabs."""
        yield JobPanel(id="job", classes="compact", markup=False)
        yield Throughput(id="throughput")
        with TabbedContent(id="tabs"):
            with TabPane("1 Rows", id="tab-rows"), Vertical(classes="rows-and-row"):
                yield Grid(COLUMNS, self._cells, id="latest")
                yield RowView()
            with TabPane("2 Outcomes", id="tab-outcomes"), VerticalScroll():
                yield Static("", id="bars", markup=False)
            with TabPane("3 Log", id="tab-log"), VerticalScroll(id="log-scroll"):
                yield Static("", id="log", markup=False)
            with TabPane("4 Settings", id="tab-settings"), VerticalScroll():
                yield Static("", id="job-settings", markup=False)

    def on_mount(self) -> None:
        """Look at once, then twice a second."""
        self.say("", self.output.name)
        self.query_one(Grid).focus()
        self.look()
        self.set_interval(_LOOK_SECONDS, self.look)

    def look(self) -> None:
        """Look at the job, unless that is being done or nobody sees it."""
        if not self.is_asked(LOOK) and self.is_current:
            self.ask(self._look, self._show, LOOK)

    def _look(self) -> Seen:
        job = job_state(self.output)
        path = store_path(self.output)
        with (
            closing(Rows(path, create=False)) as rows,
            closing(Store(path, create=False)) as store,
        ):
            latest = rows.latest(_LATEST)
            log = "\n".join(read_log(self.output).splitlines()[-_LOG_LINES:])
            request = store.load("request") or {}
            return Seen(job, latest, log, store.settings(), request, store.problems())

    def _show(self, seen: Seen) -> None:
        before, self.seen = self.seen, seen
        self.query_one(JobPanel).show(Entry(0, self.output, 0.0), Listed(0, self.output, seen.job))
        throughput = self.query_one(Throughput)
        throughput.add(seen.job)
        throughput.display = bool(throughput.speeds)
        if before is None or seen.rows != before.rows:
            self._show_rows(before)
        if before is None or seen.job != before.job:
            width = self.query_one("#tabs").content_size.width
            self.query_one("#bars", Static).update(bars(seen.job.ledger, width))
        if before is None or seen.log != before.log:
            self.query_one("#log", Static).update(
                printable(seen.log or "No process has run it detached.")
            )
            self.query_one("#log-scroll", VerticalScroll).scroll_end(animate=False)
        if before is None or seen.settings != before.settings:
            self._show_settings(seen)
        self.offer()

    def _show_rows(self, before: Seen | None) -> None:
        """Keep the cursor on its row, unless it is on the newest: then follow."""
        grid, rows = self.query_one(Grid), self.seen.rows if self.seen else []
        at = grid.cursor
        held = before.rows[at].id if before and 0 < at < len(before.rows) else None
        grid.show(len(rows))
        places = {row.id: place for place, row in enumerate(rows)}
        if held in places:
            grid.cursor = places[held]
        self._show_row()

    def _cells(self, index: int) -> Any:
        rows = self.seen.rows if self.seen else []
        return row_cells(rows[index]) if index < len(rows) else None

    @on(Grid.Highlighted)
    def _show_row(self) -> None:
        rows, at = self.seen.rows if self.seen else [], self.query_one(Grid).cursor
        empty = "No row has come yet. They appear here while the job runs."
        self.query_one(RowView).show(rows[at] if at < len(rows) else None, empty)

    def _show_settings(self, seen: Seen) -> None:
        pieces: list[Piece] = [("What was asked for\n", STRONG)]
        for name, value in seen.request.items():
            if value not in (None, [], False):
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                pieces += [(f"{name:<16}", DIM), (f"{text}\n", "")]
        pieces.append(("\nWhat all rows share\n", STRONG))
        for name, value in seen.settings.items():
            pieces += [(f"{name:<16}", DIM), (f"{value}\n", "")]
        pieces.append((f"\nDocuments left out: {len(seen.problems)}\n", STRONG))
        for problem in seen.problems[:200]:
            pieces += [(f"{problem.source}: ", WARN), (f"{problem.title} {problem.remedy}\n", DIM)]
        pieces.append(("\nOn the command line\n", STRONG))
        pieces.append((f"bonito-local status {self.output}\n", ACCENT))
        self.query_one("#job-settings", Static).update(content(pieces))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the job as it is."""
        if action in actions.NEEDS_JOB:
            listed = Listed(0, self.output, self.seen.job) if self.seen else None
            return actions.possible(action, listed)
        return True

    def action_tab(self, at: int) -> None:
        """Show a tab by its number."""
        names = ("tab-rows", "tab-outcomes", "tab-log", "tab-settings")
        self.query_one("#tabs", TabbedContent).active = names[at]

    def action_start(self) -> None:
        """Start the job, or go on with it."""
        again = self.seen is not None and self.seen.job.state == "finished"
        actions.start(self, self.output, again=again)

    def action_pause(self) -> None:
        """Pause it."""
        actions.stop(self, self.output, "pause")

    def action_cancel(self) -> None:
        """Cancel it, after asking."""
        actions.cancel(self, self.output)

    def action_retry(self) -> None:
        """Ask again for samples that ended without a row."""
        actions.retry(self, self.output)

    def action_review(self) -> None:
        """Review its rows."""
        actions.review(self, self.output)

    def action_export(self) -> None:
        """Write its dataset."""
        actions.export(self, self.output)
