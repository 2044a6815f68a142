from written import SENTENCE, pdf

from bonito_local.passages.blocks import Block, assemble
from bonito_local.passages.extract import extract_blocks

LONG = (
    "The patient was treated with antibiotics for ten days and was then moved to the ward, where "
    "she stayed until the fever had gone and the blood values were normal again."
)


def test_headings_paragraphs_and_pages() -> None:
    data = pdf([["# 1. Rent", LONG, LONG, SENTENCE], ["# 2. Term", LONG, "It is 5 years."]])
    assert extract_blocks(data, ".pdf") == [
        Block("1. Rent", 1, ((0, 1),)),
        Block(LONG, 0, ((0, 1),)),
        Block(LONG, 0, ((0, 1),)),
        Block(SENTENCE, 0, ((0, 1),)),
        Block("2. Term", 1, ((0, 2),)),
        Block(LONG, 0, ((0, 2),)),
        Block("It is 5 years.", 0, ((0, 2),)),
    ]


def test_a_page_taken_for_a_table_is_read_as_prose() -> None:
    blocks = extract_blocks(pdf([["# 1. Rent", LONG]]), ".pdf")
    assert [block.text for block in blocks] == ["1. Rent", LONG]


def test_running_headers_and_page_numbers_are_dropped() -> None:
    pages = [
        [f"Note {name} says that {LONG}", f"{LONG} This is {name}."]
        for name in ("one", "two", "three")
    ]
    blocks = extract_blocks(pdf(pages, running="Harrow Vale - Confidential"), ".pdf")
    assert [block.text for block in blocks] == [text for page in pages for text in page]


def test_a_running_title_that_changes_is_known_by_its_page_number() -> None:
    pages = [[f"Chapter {c}: {w} {n}", f"{w}. {LONG}", f"{LONG} {w}."] for n, c, w in CHAPTERS]
    blocks = extract_blocks(pdf(pages), ".pdf")
    assert [block.text for block in blocks] == [text for page in pages for text in page[1:]]


CHAPTERS = [(7, 1, "Rain"), (8, 1, "Snow"), (9, 2, "Wind"), (10, 3, "Hail")]


def test_chapter_headings_at_the_top_of_pages_stay() -> None:
    pages = [[f"# Chapter {n}", f"{n}. {LONG}", LONG, f"{LONG} {n}."] for n in (2, 4, 6)]
    blocks = extract_blocks(pdf(pages), ".pdf")
    assert [b.text for b in blocks if b.level] == ["Chapter 2", "Chapter 4", "Chapter 6"]


def test_a_paragraph_that_goes_on_over_the_page_is_joined_with_both_pages() -> None:
    half = LONG.index("where")
    data = pdf([["# Course", LONG, LONG[:half]], [LONG[half:], LONG]])
    doc = assemble(extract_blocks(data, ".pdf"))
    assert doc.text == f"Course\n\n{LONG}\n\n{LONG}\n\n{LONG}"
    assert doc.page_at(doc.text.index("The patient")) == 1
    joined = doc.text.index("where", doc.text.index("where") + 1)
    assert doc.page_at(joined - 2) == 1
    assert doc.page_at(joined) == 2
    assert doc.page_at(len(doc.text) - 1) == 2


def test_words_cut_at_a_line_end_are_healed() -> None:
    data = pdf([["The physio-\ntherapy began at once, and it was a well-known pro-\ngramme."]])
    (block,) = extract_blocks(data, ".pdf")
    assert block.text == "The physiotherapy began at once, and it was a well-known programme."


def test_lists_keep_the_markers_that_they_have() -> None:
    items = ["- Aspirin once a day", "- Ramipril at night", "1. First", "2. Second", "(a) Letter"]
    listed = "\n".join(items).replace("- ", "\x95 ")  # a bullet in Windows-1252
    data = pdf([["# Drugs", LONG, listed, f"Rain. {LONG}", LONG]])
    assert [block.text for block in extract_blocks(data, ".pdf")] == [
        "Drugs",
        LONG,
        "\n".join(items),
        f"Rain. {LONG}",
        LONG,
    ]
