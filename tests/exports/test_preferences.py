"""Formats of preferences: their lines, what lies beside them, and TRL's own trainers on them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from export_rows import account, row
from tiny_checkpoint import write_checkpoint

from bonito_local.exports.account import Made
from bonito_local.exports.dataset import write_dataset
from bonito_local.exports.preferences import Preference, preference

PAIRS = [preference(row(i, output=f"A{i}"), rejected=f"B{i}", origin="edited") for i in range(8)]
EXAMPLES = [
    preference(row(i, output=f"A{i}"), label=i % 2 == 0, origin="found wrong" if i % 2 else "kept")
    for i in range(8)
]

# In a process of its own: what TRL imports warns.
TRAIN = """
import sys
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
name, model, data, out = sys.argv[1:]
trainer, config = {"dpo": (DPOTrainer, DPOConfig), "kto": (KTOTrainer, KTOConfig)}[name]
tokenizer = AutoTokenizer.from_pretrained(model)
tokenizer.pad_token = tokenizer.eos_token
rows = load_dataset("json", data_files=data, split="train", cache_dir=out)
args = config(out, per_device_train_batch_size=4, max_steps=1, use_cpu=True, report_to=[],
              bf16=False, gradient_checkpointing=False, save_strategy="no", logging_steps=1)
at_work = trainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
batch = next(iter(at_work.get_train_dataloader()))
said = " ".join(tokenizer.batch_decode(batch.get("input_ids", batch.get("completion_input_ids"))))
print(all(text in said for text in ("Q0", "A0", "B0" if name == "dpo" else "A1")))
print(at_work.train().global_step)
"""


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_pairs(tmp_path: Path) -> None:
    made = write_dataset(tmp_path, PAIRS, account(), Made("dpo"))
    assert made.warnings == ()
    assert lines(tmp_path / "train.jsonl")[1] == {
        "prompt": PAIRS[1].input + "\n",
        "chosen": "A1",
        "rejected": "B1",
    }
    beside = lines(tmp_path / "provenance" / "train.jsonl")
    assert [line["origin"] for line in beside] == ["edited"] * 8
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "8 pairs of a better and a worse response" in card
    assert "| edited | 8 |" in card
    assert "rejected: B" in card
    assert "| `origin` |" in card


def test_right_and_wrong_answers(tmp_path: Path) -> None:
    made = write_dataset(tmp_path, EXAMPLES, account(), Made("kto", strip_source=True))
    assert made.warnings == ()
    assert lines(tmp_path / "train.jsonl")[:2] == [
        {"prompt": EXAMPLES[at].input + "\n", "completion": f"A{at}", "label": at == 0}
        for at in (0, 1)
    ]
    assert not (tmp_path / "provenance").exists()
    assert "| kept | 4 |" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("form", "rows", "said"),
    [
        ("dpo", [], "No pair is in it: no kept row was edited, "),
        ("kto", [], "No row is in it: none was kept, and no answer was found wrong."),
        ("kto", EXAMPLES[::2], "All rows are right: KTO learns from both."),
        ("kto", EXAMPLES[1::2], "All rows are wrong: KTO learns from both."),
    ],
)
def test_what_lacks_is_said_in_a_line(
    form: str, rows: list[Preference], said: str, tmp_path: Path
) -> None:
    (warning,) = write_dataset(tmp_path, rows, account(), Made(form)).warnings
    assert warning.startswith(said)
    assert "\n" not in warning


@pytest.mark.parametrize(("form", "rows"), [("dpo", PAIRS), ("kto", EXAMPLES)])
def test_trl_trains_on_them(form: str, rows: list[Preference], tmp_path: Path) -> None:
    write_dataset(tmp_path / "export", rows, account(), Made(form))
    write_checkpoint(tmp_path / "model", width=64, ffn=64, layers=1)
    data = tmp_path / "export" / "train.jsonl"
    paths = [str(path) for path in (tmp_path / "model", data, tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAIN, form, *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("\n")
    assert "True" in printed, done.stdout
    assert "1" in printed
