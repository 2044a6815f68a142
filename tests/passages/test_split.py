import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.passages.blocks import Block, assemble
from bonito_local.passages.split import Lengths, Span, split_text
from bonito_local.passages.types import Section, Text


def words(text: str) -> int:
    """Count tokens as a tokenizer does: words, each long one as several, and punctuation."""
    return sum(1 + len(piece) // 8 for piece in re.findall(r"\w+|[^\w\s]", text))


def split(
    doc: Text, limit: int | Lengths, count: Callable[[str], int] = words
) -> tuple[list[Span], list[str]]:
    """The passages, and why the rest was left out."""
    lengths = limit if isinstance(limit, Lengths) else Lengths(limit)
    spans = list(split_text(doc, count, lengths))
    return [s for s in spans if not s.left_out], [s.left_out for s in spans if s.left_out]


def cut(blocks: list[Block], limit: int | Lengths) -> list[tuple[str, str]]:
    doc = assemble(blocks)
    spans, _ = split(doc, limit)
    return [(" > ".join(span.path), doc.text[span.start : span.end]) for span in spans]


SENTENCES = [f"Clause {i} says that the tenant pays month {i} in advance." for i in range(40)]
PROSE = " ".join(SENTENCES)
SHORT = "The term is two years."


def test_sections_keep_apart_and_a_text_that_fits_is_one_passage() -> None:
    a, b = " ".join(SENTENCES[:3]), " ".join(SENTENCES[3:6])
    blocks = [Block("Lease", 1), Block("Rent", 2), Block(a), Block("Term", 2), Block(b)]
    assert cut(blocks, 200) == [("Lease > Rent", a), ("Lease > Term", b)]


def test_long_prose_is_cut_at_sentences_into_parts_of_like_size() -> None:
    passages = [text for _, text in cut([Block(PROSE)], 100)]
    assert " ".join(passages) == PROSE
    for text in passages:
        assert text.startswith("Clause")
        assert text.endswith(".")
        assert words(text) <= 100
    sizes = [words(text) for text in passages]
    assert min(sizes) > max(sizes) / 2


@pytest.mark.parametrize(
    "name", ["Dr. Marsh", "J. Smith", "the U.S. Court", "Acme Ltd. Group", "No. 5", "Mr. Reyes"]
)
def test_an_abbreviation_ends_no_passage(name: str) -> None:
    text = " ".join(f"On day {i} the claim was sent to {name} by post." for i in range(60))
    for limit in range(20, 60):
        for _, passage in cut([Block(text)], limit):
            assert passage.endswith("post.")


@pytest.mark.parametrize("mark", [";", ","])
def test_a_sentence_too_long_is_cut_between_its_clauses(mark: str) -> None:
    clauses = [f"({i}) the receiving party knew of fact {i} before" for i in range(20)]
    text = f"It rained. This covers what {f'{mark} '.join(clauses)}. It stopped, at last; again."
    passages = [passage for _, passage in cut([Block(text)], 50)]
    assert " ".join(passages) == text
    assert all(p.endswith((f"before{mark}", ".")) for p in passages)


def test_a_short_section_joins_its_neighbour_with_its_heading() -> None:
    long = " ".join(SENTENCES[:4])
    blocks = [Block("Lease", 1), Block("Term", 2), Block(SHORT), Block("Rent", 2), Block(long)]
    assert cut(blocks, 200) == [("Lease", f"Term\n\n{SHORT}\n\nRent\n\n{long}")]
    blocks = [Block("Rent", 1), Block(long), Block("Term", 1), Block(SHORT)]
    assert cut(blocks, 200) == [("", f"Rent\n\n{long}\n\nTerm\n\n{SHORT}")]
    assert cut(blocks, words(long)) == [("Rent", long)]


def test_headings_alone_and_what_is_no_prose_make_no_passage() -> None:
    assert cut([Block("Contents", 1), Block("Chapter one of the book on leases", 2)], 50) == []
    doc = assemble([Block("1.1 2.2 3.3 4.4 5.5 6.6 7.7 8.8 9.9 10.10 11.11 12.12")])
    assert split(doc, 50) == ([], ["letterless"])
    assert split(assemble([Block("Too short.")]), 50) == ([], ["short"])


def test_an_item_alone_has_no_bullet_but_a_list_has() -> None:
    item = " ".join(SENTENCES[:3])
    assert cut([Block(f"- {item}")], 80) == [("", item)]
    assert cut([Block(f"- {item}\n- {item}")], 200) == [("", f"- {item}\n- {item}")]


def test_counting_costs_a_few_calls_a_passage() -> None:
    calls = []

    def count(text: str) -> int:
        calls.append(len(text))
        return words(text)

    text = " ".join([PROSE] * 20)
    spans, _ = split(assemble([Block(text)]), 100, count)
    assert len(spans) >= 100
    assert len(calls) < 1.5 * len(spans)
    assert sum(calls) < 1.2 * len(text)


def test_parts_aim_at_the_target() -> None:
    aimed = [words(text) for _, text in cut([Block(PROSE)], Lengths(200, target=60))]
    assert len(aimed) == round(words(PROSE) / 60)
    assert all(45 <= size <= 75 for size in aimed)
    short = " ".join(SENTENCES[:6])  # less than a target and a half is no two parts
    assert 60 < words(short) < 90
    assert cut([Block(short)], Lengths(200, target=60)) == [("", short)]


def test_parts_that_overlap_begin_with_whole_sentences_of_the_one_before() -> None:
    parts = [text for _, text in cut([Block(PROSE)], Lengths(100, overlap=30))]
    assert len(parts) >= 5
    for before, after in pairwise(parts):
        shared = [line for line in SENTENCES if line in before and line in after]
        assert 1 <= len(shared) <= 3
        assert after.startswith(" ".join(shared))
        assert before.endswith(" ".join(shared))
    assert all(words(text) <= 100 for text in parts)
    assert all(any(line in text for text in parts) for line in SENTENCES)


BLOCKS = st.lists(
    st.builds(
        Block,
        text=st.text(
            alphabet=st.sampled_from("aAbé .,\n-1)(中😀\ue000‼⁇;,Dr"), min_size=1, max_size=300
        ).map(str.strip),
        level=st.sampled_from([0, 0, 0, 1, 2]),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(BLOCKS, st.integers(2, 60), st.integers(1, 60), st.integers(0, 30))
def test_whatever_the_lengths_every_passage_fits_and_cuts_back_to_the_text(
    blocks: list[Block], limit: int, target: int, overlap: int
) -> None:
    doc = assemble(blocks)
    lengths = Lengths(limit, min(target, limit), min(overlap, limit // 2))
    spans, _ = split(doc, lengths, len)
    for before, after in pairwise(spans):
        assert before.start < after.start
        assert before.end < after.end
    for span in spans:
        text = doc.text[span.start : span.end]
        assert len(text) <= limit
        assert text == text.strip()
    plain, _ = split(doc, Lengths(limit, lengths.target), len)
    if not overlap:
        assert plain == spans


@settings(deadline=None)
@given(BLOCKS, st.integers(1, 60), st.sampled_from([words, len, lambda t: len(t.encode())]))
def test_every_passage_fits_cuts_back_to_the_text_and_stands_in_order(
    blocks: list[Block], limit: int, count: Callable[[str], int]
) -> None:
    doc = assemble(blocks)
    spans, _ = split(doc, limit, count)
    end = 0
    for span in spans:
        text = doc.text[span.start : span.end]
        assert count(text) <= limit
        assert text == text.strip()
        assert span.start >= end
        end = span.end


def test_one_endless_word_is_cut_within_the_limit() -> None:
    doc = Text("x" * 900, (Section(0, 0, 900),))
    spans, dropped = split(doc, 400, len)
    assert dropped == []
    assert "".join(doc.text[s.start : s.end] for s in spans) == doc.text
    assert max(s.end - s.start for s in spans) <= 400


def test_runs_without_a_space_are_left_out_and_counted() -> None:
    """Encoded data and marks piled on a letter: no prose, and slow to look for words in."""
    sentence = "The tenant pays the rent on the first working day of each month."
    marks = "\u0301" * 20_000
    text = f"{sentence}\n\n{'QUFB' * 5000} {sentence} e{marks}\n\n{sentence}"
    spans, dropped = split(Text(text, (Section(0, 0, len(text)),)), 80, len)
    assert [text[span.start : span.end] for span in spans] == [sentence] * 3
    assert dropped == ["unbroken"] * 2


def test_a_sentence_that_never_ends_is_cut_between_words() -> None:
    text = "word " * 20_000 + "end"
    spans, dropped = split(Text(text, (Section(0, 0, len(text)),)), 400, len)
    assert dropped == []
    cut = " ".join(text[span.start : span.end] for span in spans)
    assert cut == text


def test_nothing_is_left_out_of_prose_however_short_its_passages_must_be() -> None:
    text = "The tenant named Ann pays the rent on the first working day of each month."
    for limit in range(16, len(text)):
        spans, dropped = split(Text(text, (Section(0, 0, len(text)),)), limit, len)
        assert dropped == []
        assert " ".join(text[span.start : span.end] for span in spans) == text
