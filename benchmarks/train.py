"""Our trainer against transformers' Trainer with the paper's settings, each in its own process.

    OMP_NUM_THREADS=1 python benchmarks/train.py [--steps 21] [--rounds 3] [--shape tiny]

Both train the same rows, the same 16 of them in each step, on the same NF4 base with random
weights, with r=64 adapters, paged AdamW, bf16 and gradient clipping. The Trainer pads its batches,
keeps activations by gradient checkpointing, and computes all logits, as the paper's script does;
it is timed with one row at a time (that script's own setting) and with all 16 in one batch, and
the ratio is to the faster. Tokens are the rows' own, padding not counted; the first step, in which
kernels are chosen, is not timed. The two take turns, and the ratio is the median of the rounds'.
On a CPU processor time is what counts, which other load on the machine changes little; with one
thread it is the time that an idle machine would take.

`--shape tiny` is bonito-tiny's (11 M parameters), `small` that of bonito-small's base (135 M), and
`mistral4` Mistral-7B's with 4 layers, for a GPU: with it, TFLOP/s and the memory used are printed
too. `toy` shows that the benchmark runs.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bonito_local.tasks import PIPE, format_prompt, task_type
from bonito_local.training.config import TrainConfig

HERE = Path(__file__).resolve()
SHAPES: dict[str, dict[str, int]] = {
    "tiny": {
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
    },
    "mistral4": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "small": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "toy": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
}


def make(folder: Path, shape: str, rows: int) -> None:
    """Write a base with a tokenizer trained on the example documents, and rows of their words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    texts = [p.read_text() for p in sorted((HERE.parents[1] / "examples/sources").glob("*.md"))]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=4096,
        max_position_embeddings=4096,
        sliding_window=None,
        initializer_range=0.05,
        bos_token_id=0,
        eos_token_id=1,
        **SHAPES[shape],
    )
    MistralForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    rng, words = random.Random(0), " ".join(texts).split()

    def some(mean: float, most: int) -> str:
        count = min(most, max(3, round(rng.lognormvariate(0, 0.6) * mean)))
        start = rng.randrange(len(words) - count)
        return " ".join(words[start : start + count])

    with (folder / "rows.jsonl").open("w") as file:
        for _ in range(rows):
            prompt = format_prompt(task_type("exqa"), some(100, 600))
            output = f"{some(14, 60)}\n{PIPE}\n{some(8, 60)}"
            file.write(json.dumps({"input": prompt, "output": output}) + "\n")


def settings(folder: Path, steps: int) -> TrainConfig:
    return TrainConfig(
        "bonito", folder, folder / "rows.jsonl", folder / "ours", steps=steps, save_every=1 << 30
    )


def ours(folder: Path, steps: int) -> dict[str, Any]:
    from bonito_local.training.run import Progress, train
    from bonito_local.training.watch import read_log

    stamps: list[tuple[float, float]] = []

    def notify(progress: Progress) -> None:
        if progress.phase == "training":
            stamps.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as out:
        config = replace(settings(folder, steps), output=Path(out) / "adapter")
        train(config, notify=notify)
        losses = [line["loss"] for line in read_log(config.output) if line["step"] % 10 == 0]
        record = json.loads((config.output / "training.json").read_text())
    way = {key: record[key] for key in ("weights", "checkpointing")}
    return {**spent(stamps), "losses": losses, **way}


def spent(stamps: list[tuple[float, float]]) -> dict[str, float]:
    """Seconds from the end of the first step to the last, by the clock and by the processor."""
    (wall, busy), (wall_end, busy_end) = stamps[0], stamps[-1]
    return {"wall": wall_end - wall, "processor": busy_end - busy}


