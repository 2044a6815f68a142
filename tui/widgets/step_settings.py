"""Step 3 of a new job: the model, how rows are drawn, and where the dataset goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Select, Static

from bonito_local.backends.base import ModelFormat
from bonito_local.backends.registry import BACKENDS, backend_names, capabilities
from bonito_local.jobs.presets import PRESETS
from bonito_local.models.installed import Installed
from bonito_local.printable import printable
from bonito_local.tui.draft import Draft

_NUMBERS = (
    ("n", "Rows per passage", "of each task type"),
    ("temperature", "Temperature", "0 draws the likeliest"),
    ("top_p", "Top p", "at most 1"),
    ("max_tokens", "Longest row", "tokens"),
    ("seed", "Seed", "the same gives the same rows"),
)
_TEXTS = (
    ("limit", "Most passages", "empty: all"),
    ("column", "Text column", "of .jsonl, .csv, .parquet; empty: found"),
    ("labels", "Topic labels", "a, b, c: of topic_class"),
)

_CAN = {
    "guided": "draw only what parses and fits",
    "reproducible": "the same bits each run; slower",
}
_FORMATS: dict[ModelFormat, str] = {
    "gguf": "a GGUF file",
    "checkpoint": "a checkpoint folder",
    "name": "a model that a server of yours runs",
}


class Tick(Checkbox):
    """A checkbox that is told from an empty one without colours."""

    def render(self) -> Content:
        """Put a mark in it, or nothing."""
        self.BUTTON_INNER = "✓" if self.value else " "
        return super().render()


class SettingsStep(VerticalScroll, can_focus=False):
    """A form. What is not touched is what suits most."""

    class Changed(Message):
        """A field has changed."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft

    def compose(self) -> ComposeResult:
        """The fields, the important ones first."""
        draft = self._draft
        yield from _field("Dataset in", Input(draft.output, id="output"))
        yield from _field("Model", Input(draft.model, id="model"))
        yield Static("", id="models", classes="hint", markup=False)
        # A job that is done again may name an engine that is not known here.
        known = [name for name in backend_names() if name != "fake" or draft.backend == "fake"]
        engine = draft.backend if draft.backend in known else known[0]
        engines: Select[str] = Select(
            [(_engine(name), name) for name in known], value=engine, allow_blank=False, id="backend"
        )
        yield from _field("Engine", engines)
        with Horizontal(classes="field", id="server"):
            yield Static("Server", classes="name")
            yield Input(draft.endpoint, id="endpoint", placeholder="http://127.0.0.1:8080")
        presets = [(f"{p.name}: {p.meaning}", p.name) for p in PRESETS]
        yield from _field("Drawing", _preset_select(presets, draft))
        for name, title, hint in _NUMBERS:
            yield from _field(title, Input(getattr(draft, name), id=name), hint)
        yield from _field(
            "Guided", Tick("", draft.guided, id="guided"), _CAN["guided"], "guided-can"
        )
        tick = Tick("", draft.reproducible, id="reproducible")
        yield from _field("Reproducible", tick, _CAN["reproducible"], "reproducible-can")
        for name, title, hint in _TEXTS:
            yield from _field(title, Input(getattr(draft, name), id=name), hint)

    def offer(self, models: Sequence[Installed]) -> None:
        """Name the models that are here."""
        names = ", ".join(
            f"{m.name} (to try things out)"
            if m.place == "package"
            else (m.name if m.named else m.path.name)
            for m in models[:4]
        )
        self.query_one("#models", Static).update(printable(f"Here: {names}. Ctrl+O chooses one."))

    def read(self, draft: Draft) -> Draft:
        """The draft with the fields as they are."""
        names = ("output", "model", "endpoint", *(name for name, _, _ in (*_NUMBERS, *_TEXTS)))
        texts: dict[str, Any] = {name: self.query_one(f"#{name}", Input).value for name in names}
        return replace(
            draft,
            backend=str(self.query_one("#backend", Select).value),
            guided=self.query_one("#guided", Checkbox).value,
            reproducible=self.query_one("#reproducible", Checkbox).value,
            **texts,
        )

    def set_model(self, name: str) -> None:
        """Put a model in."""
        self.query_one("#model", Input).value = name

    def suggest_output(self, output: str) -> None:
        """Put a folder in where the user has not."""
        self.query_one("#output", Input).value = output

    def on_mount(self) -> None:
        """Ask only what the engine can do."""
        self._suit_engine()

    @on(Select.Changed, "#backend")
    def _suit_engine(self) -> None:
        able = capabilities(str(self.query_one("#backend", Select).value))
        for name, means in _CAN.items():
            can = getattr(able, name)
            self.query_one(f"#{name}", Checkbox).disabled = not can
            self.query_one(f"#{name}-can", Static).update(means if can else "not with this engine")
        self.query_one("#server").display = "endpoint" in able.options
        kinds = " or ".join(_FORMATS[kind] for kind in able.formats)
        self.query_one("#model", Input).placeholder = kinds

    @on(Select.Changed, "#preset")
    def _preset(self, event: Select.Changed) -> None:
        for preset in PRESETS:
            if preset.name == event.value:
                for name in ("n", "temperature", "top_p", "max_tokens"):
                    self.query_one(f"#{name}", Input).value = str(getattr(preset.sampling, name))

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self.post_message(self.Changed())


def _preset_select(presets: list[tuple[str, str]], draft: Draft) -> Select[str]:
    """The ways of drawing, at the one with the draft's numbers."""
    for preset in PRESETS:
        named = preset.sampling
        numbers = (str(named.n), str(named.temperature), str(named.top_p), str(named.max_tokens))
        if numbers == (draft.n, draft.temperature, draft.top_p, draft.max_tokens):
            return Select(presets, prompt="own numbers", value=preset.name, id="preset")
    return Select(presets, prompt="own numbers", id="preset")


def _engine(name: str) -> str:
    """An engine's name, what it takes, and whether it is there."""
    engine = BACKENDS[name]
    kinds = " or ".join(_FORMATS[kind] for kind in engine.able.formats)
    return f"{name}: {kinds}" + ("" if engine.installed else f" (needs {engine.package})")


def _field(
    title: str, widget: Input | Select[str] | Checkbox, hint: str = "", hint_id: str | None = None
) -> ComposeResult:
    with Horizontal(classes="field"):
        yield Static(title, classes="name")
        yield widget
        if hint:
            yield Static(hint, classes="aside", id=hint_id)
