import gzip
import hashlib
from pathlib import Path

import pytest
from written import SENTENCE, pdf, word

from bonito_local.errors import UsageError
from bonito_local.passages import ahead
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage, Problem, ReadOptions

PROSE = " ".join([SENTENCE, "It owes interest if a payment is more than ten days late."])


def words(text: str) -> int:
    return len(text.split())


def read(*paths: Path, limit: int = 60, column: str | None = None) -> list[Passage | Problem]:
    return list(iter_passages(paths, words, Lengths(limit), ReadOptions(column)))


def test_each_kind_of_document_gives_the_same_passage(tmp_path: Path) -> None:
    long = " ".join([PROSE] * 2)
    (tmp_path / "a.docx").write_bytes(word("# Rent", long))
    (tmp_path / "b.html").write_text(f"<h1>Rent</h1><p>{long}</p>")
    (tmp_path / "c.jsonl").write_text(f'{{"text": "{long}"}}')
    (tmp_path / "d.md").write_text(f"# Rent\n\n{long}")
    (tmp_path / "e.pdf").write_bytes(pdf([["# Rent", long, long]]))
    (tmp_path / "f.txt").write_text(f"RENT\n\n{long}")
    found = read(tmp_path)
    assert [type(item) for item in found] == [Passage] * 7
    assert {item.text for item in found if isinstance(item, Passage)} == {long}
    shown = [
        (Path(p.source).name, p.page, p.start, p.heading) for p in found if isinstance(p, Passage)
    ]
    assert shown == [
        ("a.docx", None, 6, "Rent"),
        ("b.html", None, 6, "Rent"),
        ("c.jsonl", None, 0, "row 1"),
        ("d.md", None, 6, "Rent"),
        ("e.pdf", 1, 6, "Rent"),
        ("e.pdf", 1, 8 + len(long), "Rent"),
        ("f.txt", None, 6, "RENT"),
    ]


def test_a_passage_carries_the_hashes_of_its_text_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(PROSE)
    (passage,) = read(path)
    assert isinstance(passage, Passage)
    assert passage.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert passage.sha256 == hashlib.sha256(PROSE.encode()).hexdigest()
    assert (passage.start, passage.end) == (0, len(PROSE))


def test_bad_documents_are_listed_and_stop_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE)
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 nonsense")
    (tmp_path / "c.txt").write_bytes(b"")
    (tmp_path / "d.csv").write_text("id,note\n1,x\n")
    (tmp_path / "e.md").write_text("# Only\n\n## Headings\n")
    (tmp_path / "f.docx").write_bytes(gzip.compress(b"no zip"))
    (tmp_path / "g.png").write_bytes(b"x")
    (tmp_path / "h.txt").write_text(PROSE + " More.")
    (tmp_path / "i.csv").write_text("id,text\n1,3\n")
    found = read(tmp_path)
    assert [Path(item.source).name for item in found if isinstance(item, Passage)] == [
        "a.txt",
        "h.txt",
    ]
    problems = [item for item in found if isinstance(item, Problem)]
    assert [(Path(p.source).name, p.title.split(" (")[0]) for p in problems] == [
        ("b.pdf", "The document is damaged, or no .pdf file"),
        ("c.txt", "The file is empty."),
        ("d.csv", "No column is clearly the text to read."),
        ("e.md", "The document holds too little text for a passage."),
        ("f.docx", "The document is neither text nor of a kind that can be read"),
        ("i.csv", "No row of the table holds enough text for a passage."),
        (tmp_path.name, "Left out 1 file of another kind"),
    ]


def test_few_documents_are_read_ahead_and_one_may_vanish(tmp_path: Path) -> None:
    names = [f"{at:02}.txt" for at in range(40)]
    for name in names:
        (tmp_path / name).write_text(PROSE)
    items = iter_passages([tmp_path], words, Lengths(60))
    first = next(items)
    (tmp_path / "39.txt").unlink()
    found = list(items)
    assert [Path(item.source).name for item in (first, *found)] == names
    assert isinstance(found[-1], Problem)
    assert found[-1].title.startswith("The file cannot be read")


def test_a_document_too_large_to_be_read_whole_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "MAX_BYTES", 1_000_000)
    (tmp_path / "a.txt").write_text(PROSE * 20_000)
    (problem,) = read(tmp_path / "a.txt")
    assert isinstance(problem, Problem)
    assert problem.title == "The file is too large to be read whole (2 MB)."


def test_left_out_fragments_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "Too short."}}\n{{"text": "{PROSE}"}}\n{{"text": "Also."}}\n')
    found = read(path)
    assert [type(item) for item in found] == [Passage, Problem]
    assert found[1] == Problem(str(path), "Left out 2 fragments shorter than a sentence.")


def test_a_missing_path_and_too_small_a_limit_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "nothing")
    with pytest.raises(UsageError, match="Passages of 15 tokens are too short"):
        read(tmp_path, limit=15)


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    long = " ".join([PROSE] * 2)
    other = "The landlord keeps the roof in repair, and tells the tenant before work on it begins."
    path.write_bytes(pdf([[long], [], [other], []]))
    found = read(path)
    (problem,) = [item for item in found if isinstance(item, Problem)]
    assert problem.title == "2 pages hold no text (2, 4)."
    assert "OCR" in problem.remedy
