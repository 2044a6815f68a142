import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bonito_local.errors import TrainingError
from bonito_local.training.ctga.examples import read_examples
from bonito_local.training.ctga.paper import find_files

ROWS = [{"a": "one, é", "b": "1"}, {"a": 'two\n"x"', "b": "2"}]


def written(folder: Path, kind: str) -> Path:
    """The rows in a file of a kind."""
    path = folder / f"rows{kind}"
    table = pa.Table.from_pylist(ROWS)
    if kind == ".parquet":
        pq.write_table(table, path)
    elif kind == ".arrow":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    elif kind in (".csv", ".tsv"):
        mark = "\t" if kind == ".tsv" else ","
        path.write_text(f'\ufeffa{mark}b\n"one, é"{mark}1\n\n"two\n""x"""{mark}2\n')
    else:
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    return path


@pytest.mark.parametrize(
    "kind", [".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow"]
)
def test_every_kind_gives_the_same(tmp_path: Path, kind: str) -> None:
    assert list(read_examples([written(tmp_path, kind)], ())) == ROWS


def test_an_arrow_file_is_read_too(tmp_path: Path) -> None:
    path, table = tmp_path / "rows.arrow", pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as stream:
        stream.write_table(table)
    assert list(read_examples([path], ())) == ROWS


def test_lines_that_are_none_are_said(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": \n"a"\n' + "{" * 9 + '\n{"a": 2}')
    assert list(read_examples([path], ())) == [{"a": 1}, None, None, None, {"a": 2}]
    path = tmp_path / "rows.csv"
    path.write_text("1,2\n1\n1,2,3\n3,4\n")
    found = list(read_examples([path], ("a", "b")))
    assert found == [{"a": "1", "b": "2"}, None, None, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.parquet", b"PAR1nonsense", "damaged, or no Parquet"),
        ("a.arrow", b"nonsense", "damaged, or no Arrow"),
        ("a.json", b'[{"a": 1}]', "is a JSON list"),
        ("a.csv", b"a,b\n\xff\xfe,1\n", "is not UTF-8"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TrainingError, match=said):
        list(read_examples([tmp_path / name], ()))
    with pytest.raises(TrainingError, match=r"cannot be read: No such file or directory\."):
        list(read_examples([tmp_path / f"none-{name}"], ()))


@pytest.mark.parametrize(
    ("names", "subset", "split", "found"),
    [
        (
            ["plain_text/train-00000-of-00001.parquet", "plain_text/test-0.parquet"],
            None,
            "train",
            1,
        ),
        (["plain_text/train/0000.parquet", "plain_text/train/0001.parquet"], None, "train", 2),
        (["d/partial-train/0000.parquet", "d/test/0000.parquet"], None, "train", 1),
        (["train/data-00000-of-00002.arrow", "train/data-00001-of-00002.arrow"], None, "train", 2),
        (["train.csv", "test.csv", "README.md"], None, "train", 1),
        (["rte/train.jsonl", "boolq/train.jsonl"], "rte", "train", 1),
        (["3.0.0/train-0.parquet", "2.0.0/train-0.parquet"], "3.0.0", "train", 1),
        (["a/train_r1-0.parquet", "a/train_r3-0.parquet"], None, "train_r3", 1),
        (["train.csv", ".cache/huggingface/download/train.csv"], None, "train", 1),
    ],
)
def test_the_files_of_a_split_are_found(
    tmp_path: Path, names: list[str], subset: str | None, split: str, found: int
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths = find_files(tmp_path, subset, split)
    assert len(paths) == found
    assert all(split in str(path.relative_to(tmp_path)) for path in paths)


def test_no_file_and_too_many_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no file of the split train of rte"):
        find_files(tmp_path, "rte", "train")
    for name in ("one/train.csv", "two/train.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(TrainingError, match=r"more than once: one, two"):
        find_files(tmp_path, None, "train")
