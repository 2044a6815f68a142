"""How many rows a job will ask for and how long that takes, before anything is read.

An estimate: passages are guessed from the sizes of files, or from what a preview has read, and
time from what tuning measured on this machine, or else from the size of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.backends.llamacpp.machine import physical_cores
from bonito_local.backends.llamacpp.speeds import speeds
from bonito_local.bounds import user_path
from bonito_local.errors import ModelError
from bonito_local.jobs.generation import Generation
from bonito_local.models.catalog import locate
from bonito_local.models.fit import longest_passage
from bonito_local.passages.survey import Survey

# Of a file's bytes, those that are text. In example documents text and Markdown have 0.9, DOCX 0.1;
# PDF and web pages of the wild are mostly not text.
_TEXT = {"pdf": 0.1, "docx": 0.1, "pptx": 0.03, "xlsx": 0.2, "odt": 0.1, "epub": 0.5, "msg": 0.3}
_TEXT |= {"html": 0.4, "htm": 0.4, "xhtml": 0.4, "rtf": 0.5, "eml": 0.5, "parquet": 2.0}
_USUAL_TEXT = 0.9
_TOKENS = 0.28  # a byte of text
_FULL, _SECTION = 1.1, 150  # how passages fill up, and tokens of a section, in example documents
_HEAD, _ROW = 24, 64  # tokens of a prompt around its passage, and of a row
# Processor seconds for each weight and token, with many rows at a time: about what an ordinary
# laptop takes, and three times what a server with AVX-512 does.
_READING, _WRITING = 1.5e-11, 3e-11
_WEIGHT_BYTES = 0.6  # of a 4-bit model


@dataclass(frozen=True, slots=True)
class Estimate:
    """`seconds` is None where the engine's speed is not known; `measured` says whether it was."""

    passages: int
    samples: int
    seconds: float | None
    measured: bool

    def __str__(self) -> str:
        passages = f"{_rounded(self.passages)} passage{'' if self.passages == 1 else 's'}"
        rows = f"about {_rounded(self.samples)} rows of {passages}"
        if self.seconds is None:
            return f"{rows}; this engine's speed is not known"
        how = "as measured here" if self.measured else "a guess: not measured here yet"
        return f"{rows}, {_duration(self.seconds)} ({how})"


def estimate(
    found: Survey, wanted: Generation, seen: Mapping[str, float] | None = None
) -> Estimate:
    """Guess what `wanted` will ask for, of documents that were counted.

    `seen` is how many passages a byte has in documents of a kind, where some were read.
    """
    model = _file(wanted.model)
    most = wanted.passage_tokens or _passage_tokens(model)
    seen = seen or {}
    length = 1 / (_FULL / most + 1 / _SECTION)  # a passage ends where its section does
    usual = _TOKENS / length
    count = sum(
        size * seen.get(kind, usual * _TEXT.get(kind, _USUAL_TEXT)) for kind, size in found.sizes
    )
    passages = max(round(count), found.files)
    if wanted.limit is not None:
        passages = min(passages, wanted.limit)
    n = wanted.sampling.n
    samples = passages * len(wanted.tasks) * n
    seconds, measured = None, False
    if model is not None and wanted.backend == "llamacpp" and not wanted.reproducible:
        prompt, row = round(length) + _HEAD, min(_ROW, wanted.sampling.max_tokens)
        seconds, measured = _seconds(model, prompt, row, n)
        seconds *= samples
    return Estimate(passages, samples, seconds, measured)


def _seconds(model: Path, prompt: int, row: int, n: int) -> tuple[float, bool]:
    """Of a row, and whether the speed was measured."""
    if known := speeds(model):
        nearest = min(known, key=lambda speed: abs(speed.n - n))
        return nearest.seconds(prompt, row, n), True
    weights = model.stat().st_size / _WEIGHT_BYTES
    work = prompt / n * _READING + row * _WRITING
    return weights * work / physical_cores(), False


def _file(name: str) -> Path | None:
    """The model's file, if it is a GGUF file that is there."""
    path = locate(name) or user_path(name)
    return path if path.suffix.lower() == ".gguf" and path.is_file() else None


def _passage_tokens(model: Path | None) -> int:
    try:
        metadata = read_metadata(model) if model is not None else {}
    except ModelError:
        metadata = {}
    context = metadata.get(f"{metadata.get('general.architecture')}.context_length")
    return longest_passage(metadata, context if isinstance(context, int) else 4096)


def _rounded(number: float) -> str:
    """Two digits of a number, the others zero."""
    return f"{int(float(f'{number:.2g}')):,}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
