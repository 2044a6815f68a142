"""Models: made of a checkpoint in a process of its own, verified and deleted by keys."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import drive, on, shows, text_of, until
from hub_server import HubServer, serve_hub
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select
from tiny_checkpoint import write_checkpoint

from bonito_local.convert.process import Conversion, Wanted
from bonito_local.errors import BonitoError, ConvertError
from bonito_local.models.installed import installed
from bonito_local.tui import preferences
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.child import run_command
from bonito_local.tui.screens.models import ModelsScreen
from bonito_local.tui.screens.new_job import NewJobScreen
from bonito_local.tui.screens.pull_dialog import PullDialog


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "base"
    write_checkpoint(folder, layers=1)
    return folder


def test_a_checkpoint_is_converted_and_deleted_by_keys(home: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, home / "base")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        await until(pilot, lambda: [m.name for m in screen.models] == ["bonito-small"])
        await pilot.press("c")
        await on(pilot, "ConvertDialog")
        app.screen.query_one("#source", Input).value = str(home / "base")
        await pilot.pause()
        assert app.screen.query_one("#output", Input).value == str(home / "base.gguf")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(screen.models) == 2)
        made = screen.models[1]
        assert (made.quant, made.verified, made.path) == ("Q4_K_M", None, home / "base.gguf")
        await pilot.press("down")
        await until(pilot, lambda: str(home / "base.gguf") in text_of(app))
        await pilot.press("D")
        await on(pilot, "Confirm")
        await pilot.press("y")
        await until(pilot, lambda: len(screen.models) == 1)

    drive(script)
    assert sorted(path.name for path in home.iterdir()) == ["base"]


def test_the_model_that_comes_with_the_package_cannot_be_deleted() -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        await shows(pilot, "bonito-small")
        await pilot.press("D")
        await pilot.pause(0.2)
        assert isinstance(app.screen, ModelsScreen)

    drive(script)


def test_a_conversion_tells_how_far_it_is_and_why_it_cannot_be(
    tmp_path: Path, checkpoint: Path
) -> None:
    out = tmp_path / "out.gguf"
    conversion = Conversion(Wanted(str(checkpoint), str(out), "Q8_0"))
    steps = list(conversion)
    conversion.close()
    assert steps[-1].bytes_done == steps[-1].bytes > 0
    assert steps[-1].tensors_done == steps[-1].tensors
    (found,) = [model for model in installed([tmp_path]) if not model.named]
    assert (found.path, found.quant) == (out, "Q8_0")

    refused = Conversion(Wanted(str(tmp_path / "none"), str(out)))
    with pytest.raises(ConvertError):
        list(refused)
    refused.close()


def test_a_command_hands_over_its_error_as_it_is() -> None:
    assert "bonito-small" in run_command("models")
    with pytest.raises(BonitoError, match="There is no job 77") as raised:
        run_command("export", "77")
    assert raised.value.remedy == "`bonito-local jobs` lists them."


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_command_that_is_killed_has_not_succeeded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module of Python's own start ends the process before the command begins.
    end = f"import os, signal\nos.kill(os.getpid(), signal.{name})\n"
    (tmp_path / "sitecustomize.py").write_text(end)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BonitoError, match=f"`export` was ended by the system .{name}") as raised:
        run_command("export", "1")
    assert "Memory" in raised.value.remedy


def test_what_a_command_says_is_shown_while_it_works(home: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, home / "base")
    run_command("convert", str(home / "base"), "-o", str(home / "base.gguf"), "--quant", "F16")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        await until(pilot, lambda: len(screen.models) == 2)
        await pilot.press("down", "v")
        await until(pilot, lambda: len(screen._said) > 1)
        assert screen._said[0].startswith("verify ")
        assert screen._said[1].endswith("...")
        await shows(pilot, "passed: ")

    drive(script)


def test_one_command_at_a_time(home: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        await until(pilot, lambda: len(screen.models) == 1)
        with subprocess.Popen(["sleep", "100"], text=True) as other:
            screen._children.append(other)
            await pilot.press("t", "v")
            await pilot.pause(0.2)
            assert screen._children == [other]
            await pilot.press("escape")
            await on(pilot, "HomeScreen")
            assert other.wait(10) < 0

    drive(script)


def test_a_model_that_was_tuned_says_so(home: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        await shows(pilot, "not tuned on this machine")
        await shows(pilot, "licence cc-by-sa-4.0")
        run_command("tune", "bonito-small", "--seconds", "1")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        screen.look()
        await shows(pilot, "; tuned on this machine")

    drive(script)


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(tmp_path / "store"))
    server = HubServer({"someone/small": checkpoint}, licence="llama3.1")
    with serve_hub(server):
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        yield server


def test_nothing_is_fetched_unless_the_user_turned_that_on(hub: HubServer) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        await pilot.press("f")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "Downloads are off")
        await pilot.press("escape", "escape")
        await on(pilot, "HomeScreen")
        await pilot.press("comma")
        await on(pilot, "SettingsScreen")
        app.screen.query_one("#online", Select).value = "yes"
        await until(pilot, lambda: preferences.load().online == "yes")

    drive(script)
    assert hub.asked == []


def test_a_model_is_fetched_once_its_licence_is_accepted(hub: HubServer, tmp_path: Path) -> None:
    preferences.save(preferences.Preferences(online="yes"))

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        await until(pilot, lambda: len(screen.models) == 1)
        await pilot.press("f")
        await on(pilot, "PullDialog")
        await until(pilot, lambda: "suits this machine:" in " ".join(text_of(app).split()))
        await shows(pilot, "Licence cc-by-sa-4.0")
        dialog = app.screen
        dialog.query_one("#model", Select).value = "another"
        await pilot.pause()
        dialog.query_one("#address", Input).value = "someone/small"
        dialog.query_one("#quant", Select).value = "Q8_0"
        await pilot.press("ctrl+s")
        await on(pilot, "Confirm")
        await shows(pilot, "llama3.1")
        await pilot.press("y")
        await on(pilot, "ModelsScreen")
        await until(pilot, lambda: [m.name for m in screen.models] == ["bonito-small", "small"])
        assert screen.models[1].quant == "Q8_0"
        await pilot.press("down", "D")
        await on(pilot, "Confirm")
        await pilot.press("y")
        await until(pilot, lambda: len(screen.models) == 1)

    drive(script)
    assert not list((tmp_path / "store").glob("*.gguf*"))


def test_fetching_is_cancelled_and_an_error_is_shown(hub: HubServer) -> None:
    preferences.save(preferences.Preferences(online="yes"))

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await on(pilot, "ModelsScreen")
        await pilot.press("f")
        await on(pilot, "PullDialog")
        dialog = app.screen
        assert isinstance(dialog, PullDialog)
        dialog.query_one("#model", Select).value = "another"
        await pilot.pause()
        dialog.query_one("#address", Input).value = "someone/unknown"
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "The hub has no model 'someone/unknown'")
        await pilot.press("escape")
        await on(pilot, "PullDialog")
        dialog.query_one("#address", Input).value = "someone/small"
        await until(pilot, lambda: not dialog.query_one("#pull", Button).disabled)
        await pilot.click("#pull")
        await until(pilot, lambda: dialog._pulling is not None)
        pulling = dialog._pulling
        assert pulling is not None
        await pilot.press("escape")
        await on(pilot, "ModelsScreen")
        await until(pilot, lambda: pulling._child._process.poll() is not None)

    drive(script)


def test_a_file_is_put_into_the_store_and_the_form_leads_here(
    home: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(tmp_path / "store"))
    shutil.copy(tiny_gguf, home / "mine.gguf")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        form = app.screen
        assert isinstance(form, NewJobScreen)
        await until(pilot, lambda: len(form._models) == 2)
        await pilot.press("ctrl+o")
        await on(pilot, "Choose")
        await shows(pilot, "Get another")
        await pilot.press("3")
        await on(pilot, "ModelsScreen")
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        await until(pilot, lambda: len(screen.models) == 2)
        await pilot.press("down", "a")
        await until(pilot, lambda: [m.place for m in screen.models][1:2] == ["store"])
        await pilot.press("escape")
        await on(pilot, "NewJobScreen")
        await until(
            pilot, lambda: [m.reference for m in form._models][:2] == ["bonito-small", "mine"]
        )
        await pilot.press("ctrl+o")
        await on(pilot, "Choose")
        await pilot.press("2")
        await until(pilot, lambda: form.draft().model == "mine")

    drive(script)
