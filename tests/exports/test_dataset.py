import errno
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from bonito_local.errors import OutputError
from bonito_local.exports.dataset import Row, write_dataset

LEDGER = {
    "planned": 3,
    "tasks": {"qa": {"accepted": 2, "rejected": 1}},
    "outcomes": {},
    "reasons": [],
}
SETTINGS = {"model": "tiny", "seed": 0}


def row(at: int, page: int | None = None) -> Row:
    return Row(
        input=f"Q{at}: \u00fcber {{x}}\nline | 2?",
        output="A",
        task_type="qa",
        passage="P <|task|>",
        source="a b.txt",
        source_sha256="0" * 64,
        page=page,
        start=at,
        end=at + 5,
        heading="1 > a",
        model="tiny",
        seed=2**31 - 1,
        sample=at,
    )


def write(folder: Path, rows: list[Row]) -> int:
    problems = [{"source": "x.pdf", "title": "It is empty.", "remedy": "Remove it."}]
    return write_dataset(folder, rows, LEDGER, problems, SETTINGS)


def test_datasets_loads_the_folder_with_its_types(tmp_path: Path) -> None:
    rows = [row(0), row(1, page=7)]
    assert write(tmp_path / "out", rows) == 2
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == [asdict(r) for r in rows]
    kinds = {name: feature.dtype for name, feature in loaded.features.items()}
    assert {n for n, kind in kinds.items() if kind == "int64"} == {
        "page",
        "start",
        "end",
        "seed",
        "sample",
    }
    assert set(kinds.values()) == {"int64", "string"}


def test_jsonl_holds_the_same_rows(tmp_path: Path) -> None:
    write(tmp_path, [row(0), row(1, page=7)])
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [asdict(row(0)), asdict(row(1, page=7))]
    assert "\u00fcber" in lines[0]


def test_no_rows_are_a_dataset_too(tmp_path: Path) -> None:
    assert write(tmp_path, []) == 0
    table = pq.read_table(tmp_path / "data" / "train.parquet")
    assert (table.num_rows, table.column_names) == (0, list(Row.__slots__))
    assert (tmp_path / "rows.jsonl").read_text() == ""


def test_ledger_problems_and_card(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    assert json.loads((tmp_path / "ledger.json").read_text()) == LEDGER
    assert json.loads((tmp_path / "problems.json").read_text())[0]["source"] == "x.pdf"
    card = (tmp_path / "README.md").read_text()
    assert "path: data/train.parquet" in card
    assert "| qa | 3 | 2 |" in card


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(11_000)])
    table = pq.read_table(tmp_path / "data" / "train.parquet")
    assert table["start"].to_pylist() == list(range(11_000))


def test_files_are_for_the_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "out", [row(0)])
    finally:
        os.umask(before)
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "out").rglob("*")}
    assert modes.pop("data") == 0o700
    names = ["README.md", "ledger.json", "problems.json", "rows.jsonl", "train.parquet"]
    assert modes == dict.fromkeys(names, 0o600)


def test_a_write_that_fails_leaves_the_earlier_dataset(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    held = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def broken() -> Iterator[Row]:
        yield row(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_dataset(tmp_path, broken(), LEDGER, [], SETTINGS)
    assert "nothing generated is lost" in caught.value.remedy
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == held


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: real("/dev/full", os.O_WRONLY))
    with pytest.raises(OutputError, match="No space left on device"):
        write(tmp_path, [row(i) for i in range(10)])
