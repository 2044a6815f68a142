"""What a fresh interpreter imports, and what it must not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from app_jobs import finished_job

HEAVY = {
    "torch",
    "transformers",
    "vllm",
    "llama_cpp",
    "datasets",
    "pyarrow",
    "numpy",
    "gguf",
    "kreuzberg",
    "pypdfium2",
    "huggingface_hub",
    "rich",
    "textual",
}


def loaded(code: str) -> set[str]:
    """Modules of a fresh interpreter after `code`."""
    report = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    script = f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {code}\n"
    done = subprocess.run(
        [sys.executable, "-c", script + report], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        [],
        ["tasks"],
        ["jobs"],
        ["models"],
        ["generate", "--help"],
        ["generate", "x", "-t", "exqq", "-o", "y"],
    ],
)
def test_the_command_line_imports_no_engine(args: list[str]) -> None:
    modules = loaded(f"from bonito_local.cli.main import run; run({args!r})")
    assert "bonito_local" in modules
    assert modules & HEAVY == set()


def test_to_look_at_a_job_imports_little(tmp_path: Path) -> None:
    output = finished_job(tmp_path / "job")
    modules = loaded(
        f"from bonito_local.cli.main import run; assert run(['status', {str(output)!r}]) == 0"
    )
    # Each of these costs milliseconds, of a command that scripts call again and again.
    assert modules & (HEAVY | {"hashlib", "platformdirs", "tempfile", "subprocess"}) == set()


def test_the_app_opens_without_what_only_a_run_needs() -> None:
    modules = loaded("import bonito_local.tui.app, bonito_local.tui.screens.home")
    assert "bonito_local.jobs.board" in modules
    late = ("jobs.launch", "jobs.generation", "jobs.store", "exports.card", "passages.extract")
    needless = {f"bonito_local.{name}" for name in late}
    assert modules & (needless | HEAVY - {"rich", "textual"}) == set()


def test_the_package_and_its_public_names_are_lazy() -> None:
    assert loaded("import bonito_local") & (HEAVY | {"click"}) == set()
    names = loaded("from bonito_local import Bonito, Sampling, TaskType, generate_tasks")
    assert names & (HEAVY | {"click"}) == set()


def test_the_check_itself_sees_an_import() -> None:
    assert "numpy" in loaded("import numpy")
