"""Preference training on the model's own completions, judged by their passage alone.

The last step of the recipe. Each round draws completions on training passages from the GGUF of
the round before, greedy and sampled, and pairs a sound one with a faulty one of the same prompt:
faulty is what does not parse, does not quote its passage, or holds its own answer. The adapter
then learns to prefer the first (direct preference optimization, arXiv 2305.18290), with the
likelihood of the sound completion and rows of the mix held up beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import corpus
import torch
from export import METADATA
from judge import GRAVE, cut_to_span, fault, severity
from mix import WEIGHTS
from peft import set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from sources import Paragraph
from torch.nn import functional as F

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.transformers.texts import Texts
from bonito_local.convert.pipeline import convert
from bonito_local.passages.split import Lengths, split_text
from bonito_local.passages.types import Section, Text
from bonito_local.tasks import PIPE, format_prompt, task_type
from bonito_local.training.batches import Batch, Example, collate
from bonito_local.training.checkpoint import paged_adamw
from bonito_local.training.config import TrainConfig
from bonito_local.training.model import load, save_adapter, trained
from bonito_local.training.rows import read_pairs

GREEDY = Sampling(temperature=0.0, max_tokens=80)
SAMPLED = Sampling(temperature=0.8, top_p=0.95, max_tokens=80)
DRAWS = {"exqa": 4, "ynqa": 4}
OTHERS = tuple(task for task in WEIGHTS if task not in DRAWS)
PAIRS, ANCHORS = 8, 8
LENGTHS = (160, 192, 224)


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt's sound and faulty completion, tokenized, and their log-odds before the round."""

    sound: Example
    faulty: Example
    odds: float = 0.0


def passages(prose: list[Paragraph], backend: LlamaCpp, rng: random.Random) -> Iterator[str]:
    """Pieces of random paragraphs, cut as the product cuts documents."""
    limit = int(backend.metadata["bonito.passage_tokens"])
    while True:
        text = rng.choice(prose).text
        whole = Text(text, (Section(0, 0, len(text)),))
        spans = list(split_text(whole, backend.count_tokens, Lengths(limit)))
        kept = [text[span.start : span.end] for span in spans if not span.left_out]
        if kept:
            yield rng.choice(kept)


def draw(
    model: Path, prose: list[Paragraph], count: int, rng: random.Random
) -> Iterator[dict[str, str | None]]:
    """Completions of `count` passages: {task, how, passage, completion, fault}."""
    backend = LlamaCpp(model)
    texts = [text for text, _ in zip(passages(prose, backend, rng), range(count), strict=False)]

    def requests() -> Iterator[Request]:
        for number, text in enumerate(texts):
            for task, n in (DRAWS | {rng.choice(OTHERS): 2}).items():
                prompt = format_prompt(task_type(task), text)
                yield Request(f"{task} {number} greedy", prompt, GREEDY, (Sample(0, 0),))
                samples = tuple(Sample(i, rng.randrange(2**31)) for i in range(n))
                yield Request(f"{task} {number} drawn", prompt, SAMPLED, samples)

    for completion in backend.generate(requests()):
        task, number, how = completion.request_id.split()
        text = texts[int(number)]
        ended = completion.finish_reason == "stop"
        wrong = fault(completion.text, task, text) if ended else "endless"
        yield {
            "task": task,
            "how": how,
            "passage": text,
            "completion": completion.text,
            "fault": wrong,
        }
    backend.close()


