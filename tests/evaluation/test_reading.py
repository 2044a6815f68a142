"""Evaluation sets as their authors lay them out, from small files of the same form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bonito_local.errors import EvaluationError, UsageError
from bonito_local.evaluation.items import Item
from bonito_local.evaluation.reading import as_plain
from bonito_local.evaluation.sets import SETS, find_sets, named_sets

SQUAD = {
    "data": [
        {
            "title": "Mugs",
            "paragraphs": [
                {
                    "context": "The mug is blue.",
                    "qas": [
                        {
                            "id": "a",
                            "question": "What colour is it?",
                            "answers": [
                                {"text": "blue", "answer_start": 11},
                                {"text": "is blue", "answer_start": 8},
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}
PUBMED = {
    "1": {"QUESTION": "Does it?", "CONTEXTS": ["We tried.", "It did."], "final_decision": "yes"},
    "2": {"QUESTION": "Is it?", "CONTEXTS": ["Unclear."], "final_decision": "maybe"},
}
CONTRACTS = {
    "labels": {"nda-1": {"hypothesis": "It ends."}, "nda-2": {"hypothesis": "It is secret."}},
    "documents": [
        {
            "id": 7,
            "text": "It ends after a year.",
            "annotation_sets": [
                {
                    "annotations": {
                        "nda-1": {"choice": "Entailment", "spans": [0]},
                        "nda-2": {"choice": "NotMentioned", "spans": []},
                    }
                }
            ],
        }
    ],
}
CLAIM = {
    "unique_id": "c_1",
    "claim": "Over 100.",
    "evidence": "There were 90.",
    "label": "REFUTES",
}
POLICY = "\t".join(("QueryID", "SentID", "Query", "Segment", "Ann1", "Ann2")) + "\n"
POLICY += 'q\t1\tDo you sell data?\tWe sell "nothing".\tIrrelevant\tRelevant\n'
POLICY += "q\t2\tDo you sell data?\tHello.\tIrrelevant\tNone\n"

CASES: list[tuple[str, str, str, list[Item]]] = [
    (
        "squadshifts-reddit",
        "squadshifts/reddit_v1.0.json",
        json.dumps(SQUAD),
        [Item("a", "The mug is blue.", "What colour is it?", answers=("blue", "is blue"))],
    ),
    (
        "pubmedqa",
        "pubmedqa/ori_pqal.json",
        json.dumps(PUBMED),
        [
            Item("1", "We tried. It did.", "Does it?", "yes"),
            Item("2", "Unclear.", "Is it?", "maybe"),
        ],
    ),
    (
        "contractnli",
        "contract_nli/dev.json",
        json.dumps(CONTRACTS),
        [
            Item("7-nda-1", "It ends after a year.", "It ends.", "entailment"),
            Item("7-nda-2", "It ends after a year.", "It is secret.", "neutral"),
        ],
    ),
    (
        "vitaminc",
        "vitaminc/test.jsonl",
        json.dumps(CLAIM) + "\n\n",
        [Item("c_1", "There were 90.", "Over 100.", "contradiction")],
    ),
    (
        "privacyqa",
        "privacyqa/policy_test_data.csv",
        POLICY,
        [
            Item("q-1", 'We sell "nothing".', "Do you sell data?", "relevant"),
            Item("q-2", "Hello.", "Do you sell data?", "irrelevant"),
        ],
    ),
]


def put(data: Path, name: str, text: str) -> Path:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(("name", "file", "text", "items"), CASES, ids=[c[0] for c in CASES])
def test_each_form_is_read(
    tmp_path: Path, name: str, file: str, text: str, items: list[Item]
) -> None:
    path = put(tmp_path, file, text)
    (found,) = find_sets("", tmp_path)
    assert found.name == name
    assert found.find(tmp_path) == path
    assert found.read(path) == items


@pytest.mark.parametrize(("name", "file", "text", "items"), CASES, ids=[c[0] for c in CASES])
def test_the_plain_form_goes_first(
    tmp_path: Path, name: str, file: str, text: str, items: list[Item]
) -> None:
    put(tmp_path, file, text)
    lines = "".join(json.dumps(as_plain(item)) + "\n" for item in items)
    plain = put(tmp_path, f"{name}.jsonl", lines)
    (found,) = find_sets(name, tmp_path)
    assert found.find(tmp_path) == plain
    assert found.read(plain) == items


def test_pubmedqa_reads_the_test_items_alone(tmp_path: Path) -> None:
    path = put(tmp_path, "pubmedqa/ori_pqal.json", json.dumps(PUBMED))
    put(tmp_path, "pubmedqa/test_ground_truth.json", '{"2": "maybe"}')
    assert [item.id for item in named_sets("pubmedqa")[0].read(path)] == ["2"]


def changed(change: Callable[[Any], None]) -> str:
    data = json.loads(json.dumps(SQUAD))
    change(data["data"][0]["paragraphs"][0])
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", "is of another form: Expecting value"),
        ("[]", "is of another form: list indices"),
        ("{}", "is of another form: it lacks 'data'."),
        ('{"data": []}', "holds no items."),
        ('{"data": [1]}', "is of another form"),
        (changed(lambda p: p["qas"][0].update(answers=[])), "item 'a' has no passage"),
        (changed(lambda p: p.update(context="  ")), "item 'a' has no passage"),
        (changed(lambda p: p["qas"][0].pop("id")), "it lacks 'id'"),
        ("\ufeff\udcff".encode("utf-8", "surrogatepass").decode("latin-1"), "another form"),
    ],
)
def test_another_form_is_one_error(tmp_path: Path, text: str, title: str) -> None:
    path = put(tmp_path, "squadshifts/nyt_v1.0.json", text)
    with pytest.raises(EvaluationError) as caught:
        named_sets("squadshifts-nyt")[0].read(path)
    assert title in caught.value.title
    assert "docs/evaluation.md" in caught.value.remedy


def test_an_unknown_label_is_an_error(tmp_path: Path) -> None:
    line = json.dumps({"id": 3, "passage": "p", "question": "q", "label": "perhaps"})
    path = put(tmp_path, "pubmedqa.jsonl", line)
    with pytest.raises(EvaluationError, match="item '3' has no passage, question or known answer"):
        named_sets("pubmedqa")[0].read(path)


@pytest.mark.parametrize(
    "wrong",
    [{"answers": "Paris"}, {"answers": [3]}, {"passage": None}, {"question": 5}, {"label": None}],
)
def test_a_value_of_another_type_in_the_plain_form_is_an_error(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    line = {"id": "a", "passage": "It is Paris.", "question": "Which?", "answers": ["Paris"]}
    path = put(tmp_path, "squadshifts-nyt.jsonl", json.dumps(line | wrong))
    with pytest.raises(EvaluationError, match="item 'a': answers has to be a list of texts"):
        named_sets("squadshifts-nyt")[0].read(path)


def test_texts_of_another_type_in_a_published_form_are_an_error(tmp_path: Path) -> None:
    text = changed(lambda p: p.update(context=None))
    path = put(tmp_path, "squadshifts/nyt_v1.0.json", text)
    with pytest.raises(EvaluationError, match="item 'a' has no passage, question"):
        named_sets("squadshifts-nyt")[0].read(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pubmedqa.jsonl").mkdir()
    with pytest.raises(EvaluationError, match="cannot be read"):
        named_sets("pubmedqa")[0].read(tmp_path / "pubmedqa.jsonl")


def test_sets_by_name(tmp_path: Path) -> None:
    assert [one.name for one in named_sets("VitaminC, pubmedqa,vitaminc")] == [
        "vitaminc",
        "pubmedqa",
    ]
    assert named_sets(" ,") == list(SETS)
    with pytest.raises(UsageError, match="Did you mean 'pubmedqa'"):
        named_sets("pubmedq")
    with pytest.raises(UsageError, match="holds no evaluation set"):
        find_sets("", tmp_path / "missing")
    put(tmp_path, "vitaminc/test.jsonl", json.dumps(CLAIM))
    with pytest.raises(UsageError) as caught:
        find_sets("vitaminc,squadshifts-nyt", tmp_path)
    assert caught.value.title == f"{tmp_path} does not hold SQuADShifts NYT."
    assert "squadshifts/nyt_v1.0.json" in caught.value.remedy
