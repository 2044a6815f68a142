"""A folder of data as `recipes/tiny` reads it, made of this project's own pages."""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def paragraphs() -> list[str]:
    """Plain paragraphs of the documentation, of 30 to 120 words."""
    texts = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    blocks = [" ".join(block.split()) for text in texts for block in text.split("\n\n")]
    plain = [block for block in blocks if not re.search(r"[|#`{}]|^[-*\d]", block)]
    return [block for block in plain if 30 <= len(block.split()) <= 120]


def squad(texts: list[str]) -> str:
    """Each text with a question whose answer is its first long word."""
    asked = []
    for number, text in enumerate(texts):
        answer = next(word for word in re.findall(r"\w+", text) if len(word) > 5)
        question = {"question": "Which word is the first?", "answers": [{"text": answer}]}
        asked.append({"context": text, "qas": [{"id": str(number), **question}]})
    return json.dumps({"data": [{"title": "docs", "paragraphs": asked}]})


def write(folder: Path) -> Path:
    """Write all that `sources.py` names; returns the folder."""
    texts = paragraphs()
    some = texts[:8]
    legal = [" ".join(text.split()[:100]) for text in some]
    tatqa = json.dumps(
        [{"paragraphs": [{"text": text} for text in some], "questions": [], "table": {"uid": "1"}}]
    )
    qed = [
        {
            "paragraph_text": text,
            "answer_text": [text.split()[3]],
            "question_text": "which word",
            "title_text": "docs",
        }
        for text in some
    ]
    boolq = [
        {"question": "is it so", "answer": number % 2 == 0, "passage": text}
        for number, text in enumerate(some)
    ]
    scitldr = [{"source": [text, text], "paper_id": "1", "target": ["Short."]} for text in some]
    files = {
        "documents/github-site-policy/policy.md": "\n\n".join(some),
        "documents/commonpaper-nda/nda.md": "\n\n".join(some),
        "train/squad-train-v1.1.json": squad(texts),
        "train/squad-dev-v1.1.json": squad(some),
        "train/qed/nq-train-0.jsonlines": _lines(qed),
        "train/boolq/boolq.jsonl": _lines(boolq),
        "train/scitldr/train.jsonl": _lines(scitldr),
        "train/legal_summarization/all_v1.json": json.dumps(
            {
                str(n): {"original_text": text, "reference_summary": "What the clause says."}
                for n, text in enumerate(legal)
            }
        ),
        "train/tatqa/tatqa_dataset_dev.json": tatqa,
        "train/tatqa/tatqa_dataset_test_gold.json": tatqa,
        "train/rotten_tomatoes/rt-polarity.pos": "a film that is a joy from start to end .\n" * 3,
        "train/rotten_tomatoes/rt-polarity.neg": "a film that is dull from start to end .\n" * 3,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "text").mkdir()
    for name, text in (
        ("wikipedia-en-2015", "\n".join(texts)),
        ("public-domain-books", "\n\n".join(texts)),
    ):
        with lzma.open(folder / "text" / f"{name}.txt.xz", "wt", encoding="utf-8") as file:
            file.write(text + "\n")
    return folder


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
