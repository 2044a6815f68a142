"""The real trainer on a tiny Mistral: bitsandbytes NF4, PEFT, paged AdamW, on a CPU."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf_reference import logits
from peft import PeftModel
from safetensors.torch import load_file
from tiny_checkpoint import write_adapter, write_decided
from tiny_rows import ROWS, write_rows
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from bonito_local.convert.pipeline import convert
from bonito_local.convert.plan import MergeInto
from bonito_local.errors import TrainingError
from bonito_local.training import compute
from bonito_local.training import run as running
from bonito_local.training.config import Switch, TrainConfig, Weights
from bonito_local.training.model import hold_decoded, load, load_base
from bonito_local.training.plan import choose, shape_of
from bonito_local.training.run import Progress, train
from bonito_local.training.watch import read_log


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "adapter_model.safetensors")
    return found


def same(one: Path, other: Path) -> bool:
    first, second = adapter(one), adapter(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_the_loss_falls_and_all_is_recorded(config: TrainConfig) -> None:
    seen: list[Progress] = []
    ended = train(config, notify=seen.append)
    first, *_, last = [line["loss"] for line in read_log(config.output)]
    assert last < first - 1
    assert ended.complete
    assert ended.counts.rows == 20
    assert [p.phase for p in seen[:2]] == ["reading", "loading"]
    assert [p.step for p in seen if p.phase == "training"] == list(range(1, 31))
    record = json.loads((config.output / "training.json").read_text())
    assert record["config"]["learning_rate"] == 1e-2
    assert record["steps"] == 30
    assert record["done"] is True
    assert len(record["data_sha256"]) == len(record["base_sha256"]) == 64
    kept = {path.name for path in config.output.iterdir()}
    assert kept == {
        *("adapter_config.json", "adapter_model.safetensors"),
        *("training.json", "log.jsonl", "loss.svg"),
    }
    assert {path.stat().st_mode & 0o777 for path in config.output.iterdir()} == {0o600}
    said = json.loads((config.output / "adapter_config.json").read_text())
    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    linear = {name.rsplit(".", 1)[-1] for name in said["target_modules"]}
    assert linear == attention | {"gate_proj", "up_proj", "down_proj"}
    # A run that is at its end is not begun again.
    assert train(config).complete


@pytest.mark.parametrize("weights", ["nf4", "bf16"])
@pytest.mark.parametrize("checkpointing", ["on", "off"])
def test_a_step_is_what_padded_rows_and_pytorch_give(
    config: TrainConfig, weights: Weights, checkpointing: Switch
) -> None:
    config = replace(
        config,
        weights=weights,
        gradient_checkpointing=checkpointing,
        batch=20,
        steps=1,
        micro_tokens=128,
        max_grad_norm=1e9,
    )
    train(config)
    (line,) = read_log(config.output)
    loss, norm = plain_step(config)
    assert line["loss"] == pytest.approx(loss, rel=2e-3)
    assert line["grad_norm"] == pytest.approx(norm, rel=2e-2)


def plain_step(config: TrainConfig) -> tuple[float, float]:
    """Loss and gradient norm of all rows: padded, all logits, no NF4 that is decoded once."""
    from transformers import AutoTokenizer

    model = load(config, "cpu", "nf4", checkpointing=False)
    tokenizer = AutoTokenizer.from_pretrained(config.base)
    ids, labels = [], []
    for row in ROWS:
        prompt = tokenizer.encode(row["input"])
        output = [*tokenizer.encode(row["output"], add_special_tokens=False), 1]
        ids.append(torch.tensor(prompt + output))
        labels.append(torch.tensor([-100] * len(prompt) + output))
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    wanted = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    found = model(input_ids=padded).logits[:, :-1].float().flatten(0, 1)
    loss = F.cross_entropy(found, wanted[:, 1:].flatten())
    loss.backward()
    gradients = [p.grad.float() for p in model.parameters() if p.requires_grad]
    return loss.item(), float(torch.cat([g.flatten() for g in gradients]).norm())


class Killed(Exception):
    pass


def test_a_run_that_was_killed_and_one_that_was_stopped_equal_one_that_was_not(
    config: TrainConfig, tmp_path: Path
) -> None:
    whole, killed, stopped = (replace(config, output=tmp_path / n) for n in ("w", "k", "s"))
    train(whole)

    def kill(progress: Progress) -> None:
        if progress.step == 14:  # two steps after a checkpoint
            raise Killed

    with pytest.raises(Killed):
        train(killed, notify=kill)
    assert (killed.output / "checkpoint.pt").stat().st_mode & 0o777 == 0o600
    train(killed)
    asked = iter([False] * 6)
    ended = train(stopped, stop=lambda: next(asked, True))
    assert (ended.step, ended.complete) == (7, False)
    assert train(stopped).complete
    for other in (killed, stopped):
        assert same(whole.output, other.output)
        losses = [
            {line["step"]: line["loss"] for line in read_log(o.output) if line["step"] % 10 == 0}
            for o in (whole, other)
        ]
        if other is killed:
            assert losses[0] == losses[1]


SEVERAL = [
    {"input": row["input"], "output": f"{row['output']} {k}" * (k + 1)}
    for number, row in enumerate(ROWS)
    for k in range(number % 4 + 1)
]


def test_a_step_with_shared_prompts_is_that_of_separate_rows(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "measure", lambda shape: (1.0, 2.0))
    write_rows(config.data, SEVERAL)
    config = replace(config, steps=1, batch=50, micro_tokens=1024)
    apart, shared = (replace(config, output=tmp_path / name) for name in ("apart", "shared"))
    assert train(apart).counts == train(replace(shared, share_prompts=True)).counts
    (one,), (two,) = read_log(apart.output), read_log(shared.output)
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)
    assert one["grad_norm"] == pytest.approx(two["grad_norm"], rel=1e-4)
    assert two["tokens"] < 0.7 * one["tokens"]
    first, second = adapter(apart.output), adapter(shared.output)
    for name, tensor in first.items():
        assert tensor.dtype == torch.float32
        # Adam's first step is the gradients' signs, which rounding may turn near zero.
        assert torch.isclose(tensor, second[name], atol=1e-4).float().mean() > 0.995


@pytest.mark.parametrize("formats", [(2.0, 1.0), (1.0, 2.0)], ids=["bfloat16", "float32"])
def test_a_run_with_shared_prompts_goes_on_bit_for_bit(
    config: TrainConfig,
    tmp_path: Path,
    formats: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compute, "measure", lambda shape: formats)
    write_rows(config.data, SEVERAL)
    config = replace(config, share_prompts=True, weights="base", steps=16)
    whole, killed = (replace(config, output=tmp_path / name) for name in ("whole", "killed"))
    train(whole)

    def kill(progress: Progress) -> None:
        if progress.step == 10:  # two steps after a checkpoint
            raise Killed

    with pytest.raises(Killed):
        train(killed, notify=kill)
    record = (killed.output / "training.json").read_text()
    # Measured again, the machine would choose the other format: the run keeps its own.
    monkeypatch.setattr(compute, "measure", lambda shape: formats[::-1])
    ended = train(killed)
    assert (ended.compute.bfloat16, ended.compute.float32) == formats
    assert json.loads(record)["weights"] == "base"
    assert json.loads(record)["compute"] == asdict(ended.compute)
    assert same(whole.output, killed.output)
    assert train(killed).compute == ended.compute


@pytest.mark.parametrize(
    ("name", "value"), [("share_prompts", False), ("micro_tokens", 512), ("weights", "auto")]
)
def test_a_run_with_shared_prompts_keeps_its_groups_and_weights(
    config: TrainConfig, name: str, value: Any
) -> None:
    config = replace(config, share_prompts=True, weights="base")
    train(config, stop=lambda: True)
    with pytest.raises(TrainingError, match=f"another {name}"):
        train(replace(config, **{name: value}))


def test_float32_changes_no_weight_of_the_base(config: TrainConfig) -> None:
    for held in ("base", "bf16", "nf4"):
        wide, narrow = (
            load(config, "cpu", held, checkpointing=False, dtype=dtype).get_base_model()
            for dtype in (torch.float32, torch.bfloat16)
        )
        for (name, one), two in zip(wide.named_parameters(), narrow.parameters(), strict=True):
            packed = one.dtype == torch.uint8
            assert one.dtype == (torch.uint8 if packed else torch.float32), name
            assert packed == (held == "nf4" and name.endswith("base_layer.weight"))
            if "lora_A" not in name:  # drawn in float32, and rounded to the format
                assert torch.equal(one, two if packed else two.float()), name
    own = AutoModelForCausalLM.from_pretrained(config.base, dtype=torch.bfloat16)
    based = load(config, "cpu", "base", checkpointing=False).get_base_model()
    kept = {name.replace(".base_layer", ""): p for name, p in based.named_parameters()}
    assert all(torch.equal(p, kept[name]) for name, p in own.named_parameters())


def test_rows_too_long_are_counted_not_cut(config: TrainConfig) -> None:
    write_rows(config.data, [*ROWS, {"input": "x " * 500, "output": "y"}])
    ended = train(replace(config, steps=1, input_tokens=300))
    assert ended.counts.rows == 20
    assert ended.counts.input_too_long == 1


@pytest.mark.parametrize(("name", "value"), [("rank", 4), ("learning_rate", 1.0), ("steps", 31)])
def test_an_output_of_another_run_is_refused(config: TrainConfig, name: str, value: Any) -> None:
    train(config, stop=lambda: True)
    with pytest.raises(TrainingError, match=f"another {name}"):
        train(replace(config, **{name: value}))
    write_rows(config.data, ROWS[:-1])
    with pytest.raises(TrainingError, match="another data file"):
        train(config)


def test_what_only_changes_how_it_computes_may_change(config: TrainConfig) -> None:
    train(config, stop=lambda: True)
    changed = replace(config, micro_tokens=64, gradient_checkpointing="on", save_every=100)
    assert train(changed).complete


def test_it_goes_on_from_an_adapter_but_not_from_one_of_another_base(
    config: TrainConfig, tmp_path: Path
) -> None:
    train(config)
    more = replace(config, adapter=config.output, output=tmp_path / "more", steps=1)
    train(more)
    (line,) = read_log(more.output)
    assert line["loss"] < read_log(config.output)[0]["loss"] - 1
    # Of the same shape, with other values.
    other = write_decided(tmp_path / "other", width=64, ffn=128, heads=4, kv_heads=2)
    file = other / "config.json"
    file.write_text(file.read_text().replace("1e-06", "1e-05"))
    with pytest.raises(TrainingError, match="belongs to another base"):
        train(replace(more, base=other, output=tmp_path / "x"))
    # Of another shape, and an adapter that does not say what it was made on.
    (config.output / "training.json").unlink()
    wide = write_decided(tmp_path / "wide", width=128, ffn=128, heads=4, kv_heads=2)
    with pytest.raises(TrainingError, match="belongs to another base"):
        train(replace(more, base=wide, output=tmp_path / "x"))


def test_an_adapter_with_other_layers_or_another_rank_is_refused(
    config: TrainConfig, tmp_path: Path
) -> None:
    def on(name: str, **settings: Any) -> TrainConfig:
        model = AutoModelForCausalLM.from_pretrained(config.base)
        write_adapter(tmp_path / name, model, **settings)
        return replace(config, adapter=tmp_path / name, output=tmp_path / "out", steps=1)

    for name, settings in (
        ("lm_head", {"target_modules": ["q_proj", "lm_head"]}),
        ("embed_tokens", {"target_modules": ["q_proj", "embed_tokens"]}),
        ("lm_head", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    ):
        with pytest.raises(TrainingError, match=rf"changes '.*{name}.*', which is not trained"):
            train(on(name, **settings))
    with pytest.raises(TrainingError, match="has rank 8, not 16"):
        train(replace(on("plain", target_modules=["q_proj"]), rank=16))
    with pytest.raises(TrainingError, match="has alpha 16, not 4"):
        train(replace(on("plain", target_modules=["q_proj"]), alpha=4))


def test_a_broken_checkpoint_is_said(config: TrainConfig) -> None:
    train(config, stop=lambda: True)
    (config.output / "checkpoint.pt").write_bytes(b"cut short")
    with pytest.raises(TrainingError, match="cannot be used"):
        train(config)


def test_memory_that_runs_out_says_what_to_lower(config: TrainConfig) -> None:
    way = choose(shape_of(config.base), config, 1e12)
    with (
        pytest.raises(TrainingError, match="Memory ran out") as caught,
        running._memory(config, way),
    ):
        torch.empty(1 << 60)
    assert caught.value.remedy == (
        'Set gradient_checkpointing = "on", or set weights = "nf4". '
        "The same command goes on from the last checkpoint."
    )


@pytest.mark.parametrize(("weights", "merge_into"), [("auto", "nf4"), ("base", "bf16")])
def test_what_was_trained_merged_and_converted_gives_the_same_logits(
    config: TrainConfig, tmp_path: Path, weights: Weights, merge_into: MergeInto
) -> None:
    # As bases are published: training computes in bf16, and NF4 rounds what it is given.
    shutil.copytree(config.base, tmp_path / "base")
    whole = AutoModelForCausalLM.from_pretrained(config.base, dtype=torch.bfloat16)
    whole.save_pretrained(tmp_path / "base")
    config = replace(config, base=tmp_path / "base", weights=weights)
    train(config)
    base = load_base(config.base, "cpu", nf4=weights != "base")
    hold_decoded(base)
    # In float32, so that what is compared is not the rounding of bf16.
    model = torch.nn.Module.float(PeftModel.from_pretrained(base, config.output))
    ids = [0, *range(40, 90), *range(300, 310)]
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0].numpy()
        with model.disable_adapter():
            before = model(torch.tensor([ids])).logits[0].numpy()
    file = tmp_path / "f16.gguf"
    convert(config.base, file, adapters=[config.output], quant="F16", merge_into=merge_into)
    got = logits(file, ids)
    # Within 1 % of the largest logit, where training moved them by twenty times as much.
    largest = np.abs(wanted).max()
    assert np.abs(got - wanted).max() < 0.01 * largest
    assert np.abs(wanted - before).max() > 0.2 * largest
    assert (got.argmax(-1) == wanted.argmax(-1)).mean() > 0.95


TOGETHER = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from bonito_local.training import compute
from bonito_local.training.config import Switch, TrainConfig, Weights
from bonito_local.training.processes import join
from bonito_local.training.run import train
compute.measure = lambda shape: (2.0, 1.0)
processes = join()
base, data, out = map(Path, sys.argv[1:3] + sys.argv[4:5])
config = TrainConfig("bonito", base, data, out / "ddp", rank=8, alpha=16, learning_rate=1e-2,
                     batch=4, steps=5, micro_tokens=128, seed=1)
train(config, processes)
train(replace(config, output=out / "shard", shard=True), processes)

import torch
from datetime import timedelta
from torch.distributed.distributed_c10d import _get_default_group
from torch.distributed.tensor import DTensor
from bonito_local.training.model import load
group = _get_default_group()._get_backend(torch.device("cpu"))
assert group.options._timeout >= timedelta(hours=12)
model = load(config, "cpu", "bf16", False, sharded=True)
layers = model.get_base_model().model.layers
def held():
    for layer in layers:
        found = [p for n, p in layer.named_parameters() if "lora" not in n]
        assert len(found) == 9
        for p in found:
            assert isinstance(p, DTensor) and 2 * p.to_local().numel() == p.numel()
held()
loss = model(input_ids=torch.arange(3, 40)[None]).logits.float().logsumexp(-1).sum()
held()
loss.backward()
held()
del group, model, layers, loss
processes.leave()
threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name]
"""


def test_processes_that_share_a_run_give_what_one_gives(
    config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(config, steps=5, weights="bf16")
    train(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    others = []
    for rank in range(2):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        environment = {name: str(value) for name, value in told.items()}
        environment |= {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", TOGETHER, config.base, config.data, ".", tmp_path]
        others.append(subprocess.Popen(list(map(str, command)), env={**os.environ, **environment}))
    assert [other.wait(timeout=240) for other in others] == [0, 0]
    wanted = read_log(config.output)[-1]
    for name in ("ddp", "shard"):
        (found,) = read_log(tmp_path / name)
        assert found["loss"] == pytest.approx(wanted["loss"], rel=2e-3)
        one, two = adapter(config.output), adapter(tmp_path / name)
        assert one.keys() == two.keys()
        close = [torch.allclose(one[k], two[k], atol=0.02, rtol=0.05) for k in one]
        assert np.mean(close) > 0.9
