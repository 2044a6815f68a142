import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bonito_local.errors import DocumentError
from bonito_local.passages import tables
from bonito_local.passages.discover import find_documents
from bonito_local.passages.tables import read_rows
from bonito_local.passages.types import Document, Problem

QUOTE = "a quote in it is not closed, or stands alone"


def rows(path: Path, column: str | None = None) -> list[tuple[int, str] | Problem]:
    return list(read_rows(path, path.name, path.suffix, column))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_jsonl_takes_the_one_column_that_is_text(tmp_path: Path) -> None:
    lines = [{"id": i, "Text": f"row {i} caf\u00e9"} for i in range(1, 151)]
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(line) for line in lines))
    assert rows(path) == [(i, f"row {i} caf\u00e9") for i in range(1, 151)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_jsonl_encodings_and_blank_lines(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.jsonl", '\n{"text": "caf\u00e9"}\r\n\n{"text": ""}\n', encoding)
    assert rows(path) == [(2, "caf\u00e9")]


def test_each_broken_jsonl_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "one"}\n{"text": "tw\n[1]\n{"text": 5}\n{"text": null}\n{}\n{"text": "\xff"}\n'
        b'{"text": "eight"}\n' + b"[" * 100_000 + b"\n"
    )
    assert rows(path) == [
        (1, "one"),
        Problem("a.jsonl", "Line 2 is not valid JSON.", "The line was left out."),
        Problem("a.jsonl", "Line 3 is not a JSON object.", "The line was left out."),
        Problem("a.jsonl", "Line 4: 'text' is not text.", "The line was left out."),
        (7, "\u00ff"),  # no UTF-8: the file is taken for Windows-1252
        (8, "eight"),
        Problem("a.jsonl", "Line 9 is not valid JSON.", "The line was left out."),
    ]


def test_many_broken_lines_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "one"}\n' + "oops\n" * 300)
    found = rows(path)
    assert len(found) == 7
    assert found[-1] == Problem("a.jsonl", "295 more broken lines were left out.")


@pytest.mark.parametrize(
    ("column", "message", "remedy"),
    [
        ("texts", "no column 'texts'", "Did you mean 'text'?"),
        ("zzz", "no column 'zzz'", "Its columns: id, text, context."),
        (
            None,
            "Several columns",
            "Name one with --column. The columns: id, text, context.",
        ),
    ],
)
@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_a_column_that_is_not_there_is_an_error_that_lists_the_columns(
    tmp_path: Path, kind: str, column: str | None, message: str, remedy: str
) -> None:
    path = tmp_path / f"a{kind}"
    record = {"id": "1", "text": "a", "context": "b"}
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist([record]), path)
    elif kind == ".csv":
        write(path, "id,text,context\n1,a,b\n")
    else:
        write(path, json.dumps(record))
    with pytest.raises(DocumentError, match=message) as caught:
        rows(path, column)
    assert caught.value.remedy == remedy
    assert rows(path, "context") == [(1, "b")]


