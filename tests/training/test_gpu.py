"""What only an NVIDIA GPU can show. `make test` leaves these out: `pytest -m gpu` runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_rows import ROWS, write_rows

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.training.config import TrainConfig, Weights
from bonito_local.training.processes import Processes
from bonito_local.training.run import train
from bonito_local.training.watch import read_log

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no NVIDIA GPU"),
]
GPU, CPU = Processes(device="cuda"), Processes(device="cpu")


@pytest.mark.parametrize("weights", ["nf4", "bf16", "base"])
def test_the_loss_falls_on_a_gpu_as_on_a_cpu(
    config: TrainConfig, weights: Weights, tmp_path: Path
) -> None:
    config = replace(config, weights=weights)
    losses = []
    for processes in (CPU, GPU):
        output = tmp_path / processes.device
        assert train(replace(config, output=output), processes).complete
        losses.append([line["loss"] for line in read_log(output)])
    cpu, gpu = losses
    assert gpu[-1] < gpu[0] - 1
    # Means of ten steps each; rounding moves later ones further apart.
    assert gpu[0] == pytest.approx(cpu[0], rel=0.02)
    assert gpu[-1] == pytest.approx(cpu[-1], abs=0.1)


def test_a_step_on_a_gpu_is_that_of_a_cpu(config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, weights="nf4", batch=20, steps=1, max_grad_norm=1e9)
    one, two = (replace(config, output=tmp_path / name) for name in ("cpu", "gpu"))
    train(one, CPU)
    train(two, GPU)
    (cpu,), (gpu,) = read_log(one.output), read_log(two.output)
    assert gpu["loss"] == pytest.approx(cpu["loss"], rel=1e-2)
    assert gpu["grad_norm"] == pytest.approx(cpu["grad_norm"], rel=5e-2)


def test_a_shared_prompt_on_a_gpu_gives_the_step_of_separate_rows(
    config: TrainConfig, tmp_path: Path
) -> None:
    several = [
        {"input": row["input"], "output": f"{row['output']} {k}" * (k + 1)}
        for number, row in enumerate(ROWS)
        for k in range(number % 4 + 1)
    ]
    write_rows(config.data, several)
    config = replace(config, steps=1, batch=50, micro_tokens=1024, weights="base")
    apart, shared = (replace(config, output=tmp_path / name) for name in ("apart", "shared"))
    train(apart, GPU)
    train(replace(shared, share_prompts=True), GPU)
    (one,), (two,) = read_log(apart.output), read_log(shared.output)
    assert two["tokens"] < 0.7 * one["tokens"]
    assert two["loss"] == pytest.approx(one["loss"], rel=5e-3)  # bf16 has three digits
    assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=3e-2)


def test_layers_on_a_gpu_draw_the_same_text(decided_gguf: Path) -> None:
    from bonito_local.backends.llamacpp.bindings import lib
    from bonito_local.backends.llamacpp.engine import LlamaCpp
    from bonito_local.backends.llamacpp.settings import Settings

    if not lib.llama_supports_gpu_offload():
        pytest.skip("llama.cpp is built for the CPU only")

    def greedy(gpu_layers: int) -> list[str]:
        prompts = ("Either party may end", "def tokens(text):", "The notice is short.")
        sampling = Sampling(1, temperature=0.0, max_tokens=24)
        requests = [Request(p, p, sampling, (Sample(0, 0),)) for p in prompts]
        with closing(LlamaCpp(decided_gguf, Settings(n_seq=1, gpu_layers=gpu_layers))) as engine:
            drawn = {one.request_id: one.text for one in engine.generate(iter(requests))}
        return [drawn[prompt] for prompt in prompts]

    assert greedy(-1) == greedy(0)


def test_the_air_gap_leaves_the_gpu(config: TrainConfig, tmp_path: Path) -> None:
    text = (
        f'base = "{config.base}"\ndata = "{config.data}"\noutput = "{config.output}"\n'
        "rank = 8\nbatch = 4\nsteps = 1\n"
    )
    (tmp_path / "train.toml").write_text(text)
    file = str(tmp_path / "train.toml")
    command = [sys.executable, "-m", "bonito_local", "train", "bonito", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Computed in bfloat16\n" in done.stdout  # nothing was measured: not on the CPU
    record = json.loads((config.output / "training.json").read_text())
    assert "seccomp" in record["air_gap"] or "namespace" in record["air_gap"]
