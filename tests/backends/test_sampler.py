"""Drawing from logits, against the nucleus found by sorting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bonito_local.backends.base import Sampling
from bonito_local.backends.llamacpp.sampler import Sampler
from bonito_local.errors import BackendError


def nucleus(
    logits: npt.NDArray[np.float32], temperature: float, top_p: float
) -> npt.NDArray[np.float64]:
    """Probabilities after temperature and top_p, by the textbook."""
    weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    shares = weights / weights.sum()
    order = np.argsort(-shares)
    before = np.cumsum(shares[order]) - shares[order]
    shares[order[before >= top_p]] = 0
    normal: npt.NDArray[np.float64] = shares / shares.sum()
    return normal


@pytest.mark.parametrize("size", [5, 256, 1000])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 0.95), (2.0, 0.5)])
def test_draws_from_the_nucleus(size: int, temperature: float, top_p: float) -> None:
    logits = np.random.default_rng(size).normal(0, 3, size).astype(np.float32)
    logits[1] = -np.inf
    shares = nucleus(logits, temperature, top_p)
    sampler, draws = Sampler(Sampling(1, temperature, top_p), 0), 20_000
    counts = np.bincount([sampler.pick(logits) for _ in range(draws)], minlength=size)
    assert not counts[shares == 0].any()
    often = shares * draws >= 5
    wanted = np.append(shares[often], shares[~often].sum()) * draws
    found = np.append(counts[often], counts[~often].sum())
    freedom = max(1, int(often.sum()) - 1)
    statistic = ((found - wanted)[wanted > 0] ** 2 / wanted[wanted > 0]).sum()
    assert statistic < freedom + 4 * (2 * freedom) ** 0.5 + 8


@given(
    arrays(np.float32, st.integers(1, 600), elements=st.floats(-50, 50, width=32)),
    st.floats(0.05, 5),
    st.floats(1e-6, 1),
    st.integers(0, 2**64 - 1),
)
def test_a_token_of_the_nucleus_is_always_found(
    logits: npt.NDArray[np.float32], temperature: float, top_p: float, seed: int
) -> None:
    token = Sampler(Sampling(1, temperature, top_p), seed).pick(logits)
    # As wide as rounding may make it.
    weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    likelier = weights[weights > weights[token] * (1 + 1e-4)].sum()
    assert likelier <= top_p * weights.sum() * (1 + 1e-4)
    assert token == Sampler(Sampling(1, temperature, top_p), seed).pick(logits)


def test_greedy_takes_the_best() -> None:
    logits = np.array([1, 3, 2], np.float32)
    assert [Sampler(Sampling(temperature=0), 0).pick(logits) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_no_numbers_are_an_error(bad: float, temperature: float) -> None:
    logits = np.full(300, bad if bad < 0 else 0, np.float32)
    logits[7] = bad
    with pytest.raises(BackendError, match="no number"):
        Sampler(Sampling(temperature=temperature), 0).pick(logits)
