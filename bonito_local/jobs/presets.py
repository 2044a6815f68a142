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


def preset_of(sampling: Sampling) -> Preset | None:
    """The preset with these numbers, whatever the seed; None if there is none."""
    for preset in PRESETS:
        named = preset.sampling
        if (named.n, named.temperature, named.top_p, named.max_tokens) == (
            *(sampling.n, sampling.temperature, sampling.top_p, sampling.max_tokens),
        ):
            return preset
    return None
