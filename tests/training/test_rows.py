import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from export_rows import account, row

from bonito_local.errors import TrainingError
from bonito_local.exports import tables
from bonito_local.exports.account import Made
from bonito_local.exports.dataset import write_dataset
from bonito_local.training.config import Kind, TrainConfig
from bonito_local.training.plan import make_plan
from bonito_local.training.rows import files_hash, find_data, read_pairs


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_each_kind_has_its_prompt(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", [{"input": " a\n", "output": " b ", "passage": " p "}])
    assert list(read_pairs([path], "bonito")) == [(" a\n", " b ")]
    assert list(read_pairs([path], "adapt")) == [("<|input|>\na\n<|output|>\n", "b")]
    assert list(read_pairs([path], "tapt")) == [("", "p")]


def test_a_passage_is_read_once(tmp_path: Path) -> None:
    rows = [{"passage": "one", "input": "x"}, {"passage": "two"}, {"passage": "one "}]
    path = lines(tmp_path / "r.jsonl", rows)
    assert list(read_pairs([path], "tapt")) == [("", "one"), ("", "two")]


def test_parquet_reads_as_lines_do(tmp_path: Path) -> None:
    pq.write_table(pa.table({"output": ["b"], "id": [1], "input": ["a"]}), tmp_path / "r.parquet")
    assert list(read_pairs([tmp_path / "r.parquet"], "bonito")) == [("a", "b")]


def test_of_an_export_only_training_rows_are_taken(tmp_path: Path) -> None:
    lines(tmp_path / "rows.jsonl", [])
    assert find_data(tmp_path) == (tmp_path / "rows.jsonl",)
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        (tmp_path / f"data/{split}.parquet").touch()
    assert find_data(tmp_path) == (tmp_path / "data/train.parquet",)


def test_all_files_of_an_export_are_read_counted_and_hashed(
    tmp_path: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_A_FILE", 2)
    write_dataset(tmp_path / "out", [row(i, input=f"in {i}") for i in range(5)], account(), Made())
    files = find_data(tmp_path / "out")
    names = ["train.parquet", "train-00001.parquet", "train-00002.parquet"]
    assert [path.name for path in files] == names
    assert [prompt for prompt, _ in read_pairs(files, "bonito")] == [f"in {i}" for i in range(5)]
    assert list(read_pairs(files, "tapt")) == [("", "P <|task|>")]
    assert make_plan(replace(config, data=tmp_path / "out")).rows == 5
    before = files_hash(files)
    files[-1].write_bytes(files[0].read_bytes())
    assert files_hash(files) != before
    assert files_hash(files[:1]) == hashlib.sha256(files[0].read_bytes()).hexdigest()
    # Rows are counted beyond those that a plan looks into.
    monkeypatch.setattr("bonito_local.training.plan._SAMPLE", 1)
    files[-1].write_bytes(b"PAR1nothing")
    with pytest.raises(TrainingError, match=r"train-00002\.parquet cannot be read as Parquet"):
        make_plan(replace(config, data=tmp_path / "out", steps=1))


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('{"input": "a"}', "bonito", 'Row 1 of .* "input" and "output"; it has input'),
        ('{"input": "a", "output": 3}', "adapt", "Row 1"),
        ('{"input": "a", "output": "b"}\nnot json', "bonito", "Line 2"),
        ("[1]", "bonito", "Line 1"),
        ('{"input": "a"}', "tapt", '"text" or "passage"'),
        ("{}", "tapt", "it has nothing"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, kind: Kind, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(TrainingError, match=said):
        list(read_pairs([path], kind))


def test_half_a_surrogate_pair_is_spelled_out(tmp_path: Path) -> None:
    text = '{"input": "a \\ud83d", "output": "b\\udc00", "text": "\\ud83d"}'
    (tmp_path / "r.jsonl").write_text(text)
    found = [list(read_pairs([tmp_path / "r.jsonl"], kind)) for kind in ("bonito", "tapt")]
    assert found == [[("a \\ud83d", "b\\udc00")], [("", "\\ud83d")]]


def test_what_is_not_there_or_no_table(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="There is no file"):
        find_data(tmp_path / "none.jsonl")
    with pytest.raises(TrainingError, match=r"Cannot read .*none\.jsonl: No such file"):
        files_hash([tmp_path / "none.jsonl"])
    with pytest.raises(TrainingError, match=r"Cannot read .*none\.jsonl: No such file"):
        list(read_pairs([tmp_path / "none.jsonl"], "tapt"))
    with pytest.raises(TrainingError, match="holds no rows"):
        find_data(tmp_path)
    (tmp_path / "r.parquet").write_bytes(b"PAR1nothing")
    with pytest.raises(TrainingError, match="cannot be read as Parquet"):
        list(read_pairs([tmp_path / "r.parquet"], "bonito"))
