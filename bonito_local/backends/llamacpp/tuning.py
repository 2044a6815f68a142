"""Measures which settings run a model fastest on this machine.

No rule of thumb holds: rearranging weights halves the prefill rate of Q4_K_M on one CPU and
doubles it on another. So each setting is tried on the very file, for some seconds in all, one
setting after the other, from the defaults on. What counts is the time of a row of the mix.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local.backends.llamacpp.apart import Notify, Stop, measure_apart
from bonito_local.backends.llamacpp.bindings import lib
from bonito_local.backends.llamacpp.context import cell_bytes
from bonito_local.backends.llamacpp.machine import available_memory, logical_cores, physical_cores
from bonito_local.backends.llamacpp.measuring import (
    Measurement,
    Mix,
    describe,
    measure,
    measure_loaded,
)
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError

_NOISE = 0.03  # a setting has to be faster by more than this to be taken
_SHORTEST_PROBE = 256  # tokens; a slow model reads fewer at half its rate
_MOST_SEQUENCES = 128
_FEW_SEQUENCES = 8


@dataclass(frozen=True, slots=True)
class Tuning:
    """Every measurement, in order, and the best."""

    best: Measurement
    tried: tuple[Measurement, ...]


def tune(
    path: Path,
    mix: Mix,
    seconds: float = 40,
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
) -> Tuning:
    """Try settings for about so many seconds.

    Raises:
        ModelError: the model cannot be loaded.
        BackendError: it cannot run at the default settings.
    """
    begun = time.monotonic()
    deadline = begun + seconds
    best = measure_loaded(path, Settings(), mix, _SHORTEST_PROBE)
    probe = max(_SHORTEST_PROBE, round(best.prefill))  # about a second's tokens
    if probe > _SHORTEST_PROBE:  # what is compared reads as much
        best = measure_loaded(path, Settings(), mix, probe)
    tried = [best]
    notify(describe(best))
    for settings in _loadings():
        # Nothing makes more of a difference: tried even where it ends after the time is up.
        if stop() or time.monotonic() > deadline:
            break
        found = measure_apart(path, settings, mix, probe, notify, stop)
        if found is None:
            continue
        tried.append(found)
        notify(describe(found))
        best = _better(best, found)
    if stop() or time.monotonic() > deadline:
        return Tuning(best, tuple(tried))
    model = Model(path, repack=best.settings.repack, gpu_layers=best.settings.gpu_layers)
    try:
        for sweep in _SWEEPS:
            for settings in sweep(best.settings, model, mix):
                if stop() or time.monotonic() > deadline:
                    return Tuning(best, tuple(tried))
                try:
                    found = measure(model, settings, mix, probe, best)
                except BackendError:
                    continue  # this build or this memory does not allow it
                tried.append(found)
                notify(describe(found))
                better = _better(best, found)
                if better is best and sweep in _UNTIL_WORSE:
                    break
                best = better
    finally:
        model.close()
    return Tuning(best, tuple(tried))


def _loadings() -> Iterator[Settings]:
    """Settings that need the model loaded anew."""
    yield Settings(repack=True)
    if lib.llama_supports_gpu_offload():
        yield Settings(gpu_layers=0)


def _sequences(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    per_sequence = (mix.prompt + mix.completion) * cell_bytes(model, best)
    most = min(_MOST_SEQUENCES, available_memory() // 2 // per_sequence)
    for n_seq in (64, 128):
        if n_seq <= most:
            yield replace(best, n_seq=n_seq)


def _fewer_sequences(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    if best.n_seq == Settings().n_seq:
        for n_seq in (16, 8, 4, 1):
            yield replace(best, n_seq=n_seq)


def _attention(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    yield replace(best, flash_attention=False)


def _cache(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    if best.flash_attention:
        yield replace(best, cache="q8_0")


def _ubatch(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    for ubatch in (256, 1024):
        if mix.prompt > min(ubatch, best.ubatch):
            yield replace(best, ubatch=ubatch)


def _drafts(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    # With many sequences a step is as wide as pays already.
    if best.n_seq <= _FEW_SEQUENCES:
        for draft in (2, 4):
            yield replace(best, draft=draft)


def _threads(best: Settings, model: Model, mix: Mix) -> Iterator[Settings]:
    for count in {logical_cores(), max(1, physical_cores() // 2)} - {physical_cores()}:
        yield replace(best, prefill_threads=count)
        yield replace(best, threads=count)


_Sweep = Callable[[Settings, Model, Mix], Iterator[Settings]]
_SWEEPS: tuple[_Sweep, ...] = (
    _sequences,
    _fewer_sequences,
    _attention,
    _ubatch,
    _threads,
    _cache,
    _drafts,
)
_UNTIL_WORSE = (_sequences, _fewer_sequences)


def _better(best: Measurement, found: Measurement) -> Measurement:
    return found if found.seconds < best.seconds * (1 - _NOISE) else best
