"""What a setting reaches: one prompt of a mix is read, and drawn from by every sequence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonito_local.backends.llamacpp.bindings import Batch
from bonito_local.backends.llamacpp.context import Context
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError

_PROBE_SECONDS = 0.3
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


def measure_loaded(path: Path, settings: Settings, mix: Mix, probe: int) -> Measurement:
    """Load a model as the settings want it, and `measure`.

    Raises:
        ModelError: it cannot be loaded so.
        BackendError: it cannot run so.
    """
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
