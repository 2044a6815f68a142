from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError

from bonito_local.tasks import CONTEXT, PIPE, defuse, parse_completion
from bonito_local.templating import reasons
from bonito_local.templating.sandbox import Rows
from bonito_local.templating.source import SLOT, with_slot


def made(
    text: str,
    example: dict[str, Any],
    passage: str = "{{ text }}",
    *,
    choices: str | None = None,
    cut: int | None = None,
    seed: int = 0,
) -> list[Any] | str:
    rows = Rows(passage, {}, cut)
    rows.add(with_slot(text, passage) or text, choices)
    return rows.make(0, seed, example)


READ = Rows("{{ text }}", {}, None)
READ.add(
    f"Read {{{{ {SLOT} }}}} and say: {{{{ q }}}}. ||| So {{{{ a }}}}, see {{{{ {SLOT} }}}}!", None
)


@given(st.text(), st.text(), st.text())
def test_a_row_reads_as_the_template_with_the_passage_in_it(
    text: str, question: str, answer: str
) -> None:
    row = READ.make(0, 0, {"text": text, "q": question, "a": answer})
    if isinstance(row, str):
        assert (row, text.strip()) == (reasons.NO_PASSAGE, "")
        return
    passage, instruction, response, cut = row
    assert passage == defuse(text.strip())
    assert instruction.count(CONTEXT) == response.count(CONTEXT) == 1
    pair = parse_completion(f"{instruction}\n{PIPE}\n{response}", passage)
    assert pair is not None
    assert pair.instruction == f"Read {passage} and say: {defuse(question)}."
    assert pair.response == f"So {defuse(answer)}, see {passage}!"
    assert not cut


def test_answer_choices_are_those_of_the_example() -> None:
    row = made(
        "{{ text }}? ||| {{ answer_choices[label] }}",
        {"text": "t", "label": 1, "word": "b|||c"},
        choices="a ||| {{ word }} ||| d",
    )
    assert row == ["t", "{{context}}?", "b|||c", False]


def test_draws_follow_the_seed() -> None:
    example = {"text": "t"}
    text = "{{ text }} {{ ['a', 'b', 'c', 'd'] | choice }} ||| {{ range(9) | random }}"
    rows = [made(text, example, seed=seed) for seed in range(20)]
    assert rows == [made(text, example, seed=seed) for seed in range(20)]
    assert len({tuple(row) for row in rows}) > 5


def test_most_frequent_gives_all_that_are_most_frequent() -> None:
    text = "{{ text }} ||| {{ answers | most_frequent | join('+') }}"
    assert made(text, {"text": "t", "answers": ["a", "b", "b", "c", "c"]})[2] == "b+c"


def test_long_values_are_cut_as_ctga_v1_did() -> None:
    long = "word " * 1000
    row = made("{{ text }} {{ more }} ||| yes", {"text": long, "more": long}, cut=2048)
    assert not isinstance(row, str)
    passage, instruction, _, cut = row
    assert passage == instruction.removeprefix(CONTEXT).strip() == "word " * 408 + "word..."
    assert len(passage) <= 2048
    assert cut
    # Jinja's truncate leaves what is five characters too long.
    assert made("{{ text }} ||| yes", {"text": "x" * 2053}, cut=2048)[0] == "x" * 2053


@pytest.mark.parametrize(
    ("text", "example", "reason"),
    [
        ("{{ text }} ||| {{ b }}", {"text": " ", "b": "b"}, reasons.NO_PASSAGE),
        ("{{ text }} ||| {{ b }}", {"text": "t", "b": "\n "}, reasons.NO_RESPONSE),
        ("{{ text }}", {"text": "t"}, reasons.NO_RESPONSE),
        ("{% if b %}{{ text }} ||| a{% endif %}", {"text": "t", "b": 0}, reasons.NO_RESPONSE),
        ("||| {{ text }}", {"text": "t"}, reasons.NO_INSTRUCTION),
        ("{{ text }} ||| {{ c }}", {"text": "t"}, reasons.COLUMN_MISSING),
        ("{{ text }} ||| {{ 1 // b }}", {"text": "t", "b": 0}, reasons.TEMPLATE_FAILED),
        ("{{ text }} ||| {{ b[7] }}", {"text": "t", "b": [1]}, reasons.COLUMN_MISSING),
        ("{{ text }} ||| {{ b + 1 }}", {"text": "t", "b": "b"}, reasons.TEMPLATE_FAILED),
        ("{{ text }} ||| a <|pipe|> b", {"text": "t"}, reasons.WRITES_MARKER),
    ],
)
def test_why_there_is_no_row(text: str, example: dict[str, Any], reason: str) -> None:
    assert made(text, example) == reason


def test_values_are_computed_of_columns() -> None:
    values = {"passage": "body", "answer": "['no', 'yes'][body | length % 2]", "body": "other"}
    rows = Rows("{{ passage }}", values, None)
    needed = rows.add("{{ bonito_passage }} {{ body }} {{ extra }} ||| {{ answer }}", None)
    assert (rows.columns, needed) == ({"body", "other"}, {"extra"})
    example = {"body": "odd", "other": "o", "extra": "e"}
    assert rows.make(0, 0, example) == ["odd", "{{context}} o e", "yes", False]


def test_a_column_whose_name_is_no_word_is_found_among_the_columns() -> None:
    rows = Rows("{{ passage }}", {"passage": "columns['the text']"}, None)
    needed = rows.add("{{ bonito_passage }} ||| {{ columns['a.b'] }}", None)
    assert rows.columns | needed == set()
    assert rows.make(0, 0, {"the text": "t", "a.b": "yes"}) == ["t", CONTEXT, "yes", False]
    assert rows.make(0, 0, {"the text": "t"}) == reasons.COLUMN_MISSING


@pytest.mark.parametrize("text", ["{{ a ", "{% if %}", "{{ a | no_such_filter }}", "{% import %}"])
def test_what_is_no_jinja_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        Rows("{{ a }}", {}, None).add(text, None)
