"""The main job as front ends call it, with an engine that breaks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import Scripted, passages, unique

from bonito_local.backends.base import Request, Sampling
from bonito_local.errors import BackendError, BonitoError, JobError
from bonito_local.jobs import generate as job
from bonito_local.jobs.generate import generate
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.state import job_state
from bonito_local.passages.types import Passage
from bonito_local.tasks import task_type


@pytest.fixture
def wanted(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Generation:
    def read(*_: object, **__: object) -> Iterator[Passage]:
        yield from passages(9)

    monkeypatch.setattr(job, "read_documents", read)
    return Generation((tmp_path,), (task_type("ynqa"),), tmp_path / "out", str(tiny_gguf))


def rows(wanted: Generation) -> int:
    return len((wanted.output / "rows.jsonl").read_text().splitlines())


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt(), BackendError("It died.", "Restart.")])
def test_what_had_finished_is_written_however_it_ends(
    wanted: Generation, monkeypatch: pytest.MonkeyPatch, stopped_by: BaseException
) -> None:
    def answer(request: Request, sample: int) -> str:
        if request.id == "6/ynqa":
            raise stopped_by
        return unique(request, sample)

    monkeypatch.setattr(job, "open_engine", lambda *_: Scripted(answer))
    if isinstance(stopped_by, BackendError):
        with pytest.raises(
            BackendError, match=r"It died\. Restart\. 5 rows are in .*out: the same"
        ):
            generate(wanted)
    else:
        summary = generate(wanted)
        assert (summary.stopped, summary.rows, summary.ledger.pending) == (True, 5, 4)
    assert rows(wanted) == 5
    monkeypatch.setattr(job, "open_engine", lambda *_: Scripted(unique))
    summary = generate(wanted)
    assert (summary.stopped, summary.rows, rows(wanted)) == (False, 9, 9)
    assert json.loads((wanted.output / "ledger.json").read_text())["planned"] == 9


def test_the_engine_is_closed_and_the_job_unlocked(
    wanted: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Closing(Scripted):
        def close(self) -> None:
            closed.append(self.name)

    monkeypatch.setattr(job, "open_engine", lambda *_: Closing(unique))
    generate(wanted)
    generate(wanted)
    assert closed == ["scripted", "scripted"]


def test_nothing_is_made_for_a_request_that_cannot_be(wanted: Generation) -> None:
    for broken in (
        Generation(wanted.paths, wanted.tasks, wanted.output, "no-such-model"),
        Generation(
            wanted.paths, wanted.tasks, wanted.output, wanted.model, "llamacpp", Sampling(0)
        ),
    ):
        with pytest.raises(BonitoError):
            generate(broken)
        assert not wanted.output.exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libarrow.so.2600: failed to map segment from shared object"),
    ],
)
def test_memory_that_runs_out_is_one_error_and_noted(
    error: Exception, wanted: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Request, sample: int) -> str:
        if request.id == "4/ynqa":
            raise error
        return unique(request, sample)

    monkeypatch.setattr(job, "open_engine", lambda *_: Scripted(answer))
    with pytest.raises(JobError, match=r"Memory ran out\."):
        generate(wanted)
    state = job_state(wanted.output)
    assert (state.state, state.ledger.accepted, state.ledger.pending) == ("failed", 3, 6)
    assert state.why.startswith("Memory ran out.")
