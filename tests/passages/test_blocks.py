import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import (
    Block,
    assemble,
    check_readable,
    join_lines,
    rows_as_prose,
    tidy,
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\u00a0b \t c", "a b c"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("of\ufb01ce \ufb02oor", "office floor"),
        ("co\u00adop\u200berate\ufeff", "cooperate"),
        ("cafe\u0301", "caf\u00e9"),
        ("bell\x07 \ud800 \ue000", "bell"),
        ("  indented\n\n  again  ", "indented\n\nagain"),
        ("one  two \nthree\n four", "one two\nthree\nfour"),
        ("e\x07\u0301 \ufb03\u2003x", "\u00e9 ffi x"),
    ],
)
def test_tidy(raw: str, clean: str) -> None:
    assert tidy(raw) == clean


@settings(deadline=None)
@given(st.text())
def test_tidy_text_stays_as_it_is_and_can_be_encoded(text: str) -> None:
    clean = tidy(text)
    assert tidy(clean) == clean
    assert clean.encode("utf-8").decode("utf-8") == clean


@pytest.mark.parametrize(
    ("lines", "words", "joined"),
    [
        (["the quick", "brown fox"], set(), "the quick brown fox"),
        (["a well-", "known fact"], set(), "a well-known fact"),
        (["the agree-", "ment ends"], {"agreement"}, "the agreement ends"),
        (["the agree\x02", "ment ends"], set(), "the agreement ends"),
        (["a well\x02", "known fact"], {"well-known"}, "a well-known fact"),
        (["pages 3-", "4 of it"], set(), "pages 3- 4 of it"),
        (["the Anglo-", "Saxon way"], set(), "the Anglo- Saxon way"),
    ],
)
def test_lines_are_joined_and_cut_words_healed(
    lines: list[str], words: set[str], joined: str
) -> None:
    assert join_lines(lines, words) == joined


def test_assembled_sections_cut_the_text_and_carry_their_headings() -> None:
    doc = assemble(
        [
            Block("Preface."),
            Block("One", 1),
            Block("Deep", 3),
            Block("It has:", pages=((0, 4),)),
            Block("- a\n- b", pages=((0, 4), (4, 5))),
            Block(""),
            Block("Two", 1),
            Block("Empty", 2),
            Block("Three", 1),
            Block("End."),
        ]
    )
    assert doc.text == (
        "Preface.\n\nOne\n\nDeep\n\nIt has:\n- a\n- b\n\nTwo\n\nEmpty\n\nThree\n\nEnd."
    )
    assert [(s.path, doc.text[s.body : s.end]) for s in doc.sections] == [
        ((), "Preface."),
        (("One", "Deep"), "It has:\n- a\n- b"),
        (("Three",), "End."),
    ]
    assert [doc.text[s.start : s.body] for s in doc.sections] == ["", "Deep\n\n", "Three\n\n"]
    assert doc.page_at(doc.text.index("It has")) == 4
    assert doc.page_at(doc.text.index("- b")) == 5
    assert doc.page_at(0) is None


def test_a_table_reads_as_prose() -> None:
    rows = [["Annual", "25"], ["Sick", ""], ["", ""], ["Study", "5", "more"]]
    assert rows_as_prose(["Leave", "Days"], rows) == (
        "Leave: Annual; Days: 25\nLeave: Sick\nLeave: Study; Days: 5; more"
    )
    assert rows_as_prose(["", ""], [["a", "b"]]) == "a; b"


def test_a_table_of_names_and_what_is_said_of_them_leaves_its_columns_out() -> None:
    said = ["The tenant pays the rent on the first working day of each month.", "None."]
    rows = [["Rent", said[0]], ["Is there a deposit?", said[0]], ["Keys", ""]]
    assert rows_as_prose(["Clause", "Text"], rows) == (
        f"Rent: {said[0]}\nIs there a deposit? {said[0]}\nKeys"
    )
    assert rows_as_prose(["Clause", "Text"], [["Rent", said[1]]]) == "Clause: Rent; Text: None."
    three = [["Rent", "20", said[0]]]
    assert rows_as_prose(["Clause", "Fee", "Text"], three) == (
        f"Clause: Rent; Fee: 20; Text: {said[0]}"
    )


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("a \t\n\r\x0b\x1c\x85\u00a0\u2028\u3000\u200b\x07\ufb01")))
def test_white_space_is_tidied_as_defined(text: str) -> None:
    lines = re.sub("\r\n?|[\u2028\u2029]", "\n", text).replace("\ufb01", "fi")
    lines = re.sub("[\x07\x1c\x85\u200b]", "", lines)
    wanted = [re.sub(r"\s+", " ", line).strip() for line in lines.split("\n")]
    assert tidy(text) == "\n".join(wanted).strip()


@pytest.mark.parametrize(
    "text", ["plain", "a\x85b\x1cc", "\u201cquoted\u201d \u4e00", "nine out\x01of ten"]
)
def test_text_with_few_strange_characters_is_text(text: str) -> None:
    check_readable(text)


@pytest.mark.parametrize(("text", "title"), [(" \n", "empty"), ("ab\ufffd\x01" * 9, "decoded")])
def test_what_is_no_text_is_refused(text: str, title: str) -> None:
    with pytest.raises(DocumentError, match=title):
        check_readable(text)
