"""The recipe of the paper's experiment: its steps and its table."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
import reproduce
from steps import Runner, Step
from table import ZERO, cells, markdown

from bonito_local.evaluation.metrics import token_f1
from bonito_local.evaluation.results import Drawn, Results, SetResult, write_results

RECIPE = Path(reproduce.__file__).parent
RIGHT = ["yes", "no", "maybe", "yes", "no", "maybe"]


def put(folder: Path, name: str, right: list[str], drawn: list[list[str]]) -> None:
    """Leave results of one set with two templates."""
    of = [
        Drawn(name, str(n), one, row) for n, (one, row) in enumerate(zip(right, drawn, strict=True))
    ]
    result = SetResult(name, name, "F1", 0.0, 0.0, 0.0, None, {}, len(right), 0, 0, "", "", "", 0.0)
    write_results(folder, Results({}, (result,)), of)


def test_the_table_is_the_mean_of_seeds_and_gains_over_the_base(tmp_path: Path) -> None:
    always = [["yes", "yes"]] * 6
    put(tmp_path / "pubmedqa" / f"{ZERO}-0", "pubmedqa", RIGHT, always)
    put(tmp_path / "pubmedqa" / "bonito-0", "pubmedqa", RIGHT, [[one, one] for one in RIGHT])
    put(tmp_path / "pubmedqa" / "bonito-1", "pubmedqa", RIGHT, [[one, "yes"] for one in RIGHT])
    texts = ["a blue mug", "nothing"]
    put(tmp_path / "policyqa" / f"{ZERO}-0", "policyqa", texts, [["mug", "mug"]] * 2)
    found = {(one.variant, one.set): one for one in cells(tmp_path)}
    # Of three classes one is always said: F1 is 2*2/(2+6) for it, and 0 for the others.
    constant = 100 * (4 / 8) / 3
    base = found[ZERO, "pubmedqa"]
    assert (base.f1, base.gain, base.seeds) == (round(constant, 2), 0.0, 1)
    bonito = found["bonito", "pubmedqa"]
    mean = (100 + (100 + constant) / 2) / 2
    assert bonito.f1 == pytest.approx(mean, abs=0.01)
    assert bonito.gain == pytest.approx(mean - constant, abs=0.01)
    assert bonito.gain_low <= bonito.gain <= bonito.gain_high
    assert (bonito.seeds, bonito.items) == (2, 6)
    assert bonito.spread == pytest.approx((100 - (100 + constant) / 2) / 2**0.5, abs=0.01)
    assert found[ZERO, "policyqa"].f1 == pytest.approx(50 * token_f1("mug", texts[0]), abs=0.01)
    shown = markdown(list(found.values()))
    assert shown.count("| zero-shot |") == 1
    assert f"| bonito |  | {mean:.1f} (" in shown


def test_other_items_are_not_compared(tmp_path: Path) -> None:
    put(tmp_path / "pubmedqa" / f"{ZERO}-0", "pubmedqa", RIGHT, [["yes"]] * 6)
    put(tmp_path / "pubmedqa" / "tapt-0", "pubmedqa", RIGHT[:3], [["yes"]] * 3)
    with pytest.raises(SystemExit, match="other items"):
        cells(tmp_path)


def step(out: Path, text: str, after: tuple[str, ...] = (), name: str = "one") -> Step:
    code = f"import pathlib; pathlib.Path({str(out / name)!r}).open('a').write({text!r})"
    return Step(name, (sys.executable, "-c", code), after)


def test_a_step_is_run_once(tmp_path: Path) -> None:
    first = [step(tmp_path, "a"), step(tmp_path, "b", ("one",), "two")]
    Runner(tmp_path).run(first)
    Runner(tmp_path).run(first)
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == ["a", "b"]
    with pytest.raises(SystemExit, match="one was done with other settings"):
        Runner(tmp_path).run([step(tmp_path, "c"), *first[1:]])
    assert (tmp_path / "one").read_text() == "a"


def test_a_step_that_fails_ends_the_run_and_is_run_again(tmp_path: Path) -> None:
    code = f"import pathlib, sys; sys.exit(not pathlib.Path({str(tmp_path / 'go')!r}).exists())"
    failing = Step("one", (sys.executable, "-c", code))
    with pytest.raises(SystemExit, match="one failed"):
        Runner(tmp_path).run([failing])
    (tmp_path / "go").touch()
    Runner(tmp_path).run([failing])
    assert json.loads((tmp_path / "steps" / "one.json").read_text())["seconds"] >= 0


@pytest.mark.parametrize("name", ["small.toml", "smoke.toml"])
def test_every_step_comes_after_what_it_needs(tmp_path: Path, name: str) -> None:
    config = tomllib.loads((RECIPE / name).read_text())
    plan = reproduce.Plan(tmp_path, tmp_path / "eval", tmp_path / "out", config)
    done: set[str] = set()
    for one in plan.steps():
        assert one.name not in done
        assert set(one.after) <= done
        assert all(tomllib.loads(text) for text in one.files.values())
        done.add(one.name)
    seeds, sets = config["evaluation"]["seeds"], config["evaluation"]["sets"]
    evaluations = sum(one.startswith("evaluate-") for one in done)
    variants = 4 + len(config["adapt"]["rows"])
    assert evaluations == len(sets) * (1 + len(seeds) * variants)
