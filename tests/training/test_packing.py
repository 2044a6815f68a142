"""Rows side by side give what each gives by itself; the loss is PyTorch's."""

import numpy as np
import pytest
import torch
from tiny_checkpoint import write_checkpoint
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from bonito_local.training import attention
from bonito_local.training.loss import output_loss
from bonito_local.training.packing import pack

ROWS = [np.arange(3 + i, 3 + i + n, dtype=np.uint32) for i, n in enumerate((70, 64, 33, 32, 2))]
OUTPUTS = [5, 63, 1, 8, 1]


@pytest.mark.parametrize(
    ("family", "window"), [("mistral", None), ("mistral", 24), ("llama", None), ("qwen2", None)]
)
@pytest.mark.parametrize("up_to", [0, 1024], ids=["sdpa", "matmul"])
def test_rows_do_not_see_each_other(
    family: str,
    window: int | None,
    up_to: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp(family)
    write_checkpoint(folder, family=family, dtype=torch.float32, width=64, ffn=96, layers=2)
    settings = {"sliding_window": window} if family == "mistral" else {}
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", **settings)
    ours = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation=attention.NAME, **settings
    )
    monkeypatch.setattr(attention, "_MATMUL_UP_TO", up_to)
    batch = pack(ROWS, OUTPUTS, "cpu")
    assert batch.runs == ((1, 80), (1, 64), (1, 48), (1, 32), (1, 16))
    assert batch.tokens == 201
    with torch.no_grad():
        states = ours.model(
            input_ids=batch.ids, position_ids=batch.places, runs=batch.runs, use_cache=False
        ).last_hidden_state[0]
        picked = iter(states[batch.positions])
        for row, trained in zip(ROWS, OUTPUTS, strict=True):
            ids = torch.from_numpy(row.astype(np.int64))[None]
            wanted = plain.model(input_ids=ids).last_hidden_state[0]
            for at in range(len(row) - 1 - trained, len(row) - 1):
                torch.testing.assert_close(next(picked), wanted[at], rtol=1e-4, atol=1e-4)
    real = batch.labels >= 0
    assert batch.labels[real].tolist() == [
        int(t) for row, k in zip(ROWS, OUTPUTS, strict=True) for t in row[len(row) - k :]
    ]
    assert len(batch.labels) % 64 == 0


@pytest.mark.parametrize("count", [1, 700, 2500])
def test_the_loss_and_its_gradient_are_pytorchs(count: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(50, 16)
    labels = torch.randint(0, 50, (count,))
    labels[::7] = -100
    ours = torch.randn(count, 16, requires_grad=True)
    plain = ours.detach().clone().requires_grad_()
    counted = int((labels >= 0).sum()) or 1
    found = output_loss(ours, weight, labels, 1 / counted)
    wanted = F.cross_entropy(plain @ weight.T, labels, reduction="sum") / counted
    torch.testing.assert_close(found, wanted)
    (3 * found).backward()
    (3 * wanted).backward()
    torch.testing.assert_close(ours.grad, plain.grad)
