"""Evaluation sets: read from what people have, and found in rows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.checks import evaluation
from bonito_local.checks.evaluation import EvaluationSet, read_evaluation
from bonito_local.errors import UsageError
from bonito_local.tasks import Pair

TEXT = "The lease of the flat in Mill Lane ends on the last day of March of the next year."
QUESTION = "When does the lease end?"


def write(folder: Path, kind: str) -> Path:
    rows = [{"id": 1, "context": TEXT, "qas": [{"question": QUESTION}]}, {"id": 2, "context": "x"}]
    file = folder / f"set{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif kind == ".json":
        file.write_text(json.dumps({"data": rows}))
    elif kind == ".jsonl":
        file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    elif kind in (".csv", ".tsv"):
        apart = "," if kind == ".csv" else "\t"
        file.write_text(f'id{apart}text\n1{apart}"{TEXT}"\n2{apart}"{QUESTION}"\n')
    else:
        file.write_text(f"{TEXT}\n")
    return file


@pytest.mark.parametrize("kind", [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt", ".md"])
def test_what_a_set_may_be_in(tmp_path: Path, kind: str) -> None:
    file = write(tmp_path, kind)
    found = read_evaluation([file], 13)
    assert found is not None
    assert found.holds(Pair(f"{TEXT}\nWho?", "nobody"), TEXT)
    assert not found.holds(Pair("Who lives there?", "nobody"), "")
    assert found.holds(Pair(f"Some passage.\n{QUESTION}", "March"), "Some passage.") == (
        kind not in (".txt", ".md")
    )
    folder = read_evaluation([tmp_path], 13)
    assert folder is not None
    assert folder.mark == found.mark


def test_runs_of_words() -> None:
    found = EvaluationSet([TEXT], 13)
    said = TEXT.split()
    assert found.holds(Pair("Q", "so " + " ".join(said[2:15]).upper() + " then"), "")
    assert not found.holds(Pair("Q", " ".join(said[2:14])), "")  # twelve
    assert EvaluationSet([TEXT], 12).holds(Pair("Q", " ".join(said[2:14])), "")
    assert found.mark != EvaluationSet([TEXT], 12).mark
    # Short texts count as a whole, shorter ones not at all.
    short = EvaluationSet([QUESTION, "yes", "On Mondays"], 13)
    assert short.holds(Pair("when does the lease end", "x"), "")
    assert not short.holds(Pair("Tell when does the lease end", "yes"), "")


@given(
    st.lists(st.sampled_from("a b c d e f g h".split()), min_size=5, max_size=40),
    st.integers(5, 9),
    st.data(),
)
def test_any_run_of_a_text_is_found_in_it(said: list[str], run: int, data: st.DataObject) -> None:
    found = EvaluationSet([" ".join(said)], run)
    if len(said) >= run:
        at = data.draw(st.integers(0, len(said) - run))
        assert found.holds(Pair("z " + " ".join(said[at : at + run]) + " z", "z"), "")
    assert not found.holds(Pair("z y x w v u t s r q", "p"), "")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("gone.jsonl", None, "No such file"),
        ("bad.jsonl", '{"a": 1}\n{"a"', "Expecting"),
        ("bad.parquet", "PAR1", "Parquet"),
        ("set.pdf", "x", "none of .jsonl"),
        ("empty.jsonl", '{"a": "yes"}', "holds no text"),
        ("folder", "", "holds none of"),
    ],
)
def test_sets_that_cannot_be_read(tmp_path: Path, name: str, content: str | None, why: str) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_evaluation([path], 13)
    assert why in caught.value.title
    assert str(path) in caught.value.title
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.skipif(os.name != "posix", reason="pipes and holes of POSIX")
def test_sets_that_never_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "holes.txt").touch()
    os.truncate(tmp_path / "holes.txt", 1 << 41)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "long.md").write_text("word " * 100)
    monkeypatch.setattr(evaluation, "_MOST_SIGNS", 499)
    for name, why in (
        ("pipe.jsonl", "it is no ordinary file"),
        ("holes.txt", "it is mostly holes"),
        ("long.md", "it is longer than 499 characters"),
    ):
        with pytest.raises(UsageError, match=why):
            read_evaluation([tmp_path / name], 8)
    monkeypatch.setattr(evaluation, "_MOST_SIGNS", 100_000)
    with pytest.raises(UsageError, match="nested too deeply"):
        read_evaluation([tmp_path / "deep.json"], 8)
