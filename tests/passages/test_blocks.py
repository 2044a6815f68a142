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


@pytest.mark.parametrize(("text", "title"), [(" \n", "empty"), ("ab\ufffd\x01" * 9, "decoded")])
def test_what_is_no_text_is_refused(text: str, title: str) -> None:
    with pytest.raises(DocumentError, match=title):
        check_readable(text)
