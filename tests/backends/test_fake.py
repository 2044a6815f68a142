"""The fake backend: deterministic, well-formed rows."""

from __future__ import annotations

import subprocess
import sys

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.fake import Fake
from bonito_local.checks.rules import check
from bonito_local.tasks import TASK_TYPES, format_prompt, parse_completion

PASSAGE = "The warehouse in Rotterdam was closed on 3 May after a fire in its battery store."


def ask(prompt: str, sampling: Sampling | None = None, seeds: tuple[int, ...] = (1,)) -> Request:
    samples = tuple(Sample(i, seed) for i, seed in enumerate(seeds))
    return Request("r", prompt, sampling or Sampling(), samples)


def test_rows_parse_and_pass_the_checks_for_every_task() -> None:
    for task in TASK_TYPES:
        for done in Fake().generate([ask(format_prompt(task, PASSAGE), seeds=tuple(range(20)))]):
            pair = parse_completion(done.text, PASSAGE)
            assert pair is not None
            assert check(task, pair, PASSAGE, done.text) is None


def test_same_seed_same_text_in_another_process() -> None:
    code = (
        "from bonito_local.backends.fake import _answer; import sys;"
        "sys.stdout.write(_answer(sys.argv[1], 7))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, PASSAGE],
        capture_output=True,
        text=True,
        check=True,
    )
    (done,) = Fake().generate([ask(PASSAGE, seeds=(7,))])
    assert done.text == other.stdout


def test_seeds_differ() -> None:
    texts = {c.text for c in Fake().generate([ask(PASSAGE, seeds=tuple(range(30)))])}
    assert len(texts) > 10


def test_limits() -> None:
    short, stopped = Fake().generate(
        [ask(PASSAGE, Sampling(max_tokens=2)), ask(PASSAGE, Sampling(stop=("words",)))]
    )
    assert (short.text, short.completion_tokens, short.finish_reason) == (
        "Which words ",
        2,
        "length",
    )
    assert (stopped.text, stopped.finish_reason) == ("Which ", "stop")
    (failed,) = Fake(context_length=5).generate([ask(PASSAGE)])
    assert (failed.finish_reason, failed.text) == ("failed", "")
    assert "16 tokens" in failed.error
