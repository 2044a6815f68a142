"""A look at what a job would make, before it is one: passages as they are split, a few real rows.

`python -m bonito_local.jobs.preview` is a process without network that reads a request from its
input and writes what it finds, a line of JSON each; `look` starts one and reads it. Nothing is
kept on the disk.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bonito_local.backends.base import Backend
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.backends.registry import open_backend
from bonito_local.checks.evaluation import read_evaluation
from bonito_local.child import AnsweringChild
from bonito_local.errors import BonitoError, JobError
from bonito_local.jobs.drawing import results
from bonito_local.jobs.engine import check_engine, engine_plan, give_up_network, settle
from bonito_local.jobs.exchange import Exchange, Manner
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.prompts import BONITO, longest_passage, writer_of
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Pending, Result, place
from bonito_local.models.fit import metadata, untrained_tasks
from bonito_local.passages.discover import TABLES, find_documents
from bonito_local.passages.ocr import check_ocr
from bonito_local.passages.reader import check_lengths, read_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage, Problem
from bonito_local.writing.promptset import read_prompts
from bonito_local.writing.writer import Writer

_PER_DOCUMENT = 3  # passages shown of one, so that several documents are seen
_MOST_PASSAGES = 24
_LONG = 500


@dataclass(frozen=True, slots=True)
class Found:
    """Something the look came upon: `kind` says what, `data` holds its fields.

    Kinds: note (text), passage (text, source, page, heading, tokens), problem (source, title,
    remedy), row (task, passage, outcome, reason, instruction, response, reasoning, completion,
    tokens), end (rows, seconds, density: passages in a byte of a document, by its kind).
    """

    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Whole:
    """A document of so many bytes was read to its end, and had so many passages."""

    kind: str
    bytes: int
    passages: int


class Look:
    """A look under way; iterate over what it finds."""

    def __init__(self, wanted: Generation, rows: int) -> None:
        request = {"wanted": as_json(wanted), "output": str(wanted.output), "rows": rows}
        self._child = AnsweringChild("bonito_local.jobs.preview", request)

    def __iter__(self) -> Iterator[Found]:
        """Yield what is found as it is found.

        Raises:
            BonitoError: nothing, or nothing more, can be shown.
        """
        ended = False
        for answer in self._child.answers():
            found = Found(**answer)
            if found.kind == "error":
                raise JobError(found.data["title"], found.data["remedy"])
            ended = found.kind == "end"
            yield found
        if not ended and self._child.failed():
            raise JobError(
                "The preview ended without a word: its engine crashed.",
                "`bonito-local doctor` checks this installation.",
            )

    def close(self) -> None:
        """End it, however far it is."""
        self._child.close()


def look(wanted: Generation, rows: int = 5) -> Look:
    """Start looking at what `wanted` would make; with 0 rows only at its passages."""
    return Look(wanted, rows)


def main() -> int:
    """Be the process that looks."""
    # Engines print: only what is found goes to the real output.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def tell(kind: str, **data: Any) -> None:
        told.write(json.dumps({"kind": kind, "data": data}) + "\n")
        told.flush()

    request = json.loads(sys.stdin.buffer.read())
    wanted = from_json(request["wanted"], Path(request["output"]))
    try:
        wanted, _ = settle(replace(wanted, cluster=ClusterOptions()))  # a look needs one engine
        give_up_network(wanted)
        for kind, data in find(wanted, request["rows"]):
            tell(kind, **data)
    except BonitoError as error:
        tell("error", title=error.title, remedy=error.remedy)
        return error.exit_code
    return 0


def find(wanted: Generation, rows: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kinds and fields of what is found, in this process.

    Raises:
        BonitoError: nothing, or nothing more, can be shown.
    """
    import time

    yield "note", {"text": f"Loading {wanted.model}"}
    model = check_engine(wanted)
    plan = replace(engine_plan(wanted, model), tune=False)
    with closing(open_backend(wanted.backend, model.file.path, plan)) as backend:
        prompts = read_prompts(Path(wanted.prompts) if wanted.prompts else None)
        own = wanted.reasoning and not wanted.verifier  # a look needs no second model
        writer = writer_of(wanted.prompt, metadata(backend), prompts, reasoning=own)
        for task in untrained_tasks(backend, wanted.tasks):
            yield "note", {"text": f"{model.file.name} was not trained on {task.short}."}
        passages: list[Passage] = []
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for item in _read(wanted, backend, writer):
            if isinstance(item, _Whole):
                counts[item.kind] += item.passages
                sizes[item.kind] += item.bytes
                continue
            if isinstance(item, Problem):
                yield "problem", asdict(item)
                continue
            passages.append(item)
            fields = ("text", "source", "page", "heading")
            shown = {name: getattr(item, name) for name in fields}
            yield "passage", {**shown, "tokens": backend.count_tokens(item.text)}
        if not passages and rows:
            raise JobError("No passage could be read.", "Choose documents that hold text.")
        evaluation = read_evaluation(wanted.evaluation, wanted.checks.evaluation_words)
        checks = wanted.checks.settled(writer is not BONITO)
        judge = Judge(checks, wanted.labels, evaluation)
        started = time.monotonic()
        for pending, result in _draw(wanted, backend, writer, judge, passages, rows):
            yield (
                "row",
                {
                    "task": pending.task,
                    "passage": pending.passage,
                    "outcome": result.outcome,
                    "reason": result.reason,
                    "instruction": result.instruction or "",
                    "response": result.response or "",
                    "reasoning": result.reasoning or "",
                    "completion": result.completion,
                    "tokens": result.completion_tokens,
                },
            )
        density = {kind: counts[kind] / size for kind, size in sizes.items() if size}
        seconds = time.monotonic() - started
        yield "end", {"rows": rows, "seconds": seconds, "density": density}


