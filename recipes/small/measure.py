"""Measures a GGUF of bonito-small on SQuAD dev, which it never saw.

It writes a row for a sentence of each passage and then reads its own question: what parses, what
is quoted from the sentence, and what comes out the same again. It also answers SQuAD's own
questions. All is drawn greedily.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import outputs
import sources
from evaluate import f1
from windows import Passage, cut, is_evidence

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp

_GREEDY = Sampling(temperature=0.0, max_tokens=96)
_EXQA = {"Answer", "Question"}
_SAME = 0.8  # F1 of two answers that say the same


def complete(engine: LlamaCpp, prompts: Sequence[str]) -> list[str]:
    """Return a completion of each prompt, in order."""
    requests = (
        Request(str(at), prompt, _GREEDY, (Sample(0, at),)) for at, prompt in enumerate(prompts)
    )
    done = {int(c.request_id): c.text for c in engine.generate(requests)}
    return [done[at] for at in range(len(prompts))]


def read(engine: LlamaCpp, asked: Sequence[tuple[str, str]]) -> list[str]:
    """Return the model's answers to questions, each on a text."""
    begun = [outputs.prompt(t) + outputs.begun("answer", Question=q) for t, q in asked]
    return [outputs.parse(text).get("Answer", "") for text in complete(engine, begun)]


def extractive(engine: LlamaCpp, chosen: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Return rates over rows that the model writes, each for a sentence of a text."""
    begun = [outputs.prompt(t) + outputs.begun("exqa", Sentence=s) for t, s in chosen]
    rows = [outputs.parse(text) for text in complete(engine, begun)]
    whole = [(*c, row) for c, row in zip(chosen, rows, strict=True) if row.keys() == _EXQA]
    answers = read(engine, [(text, row["Question"]) for text, _, row in whole])
    quoted = sum(row["Answer"] in sentence for _, sentence, row in whole)
    same = sum(f1(a, row["Answer"]) >= _SAME for a, (_, _, row) in zip(answers, whole, strict=True))
    return {
        "parsed": len(whole) / max(1, len(chosen)),
        "quoted": quoted / max(1, len(whole)),
        "read_the_same": same / max(1, len(whole)),
    }


def yes_no(engine: LlamaCpp, chosen: Sequence[tuple[str, str]], label: str) -> dict[str, float]:
    """Return rates over yes-no questions that the model writes for one answer."""
    begun = [outputs.prompt(t) + outputs.begun("ynqa", Sentence=s, Answer=label) for t, s in chosen]
    rows = [outputs.parse(text) for text in complete(engine, begun)]
    asked = [
        (t, row["Question"]) for (t, _), row in zip(chosen, rows, strict=True) if "Question" in row
    ]
    same = sum(answer == label for answer in read(engine, asked))
    return {
        "parsed": len(asked) / max(1, len(chosen)),
        "read_the_same": same / max(1, len(asked)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=500)
    args = parser.parse_args()
    rng = Random(0)
    paragraphs = list(sources.squad(args.data_dir / "train/squad-dev-v1.1.json"))
    rng.shuffle(paragraphs)
    passages: list[Passage] = [p for p in (cut(p, rng) for p in paragraphs) if p is not None]
    passages = passages[: args.passages]
    chosen = [
        (passage.text, rng.choice(sentences))
        for passage in passages
        if (sentences := [s for s in passage.sentences if is_evidence(s)])
    ]
    asked = [(p.text, rng.choice(p.asked)) for p in passages if p.asked]
    with closing(LlamaCpp(args.model)) as engine:
        results: dict[str, dict[str, float]] = {
            "exqa": extractive(engine, chosen),
            "yes": yes_no(engine, chosen, "yes"),
            "no": yes_no(engine, chosen, "no"),
        }
        answers = read(engine, [(text, a.question) for text, a in asked])
    scores = [f1(answer, a.answer) for answer, (_, a) in zip(answers, asked, strict=True)]
    results["squad_dev"] = {"questions": len(asked), "f1": sum(scores) / max(1, len(scores))}
    rounded = {task: {k: round(v, 3) for k, v in r.items()} for task, r in results.items()}
    print(json.dumps({"model": args.model.name, "passages": len(passages), **rounded}, indent=1))


if __name__ == "__main__":
    main()
