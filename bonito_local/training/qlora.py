"""Q-LoRA: trains a LoRA adapter on a base model whose weights are held in NF4.

The paper's recipe (arXiv 2402.18334): NF4 with double quantization, bf16 compute, LoRA on
all linear layers but `lm_head`, paged AdamW, loss on the output tokens only, learning rate
falling linearly to zero, batches grouped by length.

Rows are JSON lines {"input": prompt, "output": completion}; EOS is added to the output.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonito_local.errors import TrainingError

if TYPE_CHECKING:
    import torch

    from bonito_local.training.batches import Batch, Example


@dataclass(frozen=True, slots=True)
class QLoraConfig:
    """One run. `batch_tokens` counts padded tokens; `buckets` are padded lengths."""

    base: Path
    data: Path
    out: Path
    rank: int = 64
    alpha: int = 4
    learning_rate: float = 1e-4
    max_grad_norm: float = 0.3
    max_steps: int = 100_000
    batch_tokens: int = 16 * 1024
    buckets: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
    save_every: int = 500
    seed: int = 0


def train(config: QLoraConfig) -> dict[str, Any]:
    """Train and save the adapter with its config, data hash and log in `config.out`.

    Goes on from the last checkpoint in `config.out` when there is one. Returns a summary.

    Raises:
        TrainingError: no rows, rows without input or output, or a loss that is not finite.
    """
    import torch
    from torch.nn import functional as F

    texts, digest = read_rows(config.data)
    torch.manual_seed(config.seed)
    model, tokenizer = load_base(config)
    examples = [tokenize(tokenizer, row) for row in texts]
    longest = max(config.buckets)
    kept = [e for e in examples if len(e.ids) <= longest]
    if not kept:
        raise TrainingError(
            f"No row of {config.data} fits {longest} tokens.", "Raise the longest bucket."
        )
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    masters = {n: p.detach().float().clone() for n, p in named.items()}
    optimizer = paged_adamw(list(masters.values()), config.learning_rate)
    step = resume(config, masters, optimizer)
    for name, parameter in named.items():
        parameter.data.copy_(masters[name])
    config.out.mkdir(parents=True, exist_ok=True)
    tokens, loss_sum, started, done_here = 0, 0.0, time.monotonic(), 0
    for batch in skip(batches(kept, config, tokenizer.eos_token_id), step):
        if step >= config.max_steps:
            break
        body = model.get_base_model()
        states = body.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        picked = states.reshape(-1, states.shape[-1])[batch.positions]
        loss = F.cross_entropy(body.lm_head(picked).float(), batch.labels)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is not finite at step {step}.", "Lower the learning rate."
            )
        loss.backward()
        for name, parameter in named.items():
            masters[name].grad, parameter.grad = parameter.grad.float(), None
        torch.nn.utils.clip_grad_norm_(masters.values(), config.max_grad_norm)
        optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - step / config.max_steps)
        optimizer.step()
        for name, parameter in named.items():
            parameter.data.copy_(masters[name])
        step, done_here = step + 1, done_here + 1
        tokens, loss_sum = tokens + batch.ids.numel(), loss_sum + loss.item()
        if done_here % 20 == 0:
            seconds = time.monotonic() - started
            line = {
                "step": step,
                "loss": round(loss_sum / 20, 4),
                "tokens_per_second": round(tokens / seconds),
            }
            with (config.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            loss_sum = 0.0
        if step % config.save_every == 0 or step == config.max_steps:
            save(config, model, masters, optimizer, step)
    summary = {
        "rows": len(kept),
        "rows_too_long": len(examples) - len(kept),
        "steps": step,
        "data_sha256": digest,
        "config": asdict(config) | {k: str(getattr(config, k)) for k in ("base", "data", "out")},
    }
    save_adapter(model, config.out)
    (config.out / "training.json").write_text(json.dumps(summary, indent=2))
    return summary


def read_rows(path: Path) -> tuple[list[tuple[str, str]], str]:
    """Return the (input, output) pairs of a JSON lines file, and the file's SHA-256."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            item = json.loads(line)
            prompt, output = item["input"], item["output"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"Line {number} of {path} is not a row.",
                'Each line must be a JSON object with "input" and "output".',
            ) from error
        if output:
            rows.append((prompt, output))
    if not rows:
        raise TrainingError(f"{path} holds no rows.", "Give a file with at least one output.")
    return rows, hashlib.sha256(raw).hexdigest()