def _read(
    wanted: Generation, backend: Backend, writer: Writer
) -> Iterator[Passage | Problem | _Whole]:
    """A few passages of each document, until there are enough."""
    most = longest_passage(backend, wanted, writer)
    lengths = Lengths(most, wanted.target_tokens, wanted.overlap_tokens)
    check_lengths(lengths)
    check_ocr(wanted.ocr)
    count = 0
    for document in find_documents(wanted.paths):
        if isinstance(document, Problem):
            yield document
            continue
        of_this = 0
        for item in read_passages(document, backend.count_tokens, lengths, wanted.reading):
            if isinstance(item, Problem) or of_this < _PER_DOCUMENT:
                yield item
            of_this += isinstance(item, Passage)
            # A reader that is left before its end has to be started again: not of a short rest.
            if of_this == (_PER_DOCUMENT if document.kind in TABLES else _LONG):
                break
        else:
            size = document.path.stat().st_size if document.path.exists() else 0
            yield _Whole(document.kind.removeprefix("."), size, of_this)
        count += min(of_this, _PER_DOCUMENT)
        if count >= _MOST_PASSAGES:
            return


def _draw(
    wanted: Generation,
    backend: Backend,
    writer: Writer,
    judge: Judge,
    passages: list[Passage],
    rows: int,
) -> Iterator[tuple[Pending, Result]]:
    """One row each of passages far apart, the tasks in turn, drawn and checked as by the job."""
    spec = JobSpec(
        tasks=wanted.tasks,
        sampling=replace(wanted.sampling, n=1),
        model=wanted.model,
        model_sha256="",
        backend=wanted.backend,
        passage_tokens=0,
        guided=wanted.guided,
        labels=wanted.labels,
        checks=judge.thresholds,
    )
    types = {task.short: task for task in wanted.tasks}
    exchange = Exchange(Manner(spec, types, judge, writer))
    samples = []
    count = min(rows, len(passages) * len(wanted.tasks))
    for at in range(count):
        index = at * len(passages) // count
        passage, task = passages[index], wanted.tasks[at % len(wanted.tasks)]
        where = place(passage.source, passage.heading)
        samples.append(Pending(at, index, task.short, 0, passage.sha256, passage.text, place=where))
    exchange.plan(samples, len(samples))
    for result in results(backend, exchange):
        yield samples[result.id], result


if __name__ == "__main__":
    sys.exit(main())
