"""The formats a dataset is exported in: what each writes for a row, and what goes beside it.

The shapes are those their readers document: Hugging Face `datasets` (README header),
tatsu-lab/stanford_alpaca, ShareGPT as LLaMA-Factory and Axolotl read it, TRL ("dataset
formats"), hiyouga/LLaMA-Factory `data/README.md`, Axolotl ("dataset formats"), and OpenAI's
guide to supervised fine-tuning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bonito_local.errors import UsageError, did_you_mean
from bonito_local.exports.preferences import ORIGINS, Preference
from bonito_local.exports.row import PROVENANCE, REVIEWED, Row

Record = Callable[[Row], dict[str, Any]]


def _messages(row: Row) -> dict[str, Any]:
    asked, answer = _turns(row)
    if row.reasoning is not None:
        # In every row: a reader of JSON takes the keys of the first ones for those of all.
        answer["reasoning_content"] = row.reasoning
    return {"messages": [asked, answer]}


def _openai(row: Row) -> dict[str, Any]:
    return {"messages": _turns(row)}


def _turns(row: Row) -> list[dict[str, str]]:
    turns = (("user", row.input), ("assistant", row.output))
    return [{"role": role, "content": text} for role, text in turns]


def _answer(row: Row) -> str:
    """The output, after the reasoning in the marks that most models think between."""
    return f"<think>\n{row.reasoning}\n</think>\n\n{row.output}" if row.reasoning else row.output


def _sharegpt(row: Row) -> dict[str, Any]:
    turns = (("human", row.input), ("gpt", _answer(row)))
    return {"conversations": [{"from": who, "value": text} for who, text in turns]}


def _alpaca(row: Row) -> dict[str, Any]:
    return {"instruction": row.input, "input": "", "output": _answer(row)}


def _prompt_completion(row: Row) -> dict[str, Any]:
    # The line end is the prompt's: tokenizers never join it with the completion's first letters.
    return {"prompt": row.input + "\n", "completion": _answer(row)}


def _dpo(row: Row) -> dict[str, Any]:
    if not isinstance(row, Preference):
        raise TypeError("a pair needs a rejected answer")
    return {"prompt": row.input + "\n", "chosen": row.output, "rejected": row.rejected}


def _kto(row: Row) -> dict[str, Any]:
    label = row.label if isinstance(row, Preference) else True
    return {**_prompt_completion(row), "label": label}


def _nothing(_: Sequence[str]) -> dict[str, str]:
    return {}


def _dataset_info(splits: Sequence[str]) -> dict[str, str]:
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    told = {
        f"bonito_{split}": {
            "file_name": f"{split}.jsonl",
            "formatting": "alpaca",
            "columns": columns,
        }
        for split in splits
    }
    return {"dataset_info.json": json.dumps(told, indent=2) + "\n"}


def _axolotl(splits: Sequence[str]) -> dict[str, str]:
    lines = ["# The data part of an Axolotl config: paths are relative to where axolotl runs."]
    for split in splits:
        if split == "test":
            continue  # For after the training.
        lines += [
            "datasets:" if split == "train" else "test_datasets:",
            f"  - path: {split}.jsonl",
            "    ds_type: json",
            *(["    split: train"] if split != "train" else []),
            "    type: chat_template",
            "    field_messages: messages",
            "    message_property_mappings:",
            "      role: role",
            "      content: content",
        ]
    # Split by document here, so that Axolotl does not split by row.
    lines += ["val_set_size: 0", ""]
    return {"axolotl.yaml": "\n".join(lines)}


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name, who reads it, its files, and what they hold.

    A file for each split is `folder` + split + "." + `kind`. `record` is what a row becomes in
    a trainer's own format; without it, a row is `columns` (empty: all), with its provenance.
    `whole` is one more file of all rows. `beside` makes small files from the splits' names.
    `least` is the fewest rows the reader takes. `provenance` is what is said of a row beside
    its line. `compares` is for formats whose rows are a `Preference`. `unit` is what the rows
    are, `empty` why there may be none.
    """

    name: str
    meaning: str
    kind: Literal["parquet", "jsonl", "csv"] = "jsonl"
    record: Record | None = None
    columns: tuple[str, ...] = ()
    folder: str = ""
    whole: str = ""
    beside: Callable[[Sequence[str]], dict[str, str]] = _nothing
    least: int = 1
    provenance: tuple[str, ...] = PROVENANCE
    compares: bool = False
    unit: str = "rows of instruction and response"
    empty: str = "No row is in it: see which rows were asked for, and the ledger."

    def file(self, split: str) -> str:
        """The name of a split's file."""
        return f"{self.folder}{split}.{self.kind}"


FORMATS: tuple[Format, ...] = (
    Format(
        "hf",
        "a folder for datasets.load_dataset: Parquet, and the same rows as JSONL",
        kind="parquet",
        folder="data/",
        whole="rows.jsonl",
    ),
    Format("parquet", "one Parquet file for each split", kind="parquet"),
    Format("jsonl", "a row for each line, with all its columns"),
    Format(
        "csv",
        "for a spreadsheet; `bonito-local import` takes it back",
        kind="csv",
        columns=REVIEWED,
    ),
    Format("alpaca", "instruction, input, output", record=_alpaca),
    Format("sharegpt", "conversations of human and gpt", record=_sharegpt),
    Format(
        "messages", "messages of user and assistant (ChatML), for chat templates", record=_messages
    ),
    Format(
        "prompt-completion",
        "prompt and completion, for TRL's SFTTrainer",
        record=_prompt_completion,
    ),
    Format(
        "dpo",
        "prompt, chosen and rejected: pairs for TRL's DPOTrainer",
        record=_dpo,
        provenance=ORIGINS,
        compares=True,
        unit="pairs of a better and a worse response to an instruction",
        empty="No pair is in it: no kept row was edited, shares its question with an answer that "
        "was found wrong, or has wrong options or labels and a confirmed answer.",
    ),
    Format(
        "kto",
        "prompt, completion and whether it is right, for TRL's KTOTrainer",
        record=_kto,
        provenance=ORIGINS,
        compares=True,
        unit="instructions with a response that is right or wrong",
        empty="No row is in it: none was kept, and no answer was found wrong.",
    ),
    Format(
        "llama-factory",
        "Alpaca with dataset_info.json: a dataset_dir of LLaMA-Factory",
        record=_alpaca,
        beside=_dataset_info,
    ),
    Format(
        "axolotl",
        "messages with axolotl.yaml: the data part of an Axolotl config",
        record=_messages,
        beside=_axolotl,
    ),
    Format("openai", "chat JSONL for OpenAI's fine-tuning", record=_openai, least=10),
)


def find_format(name: str) -> Format:
    """Look a format up by name.

    Raises:
        UsageError: there is none; the remedy names the nearest, or all.
    """
    for known in FORMATS:
        if known.name == name.strip().lower():
            return known
    raise UsageError(
        f"Unknown format {name!r}.", did_you_mean(name, [known.name for known in FORMATS])
    )
