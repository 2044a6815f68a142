"""Tuning: the search on made-up speeds, the measuring on a real model, and what is remembered."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bonito_local.backends.base import Plan
from bonito_local.backends.llamacpp import measuring, opening, remembered, tuning
from bonito_local.backends.llamacpp.apart import measure_apart
from bonito_local.backends.llamacpp.measuring import Measurement, Mix
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.tuning import tune
from bonito_local.errors import BackendError, ModelError

MIX = Mix(prompt=40, completion=20)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Settings], float]], None]:
    """Put a formula in the place of the clock."""

    def install(seconds: Callable[[Settings], float]) -> None:
        def measure(_: object, settings: Settings, *__: object) -> Measurement:
            return Measurement(settings, 1.0, 1.0, seconds(settings))

        for name in ("measure", "measure_loaded", "measure_apart"):
            monkeypatch.setattr(tuning, name, measure)

    return install


def test_the_search_finds_what_is_fastest(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    def seconds(s: Settings) -> float:
        return (
            (0.5 if s.repack else 1.0)
            * (1 + abs(s.n_seq - 64) / 64)
            * (0.9 if not s.flash_attention else 1.0)
        )

    speeds(seconds)
    found = tune(tiny_gguf, MIX)
    best = found.best.settings
    assert (best.repack, best.n_seq, best.flash_attention) == (True, 64, False)
    assert found.best == min(found.tried, key=lambda m: m.seconds)
    assert found.tried[0].settings == Settings()


def test_fewer_sequences_are_tried_where_more_do_not_help(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    speeds(lambda s: 1 + abs(s.n_seq - 8) / 64)
    assert tune(tiny_gguf, MIX).best.settings.n_seq == 8


def test_a_difference_within_the_noise_changes_nothing(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    speeds(lambda s: 1.0 if s == Settings() else 0.98)
    assert tune(tiny_gguf, MIX).best.settings == Settings()


def test_drafts_are_tried_for_few_sequences(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    speeds(lambda s: s.n_seq / (1 + (s.draft == 2)))
    best = tune(tiny_gguf, MIX).best.settings
    assert (best.n_seq, best.draft) == (1, 2)
    speeds(lambda s: 1 / s.n_seq / (1 + (s.draft == 2)))
    assert all(not m.settings.draft for m in tune(tiny_gguf, MIX).tried)


def test_what_cannot_run_is_passed_over(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    def seconds(s: Settings) -> float:
        if s.n_seq > 32 or not s.flash_attention:
            raise BackendError("memory is short")
        return 1.0

    speeds(seconds)
    assert tune(tiny_gguf, MIX).best.settings == Settings()


def test_time_and_the_user_end_it(
    tiny_gguf: Path, speeds: Callable[[Callable[[Settings], float]], None]
) -> None:
    speeds(lambda _: 1.0)
    assert len(tune(tiny_gguf, MIX, seconds=0).tried) == 1
    asked = iter([False, True, True, True])
    assert len(tune(tiny_gguf, MIX, stop=lambda: next(asked)).tried) == 2


def test_measuring_a_real_model(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[float] = []
    fastest = measuring._fastest

    def noted(run: Callable[[], None]) -> float:
        timed.append(fastest(run))
        return timed[-1]

    monkeypatch.setattr(measuring, "_fastest", noted)
    model = Model(tiny_gguf)
    one, many = (
        measuring.measure(model, Settings(n, threads=1, prefill_threads=1), MIX) for n in (1, 8)
    )
    for found, (prefill, decode) in ((one, timed[:2]), (many, timed[2:])):
        assert found.prefill == pytest.approx(40 / prefill)
        assert found.decode == pytest.approx(found.settings.n_seq / decode)
        assert found.seconds == pytest.approx(40 / found.prefill + 20 / found.decode)
    drafted = measuring.measure(model, Settings(1, threads=1, prefill_threads=1, draft=4), MIX)
    assert drafted.decode == pytest.approx((1 + measuring._KEPT[4]) / timed[-1])
    shared = measuring.measure(model, many.settings, Mix(40, 20, n=4))
    assert shared.seconds == pytest.approx(10 / shared.prefill + 20 / shared.decode)
    # A rate that the difference does not touch is taken over.
    timed.clear()
    reread = measuring.measure(model, replace(one.settings, ubatch=256), MIX, known=one)
    assert reread.prefill == pytest.approx(40 / timed[0])
    assert reread.decode == one.decode
    redrawn = measuring.measure(model, replace(one.settings, n_seq=2), MIX, known=one)
    assert redrawn.decode == pytest.approx(2 / timed[1])
    assert redrawn.prefill == one.prefill
    assert len(timed) == 2
    model.close()


def never() -> bool:
    return False


def run_instead(line: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a line of the shell stand where the process that measures would."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{line}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_what_crashes_llama_cpp_is_left_out_and_said(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_instead("kill -ILL $$", monkeypatch, tmp_path)
    told: list[str] = []
    assert measure_apart(tiny_gguf, Settings(repack=True), MIX, 40, told.append, never) is None
    assert told == ["llama.cpp crashes with rearranged weights (SIGILL): left out"]
    found = tune(tiny_gguf, MIX, seconds=2)
    assert not any(measured.settings.repack for measured in found.tried)


def test_a_process_of_its_own_measures_the_same_model(tiny_gguf: Path) -> None:
    settings = Settings(4, threads=1, prefill_threads=1)
    found = measure_apart(tiny_gguf, settings, MIX, 40, pytest.fail, never)
    assert found is not None
    assert found.settings == settings
    assert found.seconds == pytest.approx(40 / found.prefill + 20 / found.decode)
    missing = tiny_gguf.with_name("missing.gguf")
    assert measure_apart(missing, settings, MIX, 40, pytest.fail, never) is None


def test_the_user_stops_a_process_that_measures(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_instead("exec sleep 60", monkeypatch, tmp_path)
    started = time.monotonic()
    assert measure_apart(tiny_gguf, Settings(), MIX, 40, pytest.fail, lambda: True) is None
    assert time.monotonic() - started < 10


def test_a_real_search_ends_in_time(tiny_gguf: Path) -> None:
    started = time.monotonic()
    found = tune(tiny_gguf, MIX, seconds=3)
    assert time.monotonic() - started < 20
    assert found.best in found.tried
    assert len(found.tried) > 1
    with pytest.raises(ModelError):
        tune(Path("missing.gguf"), MIX)


def test_remembered_for_this_machine_model_and_mix(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = Measurement(Settings(n_seq=64, cache="q8_0"), 600.0, 250.0, 1.01)
    found = tuning.Tuning(best, (Measurement(Settings(), 500.0, 200.0, 1.2), best))
    path = remembered.remember("a" * 64, MIX, found, tiny_gguf)
    assert path is not None
    assert remembered.recall("a" * 64, MIX) == found
    assert remembered.recall("a" * 64, Mix(45, 18)) == found  # nearly the same lengths
    assert remembered.recall("a" * 64, Mix(400, 20)) is None
    assert remembered.recall("b" * 64, MIX) is None
    monkeypatch.setattr(remembered, "logical_cores", lambda: 999)
    assert remembered.recall("a" * 64, MIX) is None
    monkeypatch.undo()
    path.write_text('{"best": {"settings": {"n_seq": 3, "gone": 1}}}')
    assert remembered.recall("a" * 64, MIX) is None
    path.write_text("{")
    assert remembered.recall("a" * 64, MIX) is None


def test_opening_by_plan(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuned: list[Mix] = []
    best = Measurement(Settings(n_seq=5), 1.0, 1.0, 1.0)

    def tune(path: Path, mix: Mix, **_: object) -> tuning.Tuning:
        tuned.append(mix)
        return tuning.Tuning(best, (best,))

    def sequences(plan: Plan) -> int:
        backend = opening.open_planned(tiny_gguf, plan)
        backend.close()
        return backend.settings.n_seq

    monkeypatch.setattr(opening, "tune", tune)
    plan = Plan("c" * 64, tune=True)
    assert sequences(plan) == 32  # too small a model to spend the time on
    monkeypatch.setattr(opening, "_WORTH_TUNING", 0)
    assert sequences(Plan(tune=True)) == 32  # without its hash nothing could be remembered
    assert sequences(Plan("c" * 64)) == 32
    assert not tuned
    assert sequences(plan) == 5
    assert tuned == [Mix(48 + 24, 64, 1)]
    assert sequences(plan) == sequences(Plan("c" * 64)) == 5
    assert len(tuned) == 1
    assert sequences(Plan("c" * 64, tune=True, reproducible=True)) == 1
