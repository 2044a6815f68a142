import os
from pathlib import Path

import pytest

from bonito_local.errors import UsageError
from bonito_local.passages.discover import find_documents
from bonito_local.passages.types import Document, Problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    for name in ("b.txt", "a.MD", "sub/c.pdf", "sub/.hidden.txt", ".git/d.txt", "~$b.docx"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return root


def names(found: list[Document | Problem], root: Path) -> list[str]:
    return [str(Path(f.source).relative_to(root)) for f in found if isinstance(f, Document)]


def problems(found: list[Document | Problem]) -> list[Problem]:
    return [f for f in found if isinstance(f, Problem)]


def test_a_folder_is_read_recursively_in_order_without_hidden_files(folder: Path) -> None:
    found = list(find_documents([folder]))
    assert names(found, folder) == ["a.MD", "b.txt", "sub/c.pdf"]
    assert [f.kind for f in found if isinstance(f, Document)] == [".md", ".txt", ".pdf"]
    assert problems(found) == []


def test_a_dataset_among_the_documents_is_read_only_where_it_is_named(folder: Path) -> None:
    (folder / "out" / ".job").mkdir(parents=True)
    (folder / "out" / "rows.jsonl").write_text("x")
    (folder / "exported").mkdir()
    (folder / "exported" / "rows.jsonl").write_text("x")
    (folder / "exported" / "export.json").write_text(
        '{\n  "made_by": "bonito-local",\n  "files": []}'
    )
    assert names(list(find_documents([folder])), folder) == ["a.MD", "b.txt", "sub/c.pdf"]
    assert names(list(find_documents([folder / "out"])), folder) == ["out/rows.jsonl"]


def test_files_of_other_kinds_in_a_folder_are_counted_by_kind(folder: Path) -> None:
    for name in ("x.png", "y.PNG", "sub/z.exe", "README"):
        (folder / name).write_text("x")
    (folder / "picture").write_bytes(b"\x89PNG\r\n")
    items = list(find_documents([folder]))
    assert problems(items) == [
        Problem(str(folder), "Left out 1 file of another kind (.exe)."),
        Problem(str(folder), "Left out 2 files of another kind (.png)."),
        Problem(str(folder), "Left out 1 file of another kind (no suffix)."),
    ]
    assert "README" in names(items, folder)


def test_a_file_of_another_kind_that_was_named_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    image = tmp_path / "scan.png"
    image.write_bytes(b"\x89PNG\r\n")
    (problem,) = find_documents([image])
    assert isinstance(problem, Problem)
    assert problem.title == ".png files are not a kind of document that can be read."
    assert ".docx" in problem.remedy


def test_a_missing_path_is_an_error_before_anything_is_read(folder: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist"):
        find_documents([folder, folder / "nowhere"])


def test_an_empty_folder_is_a_problem(tmp_path: Path) -> None:
    (problem,) = find_documents([tmp_path])
    assert isinstance(problem, Problem)
    assert problem.title == "The folder holds no documents."


def test_a_file_named_twice_comes_once(folder: Path) -> None:
    found = list(find_documents([folder / "b.txt", folder, folder / "sub" / ".." / "b.txt"]))
    assert names(found, folder) == ["b.txt", "a.MD", "sub/c.pdf"]


def test_a_folder_named_twice_is_read_once(folder: Path) -> None:
    (folder / "x.zip").write_text("x")
    once = list(find_documents([folder]))
    assert len(problems(once)) == 1
    assert list(find_documents([folder] * 3)) == once


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    (folder / "link.txt").symlink_to(outside)
    (folder / "same.txt").symlink_to(folder / "b.txt")
    (folder / "gone.txt").symlink_to(folder / "nothing.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "round.txt").symlink_to("round.txt")
    found = list(find_documents([folder]))
    assert names(found, folder) == ["a.MD", "b.txt", "sub/c.pdf"]
    assert {(Path(p.source).name, p.title) for p in problems(found)} == {
        ("link.txt", "The link leads out of the folder."),
        ("gone.txt", "The file cannot be read: no such file or directory."),
        ("loop", "Links to folders are not followed."),
        ("round.txt", "The file cannot be read: too many levels of symbolic links."),
    }


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (problem,) = find_documents([tmp_path])
    assert isinstance(problem, Problem)
    assert problem.title == "This is not an ordinary file."
