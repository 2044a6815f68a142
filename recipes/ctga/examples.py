"""Writes annotated examples from openly licensed data, for `bonito-local train ctga`.

    python recipes/ctga/examples.py --data-dir DATA_DIR --out OUT_DIR
    bonito-local train ctga OUT_DIR/open.toml -o rows.jsonl

The questions and statements are those of bonito-tiny's recipe: written by people, or made of
plain sentences by rules. A file a task type, whose columns are what the templates ask for.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tiny"))

import corpus  # noqa: E402 (found there)
from mix import Mixer, Row  # noqa: E402
from sources import Paragraph  # noqa: E402


class Examples(Mixer):
    """Rows of the mix as examples without a template: what each was made of, by name."""

    slots: dict[str, str]

    def _row(
        self, paragraph: Paragraph, passage: str, task: str, response: str, **slots: str
    ) -> Row:
        self.slots = slots
        return super()._row(paragraph, passage, task, response, **slots)

    def example(self, row: Row) -> dict[str, Any]:
        """Return the columns of the row that was drawn last."""
        columns: dict[str, Any] = {"passage": row.passage, "source": row.source}
        if row.task in ("exqa", "qa", "ynqa", "mcqa"):
            columns |= {"question": self.slots["q"], "answer": row.response}
        if row.task == "mcqa":
            columns["choices"] = [one[2:] for one in self.slots["options"].split("\n")]
        elif row.task == "qg":
            columns |= {"question": row.response, "answer": self.slots["a"]}
        elif row.task == "nli":
            columns |= {"statement": self.slots["h"], "label": row.response}
        elif row.task == "te":
            columns |= {"statement": self.slots["h"], "answer": row.response}
        elif row.task == "summarization":
            columns["summary"] = row.response
        elif row.task == "sentiment":
            columns |= {"label": row.response, "labels": ["positive", "negative"]}
        elif row.task == "paraphrase_id":
            columns |= {
                "passage": self.slots["s"],
                "sentence": self.slots["t"],
                "answer": row.response,
            }
        elif row.task == "sent_comp":
            columns |= {"passage": self.slots["s"], "answer": row.response}
        return columns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    mixer = Examples(corpus.load(args.data_dir)[0], args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "open.toml", args.out)
    counts: Counter[str] = Counter()
    lines: dict[str, list[str]] = {}
    for row in islice(mixer.rows(), args.rows):
        lines.setdefault(row.task, []).append(json.dumps(mixer.example(row), ensure_ascii=False))
        counts[row.task] += 1
    for task, held in lines.items():
        (args.out / f"{task}.jsonl").write_text("\n".join(held) + "\n", encoding="utf-8")
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
