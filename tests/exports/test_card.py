"""The card and the report: their figures, and that text from a document stays text."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from export_rows import account, row
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.exports import plots
from bonito_local.exports.account import Made
from bonito_local.exports.card import dataset_card
from bonito_local.exports.dataset import warnings, write_dataset
from bonito_local.exports.page import report_page
from bonito_local.exports.splits import Split
from bonito_local.exports.tally import Tally, quantile

HOSTILE = '</pre></section><script src="https://x.example/a.js"></script>```|<img src=x>'
COUNTS = (
    ("exqa", "accepted", "", 80),
    ("exqa", "rejected", "response is not in the passage", 15),
    ("exqa", "duplicate", "", 3),
    ("ynqa", "accepted", "", 60),
    ("ynqa", "unparseable", "", 40),
)
LEDGER = {
    "planned": 198,
    "outcomes": {"accepted": 140, "rejected": 15, "duplicate": 3, "unparseable": 40, "pending": 0},
    "reasons": [],
}


def tally(count: int = 40, **other: object) -> Tally:
    found = Tally()
    for at in range(count):
        task = "ynqa" if at % 4 else "exqa"
        output = ("yes" if at % 3 else "no") if task == "ynqa" else f"answer {at}"
        found.add(row(at, **{"task_type": task, "output": output} | other), "train")
    return found


def told(**other: object) -> str:
    said = account(counts=COUNTS, ledger=LEDGER, **other)
    return dataset_card(said, Made(), tally())["README.md"]


def test_the_cards_figures() -> None:
    card = told(review=(3, 2, 1))
    assert "40 rows of instruction and response" in card
    assert "| exqa | 98 | 80 | 0 | 15 | 3 | 0 | 0 |" in card
    assert "| all | 198 | 140 | 40 | 15 | 3 | 0 | 0 |" in card
    assert "Of 158 rows that parsed, 140 passed every check (89%)" in card
    assert "| response is not in the passage | rejected | 15 | 7.6% |" in card
    assert "| the same as another row | duplicate | 3 | 1.5% |" in card
    assert "A person accepted 3 rows, rejected 2 and wrote 1 anew" in card
    assert "seccomp filter" in card
    assert "x.pdf" not in card


def test_the_header_is_yaml_that_names_the_files(tmp_path: Path) -> None:
    rows = [row(i, source_sha256=f"{i:064x}") for i in range(60)]
    write_dataset(tmp_path, rows, account(), Made("openai", Split((60, 20, 20))))
    head = yaml.safe_load((tmp_path / "README.md").read_text().split("---\n")[1])
    files = head["configs"][0]["data_files"]
    assert [f["split"] for f in files] == ["train", "validation", "test"]
    assert all((tmp_path / f["path"]).is_file() for f in files)
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["question-answering"]


def test_every_plot_of_the_card_is_there_and_is_svg(tmp_path: Path) -> None:
    write_dataset(tmp_path, [row(i) for i in range(9)], account())
    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (tmp_path / "README.md").read_text())
    assert len(named) >= 5
    for name in named:
        root = ElementTree.fromstring((tmp_path / name).read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"


class _Links(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if (
                name in ("src", "href", "srcset", "data", "action", "poster")
                or "url(" in f"{value}"
            ):
                self.loads.append(value or "")


@pytest.mark.parametrize("text", ["plain", HOSTILE])
def test_the_report_loads_nothing(text: str) -> None:
    counts = ((f"exqa{text}", "rejected", text, 3),)
    said = account(name=text, counts=counts, ledger=LEDGER | {"planned": 3})
    fields = ("input", "output", "passage", "task_type")
    page = report_page(said, Made(), tally(5, **dict.fromkeys(fields, text)))
    found = _Links()
    found.feed(page)
    assert all(link.startswith("#") for link in found.loads), found.loads
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert found.tags["section"] == page.count("</section>")
    assert "://" not in page.replace("https://x.example", "")


def test_hostile_text_stays_text_in_the_card() -> None:
    card = dataset_card(account(name=HOSTILE), Made(), tally(3, passage=HOSTILE))["README.md"]
    fence = re.search(r"(`{4,})text\n", card)
    assert fence, "a fence longer than the text's own"
    assert "# Instruction-tuning dataset: &lt;/pre>" in card


@given(st.dictionaries(st.text(max_size=30), st.integers(0, 10**9), max_size=6))
def test_bars_are_svg_whatever_their_names(values: dict[str, int]) -> None:
    clean = {name.translate(dict.fromkeys(range(32))): count for name, count in values.items()}
    svg = plots.standalone(plots.bars(clean, "t"))
    if all(ord(c) not in (0xFFFE, 0xFFFF) for name in clean for c in name):
        assert len(ElementTree.fromstring(svg).findall("{*}rect")) == len(clean)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_histograms_count_every_length(lengths: list[int]) -> None:
    counts = Counter(lengths)
    svg = plots.histogram(counts, quantile(counts, 0.5), "t")
    shown = re.findall(r"words: ([\d,]+)</title>", svg)
    assert sum(int(number.replace(",", "")) for number in shown) == len(lengths)


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.01, 1))
def test_quantiles(lengths: list[int], share: float) -> None:
    found = quantile(Counter(lengths), share)
    assert sum(length <= found for length in lengths) >= share * len(lengths) - 1e-6
    assert sum(length < found for length in lengths) < share * len(lengths) + 1e-6


def test_scores_are_told_where_there_are_some() -> None:
    assert "Scores of the model" not in told()
    found = Tally()
    for at in range(20):
        found.add(row(at, agreement=at / 20, support=-0.5), "train")
    card = dataset_card(account(counts=COUNTS, ledger=LEDGER), Made(), found)["README.md"]
    assert "## Scores of the model itself" in card
    assert "| agreement | 20 | 0.00 | 0.45 | 0.90 |" in card
    assert "| support | 20 | -0.50 | -0.50 | -0.50 |" in card
    assert "| gain |" not in card


def test_labels_are_shown_where_responses_are_labels() -> None:
    found = tally(40)
    assert {task: dict(seen) for task, seen in found.label_sets().items()} == {
        "ynqa": {"yes": 20, "no": 10}
    }
    assert found.tasks() == {"ynqa": 30, "exqa": 10}


def test_how_many_questions_are_distinct() -> None:
    found = Tally()
    assert found.distinct == 1
    for at in range(40):
        passage = f"Passage {at}."
        question = f"{passage}\n\nQuestion: Who pays the {at % 10}th bill?"
        found.add(row(at, passage=passage, input=question), "train")
    assert (found.read, found.distinct) == (40, 0.25)
    made = Made()
    (said,) = warnings(made, found)
    assert said.startswith("Only 25% of the questions are distinct")
    assert "25% of the questions are distinct" in dataset_card(account(), made, found)["README.md"]
