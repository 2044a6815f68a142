"""Fetches evaluation sets from the Hugging Face hub, into the plain format of this package.

Run as a program it is the process that has the network: it reads {"data": FOLDER, "sets": NAMES}
from stdin, and answers each set in a line of JSON. The five sets of the paper's authors are in
BatsResearch/bonito-experiment-eval, with the columns that their templates name.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.errors import EvaluationError
from bonito_local.evaluation.items import Item
from bonito_local.evaluation.reading import as_plain

Row = dict[str, Any]
_CLAIMS = {"SUPPORTS": "entailment", "REFUTES": "contradiction", "NOT ENOUGH INFO": "neutral"}
_CONTRACTS = ("contradiction", "entailment", "neutral")  # by number


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a set's test split is, and how a row becomes an item."""

    repository: str
    config: str
    item: Callable[[int, Row], Item]
    revision: str | None = None


def _pubmedqa(at: int, row: Row) -> Item:
    passage = " ".join(row["context"]["contexts"])
    return Item(str(row.get("pubid", at)), passage, row["question"], row["final_decision"])


def _privacyqa(at: int, row: Row) -> Item:
    return Item(str(at), row["text"], row["question"], row["answer"].lower())


def _contractnli(at: int, row: Row) -> Item:
    return Item(str(at), row["premise"], row["hypothesis"], _CONTRACTS[row["label"]])


def _vitaminc(at: int, row: Row) -> Item:
    return Item(str(at), row["evidence"], row["claim"], _CLAIMS[row["label"]])


def _squad(_: int, row: Row) -> Item:
    return Item(row["id"], row["context"], row["question"], answers=tuple(row["answers"]["text"]))


_PAPER = "BatsResearch/bonito-experiment-eval"
# The hub's own copy as Parquet: the data set itself is a script, which nothing here runs.
_PARQUET = "refs/convert/parquet"
SOURCES = {
    "pubmedqa": _Source(_PAPER, "pubmed_qa", _pubmedqa),
    "privacyqa": _Source(_PAPER, "privacy_qa", _privacyqa),
    "contractnli": _Source(_PAPER, "contract_nli", _contractnli),
    "vitaminc": _Source(_PAPER, "vitaminc", _vitaminc),
    "squadshifts-nyt": _Source("squadshifts", "nyt", _squad, _PARQUET),
    "squadshifts-amazon": _Source("squadshifts", "amazon", _squad, _PARQUET),
    "squadshifts-reddit": _Source("squadshifts", "reddit", _squad, _PARQUET),
}


def fetch(name: str, data: Path) -> int:
    """Download a set's test split to `data / NAME.jsonl`; return its items.

    Raises:
        EvaluationError: the hub does not have it, cannot be reached, or has another form of it.
    """
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    source = SOURCES[name]
    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(
            source.repository, source.config, split="test", revision=source.revision
        )
        items = [source.item(at, row) for at, row in enumerate(rows)]
    except (OSError, ValueError, HfHubHTTPError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EvaluationError(
            f"{name} cannot be fetched: {said[:200]}.",
            "Check the connection, or put the file there by hand.",
        ) from error
    except (KeyError, TypeError, IndexError) as error:
        raise EvaluationError(
            f"{name} is of another form on the hub now.", "Put the file there by hand."
        ) from error
    data.mkdir(parents=True, exist_ok=True)
    part = data / f".{name}.part"
    part.write_text("".join(_lines(items)), "utf-8")
    part.replace(data / f"{name}.jsonl")
    return len(items)


def _lines(items: list[Item]) -> Iterator[str]:
    for item in items:
        yield json.dumps(as_plain(item), ensure_ascii=False) + "\n"


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.buffer.read())
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "1"
    for name in request["sets"]:
        answer: dict[str, Any] = {"set": name}
        try:
            answer["items"] = fetch(name, Path(request["data"]))
        except EvaluationError as error:
            answer |= {"title": error.title, "remedy": error.remedy}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
