"""How a completion ends: what every row of a job, and of a preview, is judged by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from bonito_local.backends.base import Completion
from bonito_local.checks.answers import question_in
from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.evaluation import EvaluationSet
from bonito_local.checks.rules import check
from bonito_local.checks.sketch import sketch
from bonito_local.checks.text import without_passage
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.retrieval import Search
from bonito_local.jobs.store import Result
from bonito_local.tasks import Pair, TaskType, parse_completion

CONTAMINATED = "in the evaluation set"
# Scripts without spaces between words (Thai, Lao, Khmer, Japanese, Chinese): not cut for a search.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
SEARCHED = ("exqa", "qa", "ynqa", "mcqa")  # task types whose instruction is a question


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges completions by thresholds, topic_class's labels and an evaluation set."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    labels: tuple[str, ...] = ()
    evaluation: EvaluationSet | None = None

    def result(
        self, key: int, task: TaskType, passage: str, completion: Completion, place: str = ""
    ) -> Result:
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
        reason = check(task, pair, passage, completion.text, self.thresholds, self.labels, place)
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
            search=self._search(task, pair, passage),
        )

    def _search(self, task: TaskType, pair: Pair, passage: str) -> Search | None:
        """What the store has to search for, where the row asks a question about its passage."""
        most = self.thresholds.retrieval_rank
        if not most or task.kind not in SEARCHED:
            return None
        question = question_in(without_passage(pair.instruction, passage))
        return None if _UNSPACED.search(question) else Search(question, most)
