"""Ways of drawing rows that have a name, for those who would rather not choose numbers."""

from __future__ import annotations

from dataclasses import dataclass

from bonito_local.backends.base import Sampling


@dataclass(frozen=True, slots=True)
class Preset:
    """A name, what it is good for, and its numbers."""

    name: str
    meaning: str
    sampling: Sampling


PRESETS = (
    Preset("usual", "as in the Bonito paper", Sampling()),
    Preset("careful", "the likeliest row of each passage", Sampling(temperature=0.0)),
    Preset("varied", "three different rows of each", Sampling(n=3, temperature=0.8)),
)