def trainer(folder: Path, steps: int, batch: int) -> dict[str, Any]:
    """transformers' Trainer, with rows in our order, so that each step has the same 16."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        BitsAndBytesConfig,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    cuda = torch.cuda.is_available()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        dtype=torch.bfloat16,
        device_map={"": "cuda" if cuda else "cpu"},
    )
    model.requires_grad_(False)
    model.enable_input_require_grads()
    torch.manual_seed(0)
    lora = LoraConfig(
        r=64, lora_alpha=4, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, lora)
    stamps: list[tuple[float, float]] = []

    class Stamp(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            stamps.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=16 // batch,
            max_steps=steps,
            optim="paged_adamw_32bit",
            learning_rate=1e-4,
            lr_scheduler_type="linear",
            weight_decay=0.0,
            max_grad_norm=0.3,
            bf16=True,
            gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            use_cpu=not cuda,
        )
        run = Trainer(
            model=model,
            args=arguments,
            train_dataset=ordered(folder, steps),
            data_collator=DataCollatorForSeq2Seq(tokenizer),
            callbacks=[Stamp()],
        )
        run.train()
    each = [line["loss"] for line in run.state.log_history if "loss" in line]
    losses = [statistics.mean(each[at : at + 10]) for at in range(0, steps - steps % 10, 10)]
    memory = torch.cuda.max_memory_allocated() if cuda else 0
    return {**spent(stamps), "losses": losses, "memory": memory}


def ordered(folder: Path, steps: int) -> list[dict[str, list[int]]]:
    """Rows as the Trainer takes them, in the order of our steps."""
    from bonito_local.backends.transformers.texts import Texts
    from bonito_local.training.order import Order
    from bonito_local.training.rows import read_pairs

    texts = Texts(folder)
    rows = []
    for prompt, output in read_pairs([folder / "rows.jsonl"], "bonito"):
        begun, ended = texts.encode_all([prompt, output])
        begun, ended = [*texts.bos, *begun], [*ended, texts.eos]
        ids, labels = begun + ended, [-100] * len(begun) + ended
        rows.append({"input_ids": ids, "labels": labels, "attention_mask": [1] * len(ids)})
    order = Order([len(row["input_ids"]) for row in rows], 16, 0)
    return [rows[at] for step in range(steps) for at in order.groups(step)]


def child(what: str, folder: Path, steps: int) -> dict[str, Any]:
    command = [sys.executable, str(HERE), "--child", what, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--steps", str(steps)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=21)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", choices=list(SHAPES), default="tiny")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, _, batch = args.child.partition(":")
        found = (
            ours(args.folder, args.steps)
            if kind == "ours"
            else trainer(args.folder, args.steps, int(batch))
        )
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        make(folder, args.shape, 16 * args.steps)
        rows = ordered(folder, args.steps)
        tokens = sum(len(row["input_ids"]) for row in rows[16:])
        print(f"{len(rows)} rows, {tokens} tokens timed, {tokens / len(rows[16:]):.0f} a row")
        ratios = []
        for number in range(1, args.rounds + 1):
            found = {
                what: child(what, folder, args.steps)
                for what in ("ours", "trainer:1", "trainer:16")
            }
            clock = "processor" if not found["trainer:1"]["memory"] else "wall"
            speed = {what: tokens / one[clock] for what, one in found.items()}
            ratios.append(speed["ours"] / max(speed["trainer:1"], speed["trainer:16"]))
            told = ", ".join(f"{what} {value:.0f}" for what, value in speed.items())
            print(f"round {number}: tokens a {clock} second {told}; ratio {ratios[-1]:.2f}")
            report(found, args.shape, folder, speed["ours"])
        print(f"median ratio {statistics.median(ratios):.2f} (goal 1.5)")


def report(found: dict[str, dict[str, Any]], shape: str, folder: Path, speed: float) -> None:
    """Losses side by side; on a GPU memory, and the share of its peak."""
    for what, one in found.items():
        losses = ", ".join(f"{loss:.4f}" for loss in one["losses"])
        print(f"  {what}: {one['wall']:.1f} s by the clock, losses {losses}")
    pairs = zip(found["ours"]["losses"], found["trainer:16"]["losses"], strict=True)
    print(f"  largest difference {max(abs(a - b) for a, b in pairs):.4f}")
    mine = found["ours"]
    print(f"  ours: weights {mine['weights']}, checkpointing {mine['checkpointing']}")
    if shape == "mistral4":
        from bonito_local.training.plan import flops, shape_of

        done = speed * flops(shape_of(folder), settings(folder, 1), False)
        print(f"  {done / 1e12:.1f} TFLOP/s; Trainer's memory {found['trainer:16']['memory']}")


if __name__ == "__main__":
    main()
