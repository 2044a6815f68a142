"""The evaluation sets of the Bonito paper (arXiv 2402.18334, section 4), by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bonito_local.errors import UsageError, did_you_mean
from bonito_local.evaluation import reading
from bonito_local.evaluation.items import Item

Reader = Callable[[Path], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """A set: where its files lie in a folder of data, how they are read, how it is asked.

    Attributes:
        name: as in `--set`.
        title: as its authors write it.
        task: Bonito's task type for it, by its short name.
        labels: what an answer is one of; empty where answers are spans, scored by token F1.
        files: of which the first that is there is read.
        reader: of such a file.
        templates: file of its templates.
        kind: what its passages are, for templates that name it.
        note: what has to be said beside any number.
    """

    name: str
    title: str
    task: str
    labels: tuple[str, ...]
    files: tuple[str, ...]
    reader: Reader
    templates: str
    kind: str
    note: str = ""

    @property
    def metric(self) -> str:
        """What its number is."""
        return "macro F1" if self.labels else "token F1"

    @property
    def plain_file(self) -> str:
        """Its file in this package's own format, which goes before all others."""
        return f"{self.name}.jsonl"

    def find(self, data: Path) -> Path | None:
        """The file that it is read from, if there is one in `data`."""
        found = (data / name for name in (self.plain_file, *self.files))
        return next((path for path in found if path.is_file()), None)

    def read(self, path: Path) -> list[Item]:
        """Its items, in the file's order.

        Raises:
            EvaluationError: the file cannot be read, or is of another form.
        """
        reader = reading.plain if path.name == self.plain_file else self.reader
        return reading.checked(path, reader, self.labels)


_NLI = ("entailment", "contradiction", "neutral")
_SHIFTS = ("Amazon", "amazon_reviews", "product review"), ("NYT", "nyt", "news article"), (
    "Reddit", "reddit", "forum post",
)  # fmt: skip

SETS: tuple[EvaluationSet, ...] = (
    EvaluationSet(
        "pubmedqa",
        "PubMedQA",
        "ynqa",
        ("yes", "no", "maybe"),
        ("pubmedqa/ori_pqal.json",),
        reading.pubmedqa,
        "pubmedqa",
        "abstract",
    ),
    EvaluationSet(
        "privacyqa",
        "PrivacyQA",
        "ynqa",
        ("relevant", "irrelevant"),
        ("privacyqa/policy_test_data.csv",),
        reading.privacyqa,
        "privacyqa",
        "privacy policy",
    ),
    EvaluationSet(
        "contractnli",
        "ContractNLI",
        "nli",
        _NLI,
        ("contract_nli/test.json", "contract_nli/dev.json"),
        reading.contract_nli,
        "nli",
        "contract",
    ),
    EvaluationSet(
        "vitaminc",
        "VitaminC",
        "nli",
        _NLI,
        ("vitaminc/test.jsonl", "vitaminc/test-sample-6000.jsonl"),
        reading.vitaminc,
        "nli",
        "text",
        "Its passages are from Wikipedia: a base model may have seen the pages.",
    ),
    *(
        EvaluationSet(
            f"squadshifts-{title.lower()}",
            f"SQuADShifts {title}",
            "exqa",
            (),
            (f"squadshifts/{file}_v1.0.json",),
            reading.squad,
            "spans",
            kind,
        )
        for title, file, kind in _SHIFTS
    ),
    EvaluationSet(
        "policyqa",
        "PolicyQA",
        "exqa",
        (),
        ("policyqa/test.json", "policyqa/dev.json"),
        reading.squad,
        "spans",
        "privacy policy",
        "Not in the paper: a stand-in for PrivacyQA, with spans instead of relevance.",
    ),
)
_BY_NAME = {found.name: found for found in SETS}


def named_sets(names: str) -> list[EvaluationSet]:
    """The sets of these names, comma-separated; all where none is named.

    Raises:
        UsageError: a name is unknown.
    """
    wanted = dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip())
    for name in wanted:
        if name not in _BY_NAME:
            raise UsageError(f"Unknown evaluation set {name!r}.", did_you_mean(name, [*_BY_NAME]))
    return [_BY_NAME[name] for name in wanted] or list(SETS)


def find_sets(names: str, data: Path) -> list[EvaluationSet]:
    """The sets of these names that `data` has to hold; all that it holds where none is named.

    Raises:
        UsageError: a name is unknown, or the data lacks its file.
    """
    wanted = named_sets(names)
    found = [one for one in wanted if one.find(data)]
    if names.strip(" ,") and len(found) < len(wanted):
        lacking = next(one for one in wanted if one not in found)
        raise UsageError(
            f"{data} does not hold {lacking.title}.",
            f"Put it there as {lacking.files[0]} or {lacking.plain_file}, or add --download.",
        )
    if not found:
        raise UsageError(
            f"{data} holds no evaluation set.",
            f"It should have {wanted[0].files[0]}, for one; --download fetches what it can.",
        )
    return found
