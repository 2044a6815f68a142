"""A folder of data as `recipes/small` reads it: articles on invented towns, with questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOWNS = ("Alderby", "Brackwell", "Corrimoor", "Dunsford", "Elmsworth", "Farleigh")
THINGS = ("library", "bridge", "museum", "harbour", "theatre")
PEOPLE = (
    *("Ada Winter", "Bernard Holt", "Clara Jensen", "Daniel Okafor", "Edith Moreau"),
    *("Felix Brandt", "Greta Lindqvist", "Hugo Marsh", "Irene Castell", "Jonas Weber"),
)


def paragraph(town: str, thing: str, number: int) -> dict[str, Any]:
    """A paragraph on one building, and the questions that it answers."""
    year, builder = 1801 + 7 * number, PEOPLE[number % len(PEOPLE)]
    owner, rooms = PEOPLE[(number + 3) % len(PEOPLE)], 3 + number
    context = (
        f"The {town} {thing} was built in {year} by {builder}. It stands beside the old market of "
        f"{town} and has {rooms} rooms. The {thing} was sold in {year + 40} to {owner}. Visitors "
        f"were admitted on Sundays in winter. The {thing} was closed for repairs in {year + 90}."
    )
    asked = (
        (f"Who built the {town} {thing}?", builder),
        (f"When was the {town} {thing} built?", str(year)),
        (f"How many rooms does the {town} {thing} have?", str(rooms)),
        (f"When was the {town} {thing} closed for repairs?", str(year + 90)),
        (f"In what year was the {town} {thing} sold?", str(year + 40)),
        (f"Who bought the {town} {thing}?", owner),
    )
    questions = [
        {"id": f"{number}-{at}", "question": question, "answers": [{"text": answer}]}
        for at, (question, answer) in enumerate(asked)
    ]
    return {"context": context, "qas": questions}


def squad() -> dict[str, Any]:
    """Articles in SQuAD's form, one for each town."""
    return {
        "data": [
            {
                "title": town,
                "paragraphs": [
                    paragraph(town, thing, 5 * at + number) for number, thing in enumerate(THINGS)
                ],
            }
            for at, town in enumerate(TOWNS)
        ]
    }


def write(folder: Path) -> Path:
    """Write every source that `rows.py` and `measure.py` read; returns the folder."""
    article = squad()
    texts = [p["context"] for a in article["data"] for p in a["paragraphs"]][:6]
    tatqa = [{"paragraphs": [{"text": t} for t in texts], "questions": [], "table": {"uid": "1"}}]
    target = "A bridge was built in the town and sold."
    summary = {"source": [texts[1]], "paper_id": "1", "target": [target]}
    files = {
        "train/squad-train-v1.1.json": json.dumps(article),
        "train/squad-dev-v1.1.json": json.dumps(article),
        "train/tatqa/tatqa_dataset_dev.json": json.dumps(tatqa),
        "train/tatqa/tatqa_dataset_test_gold.json": json.dumps(tatqa),
        "train/scitldr/train.jsonl": json.dumps(summary),
        "train/legal_summarization/all_v1.json": json.dumps({}),
        "documents/github-site-policy/policy.md": "\n\n".join(texts),
        "documents/commonpaper-nda/nda.md": "\n\n".join(texts[:2]),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
