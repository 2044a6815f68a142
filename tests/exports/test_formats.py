"""Every format, read by what it is for or held against what its reader documents."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset
from export_rows import account, row
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.errors import UsageError
from bonito_local.exports.account import Made
from bonito_local.exports.dataset import write_dataset
from bonito_local.exports.formats import FORMATS, find_format
from bonito_local.exports.preferences import preference
from bonito_local.exports.row import COLUMNS, REVIEWED
from bonito_local.exports.splits import Split
from bonito_local.exports.tables import as_cell, from_cell

ROWS = [row(i, source_sha256=f"{i:064x}", output=f"A{i} é") for i in range(40)]
SPLIT = Split((60, 20, 20))


@pytest.fixture
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """An export in the format that the test names, in three splits."""
    folder = tmp_path / "export"
    write_dataset(folder, ROWS, account(), Made(request.param, SPLIT))
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def by_split(folder: Path, name: str = "{}.jsonl") -> dict[str, list[dict[str, Any]]]:
    return {split: lines(folder / name.format(split)) for split in SPLIT.names}


@pytest.mark.parametrize("form", [form.name for form in FORMATS])
def test_datasets_loads_each_by_its_card(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    rows = [preference(row, rejected="B") for row in ROWS] if find_format(form).compares else ROWS
    made = write_dataset(folder, rows, account(), Made(form, SPLIT))
    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == made.rows
    assert sum(made.rows.values()) == len(ROWS)
    assert min(made.rows.values()) > 0


@pytest.mark.parametrize("written", ["parquet"], indirect=True)
def test_parquet(written: Path) -> None:
    tables = [pq.read_table(written / f"{name}.parquet") for name in SPLIT.names]
    assert {tuple(table.column_names) for table in tables} == {COLUMNS}
    texts = {text for table in tables for text in table["output"].to_pylist()}
    assert texts == {r.output for r in ROWS}


@pytest.mark.parametrize("written", ["jsonl"], indirect=True)
def test_jsonl(written: Path) -> None:
    found = [line for rows in by_split(written).values() for line in rows]
    assert {line["id"] for line in found} == {r.id for r in ROWS}
    assert list(found[0]) == list(COLUMNS)


@pytest.mark.parametrize("written", ["csv"], indirect=True)
def test_csv_is_read_by_a_spreadsheet(written: Path) -> None:
    data = (written / "train.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfid,task_type,input")
    with (written / "train.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == REVIEWED
    texts = {r.id: r.input for r in ROWS}
    assert all(line["input"] == texts[line["id"]] for line in found)


REASONED = [row(0, reasoning="It says so."), row(1, reasoning="")]


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("alpaca", lambda line: line["output"]),
        ("llama-factory", lambda line: line["output"]),
        ("sharegpt", lambda line: line["conversations"][1]["value"]),
        ("prompt-completion", lambda line: line["completion"]),
    ],
)
def test_reasoning_stands_before_the_answer(
    form: str, place: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    write_dataset(tmp_path, REASONED, account(), Made(form, reasoned=True))
    answers = [place(line) for line in lines(tmp_path / "train.jsonl")]
    assert answers == ["<think>\nIt says so.\n</think>\n\nA", "A"]
    assert "reasoning" not in lines(tmp_path / "provenance" / "train.jsonl")[0]


@pytest.mark.parametrize("form", ["messages", "axolotl"])
def test_reasoning_is_a_part_of_the_assistants_message(form: str, tmp_path: Path) -> None:
    write_dataset(tmp_path, REASONED, account(), Made(form, reasoned=True))
    turns = [line["messages"][1] for line in lines(tmp_path / "train.jsonl")]
    assert turns == [
        {"role": "assistant", "content": "A", "reasoning_content": "It says so."},
        {"role": "assistant", "content": "A", "reasoning_content": ""},
    ]


def test_reasoning_is_left_out_where_readers_refuse_it(tmp_path: Path) -> None:
    write_dataset(tmp_path / "openai", REASONED, account(), Made("openai", reasoned=True))
    turn = lines(tmp_path / "openai" / "train.jsonl")[0]["messages"][1]
    assert turn == {"role": "assistant", "content": "A"}
    pairs = [preference(one, rejected="B") for one in REASONED]
    write_dataset(tmp_path / "dpo", pairs, account(), Made("dpo", reasoned=True))
    assert [line["chosen"] for line in lines(tmp_path / "dpo" / "train.jsonl")] == ["A", "A"]


def test_without_its_source_a_row_keeps_its_reasoning(tmp_path: Path) -> None:
    made = Made("jsonl", strip_source=True, reasoned=True)
    write_dataset(tmp_path, REASONED, account(), made)
    assert lines(tmp_path / "train.jsonl")[0] == {
        "input": REASONED[0].input,
        "output": "A",
        "reasoning": "It says so.",
        "task_type": "qa",
    }


@pytest.mark.parametrize("written", ["alpaca"], indirect=True)
def test_alpaca(written: Path) -> None:
    pairs = {(r.input, r.output) for r in ROWS}
    for found in by_split(written).values():
        for line in found:
            assert list(line) == ["instruction", "input", "output"]
            assert (line["instruction"], line["output"]) in pairs


# In a process of its own: what TRL imports warns. Messages go through a chat template;
# ShareGPT's are converted to messages, by TRL with their own names for who speaks.
TRL = """
import sys
from datasets import load_dataset
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from trl.data_utils import apply_chat_template, is_conversational, maybe_convert_to_chatml
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
tokenizer.chat_template = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}")
for name, speakers in (("messages", ("user", "assistant")), ("sharegpt", ("human", "gpt"))):
    path = f"{sys.argv[1]}/{name}/train.jsonl"
    rows = load_dataset("json", data_files=path, split="train", cache_dir=sys.argv[1])
    for row in map(maybe_convert_to_chatml, rows):
        assert list(row) == ["messages"] and is_conversational(row), row
        said = "".join(f"<{who}>{turn['content']}</s>"
                       for who, turn in zip(speakers, row["messages"], strict=True))
        assert apply_chat_template(row, tokenizer)["text"] == said, said
    print(len(rows))
