"""Rows side by side, and rows that share a prompt, give what each gives by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_checkpoint import write_checkpoint
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from bonito_local.training import attention
from bonito_local.training.loss import output_loss
from bonito_local.training.packing import Pack, pack
from bonito_local.training.tokens import Group

ROWS = [np.arange(3 + i, 3 + i + n, dtype=np.uint32) for i, n in enumerate((70, 64, 33, 32, 2))]
OUTPUTS = [5, 63, 1, 8, 1]
GROUPS = [
    Group(row, len(row) - output, (output,)) for row, output in zip(ROWS, OUTPUTS, strict=True)
]
# Ragged: tokens of the prompt and of each output. Two groups of one padded length, others alone.
SHARED = [(40, (9, 1, 20)), (60, (5,)), (1, (30, 2)), (25, (3, 3, 1)), (7, (2,))]


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
    batch = pack(GROUPS, "cpu")
    assert batch.segments is None
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


def shared_groups() -> list[Group]:
    """Groups of random tokens in the shapes of SHARED."""
    random = np.random.default_rng(0)
    return [
        Group(random.integers(3, 300, prompt + sum(outputs)).astype(np.uint32), prompt, outputs)
        for prompt, outputs in SHARED
    ]


def apart(group: Group) -> list[Group]:
    """The rows of a group, each with the prompt."""
    prompt, ends = group.ids[: group.prompt], np.cumsum((group.prompt, *group.outputs))
    return [
        Group(np.concatenate([prompt, group.ids[end - output : end]]), group.prompt, (output,))
        for end, output in zip(ends[1:], group.outputs, strict=True)
    ]


def test_outputs_go_on_from_the_prompt() -> None:
    ids = np.arange(100, 108, dtype=np.uint32)
    batch = pack([Group(ids, 3, (2, 3))], "cpu")
    assert batch.tokens == 8
    assert batch.ids[0, :8].tolist() == ids.tolist()
    assert batch.places[0].tolist() == [0, 1, 2, 3, 4, *range(3, 14)]
    assert batch.segments is not None
    assert batch.segments.tolist() == [0] * 3 + [1] * 2 + [2] * 11
    assert batch.positions[:5].tolist() == [2, 3, 2, 5, 6]
    assert batch.labels[:6].tolist() == [103, 104, 105, 106, 107, -100]
    masks = attention.Masks(batch.runs, batch.segments, batch.places)
    visible = masks.visible(0, None)[0, 0, :8, :8].int().tolist()
    assert visible == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 1, 0, 0],
        [1, 1, 1, 0, 0, 1, 1, 0],
        [1, 1, 1, 0, 0, 1, 1, 1],
    ]
    # A window counts places, not the outputs in between.
    assert masks.visible(0, 2)[0, 0, 5, :8].int().tolist() == [0, 0, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("family", "window"), [("mistral", None), ("mistral", 24), ("llama", None), ("qwen2", None)]
)
@pytest.mark.parametrize("up_to", [0, 1024], ids=["sdpa", "matmul"])
def test_a_shared_prompt_gives_the_losses_and_gradients_of_separate_rows(
    family: str, window: int | None, up_to: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, family=family, dtype=torch.float32, width=64, ffn=96, layers=2)
    settings = {"sliding_window": window} if family == "mistral" else {}
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path, attn_implementation=attention.NAME, **settings
    )
    torch.manual_seed(1)
    options = {"r": 4, "target_modules": "all-linear", "init_lora_weights": False}
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
    monkeypatch.setattr(attention, "_MATMUL_UP_TO", up_to)

    def gradients(batch: Pack) -> tuple[float, dict[str, torch.Tensor]]:
        masks = None
        if batch.segments is not None:
            masks = attention.Masks(batch.runs, batch.segments, batch.places)
        states = model.model(
            input_ids=batch.ids, position_ids=batch.places, runs=batch.runs, masks=masks
        ).last_hidden_state
        picked = states[0].index_select(0, batch.positions)
        loss = output_loss(picked, model.lm_head.weight, batch.labels, 0.1)
        peft.zero_grad()
        loss.backward()
        named = {n: p.grad for n, p in peft.named_parameters() if p.grad is not None}
        return loss.item(), {name: gradient.clone() for name, gradient in named.items()}

    groups = sorted(shared_groups(), key=lambda group: -len(group.ids))
    rows = [row for group in groups for row in apart(group)]
    shared, separate = pack(groups, "cpu"), pack(rows, "cpu")
    assert shared.tokens == sum(prompt + sum(outputs) for prompt, outputs in SHARED)
    assert separate.tokens - shared.tokens == 2 * 40 + 1 + 2 * 25
    assert sorted(shared.labels.tolist()) == sorted(separate.labels.tolist())
    loss, named = gradients(shared)
    separate_loss, separate_named = gradients(separate)
    assert loss == pytest.approx(separate_loss, rel=1e-6)
    assert len(named) == 2 * 2 * 7
    for name, gradient in named.items():
        largest = float(separate_named[name].abs().max())
        torch.testing.assert_close(gradient, separate_named[name], rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("count", [1, 700, 2500])
def test_the_loss_and_its_gradient_are_pytorchs(count: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(50, 16)
    labels = torch.randint(0, 50, (count,))
    labels[::7] = -100
    # Logits far from zero, whose exponentials overflow in float32.
    ours = (60 * torch.randn(count, 16)).requires_grad_()
    plain = ours.detach().clone().requires_grad_()
    counted = int((labels >= 0).sum()) or 1
    found = output_loss(ours, weight, labels, 1 / counted)
    wanted = F.cross_entropy(plain @ weight.T, labels, reduction="sum") / counted
    torch.testing.assert_close(found, wanted)
    (3 * found).backward()
    (3 * wanted).backward()
    torch.testing.assert_close(ours.grad, plain.grad)
