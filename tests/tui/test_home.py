"""The list of jobs, what can be done with one, and what is shown where something fails."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from app_jobs import finished_job
from driving import drive, on, shows, text_of, until
from textual.pilot import Pilot
from textual.widgets import Input

from bonito_local.errors import JobError
from bonito_local.jobs import launch
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.generation import Generation, as_json
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.registry import Entry, Registry
from bonito_local.jobs.store import Store
from bonito_local.tasks import TaskType, task_type
from bonito_local.tui import preferences
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.preferences import Preferences
from bonito_local.tui.screens.error import ErrorScreen
from bonito_local.tui.screens.home import HomeScreen
from bonito_local.tui.screens.new_job import NewJobScreen
from bonito_local.tui.widgets.grid import Grid


def keys_offered(app: BonitoApp) -> set[str]:
    return {key for key, active in app.screen.active_bindings.items() if active.enabled}


def home_of(app: BonitoApp) -> HomeScreen:
    (home,) = (screen for screen in app.screen_stack if isinstance(screen, HomeScreen))
    return home


async def listed(app: BonitoApp, pilot: Pilot[None], count: int) -> None:
    home = home_of(app)
    await until(pilot, lambda: len(home.board.jobs) == count == home.query_one(Grid).count)


def test_without_jobs_it_says_what_to_do() -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.screen.query_one("#empty").display)
        await shows(pilot, "No jobs yet")
        assert {"n", "m", "q"} <= keys_offered(app)
        assert not {"s", "p", "c", "r"} & keys_offered(app)
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        await pilot.press("escape")
        await on(pilot, "HomeScreen")

    drive(script)


def test_the_example_is_a_dataset_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.screen.query_one("#empty").display)
        assert "e" in keys_offered(app)
        await pilot.press("e")
        await listed(app, pilot, 1)
        assert "e" not in keys_offered(app)
        await shows(pilot, "finished")

    drive(script)
    rows = (tmp_path / "lease-example/rows.jsonl").read_text().splitlines()
    assert len(rows) > 10


def test_a_job_is_shown_with_what_can_be_done(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        await shows(pilot, "air gap closed by the system")
        shown = text_of(app)
        assert "contracts" in shown
        assert "6 accepted   3 unparseable" in shown
        assert "3 rejected (response is not in the passage 3)" in shown
        assert {"enter", "s", "r", "x", "t", "u", "D"} <= keys_offered(app)
        assert not {"p", "c"} & keys_offered(app)

    drive(script)


def test_a_job_made_elsewhere_appears_and_one_that_is_gone_is_told(home: Path, job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        finished_job(home / "leases", 4)
        await listed(app, pilot, 2)
        store_path(home / "leases").unlink()
        await shows(pilot, "gone")

    drive(script)


def test_taking_off_the_list_and_deleting_ask_first(home: Path, job: Path) -> None:
    other = finished_job(home / "leases", 4)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 2)
        assert home_of(app).entries[0].output == other
        await pilot.press("D", "1")
        await listed(app, pilot, 1)
        assert store_path(other).exists()
        await pilot.press("D", "2")
        await on(pilot, "Confirm")
        await pilot.press("enter")  # on Cancel: Enter alone does no harm
        await on(pilot, "HomeScreen")
        assert store_path(job).exists()
        await pilot.press("D", "2", "y")
        await until(pilot, lambda: not store_path(job).exists())
        await until(pilot, lambda: Registry().entries() == [])
        await until(pilot, lambda: app.screen.query_one("#empty").display)

    drive(script)


def test_a_job_is_duplicated_into_the_form(job: Path, documents: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        await pilot.press("u")
        await on(pilot, "NewJobScreen")
        await until(pilot, lambda: app.screen.query("#output"))
        draft = app.screen.draft()  # type: ignore[attr-defined]
        assert [task.short for task in draft.tasks] == ["exqa"]
        assert (draft.model, draft.backend) == ("tiny", "llamacpp")

    drive(script)


def test_a_job_of_ones_own_task_types_is_duplicated(home: Path, documents: Path) -> None:
    own = TaskType(
        "clause", "clause classification", "which clause", "Which clause?", "notice",
        labels=("notice", "payment"), templates=("{{context}} Which of {{labels}}?",),
        like="topic_class", limits=(("instruction_words", 50),),
    )  # fmt: skip
    wanted = Generation((documents,), (own, task_type("exqa")), home / "first", "tiny")
    store = Store(store_path(home / "first"))
    store.save("request", as_json(wanted) | {"folder": str(home)})
    store.close()
    Registry().add(home / "first")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        await pilot.press("u")
        await on(pilot, "NewJobScreen")
        form = app.screen
        assert isinstance(form, NewJobScreen)
        await until(pilot, lambda: form.query("#output") and form.draft().paths)
        await pilot.press("ctrl+n", "end")
        await shows(pilot, "Clause classification")
        again = replace(form.draft(), output=str(home / "second")).request(form._like)
        assert again.tasks == (task_type("exqa"), own)
        launch.save(again, home / "second.toml")
        assert set(read_job(home / "second.toml").tasks) == {task_type("exqa"), own}

    drive(script)


def test_every_error_of_a_worker_is_a_message_and_the_app_goes_on() -> None:
    def fails() -> None:
        raise JobError("The disk is full.", "Free some space.")

    def crashes() -> None:
        raise ZeroDivisionError("by zero")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        app.ask(app, fails)
        await on(pilot, "ErrorScreen")
        await shows(pilot, "The disk is full.")
        await shows(pilot, "Free some space.")
        app.ask(app, fails)  # the same once more is one message
        await pilot.pause(0.2)
        assert sum(isinstance(screen, ErrorScreen) for screen in app.screen_stack) == 1
        await pilot.press("escape")
        app.ask(app, crashes)
        await on(pilot, "ErrorScreen")
        await shows(pilot, "ZeroDivisionError: by zero")
        await shows(pilot, "fault of bonito-local")
        await pilot.press("enter")
        await on(pilot, "HomeScreen")

    drive(script)


def test_a_look_that_fails_once_is_not_the_last(
    home: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [True]
    entries = Registry.entries

    def failing(registry: Registry) -> list[Entry]:
        if fails:
            raise JobError("The list cannot be read.", "Look at the disk.")
        return entries(registry)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        monkeypatch.setattr(Registry, "entries", failing)
        await on(pilot, "ErrorScreen")
        await pilot.press("escape")
        await on(pilot, "HomeScreen")
        await pilot.pause(1.2)  # looks fail on, and that was said
        assert isinstance(app.screen, HomeScreen)
        fails.clear()
        finished_job(home / "second")
        await listed(app, pilot, 2)

    drive(script)


def test_what_a_screen_that_is_gone_asked_for_is_dropped(job: Path) -> None:
    said: list[int] = []

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("comma")
        await on(pilot, "SettingsScreen")
        gone = app.screen
        await pilot.press("escape")
        await on(pilot, "HomeScreen")
        app.ask(gone, lambda: 1, said.append)
        app.ask(app, lambda: 2, said.append)
        await until(pilot, lambda: said)
        await pilot.pause(0.1)

    drive(script)
    assert said == [2]


def test_help_and_palette_name_what_this_screen_can(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await listed(app, pilot, 1)
        await pilot.press("question_mark")
        await on(pilot, "HelpScreen")
        await shows(pilot, "Every job you have started")
        await shows(pilot, "Make a new job")
        await pilot.press("escape", "ctrl+p")
        await on(pilot, "CommandPalette")
        await pilot.press(*"doct")
        await shows(pilot, "Doctor: check this machine")
        await pilot.press("escape")

    drive(script)


def test_folders_of_the_settings_may_begin_with_a_tilde(home: Path) -> None:
    for name in ("texts", "weights"):
        (home / name).mkdir()
    (home / "texts" / "lease.txt").write_text("text")
    preferences.save(Preferences(folder="~/texts", models="~/weights"))

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        assert app.preferences.models_folder() == home / "weights"
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        await shows(pilot, "lease.txt")

    drive(script)


def test_settings_are_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = [0.5]  # the first write is slow: it must not win over the second

    def slow_at_first(kept: Preferences) -> None:
        time.sleep(pauses.pop() if pauses else 0.0)
        save(kept)

    save = preferences.save
    monkeypatch.setattr(preferences, "save", slow_at_first)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("comma")
        await on(pilot, "SettingsScreen")
        app.theme = "bonito-light"
        field = app.screen.query_one("#set-models", Input)
        field.focus()
        field.value = str(home)
        await pilot.press("enter")
        await until(pilot, lambda: app.preferences.models == str(home))

    async def again(app: BonitoApp, pilot: Pilot[None]) -> None:
        assert app.theme == "bonito-light"
        assert app.preferences.models == str(home)

    drive(script)
    drive(again)


@pytest.mark.parametrize("key", ["m", "d", "comma", "n"])
def test_every_screen_opens_and_closes_without_colours(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("bonito_local.tui.screens.doctor.examine", list)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, HomeScreen))
        await pilot.pause(0.1)
        await pilot.press("escape")
        await on(pilot, "HomeScreen")

    drive(script, (80, 24))
