from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_rows import write_rows

from bonito_local.cli.main import run
from bonito_local.errors import TrainingError, UsageError
from bonito_local.training.config import Machine, TrainConfig
from bonito_local.training.model import load
from bonito_local.training.packing import pack
from bonito_local.training.plan import (
    adapter_weights,
    choose,
    linear_weights,
    make_plan,
    memory,
    shape_of,
)
from bonito_local.training.tokens import Group

RECIPES = Path(__file__).parents[2] / "recipes/paper"


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_papers_runs_are_planned_without_weights(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = recipe.stem.partition("-")[0]
    assert run(["train", kind, str(recipe), "--dry-run"]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    size = "7.24" if "mistral" in recipe.stem else "8.03"
    assert f"{size} G weights, 167.8 M in an adapter of rank 64" in told["model"]
    used = float(told["memory"].split()[0])
    assert 30 < used < 70.5
    assert "$" in told["hours"]
    assert told["steps"].startswith("100,000" if kind == "bonito" else "10,000")


def test_shapes_are_counted_as_the_model_is(base: Path, config: TrainConfig) -> None:
    model = load(config, "cpu", "bf16", checkpointing=False)
    shape = shape_of(base)
    body = model.get_base_model()
    linear = sum(p.numel() for n, p in body.model.named_parameters() if "base_layer" in n)
    adapter = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert linear_weights(shape) == linear
    assert adapter_weights(shape, config.rank) == adapter


@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_about_what_autograd_keeps(
    base: Path, config: TrainConfig, checkpointing: bool
) -> None:
    """Within a third, but for attention's own, which differ between CPU and GPU."""
    model = load(config, "cpu", "bf16", checkpointing)
    lengths = [48] * 8
    ids = [torch.arange(3, 3 + n).numpy().astype("uint32") for n in lengths]
    batch = pack([Group(row, 1, (len(row) - 1,)) for row in ids], "cpu")
    kept: dict[int, int] = {}
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        scores = tensor.ndim > 2 and tensor.shape[-2:] == (48, 48)
        if storage.data_ptr() not in parameters and not scores:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.get_base_model().model(
            input_ids=batch.ids, position_ids=batch.places, runs=batch.runs, use_cache=False
        )
    shape = shape_of(base)
    told = replace(config, micro_tokens=384, input_tokens=192, output_tokens=192)
    reckoned = memory(shape, told, "bf16", checkpointing, 1).activations
    if checkpointing:  # one layer's own come and go in the backward pass
        reckoned -= 384 * (20 * 64 + 8 * 64 + 8 * 32 + 8 * 128 + 14 * 8)
    assert sum(kept.values()) == pytest.approx(reckoned, rel=0.34)


def test_the_fastest_way_that_fits_is_chosen(config: TrainConfig) -> None:
    config = replace(config, base=Path("Mistral-7B-v0.1"), rank=64, micro_tokens=4096)
    shape = shape_of(config.base)
    ways = [
        (way.weights, way.checkpointing)
        for way in (choose(shape, config, room) for room in (80e9, 42e9, 22e9, 12e9, 0))
    ]
    assert ways == [("bf16", False), ("nf4", False), ("bf16", True), ("nf4", True), ("nf4", True)]
    forced = replace(config, weights="nf4", gradient_checkpointing="on")
    assert choose(shape, forced, 1e12).checkpointing
    assert choose(shape, forced, 1e12).weights == "nf4"


def test_spread_weights_take_a_part_but_are_loaded_whole_in_nf4(config: TrainConfig) -> None:
    config = replace(config, base=Path("Mistral-7B-v0.1"), shard=True)
    shape = shape_of(config.base)
    one, two, many = (memory(shape, config, "bf16", False, n).weights for n in (1, 2, 64))
    others = 4 * 32000 * 4096 + 4 * 32 * 4096  # embedding, head and norms, in bf16
    linear = linear_weights(shape)
    assert one == 2 * linear + others
    assert two == linear + 4 * linear / 32 + others  # a half, and two layers of 32
    assert many == memory(shape, config, "nf4", False, 1).weights
    assert others + linear / 2 < many < two


def test_data_that_is_there_is_counted(config: TrainConfig) -> None:
    plan = make_plan(replace(config, kind="adapt", steps=0), 1e9)
    assert (plan.rows, plan.steps) == (20, 5)
    assert 15 < plan.row_tokens < 60
    assert plan.hours is None


def test_shared_prompts_are_counted_once(config: TrainConfig) -> None:
    rows = [{"input": "p" * 420, "output": f"{k}" * 42} for k in range(9)]
    rows += [{"input": "q" * 420, "output": "r" * 42}]
    config = replace(config, data=write_rows(config.data, rows))
    assert make_plan(config).row_tokens == pytest.approx(112)
    # Groups of eight, one and one.
    shared = make_plan(replace(config, share_prompts=True))
    assert shared.row_tokens == pytest.approx(12 + 300 / 10)
    assert (shared.rows, shared.steps) == (10, config.steps)


def test_the_bases_own_weights_and_float32_are_counted(config: TrainConfig) -> None:
    config = replace(config, base=Path("Mistral-7B-v0.1"), weights="base")
    shape = shape_of(config.base)
    assert {choose(shape, config, room).weights for room in (0, 1e12)} == {"base"}
    own, decoded = (memory(shape, config, held, False, 1) for held in ("base", "bf16"))
    assert own == decoded
    wide = memory(shape, config, "base", False, 1, 4)
    assert wide.weights == 2 * own.weights
    assert 1.9 < wide.activations / own.activations <= 2
    values = adapter_weights(shape, config.rank)
    assert wide.adapter - own.adapter == 4 * values
    # Spread over devices, they are loaded whole first.
    sharded = replace(config, shard=True)
    assert choose(shape, sharded, 0, 8).weights == "base"
    assert memory(shape, sharded, "base", False, 8).weights == own.weights


def test_what_is_not_known_is_refused(config: TrainConfig) -> None:
    with pytest.raises(TrainingError, match="There is no checkpoint"):
        make_plan(replace(config, base=Path("nowhere")))
    with pytest.raises(UsageError, match="Did you mean 'H100'"):
        make_plan(replace(config, machine=Machine("h100")))
