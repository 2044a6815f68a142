"""Rows that the model writes itself and that its passage confirms, for a second adapter.

Rejection sampling: a released GGUF draws completions on training passages, and only what a
look at the passage can confirm is kept. Training on these teaches nothing about the world; it
moves the model towards the questions that it can ask and answer without a slip.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import corpus
from mix import CONTEXT
from sources import Paragraph, sentences

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.passages.split import split_text
from bonito_local.passages.types import Section, Text
from bonito_local.tasks import PIPE, Pair, format_prompt, parse_completion, task_type

SAMPLES = {"exqa": 4, "ynqa": 2}
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=96)
_FILLER = frozenset(
    "a an the of in on at to for by with from and or as is are was were be been do does did has "
    "have had what who whom whose when where which why how many much it its that this yes no "
    "name kind there not must can will may should would could question answer".split()
)


def content_words(text: str) -> list[str]:
    """Words that carry meaning, cut to their first five letters."""
    return [w[:5] for w in re.findall(r"[\w']+", text.lower()) if w not in _FILLER]


def question_of(pair: Pair) -> str | None:
    """The question that ends an instruction of this recipe's templates, if one does."""
    line = pair.instruction.rstrip().rsplit("\n", 1)[-1].removesuffix("Yes or no?").strip()
    text = re.split(r"(?:[Qq]uestion:|span of the text\.|yes or no:)", line)[-1].strip()
    return text if text.endswith("?") and text.count("?") == 1 else None


def missing_words(question: str, response: str, passage: str) -> int | None:
    """Fewest words of the question that a sentence holding the response lacks, in their order."""
    asked = content_words(question)
    if not 3 <= len(asked) <= 20:
        return None
    counts = [
        len(asked) - common(asked, content_words(sentence))
        for sentence in sentences(passage)
        if response in sentence
    ]
    return min(counts, default=None)


def stated(question: str, passage: str) -> bool:
    """Whether the passage says what a yes-no question asks, word for word.

    "Was the notice sent?" is "the notice was sent", with the first word moved to its place.
    """
    first, *rest = words(question)
    held = f" {' '.join(words(passage))} "
    said = (" ".join([*rest[:i], first, *rest[i:]]) for i in range(1, len(rest)))
    return len(rest) >= 4 and any(f" {text} " in held for text in said)


def words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def common(one: list[str], two: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(two) + 1)
    for word in one:
        above = row[:]
        for i, other in enumerate(two):
            row[i + 1] = above[i] + 1 if word == other else max(above[i + 1], row[i])
    return row[-1]


def confirmed(pair: Pair, task: str, passage: str) -> bool:
    """Whether the passage shows that the row is sound.

    exqa: a short span that the question does not hold, in a sentence with all of its words.
    ynqa: a yes, and a sentence that says just that. A no cannot be confirmed so: the rules'
    rows, which change one fact of a sentence, have to balance these.
    """
    question, response = question_of(pair), pair.response
    if question is None:
        return False
    if task == "ynqa":
        return response == "yes" and stated(question, passage)
    return (
        0 < len(response.split()) <= 14
        and re.search(rf"(?<!\w){re.escape(response)}(?!\w)", passage) is not None
        and response.lower() not in question.lower()
        and missing_words(question, response, passage) == 0
    )


def passages(prose: list[Paragraph], backend: LlamaCpp, rng: random.Random) -> Iterator[str]:
    """Pieces of random paragraphs, cut as the product cuts documents."""
    limit = int(backend.metadata["bonito.passage_tokens"])
    while True:
        text = rng.choice(prose).text
        spans, _ = split_text(Text(text, (Section(0, 0, len(text)),)), backend.count_tokens, limit)
        if spans:
            span = rng.choice(spans)
            yield text[span.start : span.end]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    prose = corpus.load(args.data_dir)[0].prose
    backend = LlamaCpp(args.model)
    texts: dict[str, str] = {}
    over = time.monotonic() + 60 * args.minutes

    def requests() -> Iterator[Request]:
        for number, text in enumerate(passages(prose, backend, rng)):
            if time.monotonic() > over:
                return
            for task, n in SAMPLES.items():
                name = f"{task} {number}"
                texts[name] = text
                samples = tuple(Sample(i, rng.randrange(2**31)) for i in range(n))
                yield Request(name, format_prompt(task_type(task), text), SAMPLING, samples)

    counts: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    with args.out.open("w") as file:
        for completion in backend.generate(requests()):
            task, passage = completion.request_id.split()[0], texts[completion.request_id]
            pair = parse_completion(completion.text, passage)
            counts[f"{task} drawn"] += 1
            counts[f"{task} parsed"] += pair is not None
            if pair is None or not confirmed(pair, task, passage):
                continue
            instruction = completion.text.split(PIPE)[0].strip()
            if CONTEXT not in instruction or (passage, instruction) in seen:
                continue
            seen.add((passage, instruction))
            counts[f"{task} confirmed"] += 1
            line = {
                "input": format_prompt(task_type(task), passage),
                "output": f"{instruction}\n{PIPE}\n{pair.response}",
                "task_type": task,
                "source": "confirmed",
            }
            print(json.dumps(line, ensure_ascii=False), file=file)
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
