import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.passages.completeness import (
    Part,
    check_completeness,
    order_difference,
    words_of_text,
)
from bonito_local.passages.types import Note

PAGES = [
    " ".join(f"the {page}{name} of rent" for name in ("lift", "roof", "yard", "door", "wall"))
    for page in ("north", "south", "east", "west")
]
PARTS = [Part(str(number), page) for number, page in enumerate(PAGES, start=1)]


def titles(notes: list[Note]) -> list[str]:
    return [note.title for note in notes]


def test_all_words_kept_in_any_shape_are_no_problem() -> None:
    raw = [Part("1", "The agree\x02\nment of the of\ufb01ce,\r\nwell-known and co-\nsigned.")]
    assert check_completeness(raw, "The agreement of the office, well-known and cosigned.") == []


def test_a_lost_page_is_named() -> None:
    notes = check_completeness(PARTS, "\n\n".join([PAGES[0], PAGES[1], PAGES[3]]))
    assert titles(notes) == ["25 % of the words are in no passage: page 3."]


def test_a_lost_page_of_many_is_named() -> None:
    parts = [Part(str(n), f"Clause {n}. " + " ".join([PAGES[n % 2]] * 20)) for n in range(400)]
    parts[7] = Part("7", PAGES[2])
    text = "\n".join(part.words for part in parts if part.name != "7")
    assert titles(check_completeness(parts, text)) == [
        "0.01 % of the words are in no passage: page 7."
    ]


def test_doubled_and_changed_words_are_counted() -> None:
    text = "\n".join([*PAGES, PAGES[0]])
    assert titles(check_completeness(PARTS, text)) == [
        "25 % of the words stand more often in the passages."
    ]
    assert titles(check_completeness(PARTS, "\n".join(PAGES).replace("lift", "lititi"))) == [
        "5 % of the words are in no passage.",
        "5 % of the words in the passages are not in the document.",
    ]


def test_what_a_reader_drops_or_adds_on_purpose_is_no_difference() -> None:
    parts = [Part(str(n), f"Harrow Vale {page} {n}") for n, page in enumerate(PAGES)]
    dropped = [f"Harrow Vale {n}" for n in range(4)]
    text = "\n".join(f"Place: {page}" for page in PAGES)
    assert check_completeness(parts, text, left_out=dropped, added=["Place"] * 4) == []
    assert len(check_completeness(parts, text)) == 2


def test_parts_of_other_kinds_are_named_as_such() -> None:
    parts = [Part("Rent", PAGES[0]), Part("Costs", PAGES[1])]
    (note,) = check_completeness(parts, PAGES[0], unit="sheet")
    assert note.title == "50 % of the words are in no passage: sheet Costs."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Anglo- Saxon, pre-\nwar", ["anglosaxon", "prewar"]),
        ("- a list\n- of two", ["a", "list", "of", "two"]),
        ("\u79df\u91d1 rent", ["\u79df", "\u91d1", "rent"]),
        ("Stra\u00dfe a_b 3.5", ["strasse", "a", "b", "3", "5"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of_text(text)) == words


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_a_text_is_complete_by_itself(pages: list[str]) -> None:
    parts = [Part(str(number), page) for number, page in enumerate(pages)]
    assert check_completeness(parts, "\n\n".join(pages)) == []


def test_the_order_of_words_is_compared() -> None:
    words = [f"word{n}" for n in range(40)]
    turned = [*words[20:], *words[:20]]
    odd = [*words[::2], *words[1::2]]
    raw = " ".join(words)
    assert order_difference(raw, raw) == 0
    assert order_difference(raw, " ".join(turned)) == 0  # one place is too little to tell
    assert order_difference(raw, " ".join(odd)) == 1
    kept = " ".join(words[:10] + words[20:])
    assert order_difference(raw, kept, [" ".join(words[10:20])]) == 0
