import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bonito_local.cli.progress import LineReporter, describe
from bonito_local.jobs.progress import Progress

HALF = Progress("generating", 5, 0, 100, 20, 60, 33, 4000, 800, 80.0)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("reading", passages=7), "7 passages"),
        (Progress("generating", planned=9), "0 rows"),
        # 40 of this run's 80 samples took 80 s: the other 40 will take as long.
        (HALF, "33 rows, 50+10 tokens/s read+written, 0:01:20 left"),
    ],
)
def test_in_words(progress: Progress, words: str) -> None:
    assert describe(progress) == words


def test_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    with LineReporter() as reporter:
        for done in range(101):
            reporter.show(Progress("generating", planned=100, done=done))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["generating 0/100: 0 rows", lines[1]]
    assert lines[1].startswith("generating 100/100: ")


def test_a_terminal_gets_a_bar(tmp_path: Path, tiny_gguf: Path) -> None:
    (tmp_path / "a.txt").write_text("Either party may end this agreement by giving notice.")
    command = [sys.executable, "-m", "bonito_local", "generate", str(tmp_path / "a.txt")]
    command += ["-t", "exqa", "-o", str(tmp_path / "out"), "-m", str(tiny_gguf)]
    main, terminal = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    shown = b""
    with subprocess.Popen(
        [*command, "--backend", "fake"], stdout=subprocess.PIPE, stderr=terminal, env=env
    ) as process:
        os.close(terminal)
        # A terminal that nobody reads fills up; its end is an error on Linux.
        with contextlib.suppress(OSError):
            while part := os.read(main, 4096):
                shown += part
        assert process.stdout is not None
        printed = process.stdout.read()
    os.close(main)
    assert process.returncode == 0
    assert "1/1" in shown.decode()
    assert "\u2501" in shown.decode()
    assert "1 rows" in shown.decode()
    assert b"1 row in" in printed
