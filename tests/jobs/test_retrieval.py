"""A question finds its passage among those of its job, or its row is rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bonito_local.backends.base import Completion
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.retrieval import RANK, UNFINDABLE
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Passage
from bonito_local.tasks import task_type

TEXTS = (
    "The lease of the harbour office ends on 31 March.",
    "The tenant of the flat pays the rent on the first of each month.",
    "The landlord repairs the roof and the windows.",
    "The deposit is returned within thirty days.",
    "Pets are allowed after a written request.",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return filled(tmp_path / "job.sqlite3", TEXTS)


def filled(path: Path, texts: tuple[str, ...]) -> Store:
    store = Store(path)
    with store.transaction():
        for text in texts:
            passage = Passage(text, "a.txt", "0" * 64, None, 0, len(text))
            store.add_passage(passage, ["exqa", "ynqa", "nli"], 1)
    store.index_passages()
    return store


def end(store: Store, place: int, task: str, question: str, response: str, **checks: Any) -> str:
    """Record a completion on the passage at `place`; return the row's outcome and reason."""
    pending = next(p for p in store.pending() if p.task == task and p.text == TEXTS[place])
    text = f"{{{{context}}}}\n\nQuestion: {question}\n<|pipe|>\n{response}"
    done = Completion("1", 0, text, 10, 10, "stop")
    judge = Judge(Thresholds(**checks, stand_alone=False).settled(instruct=True))
    result = judge.result(pending.id, task_type(task), pending.text, done)
    store.record([result])
    outcome, reason, rank = store._db.execute(
        """SELECT outcome, reason, c.value FROM samples s
           LEFT JOIN scores c ON c.sample = s.id AND c.name = ? WHERE s.id = ?""",
        (RANK, pending.id),
    ).fetchone()
    return f"{outcome} {reason} {rank}"


def test_a_question_that_is_clear_finds_its_passage(store: Store) -> None:
    asked = "When does the lease of the harbour office end?"
    assert end(store, 0, "exqa", asked, "31 March") == "accepted  1.0"


def test_words_are_found_in_other_forms(store: Store) -> None:
    asked = "Who is repairing a window?"
    assert end(store, 2, "exqa", asked, "The landlord") == "accepted  1.0"


def test_a_question_that_leads_elsewhere_is_rejected_and_its_rank_kept(store: Store) -> None:
    asked = "Who pays the rent of the flat to the landlord of the harbour office?"
    assert end(store, 3, "exqa", asked, "thirty days") == f"rejected {UNFINDABLE} 4.0"


def test_a_question_without_a_word_to_search_for_is_rejected(store: Store) -> None:
    assert end(store, 4, "ynqa", "Is this so?", "yes") == f"rejected {UNFINDABLE} 4.0"


def test_signs_of_the_query_language_are_plain_text(store: Store) -> None:
    asked = 'Is the "deposit" (NOT rent*) returned AND kept - or ^NEAR?'
    assert end(store, 3, "ynqa", asked, "yes") == "accepted  1.0"


def test_it_is_not_searched_for_with_rank_0_nor_for_statements(store: Store) -> None:
    assert end(store, 4, "ynqa", "Is this so?", "yes", retrieval_rank=0) == "accepted  None"
    assert end(store, 4, "nli", "It is so?", "neutral") == "accepted  None"


def test_bonitos_rows_are_searched_for_only_where_the_job_says_so() -> None:
    assert Thresholds().settled(instruct=False).retrieval_rank == 0
    assert Thresholds().settled(instruct=True).retrieval_rank == 3
    assert Thresholds(retrieval_rank=5).settled(instruct=False).retrieval_rank == 5


def test_few_passages_are_not_searched(tmp_path: Path) -> None:
    store = filled(tmp_path / "few.sqlite3", TEXTS[:3])
    assert end(store, 0, "ynqa", "Is this so?", "yes") == "accepted  None"


def test_passages_planned_later_are_indexed_too(store: Store) -> None:
    text = "The harbour office has a lease of its own, which ends when the harbour closes."
    with store.transaction():
        store.add_passage(Passage(text, "b.txt", "1" * 64, None, 0, 1), ["exqa"], 1)
    store.index_passages()
    store.index_passages()
    (count,) = store._db.execute(
        "SELECT count(*) FROM passage_words WHERE passage_words MATCH 'harbour'"
    ).fetchone()
    assert count == 2


def test_scripts_without_spaces_are_not_searched(store: Store) -> None:
    assert end(store, 0, "ynqa", "租约什么时候结束?", "yes", language="") == "accepted  None"
