"""Measures a GGUF generator on passages it never saw: what parses, what is quoted, what agrees.

Greedy, through the product's own llama.cpp backend, on SQuAD dev paragraphs cut by the
product's own splitter to the model's passage length.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import string
from collections import Counter
from itertools import islice
from pathlib import Path

import sources

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.passages.split import Lengths, split_text
from bonito_local.passages.types import Section, Text
from bonito_local.tasks import CONTEXT, PIPE, format_prompt, parse_completion, task_type

GREEDY = Sampling(temperature=0.0, max_tokens=128)


def complete(backend: LlamaCpp, prompts: list[str]) -> list[str]:
    """Greedy completions, in the order of the prompts."""
    requests = (
        Request(str(i), prompt, GREEDY, (Sample(0, 0),)) for i, prompt in enumerate(prompts)
    )
    done = {int(c.request_id): c.text for c in backend.generate(requests)}
    return [done[i] for i in range(len(prompts))]


def normalize(text: str) -> list[str]:
    """SQuAD's answer normalization: lower case, no punctuation, no articles."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", text).split()


def f1(predicted: str, gold: str) -> float:
    """SQuAD's token F1."""
    one, two = normalize(predicted), normalize(gold)
    shared = sum((Counter(one) & Counter(two)).values())
    return 2 * shared / (len(one) + len(two)) if shared else float(one == two)


def passages(squad_dev: Path, count: int, backend: LlamaCpp, seed: int) -> list[str]:
    """`count` passages from distinct paragraphs drawn at random."""
    limit = int(backend.metadata.get("bonito.passage_tokens", 192))
    paragraphs = list(sources.squad(squad_dev))
    random.Random(seed).shuffle(paragraphs)
    chosen: list[str] = []
    for paragraph in paragraphs:
        text = paragraph.text
        whole = Text(text, (Section(0, 0, len(text)),))
        spans = split_text(whole, backend.count_tokens, Lengths(limit))
        kept = (text[span.start : span.end] for span in spans if not span.left_out)
        chosen += islice(kept, 1)
        if len(chosen) == count:
            break
    return chosen


def measure(backend: LlamaCpp, texts: list[str], task: str, show: int) -> dict[str, float]:
    """Rates over the passages of one task type."""
    kind = task_type(task)
    completions = complete(backend, [format_prompt(kind, t) for t in texts])
    pairs = [parse_completion(c, t) for c, t in zip(completions, texts, strict=True)]
    parsed = [(t, c, p) for t, c, p in zip(texts, completions, pairs, strict=True) if p]
    result: dict[str, float] = {"parsed": len(parsed) / len(texts)}
    if not parsed:
        return result
    if task == "exqa":
        result["verbatim"] = sum(p.response in t for t, _, p in parsed) / len(parsed)
        result["verbatim_of_all"] = sum(p.response in t for t, _, p in parsed) / len(texts)
    if task == "ynqa":
        answers = Counter(p.response.lower().rstrip(".") for _, _, p in parsed)
        result["yes_or_no"] = (answers["yes"] + answers["no"]) / len(parsed)
        result |= {label: answers[label] / len(parsed) for label in ("yes", "no")}
    # The model answers its own question again: the instruction is given, the response is asked.
    asked = [f"{format_prompt(kind, t)}{c.split(PIPE)[0].strip()}\n{PIPE}\n" for t, c, _ in parsed]
    if task == "exqa":
        again = complete(backend, asked)
        scores = [f1(a, p.response) for a, (_, _, p) in zip(again, parsed, strict=True)]
        result["own_answer_f1"] = sum(scores) / len(scores)
    for text, completion, _ in parsed[:show]:
        instruction, response = completion.split(PIPE)
        print(f"--- {task}\n{text}\n>>> {instruction.strip()}\n=== {response.strip()}")
    result["with_passage"] = sum(CONTEXT in c for _, c, _ in parsed) / len(parsed)
    return result


def gold_answers(backend: LlamaCpp, squad_dev: Path, count: int, seed: int) -> float:
    """Token F1 of the model's answers to SQuAD's own questions, in an exqa instruction."""
    limit = int(backend.metadata.get("bonito.passage_tokens", 192))
    rng = random.Random(seed)
    kind, items = task_type("exqa"), []
    for paragraph in sources.squad(squad_dev):
        if paragraph.questions and backend.count_tokens(paragraph.text) <= limit:
            items.append((paragraph.text, rng.choice(paragraph.questions)))
    items = rng.sample(items, min(count, len(items)))
    ask = f"{CONTEXT}\n\nUsing only the text above, answer this question: "
    prompts = [f"{format_prompt(kind, t)}{ask}{q.text}\n{PIPE}\n" for t, q in items]
    answers = complete(backend, prompts)
    scores = [f1(a, q.answer) for a, (_, q) in zip(answers, items, strict=True)]
    return sum(scores) / max(1, len(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=500)
    parser.add_argument("--tasks", default="exqa,ynqa")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="rows of each task type to print")
    args = parser.parse_args()
    squad_dev = args.data_dir / "train/squad-dev-v1.1.json"
    backend = LlamaCpp(args.model)
    texts = passages(squad_dev, args.passages, backend, args.seed)
    results: dict[str, object] = {"model": args.model.name, "passages": len(texts)}
    for task in args.tasks.split(","):
        results[task] = measure(backend, texts, task, args.show)
    results["squad_dev_f1"] = gold_answers(backend, squad_dev, args.passages, args.seed)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
