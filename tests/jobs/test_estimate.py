"""Estimates: near what a job then asks for, and clear about what they are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bonito_local.backends.base import Plan, Sampling
from bonito_local.backends.llamacpp import speeds as speeds_module
from bonito_local.backends.llamacpp.measuring import Measurement, Mix
from bonito_local.backends.llamacpp.remembered import remember
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.speeds import Speed, speeds
from bonito_local.backends.llamacpp.tuning import Tuning
from bonito_local.backends.registry import open_backend
from bonito_local.jobs.estimate import estimate
from bonito_local.jobs.generation import Generation
from bonito_local.models.catalog import CATALOG
from bonito_local.models.fit import passage_tokens
from bonito_local.models.installed import installed
from bonito_local.passages.discover import find_documents
from bonito_local.passages.reader import read_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.survey import Survey, survey
from bonito_local.passages.types import Document, Passage
from bonito_local.tasks import task_type

EXAMPLES = Path(__file__).parents[2] / "examples" / "documents"
ONE = Survey((("txt", 1),), (("txt", 100_000),), 1, 100_000)
FOUND = Measurement(Settings(), 400.0, 100.0, 1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def wanted(tiny_gguf: Path) -> Generation:
    tasks = (task_type("exqa"), task_type("ynqa"))
    return Generation((EXAMPLES,), tasks, Path("out"), str(tiny_gguf))


def test_passages_are_guessed_from_sizes_and_known_better_once_some_were_read(
    wanted: Generation,
) -> None:
    wanted = replace(wanted, model="bonito-small")
    found = survey([EXAMPLES])
    count = 0
    with closing(open_backend("llamacpp", CATALOG[0].path, Plan())) as backend:
        lengths = Lengths(passage_tokens(backend, 256))
        for document in find_documents([EXAMPLES]):
            assert isinstance(document, Document)
            for item in read_passages(document, backend.count_tokens, lengths):
                count += isinstance(item, Passage)
    guess = estimate(found, wanted)
    assert count / 1.5 < guess.passages < count * 1.5
    assert guess.samples == 2 * guess.passages
    seen = {kind: count / found.bytes for kind, _ in found.sizes}
    assert estimate(found, wanted, seen).passages == count


def test_what_multiplies_and_what_ends_it(wanted: Generation) -> None:
    guess = estimate(ONE, wanted)
    more = estimate(ONE, replace(wanted, sampling=Sampling(n=3)))
    assert (more.passages, more.samples) == (guess.passages, 3 * guess.samples)
    assert estimate(ONE, replace(wanted, limit=7)).samples == 14
    longer = estimate(ONE, replace(wanted, passage_tokens=480))
    assert longer.passages == pytest.approx(guess.passages * 0.303, abs=1)  # 48 by its metadata
    assert estimate(Survey(), wanted).samples == 0


def test_time_is_a_guess_until_the_model_was_measured_here(
    wanted: Generation, tiny_gguf: Path
) -> None:
    guess = estimate(ONE, wanted)
    assert guess.seconds is not None
    assert not guess.measured
    assert "a guess: not measured here yet" in str(guess)
    remember("a" * 64, Mix(72, 64, 1), Tuning(FOUND, (FOUND,)), tiny_gguf)
    assert speeds(tiny_gguf) == [Speed(72, 64, 1, 400.0, 100.0)]
    known = estimate(ONE, wanted)
    prompt = round(48 * 0.7) + 24
    assert known.seconds == pytest.approx(known.samples * (prompt / 400 + 64 / 100))
    assert "as measured here" in str(known)
    shared = estimate(ONE, replace(wanted, sampling=Sampling(n=4)))
    assert shared.seconds == pytest.approx(shared.samples * (prompt / 4 / 400 + 64 / 100))


def test_another_file_or_machine_was_not_measured(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = remember("a" * 64, Mix(72, 64), Tuning(FOUND, (FOUND,)), tiny_gguf)
    assert file is not None
    other = tmp_path / tiny_gguf.name
    other.write_bytes(tiny_gguf.read_bytes() + b"more")
    assert speeds(other) == []
    assert speeds(tmp_path / "gone.gguf") == []
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(speeds_module, "processor", lambda: "another")
        assert speeds(tiny_gguf) == []
    file.write_text("{")
    assert speeds(tiny_gguf) == []


def test_what_is_not_known_is_said(wanted: Generation) -> None:
    for other in (
        replace(wanted, backend="openai", model="bonito"),
        replace(wanted, reproducible=True),
        replace(wanted, model="missing.gguf"),
    ):
        guess = estimate(ONE, other)
        assert (guess.seconds, guess.measured) == (None, False)
        assert "speed is not known" in str(guess)
        assert guess.samples > 0


def test_models_say_their_licence_and_whether_they_were_tuned(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = installed()[0]
    assert (ours.licence, ours.tuned) == ("cc-by-sa-4.0", False)
    assert ours.quant.startswith(("Q", "F"))
    remember("a" * 64, Mix(72, 64), Tuning(FOUND, (FOUND,)), ours.path)
    assert installed()[0].tuned
    found = next(model for model in installed([tiny_gguf.parent]) if model.path == tiny_gguf)
    assert (found.licence, found.tuned) == ("", False)