def tokenize(tokenizer: Any, row: tuple[str, str]) -> Example:
    """BOS + input + output + EOS; the loss sees the output and EOS."""
    from bonito_local.training.batches import Example

    prompt = tokenizer.encode(row[0], add_special_tokens=False)
    output = tokenizer.encode(row[1], add_special_tokens=False)
    ids = [tokenizer.bos_token_id, *prompt, *output, tokenizer.eos_token_id]
    return Example(ids, range(len(prompt) + 1, len(ids)))


def batches(examples: list[Example], config: QLoraConfig, pad: int) -> Iterator[Batch]:
    """Epochs without end, each in its own order, deterministic by seed."""
    import random

    from bonito_local.training.batches import bucketed

    def endless() -> Iterator[Example]:
        epoch = 0
        while True:
            order = list(range(len(examples)))
            random.Random(config.seed * 1_000_003 + epoch).shuffle(order)
            yield from (examples[i] for i in order)
            epoch += 1

    return bucketed(endless(), config.buckets, config.batch_tokens, pad)


def skip(stream: Iterator[Batch], count: int) -> Iterator[Batch]:
    """Drop the batches that a resumed run has already trained on."""
    for _ in range(count):
        next(stream)
    return stream


def load_base(config: QLoraConfig) -> tuple[Any, Any]:
    """Return the base in NF4 with a fresh adapter, and its tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    from bonito_local.training import attention

    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = AutoModelForCausalLM.from_pretrained(
        config.base,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        dtype=torch.bfloat16,
        device_map={"": device},
        attn_implementation=attention.NAME if device == "cpu" else "sdpa",
        local_files_only=True,
    )
    base.requires_grad_(False)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    # bf16 adapters with float32 masters here: PEFT's float32 adapters cast every activation.
    model = get_peft_model(base, lora, autocast_adapter_dtype=False)
    return model, AutoTokenizer.from_pretrained(config.base, local_files_only=True)


def paged_adamw(parameters: list[torch.Tensor], learning_rate: float) -> Any:
    """Return the paper's optimizer, its states in 32 bit and paged."""
    from bitsandbytes.optim.adamw import PagedAdamW32bit

    return PagedAdamW32bit(parameters, lr=learning_rate, betas=(0.9, 0.999), weight_decay=0.0)


def save_adapter(model: Any, out: Path) -> None:
    """Write the adapter alone.

    On a CPU, bitsandbytes rounds the base's packed weights when their state is read, so
    PEFT is handed the adapter's tensors and never asks for the rest.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    model.save_pretrained(out, state_dict=trained)


def save(
    config: QLoraConfig, model: Any, masters: dict[str, torch.Tensor], optimizer: Any, step: int
) -> None:
    """Write adapter and checkpoint; the checkpoint is renamed into place when whole."""
    import torch

    save_adapter(model, config.out)
    state = {"masters": masters, "optimizer": optimizer.state_dict(), "step": step}
    fresh = config.out / "checkpoint.new"
    torch.save(state, fresh)
    fresh.rename(config.out / "checkpoint.pt")


def resume(config: QLoraConfig, masters: dict[str, torch.Tensor], optimizer: Any) -> int:
    """Load the last checkpoint if there is one; return the steps already taken."""
    import torch

    path = config.out / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, tensor in masters.items():
        tensor.copy_(state["masters"][name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def main() -> None:
    """Command line: `python -m bonito_local.training.qlora --base B --data D --out O`."""
    import argparse

    parser = argparse.ArgumentParser(description="Train a Q-LoRA adapter.")
    for name in ("base", "data", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    defaults = QLoraConfig(Path(), Path(), Path())
    for name in ("rank", "alpha", "max_steps", "batch_tokens", "save_every", "seed"):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name)
        )
    for name in ("learning_rate", "max_grad_norm"):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=float, default=getattr(defaults, name)
        )
    parser.add_argument("--buckets", default=",".join(map(str, defaults.buckets)))
    args = vars(parser.parse_args())
    args["buckets"] = tuple(int(b) for b in args["buckets"].split(","))
    print(json.dumps(train(replace(defaults, **args)), indent=2))  # noqa: T201 (a command's result)


if __name__ == "__main__":
    main()
