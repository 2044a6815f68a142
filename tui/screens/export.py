"""Export: where the dataset goes, what its card says, and how many rows it has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Static

from bonito_local.exports.card import dataset_card
from bonito_local.exports.dataset import FILES, PARQUET
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.review import Reviewed, open_review
from bonito_local.jobs.store import Store
from bonito_local.tui.child import run_command
from bonito_local.tui.format import DIM, GOOD, STRONG
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.jobs import content


class ExportScreen(Page):
    """Writes the dataset anew, as the rows were reviewed."""

    NAME = "Export"
    HELP = (
        "Writes the dataset: a folder that datasets.load_dataset reads, with the rows as Parquet "
        "and JSONL, a card, and the ledger. Rows you rejected are left out, rows you accepted "
        "are in, and edited texts take the place of the model's."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "write", "Write", tooltip="Write the dataset", priority=True),
    ]

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output = output

    def content(self) -> ComposeResult:
        """The folder, what is written, and the card."""
        with Horizontal(classes="field first"):
            yield Static("Folder", classes="name")
            yield Input(str(self.output), id="folder")
            yield Button("Write (^s)", id="write", variant="primary")
        yield Static("", id="summary", markup=False)
        with VerticalScroll(id="card"):
            yield Static("", id="card-text", markup=False)

    def on_mount(self) -> None:
        """Read what the card will say."""
        self.say("", f"Export of {self.output.name}")
        self.query_one("#write").focus()
        self.ask(self._read, self._show)

    def _read(self) -> tuple[str, Reviewed]:
        with (
            closing(open_review(self.output)) as review,
            closing(Store(store_path(self.output), create=False)) as store,
        ):
            kept = sum(1 for _ in review.kept())
            card = dataset_card(kept, store.ledger().as_json(), store.settings(), PARQUET)
            return card, review.reviewed()

    def _show(self, found: tuple[str, Reviewed]) -> None:
        card, reviewed = found
        decided = f"{reviewed.accepted} accepted, {reviewed.rejected} rejected by you, "
        told = [
            ("Writes ", DIM),
            (", ".join(FILES), ""),
            (f"\n{decided}{reviewed.edited} edited", DIM),
        ]
        self.query_one("#summary", Static).update(content(told))
        # What tells `datasets` where the rows are is for programs.
        self.query_one("#card-text", Static).update(card.split("---\n", 2)[-1])

    @on(Button.Pressed, "#write")
    @on(Input.Submitted, "#folder")
    def action_write(self) -> None:
        """Write it, in a thread."""
        folder = Path(self.query_one("#folder", Input).value).expanduser()
        other = [] if folder.absolute() == self.output.absolute() else ["-o", str(folder)]
        self.query_one("#summary", Static).update(content([("Writing …", DIM)]))
        # In a process of its own: one without network, as the card says.
        command = ["export", str(self.output), *other]
        self.ask(lambda: run_command(*command), lambda said: self._written(folder, said))

    def _written(self, folder: Path, said: str) -> None:
        told = [
            (said, GOOD),
            (f'load_dataset("{folder}", split="train")', STRONG),
        ]
        self.query_one("#summary", Static).update(content(told))
