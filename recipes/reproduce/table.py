"""Makes the table of results from what the evaluations left: results.json and drawn.jsonl.

Seeds of a variant belong together: its F1 is their mean, and its 95 % interval is of items drawn
with replacement, each with all its templates and seeds. A gain is taken item by item against the
unadapted base, and its interval likewise; so is the difference of two variants. A model that gives
the same answer to everything has an F1 too: where choices are to be made, that is what to beat.
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
MAIN = "bonito"
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


@dataclass(frozen=True)
class Measured:
    """All evaluations of a folder: by set and variant one F1 for each seed; items of a set."""

    measures: dict[tuple[str, str], list[Measure]]
    items: dict[str, int]
    constant: dict[str, float]

    def value(self, name: str, variant: str) -> Measure:
        """F1 of a variant on a set, the mean of its seeds."""
        of = self.measures[name, variant]
        return lambda at: fmean(one(at) for one in of)

    def difference(self, name: str, one: str, other: str) -> Measure:
        """How much higher the F1 of one variant is."""
        first, second = self.value(name, one), self.value(name, other)
        return lambda at: first(at) - second(at)


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


def read(folder: Path) -> Measured:
    """All that `folder` holds: SET/VARIANT-SEED/results.json."""
    found = Measured(defaultdict(list), {}, {})
    for path in sorted(folder.glob("*/*/results.json")):
        results = read_results(path.parent)
        assert results is not None
        for result in results.sets:
            variant = path.parent.name.rpartition("-")[0]
            found.measures[result.name, variant].append(measure(path.parent, result))
            if found.items.setdefault(result.name, result.items) != result.items:
                raise SystemExit(f"{path} is of other items than the rest.")
            if result.name not in found.constant:
                found.constant[result.name] = constant(path.parent, result)
    return found


def constant(folder: Path, result: SetResult) -> float:
    """The best F1 of giving one answer to all items, as a share; 0 where answers are free."""
    (found,) = named_sets(result.name)
    drawn = [one for one in read_drawn(folder) if one.set == result.name]
    right = np.array([found.labels.index(one.right) for one in drawn] if found.labels else [])
    count = len(found.labels)
    given = (np.full((1, len(drawn)), label) for label in range(count))
    return max((mean_macro_f1(right, answers, count) for answers in given), default=0.0)


def cells(found: Measured) -> list[Cell]:
    """Every variant on every set."""
    return [cell(found, name, variant) for name, variant in found.measures]


def cell(found: Measured, name: str, variant: str) -> Cell:
    """One variant on one set, and its gain over the base."""
    of, items = found.measures[name, variant], found.items[name]
    f1 = bootstrap(found.value(name, variant), items, 0)
    gained = bootstrap(found.difference(name, variant, ZERO), items, 0)
    whole = np.arange(items)
    spread = stdev([one(whole) for one in of]) if len(of) > 1 else 0.0

    return Cell(
        variant,
        name,
        _percent(f1.value),
        _percent(f1.low),
        _percent(f1.high),
        _percent(gained.value),
        _percent(gained.low),
        _percent(gained.high),
        len(of),
        _percent(spread),
        items,
    )


def differences(found: Measured, one: str, other: str, draws: int = 1000) -> list[str]:
    """How much higher the F1 of one variant is than another's, by set and on their mean."""
    names = sorted(name for name, variant in found.measures if variant == one)
    differ = {name: found.difference(name, one, other) for name in names}
    each = [bootstrap(differ[name], found.items[name], 0) for name in names]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(draws):
        drawn = (differ[name](rng.integers(0, size := found.items[name], size)) for name in names)
        means.append(fmean(drawn))
    low, high = np.quantile(means, (0.025, 0.975))
    told = [f"{100 * d.value:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})" for d in each]
    mean = fmean(d.value for d in each)
    return [*told, f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"]


def markdown(found: list[Cell], measured: Measured) -> str:
    """Three tables: F1 by variant and set, gains over the base, and what differs between two."""
    sets = sorted({one.set for one in found})
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
    same = [
        f"{100 * measured.constant[name]:.1f}" if measured.constant[name] else "" for name in sets
    ]
    lines.append("| the same answer to all | " + " | ".join([*same, ""]) + " |")
    lines += ["", "Gain over the base, with 95 % interval; spread over the seeds.", "", *head]
    for variant in variants[1:]:
        row = [by.get((variant, name)) for name in sets]
        texts = [_gain(one) if one else "" for one in row]
        mean = f"{fmean(c.gain for c in row if c):+.1f}" if all(row) else ""
        lines.append(f"| {variant} | " + " | ".join([*texts, mean]) + " |")
    lines += ["", "Differences between variants, with 95 % interval.", "", *head]
    others = [name for name in variants if name not in (ZERO, MAIN)]
    for variant in others if MAIN in variants else ():
        if all((variant, name) in by and (MAIN, name) in by for name in sets):
            texts = differences(measured, MAIN, variant)
            lines.append(f"| {MAIN} - ({variant}) | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _gain(one: Cell) -> str:
    return f"{one.gain:+.1f} ({one.gain_low:+.1f} to {one.gain_high:+.1f}), sd {one.spread:.1f}"


def write(folder: Path, out: Path) -> str:
    """Write table.md and table.json of the evaluations in `folder`; returns the first."""
    evaluated = read(folder)
    found = cells(evaluated)
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.json").write_text(json.dumps([asdict(one) for one in found], indent=2))
    text = markdown(found, evaluated)
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
