"""The window that fetches a model from the hub, and shows how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from bonito_local.errors import LicenseError
from bonito_local.models.catalog import CATALOG, CatalogModel, known
from bonito_local.tui.format import ACCENT, DIM, Piece, bar, size
from bonito_local.tui.screens.dialog import Confirm
from bonito_local.tui.widgets.jobs import content

if TYPE_CHECKING:
    from bonito_local.models.fetching import Step
    from bonito_local.models.process import Pulling
    from bonito_local.tui.app import BonitoApp

_OTHER = "another"
_TYPES = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M")


class PullDialog(ModalScreen[str | None]):
    """Returns the name of the model that was fetched."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+s", "pull", "Fetch", priority=True),
    ]

    def __init__(self, here: frozenset[str]) -> None:
        super().__init__()
        self._offered = [model for model in CATALOG if model.repo and model.name not in here]
        self._pulling: Pulling | None = None

    def compose(self) -> ComposeResult:
        """Model, type, what that means, progress."""
        models = [(model.name, model.name) for model in self._offered]
        models.append(("another of the hub", _OTHER))
        types = [("what suits this machine", ""), *((name, name) for name in _TYPES)]
        with Vertical(classes="dialog"):
            yield Label("Fetch a model from the Hugging Face hub", classes="dialog-title")
            with Horizontal(classes="field"):
                yield Static("Model", classes="name")
                yield Select(models, value=models[0][1], allow_blank=False, id="model")
            with Horizontal(classes="field", id="other"):
                yield Static("", classes="name")
                yield Input(placeholder="OWNER/NAME", id="address")
            with Horizontal(classes="field"):
                yield Static("Type", classes="name")
                yield Select(types, value="", allow_blank=False, id="quant")
            yield Static("", id="about", markup=False)
            yield Static("", id="fetched", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Fetch (^s)", id="pull", variant="primary")
                yield Button("Cancel", id="cancel")

    @property
    def bonito(self) -> BonitoApp:
        """The app, by its own type."""
        return cast("BonitoApp", self.app)

    @on(Select.Changed, "#model")
    def _chosen(self) -> None:
        model = known(str(self.query_one("#model", Select).value))
        self.query_one("#other").display = model is None
        self._tell(model, "")
        if model is not None:
            self.bonito.ask(self, lambda: _advice(model), lambda a: self._tell(model, a))

    def _tell(self, model: CatalogModel | None, advice: str) -> None:
        if model is None:
            pieces: list[Piece] = [("A checkpoint in safetensors, or a GGUF.", DIM)]
        else:
            terms = f" {model.terms}" if model.terms else ""
            pieces = [
                (f"{model.summary}\n", ""),
                (f"Licence {model.licence}.{terms}\n", ""),
                (advice or "…", DIM),
            ]
        self.query_one("#about", Static).update(content(pieces))

    @on(Button.Pressed, "#pull")
    def action_pull(self) -> None:
        """Fetch it."""
        self._pull(accepted=False)

    def _pull(self, accepted: bool) -> None:
        """Fetch it, in a process of its own; `accepted` is its licence."""
        from bonito_local.models.process import Pulling, Wanted

        if self._pulling is not None:
            return
        model = str(self.query_one("#model", Select).value)
        if model == _OTHER:
            model = self.query_one("#address", Input).value.strip()
        if not model:
            self.notify("Name the model: OWNER/NAME.", severity="warning")
            return
        quant = str(self.query_one("#quant", Select).value)
        self.query_one("#pull", Button).disabled = True
        self._show([("Asking the hub …", DIM)])
        self._pulling = pulling = Pulling(Wanted(model, quant, accepted))
        self.bonito.ask(self, lambda: self._run(pulling), lambda ask: self._ended(pulling, ask))

    def _run(self, pulling: Pulling) -> LicenseError | None:
        """In a thread: pass on how far it is; returns the licence that is to be accepted."""
        try:
            for step in pulling:
                self.app.call_from_thread(self._step, step)
        except LicenseError as error:
            return error
        finally:
            pulling.close()
            self.app.call_from_thread(self._free)
        return None

    def _free(self) -> None:
        self._pulling = None
        if self.is_attached:
            self.query_one("#pull", Button).disabled = False
            self._show([])

    def _ended(self, pulling: Pulling, licence: LicenseError | None) -> None:
        if licence is None:
            self.dismiss(pulling.name)
            return
        ask = Confirm("Do you accept its licence?", str(licence.title), "Accept")
        self.app.push_screen(ask, lambda yes: self._pull(accepted=True) if yes else None)

    def _step(self, step: Step) -> None:
        if not self.is_attached:
            return
        told = f"\n{size(step.fetched)} of {size(step.to_fetch)}"
        if step.of_tensors:
            told += f", {step.tensors} of {step.of_tensors} tensors"
        self._show([*bar(step.share, 40, ACCENT), (f"{told}  {step.now}", "")])

    def _show(self, pieces: list[Piece]) -> None:
        self.query_one("#fetched", Static).update(content(pieces))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Stop; another time it goes on from there."""
        self.dismiss(None)

    def on_unmount(self) -> None:
        """Leave no process behind."""
        if self._pulling is not None:
            self._pulling.close()


def _advice(model: CatalogModel) -> str:
    """What suits this machine, and how large it is."""
    from bonito_local.models.advice import best, quantizations

    chosen, why = best(quantizations(model))
    memory = f"{size(chosen.bytes)}, {size(chosen.memory)} of memory when it runs"
    return f"{chosen.name} suits this machine: {memory}; {why}."
