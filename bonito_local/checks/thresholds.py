"""The numbers that the checks go by, as a job file may set them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace

from bonito_local.bounds import shown
from bonito_local.errors import UsageError, did_you_mean

MOST_RANK = 100
INSTRUCT_RANK = 3
MOST_RETRIES = 10
INSTRUCT_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the checks let pass.

    Attributes:
        instruction_words: most words of an instruction, its passage not counted.
        response_words: most words of a response.
        answer_words: most words of a short answer (exqa, coref).
        answer_share: most of a passage's words that an exqa answer may have.
        question_overlap: least of the words of a question that its passage has too.
        summary_share: a summary has fewer words than this share of its passage's.
        repetition: most of a text's runs of three words that may be repeats.
        paraphrase_overlap: most of the words that a paraphrase may share with its source.
        retrieval_rank: a row's question, searched for among all passages of the job, must find its
            own among so many results; 0 does not search. None: 3 for models that are asked by
            instructions, else 0.
        round_trip: a row's question is put to the model again, and the row is rejected where the
            answer is another. None: for models that are asked by instructions.
        retries: how often a row that fails is written anew, about another sentence. None: 2 for
            models that are asked by instructions, else 0.
        stand_alone: questions must be clear without their page. None: for models that are asked
            by instructions.
        near_duplicate: rows at least this alike are duplicates; 0 looks for the same text only.
        evaluation_words: a run of words that an evaluation set has too gives it away.
        language: what rows are written in: "en", or "" for any.
        skip: reasons for which no row is rejected.
    """

    instruction_words: int = 400
    response_words: int = 400
    answer_words: int = 40
    answer_share: float = 0.5
    question_overlap: float = 0.0
    summary_share: float = 1.0
    repetition: float = 0.5
    paraphrase_overlap: float = 0.95
    retrieval_rank: int | None = None
    round_trip: bool | None = None
    retries: int | None = None
    stand_alone: bool | None = None
    near_duplicate: float = 0.8
    evaluation_words: int = 13
    language: str = "en"
    skip: tuple[str, ...] = ()

    def settled(self, instruct: bool) -> Thresholds:
        """Return these with what depends on whether the model is asked by instructions."""
        rank, retries = (INSTRUCT_RANK, INSTRUCT_RETRIES) if instruct else (0, 0)
        return replace(
            self,
            retrieval_rank=rank if self.retrieval_rank is None else self.retrieval_rank,
            round_trip=instruct if self.round_trip is None else self.round_trip,
            stand_alone=instruct if self.stand_alone is None else self.stand_alone,
            retries=retries if self.retries is None else self.retries,
        )

    def changed(self) -> str:
        """What differs from the defaults, as JSON; empty where nothing does."""
        usual = asdict(Thresholds())
        other = {name: value for name, value in asdict(self).items() if value != usual[name]}
        return json.dumps(other, sort_keys=True) if other else ""


_SHARES = (
    "question_overlap",
    "answer_share",
    "summary_share",
    "repetition",
    "paraphrase_overlap",
    "near_duplicate",
)


def check_thresholds(thresholds: Thresholds, reasons: Iterable[str]) -> None:
    """Raise UsageError for a value that no row could pass, or a reason that there is not."""
    for field in fields(Thresholds):
        value = getattr(thresholds, field.name)
        if field.name.endswith("_words") and value < 1:
            raise UsageError(f"checks.{field.name} is {shown(value)}.", "Use 1 or more.")
        if field.name in _SHARES and not 0 <= value <= 1:
            raise UsageError(f"checks.{field.name} is {shown(value)}.", "Use 0 to 1.")
    if thresholds.retries is not None and not 0 <= thresholds.retries <= MOST_RETRIES:
        raise UsageError(
            f"checks.retries is {shown(thresholds.retries)}.", f"Use 0 to {MOST_RETRIES}."
        )
    rank = thresholds.retrieval_rank
    if rank is not None and not 0 <= rank <= MOST_RANK:
        raise UsageError(f"checks.retrieval_rank is {shown(rank)}.", f"Use 0 to {MOST_RANK}.")
    if thresholds.language not in ("", "en"):
        raise UsageError(
            f"checks.language is {thresholds.language!r}.", 'Use "en", or "" for any language.'
        )
    known = list(reasons)
    for reason in thresholds.skip:
        if reason not in known:
            raise UsageError(
                f"No row is rejected for {reason!r} (checks.skip).", did_you_mean(reason, known)
            )
