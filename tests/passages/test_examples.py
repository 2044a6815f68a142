import re
import runpy
from pathlib import Path

import pytest

from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage

EXAMPLES = Path(__file__).parents[2] / "examples"


def words(text: str) -> int:
    return len(text.split())


def texts(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in iter_passages([folder], words, Lengths(120)):
        assert isinstance(item, Passage)
        found.setdefault(Path(item.source).name, []).append(item.text)
    return found


def test_the_examples_are_what_their_sources_make(tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "make_documents.py"))["main"](tmp_path)
    assert texts(tmp_path) == texts(EXAMPLES / "documents")


@pytest.mark.parametrize("path", sorted((EXAMPLES / "documents").iterdir()), ids=lambda p: p.name)
def test_each_example_reads_as_the_words_of_its_source(path: Path) -> None:
    source = (EXAMPLES / "sources" / f"{path.stem}.md").read_text(encoding="utf-8")
    passages = [
        item for item in iter_passages([path], words, Lengths(120)) if isinstance(item, Passage)
    ]
    assert 300 < sum(words(item.text) for item in passages) <= words(source)
    flat = " ".join(re.sub(r"\[(.*?)\]\(.*?\)|\*", r"\1", source).split())
    paragraphs = [text for p in passages for text in p.text.split("\n\n")]
    prose = [text for text in paragraphs if not re.search(r"^(Data|Kind of leave):", text)]
    assert len(prose) >= 9
    for text in prose:
        assert " ".join(text.split()) in flat
