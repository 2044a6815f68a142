"""A look at a job before it is one: real passages and rows, from a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bonito_local.backends.base import Sampling
from bonito_local.errors import JobError
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
