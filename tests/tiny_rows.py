"""Rows to train on, a few words each."""

from __future__ import annotations

import json
from pathlib import Path

from bonito_local.tasks import PIPE, format_prompt, task_type

ROWS = [
    {
        "input": format_prompt(task_type("exqa"), f"The {a} is {b}." + " It is so." * (i % 4)),
        "output": f"What is the {a}?\n{PIPE}\n{b}",
    }
    for i, (a, b) in enumerate(
        (a, b)
        for a in ("sky", "sea", "grass", "sun", "night")
        for b in ("blue", "green", "wide", "bright")
    )
]


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
