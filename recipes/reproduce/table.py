"""Makes the table of results from what the evaluations left: results.json and drawn.jsonl.

Seeds of a variant belong together: its F1 is their mean, and its 95 % interval is of items drawn
with replacement, each with all its templates and seeds. A gain is taken item by item against the
unadapted base, and its interval likewise.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from bonito_local.evaluation.metrics import bootstrap, mean_macro_f1, token_f1
from bonito_local.evaluation.results import SetResult, read_drawn, read_results
from bonito_local.evaluation.sets import named_sets

ZERO = "zero-shot"
Whole = npt.NDArray[np.int64]
Measure = Callable[[Whole], float]


@dataclass(frozen=True)
class Cell:
    """A variant on a set, in percent; `spread` is the standard deviation over the seeds."""

    variant: str
    set: str
    f1: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    seeds: int
    spread: float
    items: int


def measure(folder: Path, result: SetResult) -> Measure:
    """F1 of the set's items of these numbers, as a share."""
    (found,) = named_sets(result.name)
    drawn = [one for one in read_drawn(folder) if one.set == result.name]
    if found.labels:
        right = np.array([found.labels.index(one.right) for one in drawn])
        answers = np.array([[found.labels.index(text) for text in one.drawn] for one in drawn]).T
        return lambda at: mean_macro_f1(right[at], answers[:, at], len(found.labels))
    shares = np.array([fmean(token_f1(text, one.right) for text in one.drawn) for one in drawn])
    return lambda at: float(shares[at].mean())


def cells(folder: Path) -> list[Cell]:
    """All that `folder` holds: SET/VARIANT-SEED/results.json."""
    measures: dict[tuple[str, str], list[Measure]] = defaultdict(list)
    items: dict[str, int] = {}
    for path in sorted(folder.glob("*/*/results.json")):
        results = read_results(path.parent)
        assert results is not None
        for result in results.sets:
            variant = path.parent.name.rpartition("-")[0]
            measures[result.name, variant].append(measure(path.parent, result))
            if items.setdefault(result.name, result.items) != result.items:
                raise SystemExit(f"{path} is of other items than the rest.")
    return [
        cell(name, variant, of, measures, items[name]) for (name, variant), of in measures.items()
    ]


def cell(
    name: str,
    variant: str,
    of: list[Measure],
    measures: dict[tuple[str, str], list[Measure]],
    items: int,
) -> Cell:
    """One variant on one set, and its gain over the base."""
    base = measures[name, ZERO]

    def value(at: Whole) -> float:
        return fmean(one(at) for one in of)

    def gain(at: Whole) -> float:
        return value(at) - fmean(one(at) for one in base)

    f1, gained = bootstrap(value, items, 0), bootstrap(gain, items, 0)
    whole = np.arange(items)
    spread = stdev([one(whole) for one in of]) if len(of) > 1 else 0.0

    def percent(share: float) -> float:
        return round(100 * share, 2)

    return Cell(
        variant,
        name,
        percent(f1.value),
        percent(f1.low),
        percent(f1.high),
        percent(gained.value),
        percent(gained.low),
        percent(gained.high),
        len(of),
        percent(spread),
        items,
    )


def markdown(found: list[Cell]) -> str:
    """Two tables: F1 by variant and set, and the gains over the base."""
    sets = list(dict.fromkeys(one.set for one in found))
    variants = sorted({one.variant for one in found}, key=lambda name: (name != ZERO, name))
    by = {(one.variant, one.set): one for one in found}
    titles = [named_sets(name)[0].title for name in sets]
    head = ["| variant | " + " | ".join(titles) + " | mean |", "|---" * (len(sets) + 2) + "|"]
    lines = ["F1 in percent, with 95 % interval; the mean of all seeds.", "", *head]
    for variant in variants:
        row = [by.get((variant, name)) for name in sets]
        texts = [f"{c.f1:.1f} ({c.low:.1f} to {c.high:.1f})" if c else "" for c in row]
        mean = f"{fmean(c.f1 for c in row if c):.1f}" if all(row) else ""
        lines.append(f"| {variant} | " + " | ".join([*texts, mean]) + " |")
    lines += ["", "Gain over the base, with 95 % interval; spread over the seeds.", "", *head]
    for variant in variants[1:]:
        row = [by.get((variant, name)) for name in sets]
        texts = [_gain(one) if one else "" for one in row]
        mean = f"{fmean(c.gain for c in row if c):+.1f}" if all(row) else ""
        lines.append(f"| {variant} | " + " | ".join([*texts, mean]) + " |")
    return "\n".join(lines) + "\n"


def _gain(one: Cell) -> str:
    return f"{one.gain:+.1f} ({one.gain_low:+.1f} to {one.gain_high:+.1f}), sd {one.spread:.1f}"


def write(folder: Path, out: Path) -> str:
    """Write table.md and table.json of the evaluations in `folder`; returns the first."""
    found = cells(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.json").write_text(json.dumps([asdict(one) for one in found], indent=2))
    text = markdown(found)
    (out / "table.md").write_text(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the evaluations, SET/VARIANT-SEED/")
    parser.add_argument("--out", type=Path, required=True, help="for table.md and table.json")
    args = parser.parse_args()
    print(write(args.folder, args.out))


if __name__ == "__main__":
    main()
