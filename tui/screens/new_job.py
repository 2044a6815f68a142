"""A new job in four steps: documents, tasks, settings, preview."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static, TabbedContent, TabPane

from bonito_local.errors import BonitoError
from bonito_local.jobs.estimate import Estimate, estimate
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.launch import free_output, job_file, launch
from bonito_local.jobs.preview import Look, look
from bonito_local.models.installed import Installed, installed
from bonito_local.printable import printable
from bonito_local.tui.draft import Draft, draft_of
from bonito_local.tui.format import plural, short_path, size
from bonito_local.tui.messages import PreviewFound
from bonito_local.tui.screens.dialog import Choose
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.step_documents import DocumentsStep
from bonito_local.tui.widgets.step_preview import PreviewStep
from bonito_local.tui.widgets.step_settings import SettingsStep
from bonito_local.tui.widgets.step_tasks import TasksStep

_STEPS = ("documents", "tasks", "settings", "preview")


class NewJobScreen(Page):
    """The form; nothing is written before Start."""

    NAME = "New job"
    HELP = (
        "Four steps. Choose files and folders; choose which kinds of rows to make; see to the "
        "model and to where the dataset goes; look at five real rows before you start.\n\n"
        "Start writes a job file beside the dataset, which `bonito-local run` runs too, and "
        "starts it in a process of its own."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "step(1)", "Next", tooltip="Next step", priority=True),
        Binding("ctrl+b", "step(-1)", show=False, tooltip="Step before", priority=True),
        Binding("ctrl+r", "preview", "Preview", tooltip="Make five real rows", priority=True),
        Binding("ctrl+s", "start", "Start", tooltip="Save the job file and start", priority=True),
        Binding("ctrl+o", "choose_model", "Model", show=False, tooltip="Choose a model"),
    ]

    def __init__(self, like: Generation | None = None) -> None:
        super().__init__()
        self._like = like
        self._looking: Look | None = None
        self._looks = 0
        self._looked_at: Draft | None = None
        self._models: list[Installed] = []
        self._suggested = ""
        self._seen: dict[str, float] = {}

    def content(self) -> ComposeResult:
        """The steps, and a line that says what was chosen."""
        model = self.bonito.preferences.model
        self._draft = draft_of(self._like) if self._like else Draft(model=model)
        folder = self.bonito.preferences.documents_folder()
        with TabbedContent(id="steps"):
            with TabPane("1 Documents", id="documents"):
                yield DocumentsStep(folder, self._draft.paths)
            with TabPane("2 Tasks", id="tasks"):
                yield TasksStep(self._draft.tasks)
            with TabPane("3 Settings", id="settings"):
                yield SettingsStep(self._draft)
            with TabPane("4 Preview", id="preview"):
                yield PreviewStep()
        with Vertical(id="bottom"):
            with Horizontal():
                yield Static("", id="chosen-line", markup=False)
                yield Button("Next", id="next")
                yield Button("Start", id="start", variant="primary")
            yield Static("", id="estimate", markup=False)

    def on_mount(self) -> None:
        """Begin with the tree; look for models meanwhile."""
        self._focus_step()
        self._look_for_models()

    def _look_for_models(self) -> None:
        folders = [self.bonito.preferences.models_folder()]
        self.ask(lambda: installed(folders), self._have_models)

    def _have_models(self, models: list[Installed]) -> None:
        self._models = models
        self.query_one(SettingsStep).offer(models)

    def draft(self) -> Draft:
        """The form as it is filled in."""
        return replace(
            self.query_one(SettingsStep).read(self._draft),
            paths=self.query_one(DocumentsStep).paths,
            tasks=self.query_one(TasksStep).tasks,
        )

    @on(DocumentsStep.Changed)
    def _documents_changed(self) -> None:
        """Name the dataset after the documents, unless the user has named it."""
        draft = self.draft()
        if draft.paths and draft.output in ("", self._suggested):
            folder, stem = Path.cwd(), f"{draft.paths[0].stem}-dataset"
            self.ask(lambda: free_output(folder, stem), self._suggest, "output")
        self._show_choice()

    def _suggest(self, output: Path) -> None:
        self._suggested = str(output)
        self.query_one(SettingsStep).suggest_output(self._suggested)

    @on(TasksStep.Changed)
    @on(SettingsStep.Changed)
    def _show_choice(self) -> None:
        draft, found = self.draft(), self.query_one(DocumentsStep).survey
        documents = f"{plural(found.files, 'document')}, {size(found.bytes)}"
        tasks = ", ".join(task.short for task in draft.tasks) or "no task type"
        model = Path(draft.model).name
        self.query_one("#chosen-line", Static).update(
            printable(f"{documents if draft.paths else 'no documents'} → {tasks} → {model}")
        )
        try:
            wanted = draft.request(self._like)
        except BonitoError:
            wanted = None
        if wanted is None or not found.files:
            self.query_one("#estimate", Static).update("")
            return
        seen = dict(self._seen)
        self.ask(lambda: estimate(found, wanted, seen), self._have_estimate, "estimate")

    def _have_estimate(self, guess: Estimate) -> None:
        self.query_one("#estimate", Static).update(str(guess).capitalize())

    def action_step(self, by: int) -> None:
        """Go to the next step, or the one before."""
        tabs = self.query_one("#steps", TabbedContent)
        at = _STEPS.index(tabs.active) + by
        if 0 <= at < len(_STEPS):
            tabs.active = _STEPS[at]

    @on(Button.Pressed, "#next")
    def _next(self) -> None:
        self.action_step(1)

    @on(TabbedContent.TabActivated, "#steps")
    def _focus_step(self) -> None:
        """Put the cursor where the step begins; the preview is made when it is first seen."""
        active = self.query_one("#steps", TabbedContent).active
        if active == "documents":
            self.query_one("#tree").focus()
        elif active == "tasks":
            self.query_one("#tasks Grid", Grid).focus()
        elif active == "settings":
            self.query_one("#output").focus()
        elif active == "preview":
            self.query_one("#preview Grid", Grid).focus()
            if self._looked_at != self.draft():
                self.action_preview()

    def action_preview(self) -> None:
        """Look at what the job would make."""
        draft = self.draft()
        try:
            wanted = draft.request(self._like)
        except BonitoError as error:
            self.query_one(PreviewStep).failed(f"{error.title} {error.remedy}")
            return
        self._stop_looking()
        self._looked_at = draft
        tabs = self.query_one("#steps", TabbedContent)
        tabs.active = "preview"
        self.query_one(PreviewStep).begin()
        self._looks += 1
        number = self._looks
        self.ask(lambda: self._look(wanted, number))

    def _look(self, wanted: Generation, number: int) -> None:
        """In a thread: pass on what the process finds."""
        self._looking = looking = look(wanted)
        try:
            for found in looking:
                self.post_message(PreviewFound(found, number))
        finally:
            looking.close()

    def on_preview_found(self, event: PreviewFound) -> None:
        """Show it, unless another look has begun."""
        if event.look != self._looks:
            return
        self.query_one(PreviewStep).add(event.found)
        if event.found.kind == "end":
            self._seen = event.found.data["density"]
            self._show_choice()

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    def on_unmount(self) -> None:
        """Leave no process behind."""
        self._stop_looking()

    def action_choose_model(self) -> None:
        """Choose one of the models on this machine."""
        from bonito_local.tui.screens.models import ModelsScreen

        names = [f"{m.name}  {size(m.bytes)}  {m.summary}" for m in self._models]

        def chosen(at: int | None) -> None:
            if at == len(self._models):
                self.app.push_screen(ModelsScreen(), lambda _: self._look_for_models())
            elif at is not None:
                self.query_one(SettingsStep).set_model(self._models[at].reference)

        self.app.push_screen(Choose("Which model?", [*names, "Get another …"]), chosen)

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Save the job file and start the job."""
        try:
            wanted = self.draft().request(self._like)
        except BonitoError as error:
            self.bonito.show_error(error)
            return
        self.query_one("#start", Button).disabled = True
        self._stop_looking()
        self.ask(lambda: self._launch(wanted), lambda error: self._launched(wanted, error))

    def _launch(self, wanted: Generation) -> BonitoError | None:
        try:
            launch(wanted)
        except BonitoError as error:
            return error
        return None

    def _launched(self, wanted: Generation, error: BonitoError | None) -> None:
        self.query_one("#start", Button).disabled = False
        if error is not None:
            self.bonito.show_error(error)
            return
        self.notify(f"Started. The job file is {short_path(job_file(wanted.output), 60)}.")
        self.dismiss()
