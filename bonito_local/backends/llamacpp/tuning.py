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

import numpy as np

from bonito_local.backends.llamacpp.bindings import Batch, lib
from bonito_local.backends.llamacpp.context import Context, cell_bytes
from bonito_local.backends.llamacpp.machine import available_memory, logical_cores, physical_cores
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError, ModelError

_NOISE = 0.03  # a setting has to be faster by more than this to be taken
_PROBE_SECONDS = 0.3
_SHORTEST_PROBE = 256  # tokens; a slow model reads fewer at half its rate
_MOST_SEQUENCES = 128
_FEW_SEQUENCES = 8
_BOTH = ("repack", "flash_attention", "cache", "gpu_layers")
_PREFILL = (*_BOTH, "prefill_threads", "ubatch")  # what the rate of prompts depends on
_DECODE = (*_BOTH, "threads", "n_seq", "draft")
# Drafted tokens that a step keeps, by their number, as benchmarks/drafts.py counted on rows.
_KEPT = {0: 0.0, 2: 0.37, 4: 0.48}


@dataclass(frozen=True, slots=True)
class Mix:
    """Mean lengths of a job's rows: tokens of a prompt, tokens of a completion, rows a prompt."""

    prompt: int
    completion: int
    n: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a setting reached, in tokens/s; `seconds` is what a row of the mix takes so."""

    settings: Settings
    prefill: float
    decode: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Every measurement, in order, and the best."""

    best: Measurement
    tried: tuple[Measurement, ...]


Notify = Callable[[str], None]
Stop = Callable[[], bool]


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
    best = _loaded(path, Settings(), mix)
    took = time.monotonic() - begun
    probe = max(_SHORTEST_PROBE, round(best.prefill))  # about a second's tokens
    tried = [best]
    notify(describe(best))
    for settings in _loadings():
        if stop() or time.monotonic() + took > deadline:
            break
        try:
            found = _loaded(path, settings, mix, probe)
        except ModelError:
            continue  # with more of it on the GPU it does not fit
        tried.append(found)
        notify(describe(found))
        best = _better(best, found)
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


def _loaded(path: Path, settings: Settings, mix: Mix, probe: int | None = None) -> Measurement:
    model = Model(path, repack=settings.repack, gpu_layers=settings.gpu_layers)
    try:
        return measure(model, settings, mix, probe)
    finally:
        model.close()


def measure(
    model: Model,
    settings: Settings,
    mix: Mix,
    probe: int | None = None,
    known: Measurement | None = None,
) -> Measurement:
    """Prefill one prompt of the mix, copy it to every sequence, and draw from all of them.

    `probe` is a shorter prompt to do that with, where a whole one takes long. Of what is
    `known` at other settings, a rate that the difference does not touch is taken over.

    Raises:
        BackendError: the cache does not fit, or llama.cpp cannot run these settings.
    """
    length = min(mix.prompt + mix.completion, model.context_length)
    prompt = min(probe or mix.prompt, mix.prompt, length - 1 - settings.draft)
    capacity = min(-(-length // 256) * 256, model.context_length)
    context = Context(model, settings, settings.n_seq * capacity)
    try:
        context.fit(length)
        batch = Batch(context.n_batch)
        tokens = np.random.default_rng(0).integers(0, model.vocabulary_size, prompt)
        context.use_threads(settings.prefill_threads)

        def prefill() -> None:
            context.clear()
            for start in range(0, prompt, context.n_batch):
                end = min(prompt, start + context.n_batch)
                batch.tokens[: end - start] = tokens[start:end]
                batch.positions[: end - start] = np.arange(start, end)
                batch.sequences[: end - start] = 0
                batch.outputs[: end - start] = 0
                _decode(batch, context, end - start)

        if known and _same(settings, known.settings, _PREFILL):
            prefill()
            prefill_rate = known.prefill
        else:
            prefill_rate = prompt / _fastest(prefill)
        for slot in range(1, context.n_seq):
            context.copy(0, slot, prompt)
        width = 1 + settings.draft
        drawn = context.n_seq * width
        batch.tokens[:drawn] = tokens[:1]
        batch.positions[:drawn] = prompt + np.tile(np.arange(width), context.n_seq)
        batch.sequences[:drawn] = np.repeat(np.arange(context.n_seq), width)
        batch.outputs[:drawn] = 1
        context.use_threads(settings.threads)

        def decode() -> None:
            _decode(batch, context, drawn)
            for slot in range(context.n_seq):
                context.remove(slot, prompt)

        if known and _same(settings, known.settings, _DECODE):
            decode_rate = known.decode
        else:
            decode_rate = context.n_seq * (1 + _KEPT[settings.draft]) / _fastest(decode)
    finally:
        context.close()
    seconds = mix.prompt / mix.n / prefill_rate + mix.completion / decode_rate
    return Measurement(settings, prefill_rate, decode_rate, seconds)


def _same(one: Settings, other: Settings, names: tuple[str, ...]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in names)


def describe(found: Measurement) -> str:
    """One line: what was set, and what came of it."""
    settings = found.settings
    return (
        f"{settings.n_seq} sequences, {settings.prefill_threads}/{settings.threads} threads, "
        f"{'repacked, ' if settings.repack else ''}ubatch {settings.ubatch}, {settings.cache} cache"
        f"{'' if settings.flash_attention else ', no flash attention'}"
        f"{f', {settings.draft} drafted' if settings.draft else ''}: "
        f"{found.prefill:.0f}+{found.decode:.0f} tokens/s, {1 / found.seconds:.2f} rows/s"
    )


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


def _decode(batch: Batch, context: Context, count: int) -> None:
    if status := batch.decode(context.handle, count):
        raise BackendError(f"llama.cpp failed to decode (status {status}).")


def _fastest(run: Callable[[], None]) -> float:
    """Seconds of the fastest of some runs: what else the machine does only adds to them."""
    best, end = float("inf"), time.perf_counter() + _PROBE_SECONDS
    while True:
        started = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - started)
        if now >= end:
            return best
