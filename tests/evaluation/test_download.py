"""Sets as the hub has them become the plain format; `datasets` reads them, from a folder here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bonito_local.errors import EvaluationError
from bonito_local.evaluation import download
from bonito_local.evaluation.sets import named_sets

TEXT = "The tenant pays the rent on the first day."
# A row of each source, its columns as the hub has them, and the item that it is.
SQUAD = {
    "id": "s1",
    "title": "rent",
    "context": TEXT,
    "question": "Who pays?",
    "answers": {"text": ["The tenant", "tenant"], "answer_start": [0, 4]},
}
SQUAD_ITEM = {
    "id": "s1",
    "passage": TEXT,
    "question": "Who pays?",
    "answers": ["The tenant", "tenant"],
}
ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "pubmedqa": (
        "pubmed_qa",
        {
            "pubid": 7,
            "question": "Does it help?",
            "context": {"contexts": ["It was tried.", "It helped."], "labels": ["A", "B"]},
            "final_decision": "maybe",
        },
        {
            "id": "7",
            "passage": "It was tried. It helped.",
            "question": "Does it help?",
            "label": "maybe",
        },
    ),
    "privacyqa": (
        "privacy_qa",
        {"text": TEXT, "question": "Is it relevant?", "answer": "Relevant"},
        {"id": "0", "passage": TEXT, "question": "Is it relevant?", "label": "relevant"},
    ),
    "contractnli": (
        "contract_nli",
        {"premise": TEXT, "hypothesis": "Rent is due.", "label": 1},
        {"id": "0", "passage": TEXT, "question": "Rent is due.", "label": "entailment"},
    ),
    "vitaminc": (
        "vitaminc",
        {"evidence": TEXT, "claim": "Rent is due.", "label": "NOT ENOUGH INFO"},
        {"id": "0", "passage": TEXT, "question": "Rent is due.", "label": "neutral"},
    ),
    "squadshifts-nyt": ("nyt", SQUAD, SQUAD_ITEM),
    "squadshifts-amazon": ("amazon", SQUAD, SQUAD_ITEM),
    "squadshifts-reddit": ("reddit", SQUAD, SQUAD_ITEM),
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset repository in it, that every source is read from."""
    repository = tmp_path / "repository"
    repository.mkdir()
    sources = {
        name: replace(source, repository=str(repository), revision=None)
        for name, source in download.SOURCES.items()
    }
    monkeypatch.setattr(download, "SOURCES", sources)
    # What is cached goes by the files' names and times here, by their commit at the hub.
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    return repository


def put(hub: Path, config: str, row: dict[str, Any]) -> None:
    pq.write_table(pa.Table.from_pylist([row]), hub / f"{config}.parquet")
    told = f"- config_name: {config}\n  data_files:\n  - split: test\n    path: {config}.parquet\n"
    (hub / "README.md").write_text(f"---\nconfigs:\n{told}---\n")


def test_every_source_has_its_row_here() -> None:
    assert ROWS.keys() == download.SOURCES.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_set_of_the_hub_is_one_that_can_be_evaluated(
    name: str, hub: Path, tmp_path: Path
) -> None:
    config, row, item = ROWS[name]
    put(hub, config, row)
    assert download.fetch(name, tmp_path / "data") == 1
    file = tmp_path / "data" / f"{name}.jsonl"
    plain = json.loads(file.read_text())
    assert {key: plain[key] for key in item} == item
    (found,) = named_sets(name)
    assert found.find(tmp_path / "data") is not None
    assert [path.name for path in (tmp_path / "data").iterdir()] == [file.name]


def test_a_set_that_is_another_now_is_told_and_nothing_is_left(hub: Path, tmp_path: Path) -> None:
    put(hub, "contract_nli", {"premise": TEXT, "hypothesis": "Rent is due."})
    with pytest.raises(EvaluationError, match="contractnli is of another form on the hub now"):
        download.fetch("contractnli", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_set_that_is_not_there_is_told(hub: Path, tmp_path: Path) -> None:
    put(hub, "another", {"text": TEXT})
    with pytest.raises(EvaluationError, match="contractnli cannot be fetched"):
        download.fetch("contractnli", tmp_path / "data")