path = f"{sys.argv[1]}/prompt-completion/train.jsonl"
rows = load_dataset("json", data_files=path, split="train", cache_dir=sys.argv[1])
for row in rows:
    assert list(row) == ["prompt", "completion"] and not is_conversational(row)
    assert maybe_convert_to_chatml(row) == row
    assert row["prompt"].endswith("?\\n") and row["completion"].startswith("A")
print(len(rows))
# As templates of models that think do it.
tokenizer.chat_template = (
    "{% for m in messages %}{% if m.reasoning_content is string and m.reasoning_content %}"
    "<think>{{ m.reasoning_content }}</think>{% endif %}{{ m['content'] }}|{% endfor %}")
path = f"{sys.argv[1]}/reasoned/train.jsonl"
rows = load_dataset("json", data_files=path, split="train", cache_dir=sys.argv[1])
for row, thought in zip(rows, ("<think>It says so.</think>", ""), strict=True):
    text = apply_chat_template(maybe_convert_to_chatml(row), tokenizer)["text"]
    assert text == f"{row['messages'][0]['content']}|{thought}A|", text
print(len(rows))
"""


def test_trl_takes_conversations_and_prompts(tmp_path: Path) -> None:
    for name in ("messages", "sharegpt", "prompt-completion"):
        write_dataset(tmp_path / name, ROWS, account(), Made(name))
    write_dataset(tmp_path / "reasoned", REASONED, account(), Made("messages", reasoned=True))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["40", "40", "40", "2"]


# hiyouga/LLaMA-Factory, data/README.md: what a description of a dataset may say.
FACTORY = {
    *("hf_hub_url", "ms_hub_url", "script_url", "file_name", "formatting", "ranking", "subset"),
    *("split", "folder", "num_samples", "columns", "tags"),
}
FACTORY_COLUMNS = {
    *("prompt", "query", "response", "history", "messages", "system", "tools", "images"),
    *("chosen", "rejected", "kto_tag"),
}


@pytest.mark.parametrize("written", ["llama-factory"], indirect=True)
def test_llama_factory_finds_what_its_info_names(written: Path) -> None:
    info = json.loads((written / "dataset_info.json").read_text())
    assert list(info) == ["bonito_train", "bonito_validation", "bonito_test"]
    for described in info.values():
        assert set(described) <= FACTORY
        assert described["formatting"] in ("alpaca", "sharegpt")
        assert set(described["columns"]) <= FACTORY_COLUMNS
        for line in lines(written / described["file_name"]):
            assert all(isinstance(line[name], str) for name in described["columns"].values())
            assert line[described["columns"]["prompt"]]
            assert line[described["columns"]["response"]]


@pytest.mark.parametrize("written", ["axolotl"], indirect=True)
def test_axolotls_config_loads_what_it_names(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written)
    config = yaml.safe_load((written / "axolotl.yaml").read_text())
    assert config["val_set_size"] == 0
    for name, split in (("datasets", "train"), ("test_datasets", "validation")):
        (said,) = config[name]
        assert said["type"] == "chat_template"
        loaded = load_dataset(
            said["ds_type"],
            data_files=said["path"],
            split=said.get("split", "train"),
            cache_dir=str(tmp_path / "cache"),
        )
        assert loaded.num_rows == len(lines(written / f"{split}.jsonl"))
        mapping = said["message_property_mappings"]
        for turns in loaded[said["field_messages"]]:
            assert [turn[mapping["role"]] for turn in turns] == ["user", "assistant"]
            assert all(turn[mapping["content"]] for turn in turns)


@pytest.mark.parametrize("written", ["openai"], indirect=True)
def test_openais_rules(written: Path) -> None:
    """Their guide: JSONL, UTF-8; messages with role and content; an assistant speaks last."""
    for name in SPLIT.names:
        data = (written / f"{name}.jsonl").read_bytes()
        assert b"\r" not in data
        for line in data.decode().splitlines():
            example = json.loads(line)
            assert list(example) == ["messages"]
            for message in example["messages"]:
                assert list(message) == ["role", "content"]
                assert message["role"] in ("system", "user", "assistant")
                assert message["content"]
            assert example["messages"][-1]["role"] == "assistant"


def test_too_few_rows_for_openai_are_told(tmp_path: Path) -> None:
    made = write_dataset(tmp_path, ROWS[:9], account(), Made("openai"))
    assert made.warnings == ("The train split has 9 rows; openai takes 10 or more.",)
    assert not write_dataset(tmp_path, ROWS[:10], account(), Made("openai")).warnings


def test_an_unknown_format_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Unknown format 'sharegtp'") as caught:
        find_format("sharegtp")
    assert caught.value.remedy == "Did you mean 'sharegpt'?"


FORMULAS = ["=1+1", "@x", "-First, we", "+49 30 1234", "\t=1", "'=1", "''-a", "=", "-"]
PLAIN = ["-5", "+3", "-1,234.5", "-5%", "a=b", "'quoted'", "", "it's", "5-6"]


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    cell = as_cell(text)
    assert cell == (f"'{text}" if text in FORMULAS else text)
    assert from_cell(cell) == text


@given(st.text())
def test_every_text_comes_back_from_a_cell(text: str) -> None:
    assert from_cell(as_cell(text)) == text
    assert not as_cell(text).startswith(("=", "@", "\t", "\r"))
