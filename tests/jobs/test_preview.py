"""A look at a job before it is one: real passages and rows, from a process of its own."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import JobError
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.launch import free_output, job_file, launch, save
from bonito_local.jobs.preview import find, look
from bonito_local.jobs.state import job_state
from bonito_local.tasks import task_type


def text(who: str, sentences: int) -> str:
    """Sentences that are not alike: the same passage twice is one."""
    days = range(1, sentences + 1)
    return " ".join(f"The {who} pays the rent on working day {day} of each month." for day in days)


def wanted(folder: Path, model: Path | str, **change: object) -> Generation:
    (folder / "a.txt").write_text(text("tenant", 12))
    (folder / "b.txt").write_text(text("owner", 2))
    return Generation(
        paths=(folder / "a.txt", folder / "b.txt"),
        tasks=(task_type("exqa"), task_type("ynqa")),
        output=folder / "out",
        model=str(model),
        sampling=Sampling(max_tokens=24),
        guided=True,
        **change,  # type: ignore[arg-type]
    )


def test_a_process_finds_passages_and_rows(tmp_path: Path, tiny_gguf: Path) -> None:
    looking = look(wanted(tmp_path, tiny_gguf))
    found = list(looking)
    looking.close()
    kinds = [item.kind for item in found]
    sources = [Path(item.data["source"]).name for item in found if item.kind == "passage"]
    assert sources == ["a.txt", "a.txt", "a.txt", "b.txt", "b.txt"]
    assert kinds.count("row") == 5
    assert kinds[-1] == "end"
    rows = [item.data for item in found if item.kind == "row"]
    assert {row["task"] for row in rows} == {"exqa", "ynqa"}
    assert all(0 < row["tokens"] <= 24 for row in rows)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_shown_is_an_error(tmp_path: Path) -> None:
    looking = look(wanted(tmp_path, tmp_path / "none.gguf"))
    with pytest.raises(JobError, match=r"none\.gguf cannot be read"):
        list(looking)
    looking.close()


def test_the_fake_finds_the_same_in_this_process(tmp_path: Path, tiny_gguf: Path) -> None:
    job = wanted(tmp_path, tiny_gguf, backend="fake")
    first, again = list(find(job, 3)), list(find(job, 3))
    assert [kind for kind, _ in first].count("row") == 3
    assert first[:-1] == again[:-1]


def test_a_job_file_says_what_was_filled_in(tmp_path: Path, tiny_gguf: Path) -> None:
    job = wanted(tmp_path, tiny_gguf, column="text", limit=7, labels=())
    save(job, tmp_path / "job.toml")
    read = read_job(tmp_path / "job.toml")
    assert (read.paths, read.tasks, read.sampling) == (job.paths, job.tasks, job.sampling)
    assert (read.column, read.limit, read.guided) == ("text", 7, True)
    assert read.output == job.output


def test_whatever_a_request_says_its_job_file_says(tmp_path: Path) -> None:
    """A field that is new has to be added to both, or a job done again would lose it."""
    numbers = {f.name: f.default for f in fields(Thresholds) if isinstance(f.default, int | float)}
    changed: dict[str, Any] = {
        name: value + 1 if isinstance(value, int) else value / 2 or 0.5
        for name, value in numbers.items()
    }
    job = Generation(
        paths=(tmp_path / "a.txt",),
        tasks=(task_type("topic_class"),),
        output=tmp_path / "out",
        model="other",
        backend="openai",
        sampling=Sampling(2, 0.25, 0.75, 99, 7, ("\n\n", "END")),
        column="text",
        limit=7,
        prompts=str(tmp_path / "prompts"),
        verifier="second",
        cover=True,
        unanswerable=0.25,
        reasoning=True,
        guided=True,
        labels=("a", "b"),
        tune=False,
        reproducible=True,
        engine=EngineOptions(
            *("http://127.0.0.1:1", True, "lora", "nf4", "float16"),
            tensor_parallel=2,
            memory_fraction=0.5,
        ),
        passage_tokens=300,
        target_tokens=200,
        overlap_tokens=20,
        ocr="eng",
        hidden=True,
        keep_repeats=True,
        priority=3,
        checks=replace(
            Thresholds(),
            **changed,
            retrieval_rank=5,
            round_trip=True,
            retries=1,
            stand_alone=True,
            language="",
            skip=("repeats itself",),
        ),
        other_jobs=(tmp_path / "before",),
        evaluation=(tmp_path / "test.jsonl",),
        folder=tmp_path,
        prompt="instruct",
        balance=True,
        cluster=ClusterOptions("ray", "node:6379", 2),
        exports=tuple(
            Export(name, Split((90, 5, 5)), Choice((), ("rejected",), "accepted"), True)
            for name in ("openai", "hf")
        ),
    )
    usual = Generation((), (), Path(), "", tune=True)
    for what, held in ((job, usual), (job.engine, usual.engine), (job.checks, usual.checks)):
        for field in fields(what):
            assert getattr(what, field.name) != getattr(held, field.name), field.name
    save(job, tmp_path / "job.toml")
    assert read_job(tmp_path / "job.toml") == job


def test_launching_writes_the_job_file_and_starts(tmp_path: Path, tiny_gguf: Path) -> None:
    import time

    job = wanted(tmp_path, tiny_gguf)
    launch(job)
    deadline = time.monotonic() + 60
    while job_state(job.output).state != "finished" and time.monotonic() < deadline:
        time.sleep(0.1)
    state = job_state(job.output)
    assert (state.state, state.ledger.pending) == ("finished", 0)
    assert state.ledger.planned >= 8
    assert "seccomp filter" in (state.airgap or ())
    assert job_file(job.output).exists()
    assert free_output(tmp_path, "out") == tmp_path / "out-2"


def test_a_job_that_cannot_be_leaves_no_file(tmp_path: Path) -> None:
    job = wanted(tmp_path, tmp_path / "none.gguf")
    with pytest.raises(Exception, match=r"none\.gguf cannot be read"):
        launch(job)
    assert not job_file(job.output).exists()
    assert not job.output.exists()
