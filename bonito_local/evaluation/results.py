"""Results as they are kept: results.json, and what was drawn for each item beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from bonito_local.errors import EvaluationError, OutputError
from bonito_local.exports.tables import as_line
from bonito_local.private import make_folder

RESULTS, DRAWN = "results.json", "drawn.jsonl"
OWN = "bonito-local"  # whose templates, if nobody else's


@dataclass(frozen=True, slots=True)
class SetResult:
    """How a model did on a set; F1 in percent, `low` to `high` its 95 % interval.

    Attributes:
        metric: "macro F1" or "token F1", the mean over templates.
        best_f1: token F1 against the best of all annotators' answers, else None.
        templates: F1 by template.
        items: how many were asked, `shortened` of them with less of their passage than they
            have, and `left_out` how many were not, since they do not fit the context.
        file: what they were read from, by its name; `sha256` is its hash, in hex.
        note: what has to be said beside the number.
        words: whose templates they were asked in.
    """

    name: str
    title: str
    metric: str
    f1: float
    low: float
    high: float
    best_f1: float | None
    templates: dict[str, float]
    items: int
    shortened: int
    left_out: int
    file: str
    sha256: str
    note: str
    seconds: float
    words: str = OWN


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a model drew for an item, by template, and what is right."""

    set: str
    item: str
    right: str
    drawn: list[str]


@dataclass(frozen=True, slots=True)
class Results:
    """All of an evaluation: `about` says of what and how, `sets` how it went."""

    about: dict[str, Any]
    sets: tuple[SetResult, ...] = ()

    @property
    def mean(self) -> float:
        """Of the sets' F1."""
        return fmean(one.f1 for one in self.sets)

    def json(self) -> dict[str, Any]:
        """As results.json has it."""
        data: dict[str, Any] = {"about": self.about, "sets": [asdict(one) for one in self.sets]}
        return data | {"mean": round(self.mean, 2)} if self.sets else data


def read_results(folder: Path) -> Results | None:
    """What is in a folder of results; None where there is nothing yet.

    Raises:
        EvaluationError: what is there is something else.
    """
    path = folder / RESULTS
    try:
        data = json.loads(path.read_bytes())
        return Results(data["about"], tuple(SetResult(**one) for one in data["sets"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{path} holds no results of this program.", "Name another folder with -o."
        ) from error


def read_drawn(folder: Path) -> list[Drawn]:
    """What was drawn for each item.

    Raises:
        EvaluationError: it cannot be read, or is something else.
    """
    path = folder / DRAWN
    try:
        lines = path.read_bytes().split(b"\n")
        return [Drawn(**json.loads(line)) for line in lines if line]
    except (OSError, ValueError, TypeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it holds something else"
        raise EvaluationError(
            f"{path} cannot be read: {said}.", "Remove the folder and evaluate again."
        ) from error


def write_results(folder: Path, results: Results, drawn: Iterable[Drawn]) -> None:
    """Write both files, each whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    lines = (as_line(asdict(one)) for one in drawn)
    try:
        make_folder(folder)
        # First what goes with the results: where they are, all is there.
        _write(folder / DRAWN, "".join(f"{line}\n" for line in lines))
        _write(folder / RESULTS, json.dumps(results.json(), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}.", "Name a folder you may write."
        ) from error


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", errors="replace"))
    part.replace(path)