def test_csv_reads_quoted_cells_over_lines_and_reports_ragged_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", 'id,text\n1,"two\nlines, ""quoted"""\n2\n\n3,x,y\n4,last\n5,\n'
    )
    assert rows(path) == [
        (1, 'two\nlines, "quoted"'),
        Problem("a.csv", "Line 4 has 1 field where the header has 2.", "The line was left out."),
        Problem("a.csv", "Line 6 has 3 fields where the header has 2.", "The line was left out."),
        (5, "last"),
    ]


def test_a_csv_line_with_a_broken_quote_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"a"b\n2,two\n3,"open\n4,four\n')
    assert rows(path) == [
        Problem("a.csv", f"Line 2 is no valid CSV: {QUOTE}.", "The line was left out."),
        (2, "two"),
        Problem(
            "a.csv",
            f"Line 4 is no valid CSV: {QUOTE}.",
            "The line was left out.",
        ),
        (4, "four"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("a.csv", "id;text\r\n1;caf\u00e9, open\r\n", "cp1252"),
        ("a.csv", 'id,text\n1,"caf\u00e9, open"\n', "utf-8-sig"),
        ("a.csv", 'id,text\n1,"caf\u00e9, open"\n', "utf-16"),
        ("a.tsv", "id\ttext\n1\tcaf\u00e9, open\n", "utf-8"),
    ],
)
def test_csv_dialects_and_encodings(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    assert rows(write(tmp_path / name, text, encoding)) == [(1, "caf\u00e9, open")]


def test_parquet_is_read_with_its_nulls_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [None if i % 3 == 0 else f"row {i}" for i in range(1, 1000)]
    pq.write_table(pa.table({"id": range(999), "text": texts}), path)
    assert rows(path) == [(i, f"row {i}") for i in range(1, 1000) if i % 3]
    pq.write_table(pa.table({"text": pa.array(["a", "b"], pa.large_string())}), path)
    assert rows(path) == [(1, "a"), (2, "b")]


def test_a_parquet_column_of_numbers_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1], "text": [2]}), path)
    with pytest.raises(DocumentError, match="Column 'text' holds int64, not text"):
        rows(path)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("5", "numbers"), ("0.5", "numbers"), ("[1]", "lists"), ("{}", "objects"), ("true", "true")],
)
def test_a_json_column_of_no_text_is_one_error(tmp_path: Path, cell: str, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"id": {cell}, "body": "word"}}\n{{"id": null}}\nbroken\n' * 50)
    with pytest.raises(DocumentError, match=f"Column 'id' holds {kind}.*, not text") as caught:
        rows(path, column="id")
    assert caught.value.remedy.endswith("The columns: id, body.")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "holds no text"),
        ("a.jsonl", b"[1]\n[2]\n", "no JSON objects"),
        ("a.jsonl", b'{"text": ""}\n', "holds no text"),
        ("a.csv", b"", "The table is empty"),
        ("a.csv", b"id,text\n", "holds no text"),
        ("a.csv", b'"id,text\n1,open', "header line is no valid CSV"),
        ("a.parquet", b"", "no Parquet file"),
        ("a.parquet", b"PAR1" + bytes(50) + b"PAR1", "no Parquet file"),
        ("a.parquet", b"just text", "no Parquet file"),
    ],
)
def test_an_empty_or_broken_table_is_an_error(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DocumentError, match=message):
        rows(path)


def test_a_truncated_parquet_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(5000)]}), path)
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:200] + bytes(3000) + whole[3200:]):
        path.write_bytes(damaged)
        with pytest.raises(DocumentError, match="no Parquet file"):
            rows(path)


def test_a_dataset_saved_by_datasets_is_read(tmp_path: Path) -> None:
    import datasets

    texts = [f"row {i} caf\u00e9" for i in range(2500)]
    saved = datasets.Dataset.from_dict({"id": list(range(2500)), "text": texts})
    datasets.DatasetDict({"train": saved}).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "train" / "cache-1f.arrow").write_bytes(b"no rows of the dataset")
    found = list(find_documents([tmp_path / "saved"]))
    (document,) = found
    assert isinstance(document, Document)
    assert document.kind == ".arrow"
    assert rows(document.path) == list(enumerate(texts, start=1))
    with pytest.raises(DocumentError, match="'id' holds int64, not text") as caught:
        rows(document.path, "id")
    assert "id, text" in caught.value.remedy


def test_an_arrow_file_is_read_and_a_broken_one_reported(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", None, "three"]})
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert rows(path) == [(1, "one"), (3, "three")]
    whole = path.read_bytes()
    for cut in (0, 5, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(DocumentError, match="damaged, or no Arrow file"):
            rows(path)
    # A text that is said to end beyond the file's own bytes.
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    path.write_bytes(
        path.read_bytes().replace(
            b"\3\0\0\0\3\0\0\0\x08\0\0\0", b"\3\0\0\0" * 2 + b"\xff" * 3 + b"\x7f"
        )
    )
    with pytest.raises(DocumentError, match="damaged, or no Arrow file"):
        rows(path)


def test_one_broken_line_of_many_costs_that_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        for i in range(1, 100_001):
            file.write(f"{i},caf\u00e9 {i}\n" if i != 65_432 else f"{i},one,too many\n")
    tracemalloc.start()
    read = bad = 0
    for row in read_rows(path, "a.csv", ".csv", None):
        if isinstance(row, Problem):
            bad += 1
            assert row.title == "Line 65433 has 3 fields where the header has 2."
        else:
            read += 1
            assert row[1] == f"caf\u00e9 {row[0]}"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (read, bad) == (99_999, 1)
    assert most < 4_000_000


def test_a_cell_that_is_too_long_costs_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_MAX_CELL", 1000)
    path = write(tmp_path / "a.csv", f"id,text\n1,{'x' * 1001}\n2,two\n")
    title = (
        "Line 2 is no valid CSV: a quote in it is not closed, or a cell has over 1,000 characters."
    )
    assert rows(path) == [Problem("a.csv", title, "The line was left out."), (2, "two")]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ('500,"never closed', f"Line 501 is no valid CSV: {QUOTE}."),
        ('500,"closed" late', f"Line 501 is no valid CSV: {QUOTE}."),
        ("500,one,more", "Line 501 has 3 fields where the header has 2."),
    ],
)
def test_a_broken_line_costs_no_line_after_it(tmp_path: Path, line: str, title: str) -> None:
    lines = ["id,text", *(f"{i},row {i}" for i in range(1, 1001))]
    lines[500] = line
    found = rows(write(tmp_path / "a.csv", "\n".join(lines)))
    broken = [row for row in found if isinstance(row, Problem)]
    assert [problem.title for problem in broken] == [title]
    assert len(found) - 1 == len(lines) - 2
    kept = [row for row in found if not isinstance(row, Problem)]
    assert all(text == f"row {row}" for row, text in kept)


def test_a_quote_that_closes_in_another_row_costs_its_own_line_only(tmp_path: Path) -> None:
    lines = ["id,text", '1,"never closed', "2,two", '3,"three\nin two lines"', "4,four"]
    found = rows(write(tmp_path / "a.csv", "\n".join(lines)))
    assert found == [
        Problem("a.csv", f"Line 2 is no valid CSV: {QUOTE}.", "The line was left out."),
        (2, "two"),
        (3, "three\nin two lines"),
        (4, "four"),
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ('"id, of the row";"text";"a,b,c"\n1;one, two;x\n', (1, "one, two")),
        ('sep=;\nid;text\n1;"a, b"\n', (1, "a, b")),
        ('"sep=|"\r\nid|text\r\n1|a;b\r\n', (1, "a;b")),
        ("id|text\n1|a, b\n", (1, "a, b")),
        ('id,"text"\n1,"a; b; c"\n', (1, "a; b; c")),
    ],
)
def test_the_delimiter_is_found_outside_quotes(
    tmp_path: Path, text: str, first: tuple[int, str]
) -> None:
    assert rows(write(tmp_path / "a.csv", text)) == [first]


def test_lines_are_numbered_after_a_line_that_names_the_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sep=;\nid;text\n1;a;b\n2;c\n")
    title = "Line 3 has 3 fields where the header has 2."
    assert rows(path) == [Problem("a.csv", title, "The line was left out."), (2, "c")]


def test_jsonl_in_latin_1_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "caf\u00e9"}\n{"text": "two"}\n', "latin-1")
    assert rows(path) == [(1, "caf\u00e9"), (2, "two")]


def test_several_columns_are_joined(tmp_path: Path) -> None:
    record = {"id": "1", "title": "Rent", "body": "It is due.", "x,y": "odd"}
    bare = {**record, "title": ""}
    texts = [(1, "Rent\n\nIt is due."), (2, "It is due.")]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, (record, bare))))
    assert rows(path, "title,body") == rows(path, "title, body") == texts
    assert rows(path, "x,y") == [(1, "odd"), (2, "odd")]
    with pytest.raises(DocumentError, match="no column 'bodies'"):
        rows(path, "title,bodies")
    path = write(tmp_path / "a.csv", "id,title,body\n1,Rent,It is due.\n2,,It is due.\n")
    assert rows(path, "title,body") == texts
    pq.write_table(pa.Table.from_pylist([record, bare]), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet", "title,body") == texts


def test_a_field_inside_a_column_is_read(tmp_path: Path) -> None:
    record = {"messages": [{"role": "user", "content": "Hello."}, {"content": "Yes?"}]}
    odd = {"messages": [{"content": 5}]}
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, (record, odd, {}))))
    assert rows(path, "messages.0.content") == [
        (1, "Hello."),
        Problem("a.jsonl", "Line 2: 'messages.0.content' is not text.", "The line was left out."),
    ]
    assert rows(path, "messages.1.content,messages.0.content")[0] == (1, "Yes?\n\nHello.")
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet", "messages.1.content") == [(1, "Yes?")]
    with pytest.raises(DocumentError, match="'messages' holds lists, not text"):
        rows(path, "messages")


def test_a_dictionary_column_of_parquet_is_read(tmp_path: Path) -> None:
    texts = pa.array(["one", "two", None, "one"]).dictionary_encode()
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [(1, "one"), (2, "two"), (4, "one")]
