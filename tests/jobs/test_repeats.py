"""Passages that repeat others: which are planned, and what is said of the rest."""

from dataclasses import replace
from pathlib import Path

import pytest

from bonito_local.backends.base import Sampling
from bonito_local.jobs.planning import plan, read_documents
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.tasks import task_type

CLAUSE = (
    "Each party keeps the other's confidential information secret for five years after the end of "
    "this agreement, and uses it for no purpose but the work that is described in the schedule "
    "that both have signed, which either may change by written notice to the other."
)
OWN = {
    "a": "The landlord repairs the roof and the heating within a week of being told of a fault.",
    "b": "The supplier delivers the pumps to the harbour in June and takes back what is broken.",
    "c": "The doctor examines the patient each morning and writes down what she has found.",
}
SPEC = JobSpec((task_type("exqa"),), Sampling(), "m", "0" * 64, "fake", 60)


def words(text: str) -> int:
    return len(text.split())


def planned(store: Store, folder: Path, spec: JobSpec = SPEC) -> list[tuple[str, str]]:
    plan(store, spec, read_documents(store, (folder,), words, spec))
    db = store._db
    return [
        (Path(source).stem, text)
        for source, text in db.execute(
            """SELECT d.source, p.text FROM passages p JOIN documents d ON d.id = p.document
               ORDER BY p.id"""
        )
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three contracts with the same clause; in one of them a word of it is another."""
    made = tmp_path / "documents"
    made.mkdir()
    for name, own in OWN.items():
        clause = CLAUSE.replace("secret", "private") if name == "b" else CLAUSE
        (made / f"{name}.md").write_text(f"# Own\n\n{own} {own.upper()}\n\n# Secrets\n\n{clause}\n")
    return made


def test_a_clause_that_every_contract_has_is_planned_once(store: Store, folder: Path) -> None:
    found = planned(store, folder)
    assert [name for name, text in found if text.startswith("Each party")] == ["a"]
    assert {name for name, text in found if text.startswith("The ")} == set(OWN)
    assert len(found) == 4
    told = {Path(p.source).stem: p for p in store.problems()}
    assert set(told) == {"b", "c"}
    assert told["b"].title == (
        f"Left out 1 passage that repeats one of {folder / 'a.md'} almost word for word."
    )
    assert "keep_repeats" in told["b"].remedy
    # What was said once is said again, by a run that need not read them.
    assert planned(store, folder) == found
    assert {Path(p.source).stem: p for p in store.problems()} == told


def test_repeats_are_kept_where_that_is_asked_for(store: Store, folder: Path) -> None:
    found = planned(store, folder)
    kept = planned(store, folder, replace(SPEC, keep_repeats=True))
    added = [name for name, _ in kept[len(found) :]]
    assert added == ["b"]  # the one of "c" is the same text as that of "a": one passage
    assert store.problems() == []


def test_a_later_document_is_compared_with_all_before(store: Store, folder: Path) -> None:
    first = planned(store, folder)
    (folder / "d.md").write_text(f"# Secrets\n\n{CLAUSE.replace('five', 'six')}\n")
    assert planned(store, folder) == first
    assert "d.md" in store.problems()[-1].source


def test_a_document_that_changes_repeats_not_itself(store: Store, folder: Path) -> None:
    planned(store, folder)
    text = (folder / "a.md").read_text()
    (folder / "a.md").write_text(text.replace("five years", "nine years"))
    found = planned(store, folder)
    assert [text for name, text in found if name == "a" and "nine years" in text]


def test_another_task_is_planned_for_a_passage_whatever_document_holds_it(
    store: Store, folder: Path
) -> None:
    planned(store, folder)
    (folder / "a.md").unlink()
    both = replace(SPEC, tasks=(task_type("exqa"), task_type("ynqa")))
    planned(store, folder, both)
    tasks = store._db.execute(
        "SELECT s.task FROM samples s JOIN passages p ON p.id = s.passage WHERE p.text = ?",
        (CLAUSE,),
    ).fetchall()
    assert sorted(tasks) == [("exqa",), ("ynqa",)]
