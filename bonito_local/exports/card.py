"""The dataset's README: what is in it, how it was made, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEMPLATE = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: {parquet}
---
# Instruction-tuning dataset

{rows} rows written by bonito-local from private documents: each holds text of a document.

| setting | value |
|---|---|
{settings}

| task type | planned | accepted |
|---|---|---|
{tasks}

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```

| column | meaning |
|---|---|
| `input`, `output` | the instruction, passage included where it is needed, and its response |
| `task_type` | short name of the task type |
| `passage` | the passage the row is about |
| `source`, `source_sha256` | the document, and the hash of its bytes |
| `page`, `start`, `end` | where the passage stands in the document's text, in characters |
| `heading` | the headings above it, or the row of a table |
| `model`, `seed`, `sample` | the model, this row's seed, and its index among the passage's rows |

`rows.jsonl` holds the same rows. `ledger.json` says how every planned row ended, and
`problems.json` which documents could not be read.
"""


def dataset_card(
    rows: int, ledger: Mapping[str, Any], settings: Mapping[str, Any], parquet: str
) -> str:
    """Return the card as Markdown, with the header that tells `datasets` where the rows are."""
    tasks = ledger["tasks"].items()
    return _TEMPLATE.format(
        parquet=parquet,
        rows=rows,
        settings="\n".join(f"| {name} | {value!r} |" for name, value in settings.items()),
        tasks="\n".join(
            f"| {task} | {sum(counts.values())} | {counts['accepted']} |" for task, counts in tasks
        ),
    )
