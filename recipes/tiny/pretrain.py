"""Pre-trains bonito-tiny's base model from nothing on a CPU.

Three kinds of sequence: copying drills (what makes a small model quote), plain text, and
readings (a passage with a question or statement in plain words, not in Bonito's format).
The share of each changes over the run. The learning rate follows elapsed time, so that
`--minutes` is what the run takes on any machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import corpus
import torch
from induction import write_induction
from mix import CONTEXT, Mixer
from sources import Paragraph
from tokenizer import BOS_ID, EOS_ID, train
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import MistralConfig, MistralForCausalLM
from unpack import unpack

from bonito_local.tasks import task_type
from bonito_local.training import attention
from bonito_local.training.batches import Batch, Example, bucketed

VOCABULARY = 4096
SECOND_CYCLE = 2 / 3  # of the time
BUCKETS = (96, 128, 192, 256)  # tokens per sequence
CONFIG = MistralConfig(
    vocab_size=VOCABULARY,
    hidden_size=384,
    intermediate_size=1024,
    num_hidden_layers=6,
    num_attention_heads=6,
    num_key_value_heads=2,
    max_position_embeddings=1024,
    sliding_window=None,
    tie_word_embeddings=True,
    bos_token_id=0,
    eos_token_id=1,
    attn_implementation=attention.NAME,
)


def copying(rng: random.Random) -> Example:
    """Random tokens, then spans of them in any order: each is found by what stood before it."""
    segment = [rng.randrange(2, VOCABULARY) for _ in range(rng.randint(16, 90))]
    ids = [BOS_ID, *segment]
    targets: list[int] = []
    while len(ids) < 192:
        start = rng.randrange(len(segment) - 6)
        span = segment[start : start + rng.randint(6, 20)]
        targets += range(len(ids) + 1, len(ids) + len(span))
        ids += span
    return Example(ids[:192], [t for t in targets if t < 192])


def plain(paragraphs: list[Paragraph], tokenizer: Tokenizer, rng: random.Random) -> Example:
    """A stretch of 256 tokens of one source; the loss sees every token."""
    at, ids = rng.randrange(len(paragraphs)), [BOS_ID]
    while len(ids) < 256 and at < len(paragraphs):
        text = paragraphs[at].text + "\n"
        ids += tokenizer.encode(text, add_special_tokens=False).ids
        at += 1
    ids = ids[:256]
    return Example(ids, list(range(1, len(ids))))


def readings(
    mixer: Mixer, tokenizer: Tokenizer, rng: random.Random, done: Callable[[], float]
) -> Iterator[Example]:
    """Passage, then question and answer in plain words; a quarter of the passage is learned too.

    In the second cycle the task's name stands above the passage, and questions are mostly
    the rules': they quote, where people's questions paraphrase beyond a small model's means.
    """
    rows = mixer.rows()
    while True:
        second = done() >= SECOND_CYCLE
        mixer.human_share = 0.1 if second else 0.65
        row = next(rows)
        question = row.instruction.replace(CONTEXT, "").strip()
        head = f"{task_type(row.task).name}\n\n" if second else ""
        encode = [
            tokenizer.encode(text, add_special_tokens=False).ids
            for text in (f"{head}{row.passage}\n\n", f"{question}\n{row.response}")
        ]
        ids = [BOS_ID, *encode[0], *encode[1], EOS_ID]
        start = len(encode[0]) + 1
        passage = [t for t in range(1, start) if rng.random() < 0.25]
        yield Example(ids, passage + list(range(start, len(ids))))


def mixture(
    mixer: Mixer,
    texts: dict[str, list[Paragraph]],
    tokenizer: Tokenizer,
    rng: random.Random,
    done: Callable[[], float],
) -> Iterator[Example]:
    """Draw kinds of sequence by the shares in force now (see `shares_at`)."""
    read = readings(mixer, tokenizer, rng, done)
    domains = [p for k in ("policies", "tatqa", "scitldr", "legal") for p in texts[k]]
    while True:
        kind = rng.choices(("copy", "text", "read"), shares_at(done()))[0]
        if kind == "copy":
            yield copying(rng)
        elif kind == "read":
            yield next(read)
        else:
            pool = rng.choices((texts["wikipedia"], texts["books"], domains), (70, 12, 18))[0]
            yield plain(pool, tokenizer, rng)


def shares_at(done: float) -> tuple[float, float, float]:
    """Shares of copying, plain text and readings when a fraction `done` of the time is over."""
    if done >= SECOND_CYCLE:
        return 0.03, 0.07, 0.9
    return (0.06, 0.34, 0.6) if done < 0.27 else (0.03, 0.17, 0.8)


def loss_of(model: MistralForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy at the target positions only."""
    states = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    picked = states.reshape(-1, states.shape[-1])[batch.positions]
    return F.cross_entropy(model.lm_head(picked).float(), batch.labels)


