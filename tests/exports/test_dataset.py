import errno
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from export_rows import account, row

from bonito_local.errors import OutputError
from bonito_local.exports import tables
from bonito_local.exports.account import Made
from bonito_local.exports.dataset import Written, write_dataset
from bonito_local.exports.row import COLUMNS, PROVENANCE, Row
from bonito_local.exports.splits import Split


def write(folder: Path, rows: list[Row], **made: Any) -> Written:
    return write_dataset(folder, rows, account(), Made(**made))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def cells(row: Row) -> dict[str, Any]:
    """A row as a job without reasoning writes it."""
    return {name: value for name, value in asdict(row).items() if name in COLUMNS}


def test_datasets_loads_the_folder_with_its_types(tmp_path: Path) -> None:
    rows = [row(0), row(1, page=7, score=3, agreement=0.5, support=-1.25, gain=0.0)]
    assert write(tmp_path / "out", rows).rows == {"train": 2}
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == [cells(r) for r in rows]
    kinds = {name: feature.dtype for name, feature in loaded.features.items()}
    places = "page start end evidence_start evidence_end"
    others = {"int64": f"{places} max_tokens seed sample score", "bool": "edited"}
    others["float64"] = "temperature top_p agreement support gain"
    for kind, names in others.items():
        assert {name for name, found in kinds.items() if found == kind} == {*names.split()}
    assert set(kinds.values()) == {"string", *others}


def test_jsonl_holds_the_same_rows_a_line_each(tmp_path: Path) -> None:
    rows = [row(0), row(1, page=7, input="a\u2028b\u2029c\x85d\ne\rf")]
    write(tmp_path, rows)
    text = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [cells(r) for r in rows]
    assert "\u00fcber" in text


def test_no_rows_are_a_dataset_too(tmp_path: Path) -> None:
    made = write(tmp_path / "out", [])
    assert (made.total, len(made.warnings)) == (0, 1)
    table = pq.read_table(tmp_path / "out" / "data" / "train.parquet")
    assert (table.num_rows, table.column_names) == (0, list(COLUMNS))
    assert (tmp_path / "out" / "rows.jsonl").read_text() == ""


def test_ledger_and_problems(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    assert json.loads((tmp_path / "ledger.json").read_text()) == account().ledger
    assert json.loads((tmp_path / "problems.json").read_text())[0]["source"] == "x.pdf"


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(11_000)])
    table = pq.read_table(tmp_path / "data" / "train.parquet")
    assert table["start"].to_pylist() == list(range(11_000))


def test_more_rows_than_a_file_takes_are_in_several_that_are_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_A_FILE", 40)
    write(tmp_path / "out", [row(i) for i in range(120)])
    names = ["train-00001.parquet", "train-00002.parquet", "train.parquet"]
    data = tmp_path / "out" / "data"
    assert sorted(path.name for path in data.iterdir()) == names
    assert [pq.read_table(data / name).num_rows for name in names] == [40, 40, 40]
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert list(loaded["start"]) == list(range(120))
    # What a smaller one leaves over goes.
    write(tmp_path / "out", [row(0)])
    assert [path.name for path in data.iterdir()] == ["train.parquet"]


def test_no_document_is_in_two_splits(tmp_path: Path) -> None:
    rows = [row(i, source_sha256=f"{i % 40:064x}") for i in range(400)]
    made = write(tmp_path, rows, split=Split((60, 20, 20)))
    assert made.total == 400
    assert list(made.rows) == ["train", "validation", "test"]
    found = {
        name: set(pq.read_table(tmp_path / f"data/{name}.parquet")["source_sha256"].to_pylist())
        for name in made.rows
    }
    assert sum(map(len, found.values())) == 40
    assert len(set().union(*found.values())) == 40
    assert len(lines(tmp_path / "rows.jsonl")) == 400


def test_rows_of_a_table_are_documents_of_their_own(tmp_path: Path) -> None:
    rows = [row(i, source="a.csv", heading=f"row {i // 2}") for i in range(200)]
    made = write(tmp_path, rows, split=Split((50, 50)))
    assert min(made.rows.values()) > 40
    assert all(count % 2 == 0 for count in made.rows.values())


def test_a_split_without_rows_is_told_and_has_no_file(tmp_path: Path) -> None:
    made = write(tmp_path, [row(0)], split=Split((98, 1, 1)))
    assert made.rows == {"train": 1, "validation": 0, "test": 0}
    assert "The validation split is empty" in made.warnings[0]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["train.parquet"]
    assert load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache")).num_rows == {"train": 1}


@pytest.mark.parametrize("form", ["hf", "jsonl", "csv", "openai", "llama-factory"])
def test_stripped_rows_tell_nothing_of_their_source(form: str, tmp_path: Path) -> None:
    rows = [row(i, source="secret-name.pdf", heading="Secret heading", note="psst") for i in (0, 1)]
    write(tmp_path, rows, format=form, strip_source=True)
    found = files(tmp_path)
    assert "problems.json" not in found
    if form == "hf":
        kept = ["input", "output", "task_type"]
        assert pq.read_table(tmp_path / "data" / "train.parquet").column_names == kept
    for name, data in found.items():
        for secret in (b"secret-name", b"Secret", b"psst", b"x.pdf", b"the-job", b"0" * 16):
            assert secret not in data, (name, secret)


def test_provenance_lies_beside_a_trainers_own_format(tmp_path: Path) -> None:
    rows = [row(0), row(1)]
    write(tmp_path, rows, format="openai")
    assert lines(tmp_path / "provenance" / "train.jsonl") == [
        {name: getattr(r, name) for name in PROVENANCE} for r in rows
    ]


def test_files_are_for_the_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "out", [row(0)])
    finally:
        os.umask(before)
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_an_export_takes_the_place_of_an_earlier_one_and_of_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(9)], format="openai", split=Split((50, 50)))
    (tmp_path / "mine.txt").write_text("mine")
    assert (tmp_path / "provenance").is_dir()
    write(tmp_path, [row(0)], format="jsonl")
    plots = {name for name in files(tmp_path) if name.startswith("plots/")}
    assert files(tmp_path).keys() - plots == {
        *("README.md", "export.json", "ledger.json", "mine.txt", "problems.json", "train.jsonl")
    }
    assert not (tmp_path / "provenance").exists()


def test_a_manifest_names_no_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("keep")
    out = tmp_path / "out"
    write(out, [row(0)])
    told = json.loads((out / "export.json").read_text())
    (out / "export.json").write_text(
        json.dumps(told | {"files": ["../keep.txt", str(tmp_path / "keep.txt"), 5]})
    )
    write(out, [row(0)], format="jsonl")
    assert (tmp_path / "keep.txt").read_text() == "keep"


def test_a_write_that_fails_leaves_the_earlier_dataset(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    held = files(tmp_path)

    def broken() -> Iterator[Row]:
        yield row(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_dataset(tmp_path, broken(), account())
    assert "nothing generated is lost" in caught.value.remedy
    assert files(tmp_path) == held


def test_what_a_killed_export_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".part" / "data").mkdir(parents=True)
    (tmp_path / ".part" / "data" / "train.parquet").write_text("half")
    write(tmp_path, [row(0)])
    assert not (tmp_path / ".part").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["hf", "csv", "messages"])
def test_a_full_device_is_an_output_error(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: real("/dev/full", os.O_WRONLY))
    with pytest.raises(OutputError, match="No space left on device"):
        write(tmp_path, [row(i) for i in range(10)], format=form)
    monkeypatch.undo()
    assert files(tmp_path) == {}
