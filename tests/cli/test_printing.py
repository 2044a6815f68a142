"""What is printed goes through one printer, and no name steers the terminal or fakes a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.cli.table import aligned
from bonito_local.printable import one_line

CLI = Path(__file__).parents[2] / "bonito_local" / "cli"
EVIL = "o\x1b]0;owned\x07\x1b[31m\nall is well"


def test_every_command_prints_through_the_printer() -> None:
    for path in CLI.glob("*.py"):
        if path.name != "talk.py":
            other = re.search(r"\bclick\.(s?echo|secho)\b|(?<![.\w])print\(", path.read_text())
            assert other is None, path


def test_a_name_with_line_feeds_stays_in_its_line() -> None:
    assert one_line("a\nb\tc\u2028d\x85") == "a\\x0ab\\x09c\\u2028d\\x85"
    assert len(aligned([["job", "folder"], ["1", EVIL]], left=(1,)).splitlines()) == 2


@pytest.mark.parametrize(
    "command",
    [
        ["jobs"],
        ["status", "1"],
        ["review", "1"],
        ["export", "1", "-f", "csv"],
        ["report", "1"],
        ["retry", "1"],
        ["pause", "1"],
        ["logs", "1"],
        ["rm", "1"],
    ],
)
def test_no_command_prints_control_characters_of_a_job(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("a.txt").write_text("The tenant pays rent of 1200 euros each month. " * 3)
    made = ["generate", "a.txt", "-t", "exqa", "--backend", "fake", "-q", "-o", EVIL]
    assert run(made) == 0
    assert run(command) in (0, 1)
    printed = "".join(capfd.readouterr())
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert not any(line.startswith("all is well") for line in printed.splitlines())


def test_what_the_system_refuses_is_one_line_and_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bonito_local.cli import main

    for error, said in (
        (OSError(24, "Too many open files", "/a\nb"), "error: /a\\x0ab: Too many open files."),
        (OSError(28, "No space left on device"), "error: No space left on device."),
        (MemoryError(), "error: Memory ran out."),
    ):

        def refused(*_: object, raised: BaseException = error, **__: object) -> None:
            raise raised

        monkeypatch.setattr(main.cli, "main", refused)
        assert main.run([]) == 1
        assert capsys.readouterr().err.splitlines()[0] == said
