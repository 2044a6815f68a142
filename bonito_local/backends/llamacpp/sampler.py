"""Draws a token from logits: temperature, then top_p, without sorting the vocabulary.

A token is drawn from all of them and kept if it is in the nucleus: if the tokens likelier than
it weigh less than top_p together. Otherwise it and all that are no likelier lie outside, and
the next is drawn from the rest. That is how the nucleus itself would be drawn from, at the cost
of a few passes over the vocabulary; llama.cpp sorts it, which takes 20 times as long where the
distribution is flat.
"""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Sampling
from bonito_local.errors import BackendError

_BLOCK = 256  # weights summed together, to find the one drawn in two short searches

Weights = npt.NDArray[np.float32]


class Sampler:
    """Draws one sample's tokens; the same seed and logits give the same tokens.

    Temperature comes before top_p, as in vLLM and transformers (llama.cpp's own tools do it
    the other way round): top_p cuts the distribution that is drawn from.
    """

    __slots__ = ("_random", "_temperature", "_top_p")

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._random = random.Random(seed)
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p

    def pick(self, logits: npt.NDArray[np.float32]) -> int:
        """Draw a token from its logits, of shape (vocabulary,); -inf is never drawn.

        Raises:
            BackendError: the logits are no numbers.
        """
        best = int(logits.argmax())  # of a NaN, if there is one
        if not np.isfinite(logits[best]):
            raise BackendError(
                "The model computed no number for its next token.",
                "The model file may be damaged: compare its checksum, or convert it again.",
            )
        if self._temperature <= 0:
            return best
        weights: Weights = logits - logits[best]
        weights /= np.float32(self._temperature)
        np.exp(weights, out=weights)
        sums = _sums(weights)
        nucleus = self._top_p * float(sums.sum())
        while True:
            token = _find(weights, sums, self._random.random())
            if self._top_p >= 1:
                return token
            likelier = weights * (weights > weights[token])
            sums = _sums(likelier)
            if float(sums.sum()) < nucleus:
                return token
            weights = likelier


def _sums(weights: Weights) -> npt.NDArray[np.float64]:
    """Sum of each block of weights."""
    starts = np.arange(0, len(weights), _BLOCK)
    return np.add.reduceat(weights, starts).astype(np.float64)


def _find(weights: Weights, sums: npt.NDArray[np.float64], place: float) -> int:
    """The token at `place`, from 0 to 1, when the weights are laid end to end."""
    ends = np.cumsum(sums)
    place *= ends[-1]
    block = int(np.searchsorted(ends, place, side="right"))
    block = min(block, int(np.flatnonzero(sums)[-1]))
    inside = weights[block * _BLOCK : (block + 1) * _BLOCK]
    ends_inside = np.cumsum(inside, dtype=np.float64)
    at = int(np.searchsorted(ends_inside, place - (ends[block] - sums[block]), side="right"))
    return block * _BLOCK + min(at, int(np.flatnonzero(inside)[-1]))
