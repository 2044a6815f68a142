"""Export: format, rows, splits and place; what the card says; the result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Checkbox, Input, Select, Static

from bonito_local.bounds import user_path
from bonito_local.errors import BonitoError, UsageError
from bonito_local.exports.formats import FORMATS
from bonito_local.exports.splits import parse_split
from bonito_local.jobs.chosen import Choice, Reviewed
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.report import Preview, preview
from bonito_local.jobs.store import Store
from bonito_local.printable import printable
from bonito_local.tui.child import run_command
from bonito_local.tui.format import DIM, GOOD, STRONG, WARN, Piece, count, short_path
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.jobs import content
from bonito_local.tui.widgets.step_settings import Tick

_ROWS: tuple[tuple[str, Choice], ...] = (
    ("the dataset: accepted by you, or by the checks", Choice()),
    ("only those you accepted", Choice(decision="accepted")),
    ("of the dataset, those you have not looked at", Choice(decision="none")),
    ("those you rejected", Choice(decision="rejected")),
    ("all with a text, to look at elsewhere", Choice((), ("accepted", "rejected", "duplicate"))),
)


class ExportScreen(Page):
    """Writes the dataset anew, as the rows were reviewed, or in a trainer's format."""

    NAME = "Export"
    HELP = (
        "Writes the dataset as it was reviewed: rows you rejected are left out, rows you accepted "
        "are in, and your texts take the place of the model's. As it stands, the job's own folder "
        "is written again; another format, choice or split goes to a folder of its own. Splits "
        "are by document: no document is in two. The report is a page about the job that opens "
        "without a network. What comes back from a spreadsheet is read by `bonito-local import`."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "write", "Write", tooltip="Write the dataset", priority=True),
        Binding(
            "ctrl+r", "report", "Report", tooltip="Write a page about the dataset", priority=True
        ),
    ]

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output = output
        self._suggested = _shown(output)
        self._warnings: list[Piece] = []

    def content(self) -> ComposeResult:
        """The form, what would be written, and the card."""
        formats = [(f"{form.name}: {form.meaning}", form.name) for form in FORMATS]
        rows = [(title, at) for at, (title, _) in enumerate(_ROWS)]
        yield from _field(
            "Format", Select(formats, value="hf", allow_blank=False, id="format"), first=True
        )
        yield from _field("Rows", Select(rows, value=0, allow_blank=False, id="which"))
        tasks: Select[str] = Select([], prompt="all", id="task")
        yield from _field("Task type", tasks)
        split = Input(placeholder="90/10, 90/5/5; empty: none", id="split")
        yield from _field("Split", split, "by document")
        yield from _field(
            "Strip source", Tick("", id="strip"), "leave out all that says where a row came from"
        )
        with Horizontal(classes="field"):
            yield Static("Folder", classes="name")
            yield Input(_shown(self.output), id="folder")
            yield Button("Write (^s)", id="write", variant="primary")
        yield Static("", id="summary", markup=False)
        with VerticalScroll(id="card"):
            yield Static("", id="card-text", markup=False)

    def on_mount(self) -> None:
        """Read what the card will say."""
        self.say("", f"Export of {self.output.name}")
        self.query_one("#write").focus()
        self.ask(self._read_tasks, self._offer_tasks)
        self._preview()

    def _read_tasks(self) -> tuple[list[str], Reviewed]:
        with closing(Store(store_path(self.output), create=False)) as store:
            return store.ledger().tasks(), store.reviewed()

    def _offer_tasks(self, found: tuple[list[str], Reviewed]) -> None:
        tasks, reviewed = found
        self.query_one("#task", Select).set_options(
            [(Text(printable(name)), name) for name in tasks]
        )
        kept, rejected = count(reviewed.accepted), count(reviewed.rejected)
        self.say(f"{kept} kept, {rejected} rejected by you")

    def wanted(self) -> Export:
        """What the form says.

        Raises:
            UsageError: the split is not one.
        """
        at, task = (self.query_one(f"#{name}", Select).value for name in ("which", "task"))
        choice = _ROWS[at if isinstance(at, int) else 0][1]
        return Export(
            str(self.query_one("#format", Select).value),
            parse_split(self.query_one("#split", Input).value),
            Choice((task,) if isinstance(task, str) else (), choice.outcomes, choice.decision),
            self.query_one("#strip", Checkbox).value,
        )

    @on(Select.Changed)
    @on(Checkbox.Changed)
    @on(Input.Changed, "#split")
    def _preview(self) -> None:
        try:
            wanted = self.wanted()
        except UsageError as error:
            self.query_one("#split").add_class("-invalid")
            self._tell([(error.remedy, WARN)])
            return
        self.query_one("#split").remove_class("-invalid")
        folder = self.query_one("#folder", Input)
        if folder.value == self._suggested:
            usual = wanted == Export()
            self._suggested = _shown(self.output if usual else wanted.folder(self.output))
            folder.value = self._suggested
        self.ask(lambda: preview(self.output, wanted), self._show, group="preview")

    def _show(self, found: Preview) -> None:
        more = "" if found.whole else " and more"
        parts = [f"{name} {count(rows)}" for name, rows in found.rows.items()]
        told: list[Piece] = [("Would write ", DIM), (f"{count(sum(found.rows.values()))} rows", "")]
        if len(parts) > 1:
            told.append((f": {', '.join(parts)}", ""))
        self._warnings = [(f"\n{text}", WARN) for text in found.warnings]
        self._tell([*told, (more, ""), *self._warnings])
        # What tells `datasets` where the rows are is for programs; plots are not for here.
        lines = found.card.split("---\n", 2)[-1].splitlines()
        text = "\n".join(line for line in lines if not line.startswith("!["))
        while "\n\n\n" in text:
            text = text.replace("\n\n\n", "\n\n")
        self.query_one("#card-text", Static).update(content([(text, "")]))

    @on(Button.Pressed, "#write")
    @on(Input.Submitted)
    def action_write(self) -> None:
        """Write it, in a process of its own: one without network, as the card says."""
        try:
            wanted = self.wanted()
            folder = user_path(self.query_one("#folder", Input).value).absolute()
        except UsageError as error:
            self.bonito.show_error(error)
            return
        command = ["export", str(self.output)]
        if wanted != Export() or folder != self.output.absolute():
            command += [*_options(wanted), "-o", str(folder)]
        self._run(command, lambda said: self._written(folder, said))

    def _written(self, folder: Path, said: str) -> None:
        loads = f'\nload_dataset("{folder}")'
        self._tell([(said.rstrip(), GOOD), *self._warnings, (loads, STRONG)])

    def action_report(self) -> None:
        """Write the page about the job, which a browser opens."""
        self._run(["report", str(self.output)], lambda said: self._tell([(said.rstrip(), GOOD)]))

    def _run(self, command: list[str], then: Callable[[str], object]) -> None:
        """Run a command in a process of its own; what it did is shown, or that it did nothing."""

        def write() -> str:
            try:
                return run_command(*command)
            except BonitoError:
                self.app.call_from_thread(self._tell, [("Nothing was written.", WARN)])
                raise

        self._tell([("Writing …", DIM)])
        self.ask(write, then)

    def _tell(self, pieces: list[Piece]) -> None:
        self.query_one("#summary", Static).update(content(pieces))


def _shown(folder: Path) -> str:
    """A folder as a user would type it, whole."""
    return short_path(folder, 4096)


def _options(wanted: Export) -> list[str]:
    """The options of the command line that say the same."""
    choice, options = wanted.choice, ["-f", wanted.format]
    if len(wanted.split.shares) > 1:
        options += ["--split", str(wanted.split)]
    if choice.tasks:
        options += ["--task", ",".join(choice.tasks)]
    if choice.outcomes:
        options += ["--outcome", ",".join(choice.outcomes)]
    if choice.decision:
        options += ["--decision", choice.decision]
    return [*options, "--strip-source"] if wanted.strip_source else options


def _field(
    title: str,
    widget: Input | Checkbox | Select[str] | Select[int],
    hint: str = "",
    *,
    first: bool = False,
) -> ComposeResult:
    with Horizontal(classes="field first" if first else "field"):
        yield Static(title, classes="name")
        yield widget
        if hint:
            yield Static(hint, classes="aside")
