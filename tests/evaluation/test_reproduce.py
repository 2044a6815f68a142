"""The recipe of the paper's experiment: its steps and its table."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import merge
import pytest
import reproduce
import torch
from peft import PeftModel
from steps import Runner, Step
from table import ZERO, cells, differences, markdown, read
from tiny_checkpoint import write_adapter, write_checkpoint
from transformers import AutoModelForCausalLM

from bonito_local.errors import EvaluationError
from bonito_local.evaluation.metrics import token_f1
from bonito_local.evaluation.results import Drawn, Results, SetResult, read_drawn, write_results
from bonito_local.training.model import load_base

RECIPE = Path(reproduce.__file__).parent
RIGHT = ["yes", "no", "maybe", "yes", "no", "maybe"]


def put(folder: Path, name: str, right: list[str], drawn: list[list[str]]) -> None:
    """Leave results of one set with two templates."""
    of = [
        Drawn(name, str(n), one, row) for n, (one, row) in enumerate(zip(right, drawn, strict=True))
    ]
    result = SetResult(name, name, "F1", 0.0, 0.0, 0.0, None, {}, len(right), 0, 0, "", "", "", 0.0)
    write_results(folder, Results({}, (result,)), of)


def test_what_was_drawn_is_read_as_it_was_written(tmp_path: Path) -> None:
    hard = "a\u2028b\u2029c\x85d\ne\rf\x0bg"
    put(tmp_path, "policyqa", [hard], [[hard, "x"]])
    assert read_drawn(tmp_path) == [Drawn("policyqa", "0", hard, [hard, "x"])]
    assert len((tmp_path / "drawn.jsonl").read_text("utf-8").splitlines()) == 1
    # As an earlier version left them.
    line = json.dumps(asdict(Drawn("policyqa", "0", hard, [hard])), ensure_ascii=False)
    (tmp_path / "drawn.jsonl").write_text(line + "\n", "utf-8")
    assert read_drawn(tmp_path) == [Drawn("policyqa", "0", hard, [hard])]


@pytest.mark.parametrize("harm", ["", "not json", "[1]", '{"set": "x"}', "\udcff"])
def test_drawn_answers_that_are_not_there_are_said(tmp_path: Path, harm: str) -> None:
    if harm:
        (tmp_path / "drawn.jsonl").write_bytes(harm.encode("utf-8", "surrogateescape"))
    with pytest.raises(EvaluationError, match=r"drawn\.jsonl cannot be read: .*\.$"):
        read_drawn(tmp_path)


def test_the_table_is_the_mean_of_seeds_and_gains_over_the_base(tmp_path: Path) -> None:
    always = [["yes", "yes"]] * 6
    put(tmp_path / "pubmedqa" / f"{ZERO}-0", "pubmedqa", RIGHT, always)
    put(tmp_path / "pubmedqa" / "bonito-0", "pubmedqa", RIGHT, [[one, one] for one in RIGHT])
    put(tmp_path / "pubmedqa" / "bonito-1", "pubmedqa", RIGHT, [[one, "yes"] for one in RIGHT])
    texts = ["a blue mug", "nothing"]
    put(tmp_path / "policyqa" / f"{ZERO}-0", "policyqa", texts, [["mug", "mug"]] * 2)
    found = {(one.variant, one.set): one for one in cells(read(tmp_path))}
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
    shown = markdown(list(found.values()), read(tmp_path))
    assert shown.count("| zero-shot |") == 1
    assert f"| bonito |  | {mean:.1f} (" in shown


def test_other_items_are_not_compared(tmp_path: Path) -> None:
    put(tmp_path / "pubmedqa" / f"{ZERO}-0", "pubmedqa", RIGHT, [["yes"]] * 6)
    put(tmp_path / "pubmedqa" / "tapt-0", "pubmedqa", RIGHT[:3], [["yes"]] * 3)
    with pytest.raises(SystemExit, match="other items"):
        read(tmp_path)


def test_two_variants_are_compared_item_by_item(tmp_path: Path) -> None:
    put(tmp_path / "pubmedqa" / f"{ZERO}-0", "pubmedqa", RIGHT, [["yes"]] * 6)
    put(tmp_path / "pubmedqa" / "bonito-0", "pubmedqa", RIGHT, [[one] for one in RIGHT])
    put(tmp_path / "pubmedqa" / "tapt-0", "pubmedqa", RIGHT, [["yes"]] * 6)
    found = read(tmp_path)
    best = 100 * max(2 * RIGHT.count(one) / (6 + RIGHT.count(one)) for one in RIGHT) / 3
    assert 100 * found.constant["pubmedqa"] == pytest.approx(best)
    each, mean = differences(found, "bonito", "tapt", draws=50)
    assert each.startswith(f"+{100 - best:.1f} (")
    assert mean.startswith(f"+{100 - best:.1f} (")
    assert differences(found, "tapt", "tapt", draws=5) == ["+0.0 (+0.0 to +0.0)"] * 2
    shown = markdown(cells(found), found)
    assert f"| the same answer to all | {best:.1f} |" in shown
    assert f"| bonito - (tapt) | {each} | +{100 - best:.1f} (" in shown


def step(out: Path, name: str, code: str, after: tuple[str, ...] = (), alone: bool = False) -> Step:
    """A step of these lines of Python's, in which `out` is the folder."""
    lines = ["import pathlib, sys, time", f"out = pathlib.Path({str(out)!r})", code]
    script = out / f"{name}.py"
    script.write_text("\n".join(lines) + "\n")
    return Step(name, (str(script), name), after, alone=alone)