class Optimizer:
    """Muon for matrices and AdamW for the rest, on float32 masters of bf16 weights."""

    def __init__(self, model: MistralForCausalLM) -> None:
        self.live = list(model.parameters())
        self.master = [p.detach().float().clone().requires_grad_() for p in self.live]
        embedding = model.get_input_embeddings().weight
        matrix = [
            m
            for p, m in zip(self.live, self.master, strict=True)
            if p.ndim == 2 and p is not embedding
        ]
        rest = [
            m for p, m in zip(self.live, self.master, strict=True) if p.ndim != 2 or p is embedding
        ]
        self.parts: tuple[tuple[Any, float], ...] = (
            (torch.optim.Muon(matrix, lr=0.02, momentum=0.95, weight_decay=0.02), 0.02),
            (torch.optim.AdamW(rest, lr=0.0015, betas=(0.9, 0.95), weight_decay=0.0), 0.0015),
        )

    def step(self, scale: float) -> None:
        """Clip to norm 1, step at `scale` x the peak rates, and copy back to bf16."""
        for live, master in zip(self.live, self.master, strict=True):
            master.grad, live.grad = live.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.master, 1.0)
        for part, rate in self.parts:
            part.param_groups[0]["lr"] = rate * scale
            part.step()
        with torch.no_grad():
            for live, master in zip(self.live, self.master, strict=True):
                live.copy_(master)

    def state(self) -> dict[str, Any]:
        return {"master": self.master, "parts": [part.state_dict() for part, _ in self.parts]}

    def load(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for mine, saved in zip(self.master, state["master"], strict=True):
                mine.copy_(saved)
            for live, master in zip(self.live, self.master, strict=True):
                live.copy_(master)
        for (part, _), saved in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(saved)


def rate_at(done: float) -> float:
    """Share of the peak rates: two cycles, each falling linearly to zero at its end."""
    if done >= SECOND_CYCLE:
        return 0.6 * max(0.0, 1 - done) / (1 - SECOND_CYCLE)  # the last step ends after the time
    part = done / SECOND_CYCLE
    return min(1.0, part / 0.01 + 0.05, max(0.0, (1 - part) / 0.4))


def save(model: MistralForCausalLM, out: Path) -> None:
    model.save_pretrained(out)
    config = json.loads((out / "config.json").read_text())
    config.pop("attn_implementation", None)
    (out / "config.json").write_text(json.dumps(config, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=66)
    parser.add_argument("--tokens", type=int, default=6144, help="tokens in a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--start", type=Path, help="go on from a released GGUF, with the second cycle alone"
    )
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    rows, texts = corpus.load(args.data_dir)
    gc.freeze()  # millions of sentences that no collection needs to visit again
    mixer = Mixer(rows, args.seed)
    model = MistralForCausalLM(CONFIG)
    if args.start:
        unpack(args.start, model, args.out)
    else:
        write_induction(model, torch.Generator().manual_seed(args.seed))
        if not (args.out / "tokenizer.json").exists():
            train(tokenizer_texts(mixer, texts, rng), VOCABULARY, args.out)
    tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    model = model.to(torch.bfloat16)
    optimizer = Optimizer(model)
    checkpoint = args.out / "checkpoint.pt"
    spent, tokens, step = 0.0, 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        optimizer.load(state["optimizer"])
        spent, tokens, step = state["spent"], state["tokens"], state["step"]
        rng.seed(args.seed + step)
        mixer.rng.seed(args.seed + step)
    budget: float = args.minutes * 60
    start = saved = time.monotonic()
    begun = spent

    skipped = SECOND_CYCLE if args.start else 0.0

    def done() -> float:
        return skipped + (1 - skipped) * (begun + time.monotonic() - start) / budget

    sequences = mixture(mixer, texts, tokenizer, rng, done)
    total = 0.0
    for batch in bucketed(sequences, BUCKETS, args.tokens, EOS_ID):
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step(rate_at(done()))
        step, tokens, total = step + 1, tokens + batch.ids.numel(), total + loss.item()
        if step % 20 == 0:
            seconds = begun + time.monotonic() - start
            line = {"step": step, "tokens": tokens, "seconds": round(seconds), "loss": total / 20}
            with (args.out / "log.jsonl").open("a") as log:
                print(json.dumps(line), file=log)
            total = 0.0
        over = done() >= 1
        if over or time.monotonic() - saved > 300:
            spent = begun + time.monotonic() - start
            state = {"optimizer": optimizer.state(), "spent": spent, "tokens": tokens, "step": step}
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").rename(checkpoint)
            save(model, args.out)
            saved = time.monotonic()
        if over:
            break


def tokenizer_texts(
    mixer: Mixer, texts: dict[str, list[Paragraph]], rng: random.Random
) -> Iterator[str]:
    """About 30 MB: rows in Bonito's format, Wikipedia, books and the domain texts."""
    from bonito_local.tasks import PIPE, format_prompt, task_type

    read = mixer.rows()
    for _ in range(25_000):
        row = next(read)
        prompt = format_prompt(task_type(row.task), row.passage)
        yield f"{prompt}{row.instruction}\n{PIPE}\n{row.response}"
    for name, count in (("wikipedia", 20_000), ("books", 4_000)):
        yield from (p.text for p in rng.sample(texts[name], min(len(texts[name]), count)))
    for name in ("policies", "tatqa", "scitldr", "legal"):
        yield from (p.text for p in texts[name] * 2)


if __name__ == "__main__":
    main()
