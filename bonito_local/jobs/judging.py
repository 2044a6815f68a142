"""How a completion ends: what every row of a job, and of a preview, is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bonito_local.backends.base import Completion
from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.evaluation import EvaluationSet
from bonito_local.checks.rules import check
from bonito_local.checks.sketch import sketch
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.store import Result
from bonito_local.tasks import TaskType, parse_completion

CONTAMINATED = "in the evaluation set"


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges completions by thresholds, topic_class's labels and an evaluation set."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    labels: tuple[str, ...] = ()
    evaluation: EvaluationSet | None = None

    def result(self, key: int, task: TaskType, passage: str, completion: Completion) -> Result:
        """Return how the sample with id `key` ended, but for duplicates: the store knows those."""
        result = Result(
            key,
            "failed",
            completion.error,
            completion.text,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
        )
        if completion.finish_reason == "failed":
            return result
        pair = parse_completion(completion.text, passage)
        if pair is None:
            return replace(result, outcome="unparseable", reason="")
        result = replace(result, instruction=pair.instruction, response=pair.response)
        reason = check(task, pair, passage, completion.text, self.thresholds, self.labels)
        if reason is None and completion.finish_reason == "length":
            reason = "cut off at the token limit"
        if reason is None and self.evaluation and self.evaluation.holds(pair, passage):
            reason = CONTAMINATED
        if reason is not None:
            return replace(result, outcome="rejected", reason=reason)
        least = self.thresholds.near_duplicate
        return replace(
            result,
            outcome="accepted",
            reason="",
            digest=pair_digest(pair),
            sketch=sketch(pair, passage, least) if least else None,
        )
