import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

from bonito_local import __version__
from bonito_local.cli import main, tasks
from bonito_local.cli.main import COMMANDS, run
from bonito_local.tasks import TASK_TYPES

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_names_every_command(args: list[str], capsys: Capture) -> None:
    assert run(args) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)


def test_every_command_can_be_imported() -> None:
    for name, (module, _) in COMMANDS.items():
        command = import_module(f"bonito_local.cli.{module}").command
        assert isinstance(command, click.Command)
        assert command.name == name


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bonito_local", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == f"bonito-local {__version__}"


def test_output_that_lacks_a_character_shows_a_question_mark() -> None:
    code = (
        "import sys; from bonito_local.cli import main; "
        "main.run = lambda _: print('caf\u00e9 \u2192'); main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        check=True,
    )
    assert done.stdout.split() == [b"caf\xe9", b"?"]


def test_an_unknown_command(capsys: Capture) -> None:
    assert run(["genrate"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: No such command 'genrate'. Did you mean 'generate'?\n"
    )


def test_tasks_are_listed_with_an_example(capsys: Capture) -> None:
    assert run(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * len(TASK_TYPES)
    assert lines[0].split()[0] == "exqa"
    assert lines[-1].strip() == "-> contradiction"


def test_models_are_listed(capsys: Capture) -> None:
    assert run(["models"]) == 0
    assert "bonito-small" in capsys.readouterr().out


def test_a_fault_of_ours_is_a_line_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(tasks, "TASK_TYPES", [None])
    assert run(["tasks"]) == 70
    shown = capsys.readouterr().err.splitlines()
    assert shown[0].startswith("error: AttributeError: ")
    assert "--debug" in shown[1]
    with pytest.raises(AttributeError):
        run(["--debug", "tasks"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m bonito_local tasks | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("exqa")
    assert done.stderr == ""


def test_main_exits_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bonito-local", "no-such-command"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
