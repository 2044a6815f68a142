"""Every command that the documentation shows is run, or at least understood.

A block of `sh`, `console` or `python` is run in a folder of its page's own, beside the examples
of the project. What a `console` block prints is compared, numbers apart; `...` stands for lines
left out, and `output="..."` says why it cannot be compared. A block that cannot be run says so:
`not-run="why"`. Of its commands of ours, options and job files' keys must exist all the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import click
import pytest
from fences import ROOT, Fence, commands, fences

from bonito_local.cli.main import cli

PAGES = sorted(
    path
    for pages in ("README.md", "CONTRIBUTING.md", "examples/README.md", "docs/**/*.md")
    for path in ROOT.glob(pages)
)
RUN = ("sh", "console", "python")
# Reasons that hold for a command wherever it stands: it is looked at, and not run.
ELSEWHERE = ("pip", "pipx", "uv", "make", "docker", "git", "cd")
SKIPPED = {"output", "not-run", "title"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page(page: Path, tmp_path: Path) -> None:
    blocks = fences(page)
    for block in blocks:
        assert block.language, f"{block.name}: a block without a language; text, if it is none"
        assert set(block.info) <= SKIPPED, f"{block.name}: {block.info}"
        if block.language == "toml":
            tomllib.loads(block.text)
    shown = [block for block in blocks if block.language in RUN]
    for block in shown:
        if block.language != "python":
            understand(block)
    run = [block for block in shown if "not-run" not in block.info]
    if not run:
        return
    folder, environ = stage(tmp_path)
    for block in run:
        if block.language != "python":
            for script, printed in block.steps():
                if runnable(script):
                    compare(block, printed, call(block, ["bash", "-euo", "pipefail", "-c", script],
                                                 folder, environ))  # fmt: skip
    if code := "\n".join(block.text for block in run if block.language == "python"):
        call(run[-1], [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code],
             folder, environ)  # fmt: skip


def stage(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with documents, and an environment with an empty home."""
    folder = tmp_path / "here"
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "documents").mkdir()
    for name in ("office-lease.md", "mutual-nda.docx"):
        shutil.copy(ROOT / "examples/documents" / name, folder / "documents")
    bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = tmp_path / "home"
    home.mkdir()
    return folder, {**os.environ, "HOME": str(home), "PATH": bins, "PIP_NO_INDEX": "1"}


def call(block: Fence, command: list[str], folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, f"{block.name}: {command[-1]}\n{done.stdout}\n{done.stderr}"
    return f"{done.stdout}{done.stderr}"


def compare(block: Fence, expected: list[str], printed: str) -> None:
    """Every line shown was printed, in order; between `...` nothing is left out."""
    if "output" in block.info or not expected:
        return
    lines = [alike(line) for line in printed.splitlines()]
    at, gap = 0, False
    for line in expected:
        if line.strip() == "...":
            gap = True
            continue
        rest = lines[at:] if gap else lines[at : at + 1]
        assert alike(line) in rest, f"{block.name}: {line!r} is not printed next:\n{printed}"
        at += rest.index(alike(line)) + 1
        gap = False
    assert gap or at == len(lines), f"{block.name}: more is printed: {lines[at:]}"


def alike(line: str) -> str:
    """A line without what differs from run to run."""
    return re.sub(r"\s+", " ", re.sub(r"[\d.,:]+", "0", line)).strip()


def runnable(script: str) -> bool:
    return not any(words and words[0] in ELSEWHERE for words in commands(script))


def understand(block: Fence) -> None:
    """Look at a block's commands without running them."""
    extras = set(metadata("bonito-local").get_all("Provides-Extra") or [])
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for script, _ in block.steps():
        for words in commands(script):
            if words[:1] == ["make"]:
                assert set(words[1:]) <= targets, f"{block.name}: {words}"
            elif words[:1] == ["bonito-local"]:
                parse(block, words[1:])
            for extra in re.findall(r"bonito-local\[([\w,]+)\]", " ".join(words)):
                assert set(extra.split(",")) <= extras, f"{block.name}: {extra}"


def parse(block: Fence, words: list[str]) -> None:
    """Fail for an option or a command that there is not."""
    command: click.Command = cli
    ctx = click.Context(cli, info_name="bonito-local", resilient_parsing=True)
    while isinstance(command, click.Group) and words:
        if words[0] in ("--version", "--help", "-h"):
            return
        found = command.get_command(ctx, words[0])
        if found is None and not words[0].startswith("-") and command is not cli:
            break
        assert found is not None, f"{block.name}: no command {words[0]}"
        command, words = found, words[1:]
    ctx = click.Context(command, resilient_parsing=True)
    try:
        command.make_parser(ctx).parse_args([word for word in words if word != "..."])
    except click.UsageError as error:
        raise AssertionError(f"{block.name}: {error.format_message()}") from error


def test_few_blocks_are_not_run() -> None:
    every = [b for page in PAGES for b in fences(page) if b.language in RUN]
    left = [b for b in every if "not-run" in b.info]
    assert all(len(b.info["not-run"]) > 8 for b in left)
    assert len(left) < len(every) / 2, [b.name for b in left]
