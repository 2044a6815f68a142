"""A row beside its passage, with the sentence that it is about."""

from __future__ import annotations

from dataclasses import replace

from bonito_local.jobs.rows import Shown
from bonito_local.tui.widgets.row_view import passage_text, row_text

PASSAGE = "Rent is due in May. It is due at noon. It is due in cash."
ROW = Shown(
    *(1, 1, "exqa", 0, "accepted", "", "When is it due?", "at noon", "", PASSAGE, "a.txt", None, "")
)


def marked(row: Shown) -> dict[str, str]:
    text = passage_text(row)
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans}


def test_the_sentence_of_a_row_is_underlined_and_its_answer_in_it() -> None:
    start = PASSAGE.index("It is due at noon.")
    row = replace(ROW, evidence_start=start, evidence_end=start + 18)
    styles = {text: style for text, style in marked(row).items() if text and text in PASSAGE}
    assert styles["It is due "] == styles["."] == "underline"
    assert "bold" in styles["at noon"]
    assert passage_text(row).plain.endswith(PASSAGE)
    # An answer is looked for in that sentence alone.
    there = replace(row, response="due")
    assert sorted(text for text in marked(there) if text and text in PASSAGE) == [
        " at noon.",
        "It is ",
        "due",
    ]
    labelled = replace(row, task="ynqa", response="yes")
    assert [text for text in marked(labelled) if text and text in PASSAGE] == ["It is due at noon."]


def test_a_row_without_a_sentence_shows_its_answer() -> None:
    assert [text for text in marked(ROW) if text and text in PASSAGE] == ["at noon"]
    assert [
        text for text in marked(replace(ROW, response="never")) if text and text in PASSAGE
    ] == []


def test_what_a_question_was_answered_again() -> None:
    assert "Answered again: at midnight" in row_text(replace(ROW, reread="at midnight")).plain
    assert "Answered again" not in row_text(ROW).plain


def test_what_led_to_the_answer() -> None:
    assert "Because: It opens late." in row_text(replace(ROW, reasoning="It opens late.")).plain
    assert "Because" not in row_text(ROW).plain
