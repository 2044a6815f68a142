"""From documents to a dataset, by keys alone, on the real engine in processes of its own."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

from app_jobs import real_job
from driving import drive, on, shows, text_of, until
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Select, TabbedContent

from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.launch import job_file, launch
from bonito_local.jobs.state import JobState, job_state
from bonito_local.tasks import task_type
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.draft import draft_of
from bonito_local.tui.screens.home import HomeScreen
from bonito_local.tui.screens.new_job import NewJobScreen
from bonito_local.tui.widgets.pick_tree import PickTree
from bonito_local.tui.widgets.step_documents import DocumentsStep
from bonito_local.tui.widgets.step_preview import PreviewStep


def first_job(app: BonitoApp) -> JobState | None:
    home = app.screen_stack[1]
    assert isinstance(home, HomeScreen)
    listed = home.board.jobs.get(1)
    return listed.job if listed else None


def test_documents_to_dataset(home: Path, documents: Path) -> None:
    output = home / "made"

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        form = app.screen
        assert isinstance(form, NewJobScreen)
        tree = form.query_one(PickTree)
        await until(pilot, lambda: len(tree.root.children) == 1)
        await pilot.press("down", "space")
        await until(pilot, lambda: form.query_one(DocumentsStep).survey.files == 2)
        await shows(pilot, "2 documents, 1 kB")
        await shows(pilot, "Left out 1 file of another kind")

        await pilot.press("ctrl+n", "space", "down", "down", "down", "down", "space")
        await until(pilot, lambda: [t.short for t in form.draft().tasks] == ["exqa", "ynqa"])

        await pilot.press("ctrl+n")
        assert form.draft().output == str(home / "documents-dataset")
        for name, value in (
            ("output", str(output)),
            ("max_tokens", "64"),
        ):
            form.query_one(f"#{name}", Input).value = value
        form.query_one("#guided", Checkbox).value = True

        await shows(pilot, "not measured here yet")
        await pilot.press("ctrl+n")
        preview = form.query_one(PreviewStep)
        await until(pilot, lambda: len(preview.rows) == 4 and "would be kept" in text_of(app))
        assert {Path(p["source"]).name for p in preview.passages} == {"lease.txt", "policy.txt"}
        assert not output.exists()

        await pilot.press("ctrl+s")
        await on(pilot, "HomeScreen")
        await until(pilot, lambda: (job := first_job(app)) and job.state == "finished")
        await pilot.press("enter")
        await on(pilot, "DetailScreen")
        await shows(pilot, "exqa")
        tabs = app.screen.query_one("#tabs", TabbedContent)
        await pilot.press("2")
        await until(pilot, lambda: tabs.active == "tab-outcomes")
        await shows(pilot, "How samples ended")
        await pilot.press("3")
        await shows(pilot, "run begins")

    drive(script)
    state = job_state(output)
    assert (state.state, state.ledger.pending) == ("finished", 0)
    assert state.ledger.accepted == len((output / "rows.jsonl").read_text().splitlines()) > 0
    assert job_file(output).is_file()
    assert json.loads((output / "ledger.json").read_text())["planned"] == state.ledger.planned


def test_the_form_asks_what_the_engine_can_do(home: Path, documents: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        form = app.screen
        assert isinstance(form, NewJobScreen)
        await until(pilot, lambda: form.query("#guided-can"))
        guided = form.query_one("#guided", Checkbox)
        engine = form.query_one("#backend", Select)
        assert not guided.disabled
        assert not form.query_one("#server").display
        assert "fake" not in [value for _, value in engine._options]
        guided.value = True
        engine.value = "openai"
        await until(pilot, lambda: guided.disabled)
        assert "not with this engine" in str(form.query_one("#guided-can").render())
        assert form.query_one("#server").display
        form.query_one("#endpoint", Input).value = "http://127.0.0.1:9"
        tasks = (task_type("exqa"),)
        draft = replace(form.draft(), paths=(documents,), tasks=tasks, output=str(home / "o"))
        wanted = draft.request()
        assert (wanted.backend, wanted.guided) == ("openai", False)
        assert wanted.engine.endpoint == "http://127.0.0.1:9"
        engine.value = "llamacpp"
        await until(pilot, lambda: not guided.disabled)
        assert replace(draft, backend="llamacpp").request().engine.endpoint == ""

    drive(script)


def test_a_job_done_again_keeps_what_the_form_does_not_ask(home: Path, tiny_gguf: Path) -> None:
    before = replace(
        real_job(Path("documents"), home / "first", tiny_gguf),
        folder=home,
        model="models/m.gguf",
        checks=Thresholds(answer_words=7),
        passage_tokens=40,
    )
    after = replace(draft_of(before), output=str(home / "second"), n="3").request(before)
    assert after == replace(
        before,
        paths=(home / "documents",),
        output=home / "second",
        model=str(home / "models/m.gguf"),
        sampling=replace(before.sampling, n=3),
    )


def test_pause_kill_and_resume(home: Path, documents: Path, tiny_gguf: Path) -> None:
    output = home / "long"
    launch(real_job(documents, output, tiny_gguf, n=400))

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: (job := first_job(app)) and job.ledger.accepted > 0)
        await pilot.press("p")
        await until(pilot, lambda: (job := first_job(app)) and job.state == "paused")
        paused = job_state(output)
        assert 0 < paused.ledger.pending < paused.ledger.planned

        await pilot.press("s")
        await until(
            pilot,
            lambda: (
                (job := first_job(app))
                and job.state == "running"
                and job.ledger.pending < paused.ledger.pending
            ),
        )
        running = job_state(output)
        assert running.run is not None
        os.kill(running.run.pid, signal.SIGKILL)
        await until(pilot, lambda: (job := first_job(app)) and job.state == "crashed")
        await shows(pilot, "ended without a word")

        await pilot.press("s")
        await until(pilot, lambda: (job := first_job(app)) and job.state == "running")
        await pilot.press("c")
        await on(pilot, "Confirm")
        await pilot.press("y")
        await until(pilot, lambda: (job := first_job(app)) and job.state == "cancelled")

    drive(script)
    ended = job_state(output)
    assert ended.state == "cancelled"
    assert ended.ledger.accepted > 0


def test_a_form_that_is_not_filled_in_says_what_is_missing() -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "No documents are chosen.")
        await shows(pilot, "Choose some with Space in step 1.")
        await pilot.press("escape")
        await pilot.press("escape")
        await on(pilot, "HomeScreen")

    drive(script, (80, 24))


def test_a_job_that_cannot_start_leaves_the_form_as_it_is(home: Path, documents: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        form = NewJobScreen(real_job(documents, home / "x", home / "none.gguf"))
        app.push_screen(form)
        await until(pilot, lambda: form.query("#output") and form.draft().output)
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "none.gguf cannot be read")
        await pilot.press("escape")
        assert app.screen is form

    drive(script)
    assert sorted(path.name for path in home.iterdir()) == ["documents"]
