"""Distances between a quantized file and its reference, both run by llama.cpp."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.convert.pipeline import execute
from bonito_local.convert.plan import Plan
from bonito_local.convert.probes import PASSAGES
from bonito_local.errors import ConvertError
from bonito_local.tasks import TASK_TYPES, format_prompt, parse_completion

if TYPE_CHECKING:
    from bonito_local.backends.llamacpp.scoring import Scorer

MAX_TOKENS = 64
WINDOW = 512


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distance from the reference, in nats per token.

    `top1` is the share of tokens whose first choice is the reference's, or one that the
    reference holds at least nine tenths as likely: in a near-tie either is right.
    """

    reference: str
    tokens: int
    mean_kl: float
    worst_kl: float
    top1: float
    parse_rate: float
    reference_parse_rate: float
    perplexity: float | None
    reference_perplexity: float | None


def compare(path: Path, plan: Plan, text: Path | None, notify: Callable[[str], None]) -> Comparison:
    """Make the reference by `plan`, run both on fixed prompts, and measure.

    Raises:
        ConvertError: the reference cannot be made, or `text` cannot be read.
        ModelError: llama.cpp cannot load a file.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".verify-") as folder:
        reference = Path(folder) / "reference.gguf"
        notify(f"making the reference ({plan.mix.name})")
        execute(plan, reference)
        notify("generating")
        wanted, got = completions(reference), completions(path)
        notify("comparing")
        return _distances(path, reference, plan, wanted, got, text)


def _prompts() -> list[tuple[str, str]]:
    """Fixed (passage, prompt) pairs, one for each task type."""
    passages = [PASSAGES[i % len(PASSAGES)] for i in range(len(TASK_TYPES))]
    return [(p, format_prompt(t, p)) for t, p in zip(TASK_TYPES, passages, strict=True)]


def completions(path: Path) -> list[str]:
    """Greedy completions of the fixed prompts, in order.

    Raises:
        ModelError: llama.cpp cannot load the file.
    """
    from bonito_local.backends.llamacpp.engine import LlamaCpp
    from bonito_local.backends.llamacpp.settings import Settings

    sampling = Sampling(temperature=0, max_tokens=MAX_TOKENS)
    requests = [
        Request(str(i), prompt, sampling, (Sample(0, 0),))
        for i, (_, prompt) in enumerate(_prompts())
    ]
    with closing(LlamaCpp(path, Settings(n_seq=4))) as engine:
        found = {c.request_id: c.text for c in engine.generate(requests)}
    return [found[request.id] for request in requests]


def _distances(
    path: Path,
    reference: Path,
    plan: Plan,
    wanted: list[str],
    got: list[str],
    text: Path | None,
) -> Comparison:
    from bonito_local.backends.llamacpp.engine import LlamaCpp
    from bonito_local.backends.llamacpp.scoring import Scorer
    from bonito_local.backends.llamacpp.settings import Settings

    sums = {"kl": 0.0, "top1": 0, "tokens": 0}
    worst = 0.0
    longest = min(2 * WINDOW, plan.architecture.context)
    with (
        closing(LlamaCpp(path, Settings(n_seq=1))) as engine,
        closing(LlamaCpp(reference, Settings(n_seq=1))) as other,
        closing(Scorer(engine)) as mine,
        closing(Scorer(other)) as theirs,
    ):
        for (_, prompt), completion in zip(_prompts(), wanted, strict=True):
            tokens = theirs.tokens(prompt + completion)[:longest]
            p, q = theirs.log_probs(tokens), mine.log_probs(tokens)
            kl = (np.exp(p) * (p - q)).sum(axis=-1)
            sums["kl"] += float(kl.sum())
            chosen = np.take_along_axis(p, q.argmax(-1)[:, None], axis=-1)[:, 0]
            sums["top1"] += int((chosen >= p.max(axis=-1) + math.log(0.9)).sum())
            sums["tokens"] += len(tokens)
            worst = max(worst, float(kl.max()))
        perplexities = [_perplexity(model, text) if text else None for model in (mine, theirs)]
    passages = [passage for passage, _ in _prompts()]
    return Comparison(
        reference=plan.mix.name,
        tokens=int(sums["tokens"]),
        mean_kl=sums["kl"] / sums["tokens"],
        worst_kl=worst,
        top1=sums["top1"] / sums["tokens"],
        parse_rate=_parse_rate(got, passages),
        reference_parse_rate=_parse_rate(wanted, passages),
        perplexity=perplexities[0],
        reference_perplexity=perplexities[1],
    )


def _parse_rate(completions: Sequence[str], passages: Sequence[str]) -> float:
    parsed = [
        parse_completion(completion, passage) is not None
        for completion, passage in zip(completions, passages, strict=True)
    ]
    return sum(parsed) / len(parsed)


def _perplexity(model: Scorer, text: Path) -> float:
    """Over the text's first windows of 512 tokens, on the second half of each."""
    try:
        tokens = model.tokens(text.read_bytes()[: 64 * 1024].decode("utf-8", errors="replace"))
    except OSError as error:
        raise ConvertError(f"{text} cannot be read: {error.strerror}.") from error
    windows = [tokens[i : i + WINDOW] for i in range(0, len(tokens), WINDOW)][:16]
    loss, count = 0.0, 0
    for window in windows:
        half = len(window) // 2
        after = window[half + 1 :].astype(np.int64)
        log_probs = model.log_probs(window)[half:-1]
        loss -= float(log_probs[np.arange(len(after)), after].sum())
        count += len(after)
    if not count:
        raise ConvertError(f"{text} is too short for a perplexity.", "Give a longer text.")
    return math.exp(loss / count)