def paired(rows: list[dict[str, Any]], rng: random.Random) -> list[dict[str, str]]:
    """The best and the worst of each prompt, where they differ: {input, sound, faulty}.

    A greedy one comes before the samples: it is what the model does when asked. Yes-no questions
    are paired by their answer too, as often as brings both answers to a half, or the model learns
    that one is safe. A response that leaves the passage makes a second pair, with itself as far
    as it quotes.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["task"], row["passage"]].append(row)
    greedy = Counter(answer(r) for r in rows if r["task"] == "ynqa" and r["how"] == "greedy")
    rare, common = sorted(("yes", "no"), key=lambda label: greedy[label])
    excess = 1 - 2 * greedy[rare] / max(1, greedy["yes"] + greedy["no"])
    pairs = []

    def pair(task: str, passage: str, good: str, bad: str) -> None:
        prompt = format_prompt(task_type(task), passage)
        pairs.append({"input": prompt, "sound": good, "faulty": bad})

    for (task, passage), some in found.items():
        some.sort(key=lambda r: (r["how"] != "greedy", rng.random()))
        good = min(some, key=lambda r: severity(r["fault"]))
        bad = max(some, key=lambda r: severity(r["fault"]))
        worst = severity(bad["fault"])
        if severity(good["fault"]) < worst and (worst == GRAVE or task == "exqa"):
            pair(task, passage, good["completion"], bad["completion"])
        if task == "exqa":
            left = [r["completion"] for r in some if r["fault"] == "not verbatim"]
            cuts = [(cut, whole) for whole in left if (cut := cut_to_span(whole, passage))]
            for cut, whole in cuts[:1]:
                pair(task, passage, cut, whole)
        if task == "ynqa" and rng.random() < excess:
            by_answer = {answer(r): r["completion"] for r in reversed(some) if not r["fault"]}
            if len(by_answer) == 2:
                pair(task, passage, by_answer[rare], by_answer[common])
    return pairs


def answer(row: dict[str, Any]) -> str:
    """The response of a completion."""
    return str(row["completion"]).rpartition(PIPE)[2].strip()


def scores(model: Any, batch: Batch, count: int) -> torch.Tensor:
    """Log-probabilities (count,) of the batch's targets, summed by sequence."""
    body = model.get_base_model()
    states = body.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    picked = states.reshape(-1, states.shape[-1])[batch.positions]
    losses = F.cross_entropy(body.lm_head(picked).float(), batch.labels, reduction="none")
    return torch.zeros(count).index_add(0, batch.positions // batch.ids.shape[1], -losses)


def padded(examples: list[Example], eos: int) -> Batch:
    longest = max(len(e.ids) for e in examples)
    return collate(examples, next(n for n in LENGTHS if n >= longest), eos)


class Learner:
    """The adapter, its optimizer, and the mix that is held up beside the pairs."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        config = TrainConfig("bonito", args.base, args.rows, args.out, rank=32, alpha=32)
        self.model = load(config, "cpu", "bf16", checkpointing=False)
        self.texts = Texts(args.base)
        set_peft_model_state_dict(self.model, load_file(args.adapter / "adapter_model.safetensors"))
        self.eos = self.texts.eos
        self.named: dict[str, Any] = dict(trained(self.model))
        self.masters = {n: p.detach().float().clone() for n, p in self.named.items()}
        self.optimizer = paged_adamw(list(self.masters.values()), args.learning_rate)
        rng = random.Random(args.seed)
        texts = [pair for pair in read_pairs([args.rows], "bonito") if pair[1]]
        rows = [self.example(*pair) for pair in rng.sample(texts, min(len(texts), 8_000))]
        self.anchors = cycle([row for row in rows if len(row.ids) <= LENGTHS[-1]])

    def example(self, prompt: str, output: str) -> Example:
        """BOS + prompt + output + EOS; the loss sees the output and EOS."""
        begun, ended = self.texts.encode_all([prompt, output])
        ids = [*self.texts.bos, *begun, *ended, self.eos]
        return Example(ids, range(len(ids) - len(ended) - 1, len(ids)))

    def pairs(self, rows: list[dict[str, str]]) -> list[Pair]:
        """Tokenize, leave out what is too long, and add the log-odds of now."""
        pairs: list[Pair] = []
        for row in rows:
            good = self.example(row["input"], row["sound"])
            bad = self.example(row["input"], row["faulty"])
            # A loop tells as much by its first turns; one that was cut off had no EOS.
            if len(bad.targets) > 72:
                bad = Example(bad.ids[: bad.targets[0] + 72], bad.targets[:72])
            if max(len(good.ids), len(bad.ids)) <= LENGTHS[-1]:
                pairs.append(Pair(good, bad))
        pairs.sort(key=lambda pair: max(len(pair.sound.ids), len(pair.faulty.ids)))
        judged: list[Pair] = []
        with torch.no_grad():
            for some in batched(pairs, 2 * PAIRS):
                odds = torch.sub(*self.halves(some)).tolist()
                judged += [replace(p, odds=o) for p, o in zip(some, odds, strict=True)]
        return judged

    def halves(self, pairs: list[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        examples = [p.sound for p in pairs] + [p.faulty for p in pairs]
        both = scores(self.model, padded(examples, self.eos), len(examples))
        return both[: len(pairs)], both[len(pairs) :]

    def learn(self, pairs: list[Pair], steps: int, rng: random.Random) -> dict[str, float]:
        """Take `steps` steps over the pairs; return the means of what was seen."""
        groups = [g for g in batched(pairs, PAIRS) if len(g) == PAIRS]
        seen: dict[str, float] = defaultdict(float)
        if not groups:
            return seen
        order: list[list[Pair]] = []
        for step in range(steps):
            order = order or rng.sample(groups, len(groups))
            group = order.pop()
            good_odds, bad_odds = self.halves(group)
            margin = good_odds - bad_odds - torch.tensor([p.odds for p in group])
            preferred = -F.logsigmoid(self.args.beta * margin).mean()
            likely = -good_odds.sum() / sum(len(p.sound.targets) for p in group)
            rows = [next(self.anchors) for _ in range(ANCHORS)]
            kept = scores(self.model, padded(rows, self.eos), ANCHORS)
            mix = -kept.sum() / sum(len(r.targets) for r in rows)
            loss = preferred + self.args.likelihood * likely + self.args.mix * mix
            loss.backward()
            for name, parameter in self.named.items():
                self.masters[name].grad, parameter.grad = parameter.grad.float(), None
            torch.nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
            rate = self.args.learning_rate * min((step + 1) / 10, 1 - 0.9 * step / steps)
            self.optimizer.param_groups[0]["lr"] = rate
            self.optimizer.step()
            for name, parameter in self.named.items():
                parameter.data.copy_(self.masters[name])
            seen["preferred"] += preferred.item() / steps
            seen["likely"] += likely.item() / steps
            seen["mix"] += mix.item() / steps
            seen["right"] += (margin > 0).float().mean().item() / steps
        return {name: round(value, 4) for name, value in seen.items()}


def merged(base: Path, adapter: Path, out: Path) -> Path:
    """Write base and adapter as the GGUF that ships."""
    out.unlink(missing_ok=True)
    convert(base, out, adapters=[adapter], quant="Q8_0", merge_into="nf4", metadata=METADATA)
    return out


def mean(one: Path, other: Path, out: Path) -> Path:
    """Write the mean of two adapters: what swings from round to round settles between them."""
    out.mkdir(exist_ok=True)
    shutil.copy(other / "adapter_config.json", out)
    first, second = (load_file(a / "adapter_model.safetensors") for a in (one, other))
    tensors = {k: ((first[k].float() + second[k].float()) / 2).to(first[k].dtype) for k in first}
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    return out


def batched(pairs: list[Pair], size: int) -> list[list[Pair]]:
    return [pairs[i : i + size] for i in range(0, len(pairs), size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="the adapter to go on from")
    parser.add_argument("--rows", type=Path, required=True, help="rows of the mix (ctga.py)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passages", type=int, default=600)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--likelihood", type=float, default=1.0)
    parser.add_argument("--mix", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    prose = corpus.load(args.data_dir)[0].prose
    learner = Learner(args)
    current = merged(args.base, args.adapter, args.out / "round-0.gguf")
    held: list[Pair] = []
    for number in range(1, args.rounds + 1):
        begun = time.monotonic()
        kept = args.out / f"drawn-{number}.jsonl"
        if not kept.exists():
            lines = [
                json.dumps(r, ensure_ascii=False) for r in draw(current, prose, args.passages, rng)
            ]
            kept.write_text("\n".join(lines))
        completions = [json.loads(line) for line in kept.read_text().split("\n") if line]
        counts = Counter(f"{r['task']} {r['how']} {r['fault']}" for r in completions)
        rows = paired(completions, rng)
        drawn = time.monotonic()
        fresh = learner.pairs(rows)
        held = sorted(fresh + rng.sample(held, len(held) // 2), key=lambda p: len(p.sound.ids))
        seen = learner.learn(held, args.steps, rng)
        adapter = args.out / f"adapter-{number}"
        save_adapter(learner.model, adapter)
        current = merged(args.base, adapter, args.out / f"round-{number}.gguf")
        line = {"round": number, "pairs": len(fresh), **counts, **seen}
        line |= {
            "draw_seconds": round(drawn - begun),
            "learn_seconds": round(time.monotonic() - drawn),
        }
        with (args.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
    last, before = args.out / f"adapter-{args.rounds}", args.out / f"adapter-{args.rounds - 1}"
    if args.rounds > 1:
        merged(args.base, mean(before, last, args.out / "adapter"), args.out / "bonito-tiny.gguf")


if __name__ == "__main__":
    main()
