"""What a build is to do: the sources that can be read, and what is left out before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from bonito_local.templating.source import Source
from bonito_local.training.ctga.counts import LeftOut, Unused


@dataclass(frozen=True, slots=True)
class Plan:
    """`absent` are datasets that are not on disk."""

    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()
    unused: tuple[Unused, ...] = ()
    absent: tuple[str, ...] = ()
