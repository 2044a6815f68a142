"""Which sentences of a job's passages its rows are about, and rows for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import Scripted, spec

from bonito_local.backends.base import Request
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.coverage import coverage
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Passage
from bonito_local.writing.instruct import InstructWriter

NAMES = ("Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus")
TEXTS = [
    " ".join(f"The house of {name} in {town} has {at} big rooms." for at, name in enumerate(NAMES))
    for town in ("Leeds", "York")
]
EACH = Judge(Thresholds(near_duplicate=0))  # the questions are much alike


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.sqlite")) as store:
        yield store


def write(request: Request, _: int) -> str:
    sentence = request.prompt.rpartition("Sentence: ")[2].splitlines()[0]
    owner, rooms = sentence.split()[3], sentence.split()[7]
    if owner == "Gus":
        return "nothing"
    return f" How many rooms has the house of {owner}, {sentence.split()[5]}?\nAnswer: {rooms}\n"


def passages() -> Iterator[Passage]:
    for at, text in enumerate(TEXTS):
        yield Passage(text, f"{at}.txt", f"{at}" * 64, None, 0, len(text))


def test_one_row_touches_one_sentence(store: Store) -> None:
    run_job(
        store, Scripted(write), spec("exqa", n=2), passages(), judge=EACH, writer=InstructWriter()
    )
    found = list(coverage(store))
    assert [(one.source, one.sentences, one.touched) for one in found] == [
        ("0.txt", 7, 2),
        ("1.txt", 7, 2),
    ]
    assert all(len(one.missing) == 5 for one in found)


def test_rows_for_all_sentences(store: Store) -> None:
    job = replace(spec("exqa,qa"), cover=True)
    assert job.rows(TEXTS[0]) == 4  # of each of two task types, for seven sentences
    assert job.rows("Birds.") == 1
    ledger = run_job(store, Scripted(write), job, passages(), judge=EACH, writer=InstructWriter())
    assert ledger.planned == 16
    found = list(coverage(store))
    assert [one.touched for one in found] == [6, 6]
    assert [text.split()[3] for one in found for text in one.missing] == ["Gus", "Gus"]


def test_rows_without_a_sentence_touch_none(store: Store) -> None:
    engine = Scripted(lambda request, _: " Houses of many rooms.\n")
    run_job(store, engine, spec("summarization"), passages(), judge=EACH, writer=InstructWriter())
    assert [one.touched for one in coverage(store)] == [0, 0]
