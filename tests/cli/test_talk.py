"""How much a command says, how it ends, and what a shell can ask of it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from app_jobs import finished_job

from bonito_local import __version__
from bonito_local.cli.main import COMMANDS, STATUSES, cli, run

Capture = pytest.CaptureFixture[str]
PROGRAM = [sys.executable, "-m", "bonito_local"]


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "documents"
    folder.mkdir()
    text = "Rent is due on the first day of each month, and no later than noon."
    (folder / "lease.txt").write_text(text)
    return folder


def generate(documents: Path, *more: str) -> list[str]:
    output = str(documents.parent / "out")
    return ["generate", str(documents), "-t", "exqa", "--backend", "fake", "-o", output, *more]


def test_quiet_leaves_the_result(documents: Path, capsys: Capture) -> None:
    assert run(generate(documents, "-q")) == 0
    shown = capsys.readouterr()
    assert shown.out == f"1 row in {documents.parent / 'out'}\n"
    assert shown.err == ""


def test_quiet_may_stand_before_the_command(documents: Path, capsys: Capture) -> None:
    assert run(["--quiet", *generate(documents)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_example_comes_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert run(["example"]) == 0
    shown = capsys.readouterr()
    assert shown.out.endswith(" rows in lease-example\n")
    assert "bonito-local review lease-example" in shown.err
    ours = Path(__file__).parents[2]
    example = ours / "examples/documents/office-lease.md"
    assert example.read_bytes() == (ours / "bonito_local/assets/office-lease.md").read_bytes()


def test_every_command_takes_the_levels() -> None:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = [option for param in command.params for option in param.opts]
        assert {"--quiet", "--verbose", "--debug"} <= set(options)
        assert len(options) == len(set(options))


@pytest.mark.parametrize(("value", "coloured"), [("", True), ("1", False)])
def test_colours_can_be_switched_off(value: str, coloured: bool) -> None:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "NO_COLOR": value, "TERM": "xterm"}
    subprocess.run([*PROGRAM, "tasks"], stdout=theirs, env=environ, check=True)
    os.close(theirs)
    assert (b"\x1b[" in os.read(ours, 65536)) is coloured
    os.close(ours)


CODE = """
import logging, sys, warnings
from bonito_local.cli import main, tasks
def speaks(task):
    warnings.warn("a library's warning", UserWarning)
    logging.getLogger("library").warning("a library's log")
tasks._show = speaks
sys.argv = ["bonito-local", "tasks", *sys.argv[1:]]
main.main()
"""


@pytest.mark.parametrize(("args", "said"), [([], 0), (["-v"], 2)])
def test_libraries_speak_where_asked(args: list[str], said: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *args], capture_output=True, text=True, check=True
    )
    found = {"a library's warning", "a library's log"}
    assert sum(text in done.stderr for text in found) == said
    assert bool(done.stderr) is bool(said)


def test_versions_name_the_engines_and_import_none() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    first, python, llama, *_ = done.stdout.splitlines()
    assert first == f"bonito-local {__version__}"
    assert python.startswith("Python 3.")
    assert re.fullmatch(r"llamacpp: llama-cpp-python [\d.]+ \(cpu.*\)", llama)


def test_jobs_and_tasks_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    output = finished_job(tmp_path / "job")
    finished_job(tmp_path / "gone")
    (tmp_path / "gone/.job/store.sqlite").write_bytes(b"noise")
    assert run(["jobs", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["id"], first["output"], first["state"]) == (1, str(output), "finished")
    assert first["ledger"]["planned"] == 12
    assert second["state"] is None
    assert "damaged" in second["why"]
    assert run(["jobs"]) == 0
    head, one, two = capsys.readouterr().out.splitlines()
    assert head.split() == ["job", "state", "done", "rows", "last", "run", "folder"]
    assert one.split()[:3] == ["1", "finished", "12/12"]
    assert one.endswith(str(output))
    assert two.split()[:2] == ["2", "?"]
    assert run(["tasks", "--json"]) == 0
    tasks = json.loads(capsys.readouterr().out)
    assert [task["short"] for task in tasks][:2] == ["exqa", "mcqa"]


def complete(words: str) -> list[str]:
    environ = {
        "_BONITO_LOCAL_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    code = "import sys; sys.argv = ['bonito-local']; from bonito_local.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_options_and_values() -> None:
    assert complete("bonito-local re") == ["resume", "retry", "review", "report"]
    assert complete("bonito-local generate --quan") == ["--quantization"]
    assert complete("bonito-local generate --prompt in") == ["instruct"]
    assert complete("bonito-local generate --task exqa,yn") == ["exqa,ynqa"]


def test_a_shell_completes_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    finished_job(tmp_path / "job")
    assert complete("bonito-local status ") == ["1", ""]  # the last has the shell name files


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["tasks"], 0),
        (["doctor", "--no-such"], 2),
        (["generate", "gone", "-t", "exqa", "-o", "x"], 2),
        (["status", "nowhere"], 2),
        (["verify", "gone.gguf"], 1),
        (["export", "nowhere", "-f", "alpacca"], 2),
    ],
)
def test_commands_end_as_documented(args: list[str], status: int, capsys: Capture) -> None:
    assert run(args) == status
    assert status in STATUSES
    shown = capsys.readouterr()
    assert ("error: " in shown.err) is (status > 0)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_as_documented(documents: Path, by: signal.Signals) -> None:
    table = documents / "many.jsonl"
    lines = (f'{{"text": "Clause {at} says that rent is due on day {at}."}}' for at in range(40000))
    table.write_text("\n".join(lines))
    process = subprocess.Popen(
        [*PROGRAM, *generate(documents)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stderr is not None
    process.stderr.readline()  # it reads
    time.sleep(0.3)
    process.send_signal(by)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 128 + by
    assert process.returncode in STATUSES
    assert b"goes on" in shown
