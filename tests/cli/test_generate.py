"""The main job through the command line, on real documents and the real store."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import load_dataset
from tiny_model import write_tiny_gguf

from bonito_local.cli.main import run

COLUMNS = ["planned", "accepted", "unparseable", "rejected", "duplicate", "failed", "pending"]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    (folder / "deep" / "er").mkdir(parents=True)
    for at, path in enumerate(("a.txt", "b.md", "deep/c.txt", "deep/er/d.txt")):
        text = f"Clause {at}. Either party may end agreement {at} by giving {at + 20} days' notice."
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def fake(tmp_path: Path, tiny_gguf: Path, documents: Path) -> list[str]:
    """A command that needs no model's time; its dataset goes to `out`."""
    command = ["generate", str(documents), "-t", "exqa,ynqa", "-o", str(tmp_path / "out")]
    return [*command, "--model", str(tiny_gguf), "--backend", "fake"]


def table(printed: str) -> dict[str, dict[str, int]]:
    """The ledger as it was printed."""
    lines = [line.split() for line in printed.splitlines()]
    at = lines.index(["task", *COLUMNS])
    rows = [line for line in lines[at + 1 :] if len(line) == 8 and line[1].isdigit()]
    return {row[0]: dict(zip(COLUMNS, map(int, row[1:]), strict=True)) for row in rows}


def test_documents_to_dataset(
    fake: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*fake, "--n", "3"]) == 0
    printed, shown = capsys.readouterr()
    ledger = table(printed)
    assert ledger["all"]["planned"] == 4 * 2 * 3
    for counts in ledger.values():
        assert counts["planned"] == sum(counts.values()) - counts["planned"]
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == ledger["all"]["accepted"] > 0
    assert f"{len(rows)} rows in {tmp_path / 'out'}" in printed
    assert {Path(source).name for source in rows["source"]} == {"a.txt", "b.md", "c.txt", "d.txt"}
    assert json.loads((tmp_path / "out" / "ledger.json").read_text())["planned"] == 24
    assert "generating 24/24" in shown


