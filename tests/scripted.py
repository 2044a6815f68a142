"""An engine that answers without a model, and jobs and passages for it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bonito_local.backends.base import Completion, Request, Sampling
from bonito_local.jobs.spec import JobSpec
from bonito_local.passages.types import Passage
from bonito_local.tasks import PIPE, task_type

Answer = Callable[[Request, int], str]


class Scripted:
    """Answers each sample with a function of its request; counts what it was asked."""

    name = "scripted"
    context_length = 4096

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []
        self.seeds: dict[tuple[str, int], int] = {}

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            for sample in reversed(request.samples):
                self.asked.append((request.id, sample.index))
                self.seeds[request.id, sample.index] = sample.seed
                text = self.answer(request, sample.index)
                yield Completion(request.id, sample.index, text, 10, 5, "stop")

    def close(self) -> None:
        return


def unique(request: Request, sample: int) -> str:
    """An answer that parses, passes the checks and is like no other."""
    return f"Is this row {sample} of {request.id}?{PIPE}yes"


def passages(count: int, start: int = 0) -> list[Passage]:
    """Distinct passages of one document."""
    return [
        Passage(f"Passage number {i}.", "doc.txt", "ab" * 32, None, 20 * i, 20 * i + 18)
        for i in range(start, start + count)
    ]


def spec(tasks: str = "ynqa", **sampling: float) -> JobSpec:
    """A job of the tasks named."""
    types = tuple(task_type(name) for name in tasks.split(","))
    drawn = replace(Sampling(), **sampling)  # type: ignore[arg-type]
    return JobSpec(types, drawn, "tiny", "cd" * 32, "scripted", 64)