WRITE = "(out / sys.argv[1]).open('a').write('a')"


def test_a_step_is_run_once(tmp_path: Path) -> None:
    steps = [step(tmp_path, "one", WRITE), step(tmp_path, "two", WRITE, ("one",), alone=True)]
    Runner(tmp_path, 2).run(steps)
    Runner(tmp_path, 2).run(steps)
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == ["a", "a"]
    told = json.loads((tmp_path / "steps" / "one.json").read_text())
    assert told["command"] == list(steps[0].command)
    assert 0 <= told["processor_seconds"] <= told["seconds"] + 1
    with pytest.raises(SystemExit, match="one was done with other settings"):
        Runner(tmp_path, 2).run([Step("one", ("other.py",)), steps[1]])
    assert (tmp_path / "one").read_text() == "a"


@pytest.mark.parametrize("alone", [False, True])
def test_a_step_that_fails_ends_the_run_and_is_run_again(tmp_path: Path, alone: bool) -> None:
    failing = step(tmp_path, "one", "if not (out / 'go').exists(): sys.exit('not yet')", (), alone)
    steps = [failing, step(tmp_path, "two", WRITE, ("one",))]
    with pytest.raises(SystemExit, match=r"one failed; .*\nnot yet"):
        Runner(tmp_path, 2).run(steps)
    assert not (tmp_path / "two").exists()
    (tmp_path / "go").touch()
    Runner(tmp_path, 2).run(steps)
    assert (tmp_path / "two").read_text() == "a"


def test_steps_that_need_nothing_of_each_other_run_side_by_side(tmp_path: Path) -> None:
    meet = """
(out / sys.argv[1]).touch()
until = time.monotonic() + 60
while not all((out / name).exists() for name in ("one", "two")):
    assert time.monotonic() < until
    time.sleep(0.01)
# The libraries are there before a step asks for them.
assert "bonito_local.training.run" in sys.modules
"""
    alone = "assert (out / 'steps/one.json').exists() and (out / 'steps/two.json').exists()"
    three = step(tmp_path, "three", f"{alone}\n{WRITE}", alone=True)
    four = step(tmp_path, "four", "assert (out / 'steps/three.json').exists()")
    steps = [step(tmp_path, "one", meet), step(tmp_path, "two", meet), three, four]
    Runner(tmp_path, 2).run(steps)
    assert (tmp_path / "three").read_text() == "a"


def test_what_a_step_makes_is_removed_before(tmp_path: Path) -> None:
    """A run that was killed may have left it without a record."""
    code = "with (out / 'made').open('x') as file: file.write('new')"
    made = replace(step(tmp_path, "one", code), makes=tmp_path / "made")
    made.makes.write_text("old")  # type: ignore[union-attr]
    Runner(tmp_path, 1).run([made])
    assert (tmp_path / "made").read_text() == "new"


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


@pytest.mark.parametrize("tied", [False, True])
def test_a_merged_checkpoint_is_the_model_that_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool
) -> None:
    base, adapter, out = (tmp_path / name for name in ("base", "adapter", "out"))
    write_adapter(adapter, write_checkpoint(base, layers=2, tied=tied))
    monkeypatch.setattr(sys, "argv", ["merge.py", str(base), str(adapter), "--out", str(out)])
    merge.main()
    ids = torch.arange(3, 99).reshape(2, 48)
    with torch.no_grad():
        trained = PeftModel.from_pretrained(load_base(base, "cpu"), adapter)(input_ids=ids)
        merged, plain = (
            AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)(input_ids=ids)
            for path in (out, base)
        )
    wanted = trained.logits.float()
    near, far = ((one.logits.float() - wanted).norm() / wanted.norm() for one in (merged, plain))
    assert near < 0.03  # bf16 keeps eight bits of each weight
    assert far > 5 * near
    assert (out / "tokenizer.json").read_text() == (base / "tokenizer.json").read_text()
