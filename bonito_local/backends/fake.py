"""A backend without a model: the same well-formed rows every time, for users' tests."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bonito_local.backends.base import Completion, FinishReason, Plan, Request, Sample, too_long
from bonito_local.tasks import PIPE

_PROMPT = re.compile(r"<\|tasktype\|>\n(.*?)\n<\|context\|>\n(.*)\n<\|task\|>\n", re.DOTALL)
_LONG = 6  # letters
_TOKEN = re.compile(r"\S+\s*")
# Instruction and response by task type; else words of the passage are asked for.
_FORMS = {
    "yes-no question answering": ("Does the passage mention {span}?", "{label}"),
    "natural language inference": ("Does it follow that there is {span}?", "{label}"),
    "textual entailment": ("Does it follow that there is {span}?", "{label}"),
    "paraphrase identification": ("Is {span} a way to say it all?", "{label}"),
    "word sense disambiguation": ("Is the sense the same from word {at} on?", "{label}"),
    "topic classification": ("What is it about from word {at} on?", "the agreement"),
    "sentiment": ("Is {span} positive or negative?", "negative"),
    "question generation": ("Write a question.", "Is it {span}?"),
    "multiple-choice question answering": ("What is there?\n- {span}\n- else", "{span}"),
}


def open_planned(model: Path, plan: Plan) -> Fake:
    """Open the fake, whatever the plan."""
    del plan
    return Fake(model)


class Fake:
    """Answers a Bonito prompt with a question about words drawn from its passage.

    A sample's answer depends on its prompt and seed alone. A token is a word. Other
    prompts are answered about their whole text.
    """

    name = "fake"

    def __init__(self, model: Path | None = None, *, context_length: int = 2048) -> None:
        del model  # any path opens
        self.context_length = context_length
        self.metadata: dict[str, str] = {}

    def count_tokens(self, text: str) -> int:
        """Number of words in `text`."""
        return len(_TOKEN.findall(text))

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion, in the order asked."""
        for request in requests:
            for sample in request.samples:
                yield self._complete(request, sample)

    def close(self) -> None:
        """Nothing to free."""

    def _complete(self, request: Request, sample: Sample) -> Completion:
        asked = self.count_tokens(request.prompt)
        if asked + 1 > self.context_length:
            return too_long(request, sample.index, asked, self.context_length)
        text = _answer(request.prompt, sample.seed)
        for stop in request.sampling.stop:
            text = text.split(stop)[0]
        tokens = _TOKEN.findall(text)
        kept = tokens[: min(request.sampling.max_tokens, self.context_length - asked)]
        finish: FinishReason = "stop" if len(kept) == len(tokens) else "length"
        return Completion(request.id, sample.index, "".join(kept), asked, len(kept), finish)


def _answer(prompt: str, seed: int) -> str:
    found = _PROMPT.search(prompt)
    task, passage = found.groups() if found else ("", prompt)
    # A string seeds the same generator in every process, unlike hash().
    rng = random.Random(f"{seed}\n{prompt}")
    words = passage.split() or ["nothing"]
    # Two words or more: one alone may be a number, and its own place. The last is no article.
    start = rng.randrange(max(1, len(words) - 1))
    end = start + rng.randint(2, 4)
    while end < len(words) and len(words[end - 1]) < _LONG:
        end += 1
    span = " ".join(words[start:end])
    asked, said = _FORMS.get(task, ("Which words stand from word {at} on?", "{span}"))
    label = rng.choice(("yes", "no"))
    parts = {"at": start, "span": span, "label": label}
    return f"{asked.format(**parts)}\n{PIPE}\n{said.format(**parts)}"
