"""A checkout of promptsource, and datasets for it, written on the fly: the form, not the text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# Name -> Jinja, or Jinja and answer choices. The names are promptsource's: the paper's table
# tells their task types by them.
Prompts = Mapping[str, str | tuple[str, str]]

SQUAD: Prompts = {
    "answer_the_question": (
        "{{ context }}\n\nTell me: {{question}}\n|||\n{{ answers.text | choice }}"
    ),
    "given_context_generate_question": "Ask about this. {{context}} ||| {{ question }}",
    "jeopardy": "{{ answers.text[0] }}? ||| {{ question }}",
    "mine": "{{ context }} {{ question }} ||| {{ answers.text[0] }}",
}
RTE: Prompts = {
    "must be true": (
        'If "{{premise}}", is "{{hypothesis}}" so? ||| {{ answer_choices[label] }}',
        "Yes ||| No",
    )
}


def write_prompts(checkout: Path, name: str, prompts: Prompts, subset: str = "") -> Path:
    """Write the templates for a dataset as promptsource does; returns the file."""
    lines = [f"dataset: {name}", *([f"subset: {subset}"] if subset else []), "templates:"]
    for number, (title, made) in enumerate(prompts.items()):
        jinja, choices = made if isinstance(made, tuple) else (made, None)
        lines += [
            f"  {number:08}-0000: !Template",
            f"    answer_choices: {json.dumps(choices)}",
            f"    id: {number:08}-0000",
            f"    jinja: {json.dumps(jinja)}",
            "    metadata: !TemplateMetadata",
            "      choices_in_prompt: false",
            "      original_task: true",
            f"    name: {json.dumps(title)}",
            "    reference: ''",
        ]
    path = checkout / "promptsource" / "templates" / name / subset / "templates.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def squad(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "context": f"Tenant {number} pays {100 + number} euros a month.",
        "question": f"What does tenant {number} pay?",
        "answers": {"text": [f"{100 + number} euros"], "answer_start": [10]},
    }


def rte(number: int) -> dict[str, Any]:
    premise = f"House {number} is sold."
    return {"idx": number, "premise": premise, "hypothesis": "It is let.", "label": number % 2}


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def checkout(folder: Path) -> Path:
    """Write templates for two of the paper's datasets."""
    write_prompts(folder, "squad", SQUAD)
    write_prompts(folder, "super_glue", RTE, "rte")
    return folder


def mirror(folder: Path, examples: int = 40) -> Path:
    """Write two of the paper's datasets, as the hub lays them out and as a person might."""
    half = examples // 2
    write_parquet(folder / "squad/plain_text/train-00000-of-00002.parquet", map_(squad, 0, half))
    write_parquet(
        folder / "squad/plain_text/train-00001-of-00002.parquet", map_(squad, half, examples)
    )
    write_parquet(folder / "squad/plain_text/validation-00000-of-00001.parquet", [squad(-1)])
    write_jsonl(folder / "super_glue/rte/train.jsonl", map_(rte, 0, examples))
    return folder


def map_(make: Any, start: int, end: int) -> list[dict[str, Any]]:
    return [make(number) for number in range(start, end)]