def test_how_it_ended_for_programs(
    fake: list[str], tmp_path: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (documents / "empty.txt").touch()
    assert run([*fake, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    lines = (tmp_path / "out" / "rows.jsonl").read_text().splitlines()
    assert (told["output"], told["state"]) == (str(tmp_path / "out"), "finished")
    assert told["rows"] == told["ledger"]["outcomes"]["accepted"] == len(lines) == 8
    assert run(["status", str(tmp_path / "out"), "--json"]) == 0
    assert told["ledger"] == json.loads(capsys.readouterr().out)["ledger"]
    assert told["problems"] == json.loads((tmp_path / "out" / "problems.json").read_text())
    assert [Path(problem["source"]).name for problem in told["problems"]] == ["empty.txt"]


def test_the_same_command_again_changes_nothing(fake: list[str], tmp_path: Path) -> None:
    assert run(fake) == 0
    before = (tmp_path / "out" / "rows.jsonl").read_bytes()
    assert run(fake) == 0
    assert (tmp_path / "out" / "rows.jsonl").read_bytes() == before


def test_more_documents_and_samples_add_rows(
    fake: list[str], tmp_path: Path, documents: Path
) -> None:
    assert run(fake) == 0
    lines = set((tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    (documents / "new.txt").write_text("A new clause says that notice is given in writing.")
    assert run([*fake, "--n", "4"]) == 0
    more = set((tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    assert lines < more
    assert any("new.txt" in line for line in more)


def test_limit(fake: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*fake, "--limit", "2"]) == 0
    assert table(capsys.readouterr().out)["all"]["planned"] == 4


def test_a_column_of_a_table(
    fake: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": i, "body": f"Patient {i} left in good health on day {i}. " * 4} for i in range(6)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    fake[1] = str(tmp_path / "t.jsonl")
    assert run([*fake, "--column", "body"]) == 0
    assert table(capsys.readouterr().out)["all"]["planned"] == 12


def test_the_real_engine(
    fake: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights write no rows: every completion is kept, counted, and none is accepted."""
    fake[fake.index("fake")] = "llamacpp"
    fake[fake.index("exqa,ynqa")] = "exqa,qa"
    # Each document is a sentence too long for a passage of this model: two halves.
    assert run([*fake, "--max-tokens", "12"]) == 1
    printed, shown = capsys.readouterr()
    assert table(printed)["all"]["planned"] == 16
    assert table(printed)["all"]["unparseable"] == 16
    assert "was not trained on qa:" in shown
    assert "error: No row was accepted." in shown


def test_a_base_model_is_shown_examples_and_warned_of(
    tmp_path: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_tiny_gguf(
        tmp_path / "base.gguf", metadata={"general.name": "Base 1B"}, context=4096, ours=False
    )
    command = ["generate", str(documents), "-t", "exqa", "-o", str(tmp_path / "out")]
    run([*command, "-m", str(base), "--max-tokens", "12", "--limit", "1"])
    assert "trained neither to follow instructions nor as a Bonito" in capsys.readouterr().err


def test_a_bad_document_does_not_stop_the_others(
    fake: list[str], tmp_path: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (documents / "empty.txt").touch()
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
    assert run(fake) == 0
    printed, shown = capsys.readouterr()
    assert table(printed)["all"]["planned"] == 8
    told = [line for line in shown.splitlines() if line.startswith(str(documents))]
    assert [Path(line.split(": ")[0]).name for line in told] == ["broken.pdf", "empty.txt"]
    problems = json.loads((tmp_path / "out" / "problems.json").read_text())
    assert [Path(problem["source"]).name for problem in problems] == ["broken.pdf", "empty.txt"]
    assert all(problem["title"] and problem["remedy"] for problem in problems)


def test_nothing_but_bad_documents(
    fake: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.txt").touch()
    fake[1] = str(tmp_path / "bad")
    assert run(fake) == 1
    told, error, remedy = capsys.readouterr().err.splitlines()[-3:]
    assert "empty.txt: The file is empty." in told
    assert error == "error: No passage could be read."
    assert remedy == "What was wrong is said above."


@pytest.mark.parametrize(
    ("change", "code", "title", "remedy"),
    [
        ({"-t": "exq"}, 2, "Unknown task type 'exq'.", "Did you mean 'exqa'?"),
        ({"-t": ","}, 2, "No task type given.", "bonito-local tasks"),
        (
            {"--model": "bonito-smll"},
            2,
            "Unknown model 'bonito-smll'",
            "Did you mean 'bonito-small'",
        ),
        ({"--model": "gone.gguf"}, 1, "gone.gguf cannot be read", "Check the path"),
        ({"--backend": "lamacpp"}, 2, "Unknown backend 'lamacpp'.", "Did you mean 'llamacpp'?"),
        ({"--n": "0"}, 2, "n is 0.", "1 or more"),
        ({"--temperature": "-1"}, 2, "temperature is -1.0.", "0 (greedy)"),
        ({"--temperature": "nan"}, 2, "temperature is nan.", "0 (greedy)"),
        ({"--top-p": "1.5"}, 2, "top_p is 1.5.", "at most 1"),
        ({"--max-tokens": "0"}, 2, "max_tokens is 0.", "1 or more"),
        ({"--max-tokens": "9999"}, 2, "leave no room for a passage", "Ask for"),
        ({"--limit": "0"}, 2, "Invalid value for '--limit'", "--help"),
        ({"--sed": "0"}, 2, "No such option '--sed'", "--help"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_a_remedy(
    fake: list[str],
    change: dict[str, str],
    code: int,
    title: str,
    remedy: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option, value in change.items():
        if option in fake:
            fake[fake.index(option) + 1] = value
        else:
            fake += [option, value]
    assert run(fake) == code
    printed, shown = capsys.readouterr()
    first, *rest = shown.splitlines()
    assert first.startswith("error: ")
    assert title in first
    assert remedy in " ".join(rest) or remedy in first
    assert len(rest) <= 1
    assert printed == ""


def test_a_path_that_does_not_exist(fake: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    fake[1] += "-gone"
    assert run(fake) == 2
    assert capsys.readouterr().err.splitlines()[-2].startswith("error: ")


def test_an_output_that_is_not_ours_is_left_alone(
    fake: list[str], documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(documents.rglob("*"))
    fake[fake.index("-o") + 1] = str(documents)
    assert run(fake) == 1
    assert "was not made by bonito-local" in capsys.readouterr().err
    assert sorted(documents.rglob("*")) == before


def test_other_settings_in_the_same_output_are_refused(
    fake: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fake) == 0
    before = (tmp_path / "out" / "rows.jsonl").read_bytes()
    assert run([*fake, "--temperature", "1"]) == 1
    assert "other settings (temperature 0.5 -> 1.0)" in capsys.readouterr().err
    assert (tmp_path / "out" / "rows.jsonl").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_and_gone_on_with(
    fake: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "bonito_local", *fake, "--n", "1000"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        while "generating" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.05)
        process.send_signal(number)
        printed, shown = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Stopped. The same command goes on from here." in shown
    stopped = table(printed)["all"]
    assert stopped["planned"] == 8000
    assert stopped["pending"] > 0
    lines = (tmp_path / "out" / "rows.jsonl").read_text().splitlines()
    assert len(lines) == stopped["accepted"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ended = table(done.stdout)["all"]
    assert (ended["planned"], ended["pending"]) == (8000, 0)
    first = re.search(r"generating (\d+)/8000", done.stderr)
    assert first is not None
    assert int(first[1]) == 8000 - stopped["pending"]
    assert set(lines) <= set((tmp_path / "out" / "rows.jsonl").read_text().splitlines())


def test_files_are_for_the_user_alone(fake: list[str], tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert run(fake) == 0
    finally:
        os.umask(before)
    paths = list((tmp_path / "out").rglob("*"))
    assert {p.stat().st_mode & 0o777 for p in paths if p.is_file()} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in paths if p.is_dir()} == {0o700}


def test_a_missing_path_is_named_before_the_model_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    nowhere = str(tmp_path / "nowhere")
    assert run(["generate", nowhere, "-t", "exqa", "-o", "out", "--model", str(broken)]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
