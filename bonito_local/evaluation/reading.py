"""Reads evaluation sets as their authors publish them, and in a plain format of this package.

The plain format is JSON lines: {"id", "passage", "question"} and either "label" or "answers".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bonito_local.errors import EvaluationError
from bonito_local.evaluation.items import Item

_AS_PUBLISHED = "Use the file as its authors publish it, or the plain format (docs/evaluation.md)."
_CONTRACT_LABELS = {
    "Entailment": "entailment",
    "Contradiction": "contradiction",
    "NotMentioned": "neutral",
}
_CLAIM_LABELS = {
    "SUPPORTS": "entailment",
    "REFUTES": "contradiction",
    "NOT ENOUGH INFO": "neutral",
}


def checked(
    path: Path, reader: Callable[[Path], Iterator[Item]], labels: tuple[str, ...]
) -> list[Item]:
    """Read all items, each with a text and a question, and a known label or an answer.

    Raises:
        EvaluationError: the file cannot be read, is of another form, or holds nothing.
    """
    try:
        items = list(reader(path))
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, csv.Error) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else f"{error}"
        raise EvaluationError(f"{path} is of another form: {said}.", _AS_PUBLISHED) from error
    for item in items:
        right = item.label in labels if labels else _some(item.answers)
        if not (right and _some([item.passage]) and _some([item.question])):
            raise EvaluationError(
                f"{path}: item {item.id!r} has no passage, question or known answer.",
                _AS_PUBLISHED,
            )
    if not items:
        raise EvaluationError(f"{path} holds no items.", _AS_PUBLISHED)
    return items


def _some(texts: Sequence[object]) -> bool:
    """Whether all are texts, and one says something; files hold what their authors put there."""
    found = [text for text in texts if isinstance(text, str)]
    return len(found) == len(texts) and any(text.strip() for text in found)


def plain(path: Path) -> Iterator[Item]:
    """The plain format."""
    for line in _lines(path):
        name, answers = str(line["id"]), line.get("answers", [])
        passage, question, label = line["passage"], line["question"], line.get("label", "")
        texts = (passage, question, label, *answers) if isinstance(answers, list) else (None,)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f"item {name!r}: answers has to be a list of texts, the rest texts")
        yield Item(name, passage, question, label, tuple(answers))


def as_plain(item: Item) -> dict[str, Any]:
    """What `plain` reads the item from."""
    right = {"answers": list(item.answers)} if item.answers else {"label": item.label}
    return {"id": item.id, "passage": item.passage, "question": item.question, **right}


def squad(path: Path) -> Iterator[Item]:
    """SQuAD v1.1's format; SQuADShifts and PolicyQA have it too."""
    for document in _json(path)["data"]:
        for paragraph in document["paragraphs"]:
            for asked in paragraph["qas"]:
                yield Item(
                    asked["id"],
                    paragraph["context"],
                    asked["question"],
                    answers=tuple(answer["text"] for answer in asked["answers"]),
                )


def pubmedqa(path: Path) -> Iterator[Item]:
    """PubMedQA's labelled items (`ori_pqal.json`), those that `test_ground_truth.json` names."""
    items = _json(path)
    test = path.with_name("test_ground_truth.json")
    for name in _json(test) if test.is_file() else items:
        item = items[name]
        yield Item(name, " ".join(item["CONTEXTS"]), item["QUESTION"], item["final_decision"])


def contract_nli(path: Path) -> Iterator[Item]:
    """ContractNLI's JSON: every contract with every hypothesis."""
    found = _json(path)
    hypotheses = {name: label["hypothesis"] for name, label in found["labels"].items()}
    for document in found["documents"]:
        for name, judged in document["annotation_sets"][0]["annotations"].items():
            label = _CONTRACT_LABELS[judged["choice"]]
            yield Item(f"{document['id']}-{name}", document["text"], hypotheses[name], label)


def vitaminc(path: Path) -> Iterator[Item]:
    """VitaminC's JSON lines: evidence, and a claim that it supports, refutes or leaves open."""
    for line in _lines(path):
        label = _CLAIM_LABELS[line["label"]]
        yield Item(line["unique_id"], line["evidence"], line["claim"], label)


def privacyqa(path: Path) -> Iterator[Item]:
    """PrivacyQA's table, tab-separated: a sentence of a policy, and whether it bears on a question.

    It does where one of the experts says so (columns `Ann...`); the training file has one `Label`.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = rows.fieldnames or ()
        judged = [name for name in names if name.startswith("Ann")] or ["Label"]
        for row in rows:
            found = any(row[name].strip() == "Relevant" for name in judged)
            label = "relevant" if found else "irrelevant"
            yield Item(f"{row['QueryID']}-{row['SentID']}", row["Segment"], row["Query"], label)


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
