"""Measures a Bonito GGUF on SQuAD dev, which it never saw: form, labels, variety and answers.

Rows are drawn as the product draws them by default. The answers to SQuAD's own questions are
drawn greedily, in one of the mix's instructions.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

import sources
from evaluate import f1
from mixture import TEMPLATES

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.passages.split import Lengths, split_text
from bonito_local.passages.types import Section, Text
from bonito_local.tasks import CONTEXT, PIPE, format_prompt, parse_completion, task_type

LABELS = {
    "ynqa": ("yes", "no"),
    "te": ("yes", "no"),
    "paraphrase_id": ("yes", "no"),
    "nli": ("entailment", "contradiction", "neutral"),
    "sentiment": ("positive", "negative"),
}


def complete(engine: LlamaCpp, prompts: list[str], sampling: Sampling) -> list[str]:
    """Return a completion of each prompt, in order."""
    requests = (
        Request(str(at), prompt, sampling, (Sample(0, at),)) for at, prompt in enumerate(prompts)
    )
    done = {int(c.request_id): c.text for c in engine.generate(requests)}
    return [done[at] for at in range(len(prompts))]


def passages(paragraphs: list[sources.Paragraph], count: int, engine: LlamaCpp) -> list[str]:
    """Return the first passage of each of `count` paragraphs, as the product splits them."""
    limit = int(engine.metadata.get("bonito.passage_tokens", 192))
    drawn: list[str] = []
    for paragraph in paragraphs[:count]:
        text = paragraph.text
        spans = split_text(
            Text(text, (Section(0, 0, len(text)),)), engine.count_tokens, Lengths(limit)
        )
        drawn += islice((text[s.start : s.end] for s in spans if not s.left_out), 1)
    return drawn


def measure(engine: LlamaCpp, texts: list[str], task: str) -> dict[str, float]:
    """Return rates over one task type's completions."""
    completions = complete(engine, [format_prompt(task_type(task), t) for t in texts], Sampling())
    pairs = [parse_completion(c, t) for c, t in zip(completions, texts, strict=True)]
    parsed = [(t, c, p) for t, c, p in zip(texts, completions, pairs, strict=True) if p]
    instructions = Counter(c.split(PIPE)[0].strip() for _, c, _ in parsed)
    result = {
        "parsed": len(parsed) / len(texts),
        "distinct": len(instructions) / max(1, len(parsed)),
    }
    if task == "exqa":
        result["verbatim"] = sum(p.response in t for t, _, p in parsed) / max(1, len(parsed))
    for label in LABELS.get(task, ()):
        share = sum(p.response == label for _, _, p in parsed) / max(1, len(parsed))
        result[label] = share
    return {name: round(value, 3) for name, value in result.items()}


def squad_f1(engine: LlamaCpp, paragraphs: list[sources.Paragraph], count: int) -> float:
    """Return the mean token F1 of answers to SQuAD's own questions."""
    rng = Random(1)
    limit = int(engine.metadata.get("bonito.passage_tokens", 192))
    fitting = [p for p in paragraphs if p.questions and engine.count_tokens(p.text) <= limit]
    asked = [(p.text, rng.choice(p.questions)) for p in fitting[:count]]
    ask = TEMPLATES["exqa"][0]
    kind = task_type("exqa")
    prompts = [f"{format_prompt(kind, t)}{ask.replace('{q}', q.text)}\n{PIPE}\n" for t, q in asked]
    assert ask.startswith(CONTEXT)
    answers = complete(engine, prompts, Sampling(temperature=0.0, max_tokens=48))
    scores = [f1(a, q.answer) for a, (_, q) in zip(answers, asked, strict=True)]
    return sum(scores) / max(1, len(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=500)
    parser.add_argument("--tasks", default="exqa,ynqa")
    args = parser.parse_args()
    paragraphs = list(sources.squad(args.data_dir / "train/squad-dev-v1.1.json"))
    Random(0).shuffle(paragraphs)
    results: dict[str, object] = {"model": args.model.name}
    with closing(LlamaCpp(args.model)) as engine:
        texts = passages(paragraphs, args.passages, engine)
        results["passages"] = len(texts)
        for task in args.tasks.split(","):
            results[task] = measure(engine, texts, task)
        results["squad_dev_f1"] = round(squad_f1(engine, paragraphs, args.passages), 3)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
