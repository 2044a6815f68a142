"""Models: what is on this machine, and making, checking and measuring them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Label, Static

from bonito_local.errors import DownloadError
from bonito_local.models import store
from bonito_local.models.installed import Installed, installed
from bonito_local.printable import printable
from bonito_local.tui.child import Child, run_command
from bonito_local.tui.format import BAD, DIM, GOOD, STRONG, Cell, Piece, cell, size
from bonito_local.tui.messages import Step
from bonito_local.tui.screens.convert_dialog import ConvertDialog
from bonito_local.tui.screens.dialog import AskText, Confirm
from bonito_local.tui.screens.page import Page
from bonito_local.tui.screens.pull_dialog import PullDialog
from bonito_local.tui.widgets.grid import Column, Grid
from bonito_local.tui.widgets.jobs import content

_COLUMNS = (
    Column("Model", 16, flex=True),
    Column("Size", 8, right=True),
    Column("Type", 8),
    Column("Licence", 12, least=100),
    Column("Verified", 8),
    Column("Tuned", 5),
    Column("Made of", 14, flex=True),
)

_LINES = 200


class ModelsScreen(Page):
    """The models, and what was said while one was worked on."""

    NAME = "Models"
    HELP = (
        "The model that comes with the package, those of your store, which have a name, and GGUF "
        "files in the folder of models (o names another). f fetches a model from the Hugging Face "
        "hub, if you turned downloads on in the settings; a copies a file into the store; c makes "
        "one of a checkpoint; v compares it with what it was made from; t measures what runs it "
        "fastest here."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "fetch", "Fetch", tooltip="Fetch a model from the hub"),
        Binding("a", "add", "Add", tooltip="Copy the file into the store, under a name"),
        Binding("c", "convert", "Convert", tooltip="Make a GGUF of a checkpoint"),
        Binding("v", "verify", "Verify", tooltip="Compare with what it was made from"),
        Binding("t", "tune", "Tune", tooltip="Measure what runs it fastest here"),
        Binding("o", "folder", "Folder", tooltip="Look in another folder"),
        Binding("D", "delete", "Delete", tooltip="Delete the file"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.models: list[Installed] = []
        self._children: list[Child] = []
        self._said: list[str] = []

    @property
    def folder(self) -> Path:
        """Where GGUF files are looked for."""
        return self.bonito.preferences.models_folder()

    def content(self) -> ComposeResult:
        """The table, the model under the cursor, and what is said of work on it."""
        yield Grid(_COLUMNS, self._cells, id="models")
        yield Static("", id="model-told", markup=False)
        with Vertical(id="work"), VerticalScroll(id="said"):
            yield Label("", id="step", markup=False)

    def on_mount(self) -> None:
        """Look for models."""
        self.query_one(Grid).focus()
        self.query_one("#work").display = False
        self.look()

    def look(self) -> None:
        """Look for models again, in a thread."""
        folder = self.folder
        self.ask(lambda: installed([folder]), self._have, "models")

    def _have(self, models: list[Installed]) -> None:
        self.models = models
        self.query_one(Grid).show(len(models))
        self.say(f"also in {self.folder}")
        self._show_model()

    def _cells(self, index: int) -> list[Cell]:
        model = self.models[index]
        known = {True: ("yes", GOOD), False: ("FAILED", BAD), None: ("no", DIM)}[model.verified]
        return [
            cell(model.name, STRONG),
            cell(size(model.bytes)),
            cell(model.quant, DIM),
            cell(model.licence or "not said", "" if model.licence else DIM),
            cell(*known) if model.place != "package" else cell("ours", GOOD),
            cell("yes", GOOD) if model.tuned else cell("no", DIM),
            cell(model.summary, DIM),
        ]

    @property
    def model(self) -> Installed | None:
        """The one under the cursor."""
        at = self.query_one(Grid).cursor
        return self.models[at] if at < len(self.models) else None

    @on(Grid.Highlighted)
    def _show_model(self) -> None:
        model = self.model
        if model is None:
            return
        licence = f"licence {model.licence}" if model.licence else "it does not say its licence"
        pieces: list[Piece] = [
            (f"{model.path}\n", STRONG),
            (model.summary, ""),
            (f"\n{licence}; {'tuned' if model.tuned else 'not tuned'} on this machine", DIM),
        ]
        if model.changed:
            pieces.append(("\nThe file has CHANGED since it was made", BAD))
        if model.divergence is not None:
            pieces.append((f"\nDivergence from its source: {model.divergence:.4f} nats", DIM))
        self.query_one("#model-told", Static).update(content(pieces))

    def action_verify(self) -> None:
        """Compare the model with what it was made from."""
        if model := self.model:
            self._run("verify", str(model.path))

    def action_tune(self) -> None:
        """Measure what runs it fastest."""
        if model := self.model:
            self._run("tune", model.reference)

    def action_add(self) -> None:
        """Copy the file into the store, where its name is enough."""
        if model := self.model:
            self._run("models", "add", str(model.path))

    def _run(self, *command: str) -> None:
        """Run a command of the command line, and show what it says while it does."""
        if any(child.poll() is None for child in self._children):
            self.notify("Something is being done: wait for it, or leave this screen to end it.")
            return
        self._said = [f"{' '.join(command)} …"]
        self._begin(self._said[0])

        def run() -> str:
            return run_command(*command, started=self._children.append, told=self._tell)

        self.ask(run, self._done)

    def _tell(self, line: str) -> None:
        self.post_message(Step(line))

    def on_unmount(self) -> None:
        """Leave no process behind."""
        for child in self._children:
            if child.poll() is None:
                child.kill()

    def _begin(self, text: str) -> None:
        self.query_one("#work").display = True
        self.query_one("#step", Label).update(printable(text))

    def _done(self, text: str) -> None:
        self.query_one("#step", Label).update(printable(text.strip()))
        self.look()

    def action_fetch(self) -> None:
        """Ask which model to fetch, and fetch it; only where the user turned that on."""
        if self.bonito.preferences.online != "yes":
            self.bonito.show_error(
                DownloadError(
                    "Downloads are off: this app fetches nothing by itself.",
                    "Turn them on in the settings (comma on the list of jobs).",
                )
            )
            return

        def fetched(name: str | None) -> None:
            if name:
                self.notify(f"{name} is here.")
            self.look()

        here = frozenset(model.name for model in self.models if model.named)
        self.app.push_screen(PullDialog(here), fetched)

    def action_convert(self) -> None:
        """Ask what to make of what, and make it."""

        def made(output: str | None) -> None:
            if output:
                self.notify(f"Wrote {output}.")
                self.look()

        self.app.push_screen(ConvertDialog(self.folder), made)

    def on_step(self, event: Step) -> None:
        """Show how far a piece of work is, the last line in sight."""
        self._said = [*self._said[-_LINES:], event.text]
        self._begin("\n".join(self._said))
        self.query_one("#said", VerticalScroll).scroll_end(animate=False)

    def action_folder(self) -> None:
        """Look in another folder."""

        def chosen(text: str | None) -> None:
            if text is not None:
                self.bonito.set_preferences(models=text.strip())
                self.look()

        self.app.push_screen(AskText("Folder with GGUF files", str(self.folder)), chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a file of the user's own can be deleted, or put into the store."""
        place = self.model.place if self.model else "package"
        return not (
            (action == "delete" and place == "package") or (action == "add" and place != "folder")
        )

    def action_delete(self) -> None:
        """Delete the file and its manifest, after asking."""
        model = self.model
        if model is None:
            return
        text = f"{model.path} and its manifest are deleted. Jobs made with it stay."
        ask = Confirm(f"Delete {model.name}?", text, "Delete", grave=True)
        self.app.push_screen(ask, lambda yes: self._delete(model) if yes else None)

    def _delete(self, model: Installed) -> None:
        self.ask(lambda: store.delete(model.path), lambda _: self.look())
