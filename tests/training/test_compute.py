from collections.abc import Sequence

import pytest
import torch

from bonito_local.training import compute
from bonito_local.training.compute import Compute, choose_compute
from bonito_local.training.config import TrainConfig
from bonito_local.training.plan import shape_of
from bonito_local.training.processes import Processes

measure = compute.measure  # as it is before a fixture replaces it


def test_the_faster_format_is_chosen_and_said(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = shape_of(config.base)
    monkeypatch.setattr(compute, "measure", lambda shape: (390.4, 150.0))
    faster = choose_compute(shape, Processes())
    assert str(faster) == "bfloat16: 390 against 150 GFLOP/s in float32"
    assert (faster.dtype, faster.bytes) == (torch.bfloat16, 2)
    monkeypatch.setattr(compute, "measure", lambda shape: (15.0, 1500.0))
    wide = choose_compute(shape, Processes())
    assert str(wide) == "float32: 1,500 against 15 GFLOP/s in bfloat16"
    assert (wide.dtype, wide.bytes) == (torch.float32, 4)


def test_a_gpu_computes_in_bfloat16_unmeasured(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "measure", lambda shape: pytest.fail("measured"))
    chosen = choose_compute(shape_of(config.base), Processes(device="cuda"))
    assert chosen == Compute() == Compute.of(None)
    assert str(chosen) == "bfloat16"


def test_all_processes_take_what_the_first_measured(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: Processes, tensors: Sequence[torch.Tensor]) -> None:
        for tensor in tensors:
            tensor += torch.tensor([1.0, 2.0])

    monkeypatch.setattr(Processes, "sum", add)
    monkeypatch.setattr(compute, "measure", lambda shape: pytest.fail("measured"))
    assert choose_compute(shape_of(config.base), Processes(rank=1, count=2)).format == "float32"


def test_both_formats_are_measured(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "_SECONDS", 0.01)
    assert all(speed > 0 for speed in measure(shape_of(config.base)))
