"""The window that makes a GGUF of a checkpoint, and shows how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from bonito_local.bounds import user_path
from bonito_local.errors import UsageError
from bonito_local.tui.format import ACCENT, bar, size
from bonito_local.tui.messages import Step
from bonito_local.tui.widgets.jobs import content

if TYPE_CHECKING:
    from bonito_local.convert.process import Conversion
    from bonito_local.tui.app import BonitoApp

_TYPES = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "F16", "BF16")


class ConvertDialog(ModalScreen[str | None]):
    """Returns the file that was written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+s", "convert", "Convert", priority=True),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._conversion: Conversion | None = None

    def compose(self) -> ComposeResult:
        """Source, adapter, type, output, progress."""
        with Vertical(classes="dialog"):
            yield Label("Make a GGUF of a checkpoint", classes="dialog-title")
            for name, title, hint in (
                ("source", "Checkpoint", "folder with config.json and safetensors"),
                ("adapter", "Adapter", "a LoRA folder to merge; may be empty"),
            ):
                with Horizontal(classes="field"):
                    yield Static(title, classes="name")
                    yield Input(placeholder=hint, id=name)
            with Horizontal(classes="field"):
                yield Static("Type", classes="name")
                types = [(name, name) for name in _TYPES]
                yield Select(types, value=_TYPES[0], allow_blank=False, id="quant")
            with Horizontal(classes="field"):
                yield Static("Write to", classes="name")
                yield Input(str(self._folder / "model.gguf"), id="output")
            yield Static("", id="converted", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Convert (^s)", id="convert", variant="primary")
                yield Button("Cancel", id="cancel")

    @on(Input.Changed, "#source")
    def _suggest(self, event: Input.Changed) -> None:
        name = Path(event.value).name
        if name:
            self.query_one("#output", Input).value = str(self._folder / f"{name}.gguf")

    @on(Button.Pressed, "#convert")
    def action_convert(self) -> None:
        """Convert, in a process of its own."""
        from bonito_local.convert.process import Conversion, Wanted

        values = {
            n: self.query_one(f"#{n}", Input).value.strip() for n in ("source", "adapter", "output")
        }
        try:
            paths = {n: str(user_path(v).absolute()) if v else "" for n, v in values.items()}
        except UsageError as error:
            self.notify(error.title, severity="warning")
            return
        if not paths["source"] or not paths["output"]:
            self.notify("Name the checkpoint and the file to write.", severity="warning")
            return
        quant = str(self.query_one("#quant", Select).value)
        self.query_one("#convert", Button).disabled = True
        self._conversion = conversion = Conversion(Wanted(quant=quant, **paths))
        app = cast("BonitoApp", self.app)
        app.ask(self, lambda: self._run(conversion), lambda _: self.dismiss(paths["output"]))

    def _run(self, conversion: Conversion) -> None:
        try:
            for progress in conversion:
                share = progress.bytes_done / max(1, progress.bytes)
                told = f"{progress.tensors_done}/{progress.tensors} tensors, "
                told += f"{size(progress.bytes_done)}  {progress.tensor}"
                self.post_message(Step(told, share))
        finally:
            conversion.close()
            self.app.call_from_thread(self._ended)

    def _ended(self) -> None:
        if self.is_attached:
            self.query_one("#convert", Button).disabled = False

    def on_step(self, event: Step) -> None:
        """Show how far it is."""
        told = content([*bar(event.share or 0.0, 40, ACCENT), (f"\n{event.text}", "")])
        self.query_one("#converted", Static).update(told)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Give it up."""
        self.dismiss(None)

    def on_unmount(self) -> None:
        """Leave no process behind."""
        if self._conversion is not None:
            self._conversion.close()
