import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bonito_local.passages.blocks import Block
from bonito_local.passages.markdown import _Reader, markdown_blocks


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("---\ntitle: X\n---\n# T\n\np", [Block("T", 1), Block("p")]),
        ("---\ntitle: X\n---\n", []),
        ("Setext\n------\np", [Block("Setext", 2), Block("p")]),
        (
            "See *the* **[policy](https://x.example/a_b)** at `now` &amp; <https://y.example>.",
            [Block("See the policy at now & https://y.example.")],
        ),
        ("hard-wrapped\nline  \nbreak<br>two", [Block("hard-wrapped line\nbreak\ntwo")]),
        ("a ![logo](l.png) b[^1]\n\n[^1]: The note.", [Block("a b"), Block("The note.")]),
        ("<!-- hidden -->\n\nseen <b>bold</b> <!-- x -->", [Block("seen bold")]),
        (
            "<details>\n<summary>More</summary>\n\nInside.\n\n</details>",
            [Block("More"), Block("Inside.")],
        ),
        ("<script>\nvar a = 1;\n</script>\n\ntext", [Block("text")]),
        ("{% if x %}\ntext {% data y.z %}\n{% endif %}", [Block("text")]),
        ("```python\nprint()\n```\n\n```\nkept  text\n```", [Block("kept text")]),
        ("> quoted\n> words", [Block("quoted words")]),
        ("a\n\n***\n\nb", [Block("a"), Block("b")]),
        ("**1. Definitions**\n\nThe terms.", [Block("1. Definitions", 7), Block("The terms.")]),
        ("**Stop.**\n\n**a** and **b**", [Block("Stop."), Block("a and b")]),
        ("5 \\* 3 \\<b\\>", [Block("5 * 3 <b>")]),
    ],
)
def test_markdown_reads_as_prose(source: str, blocks: list[Block]) -> None:
    assert markdown_blocks(source) == blocks


def test_lists_keep_their_markers_and_nested_items() -> None:
    source = "- one\n  wrapped\n- two:\n  1. a\n  2. b\n\n  after\n\n3) c\n4) d"
    assert markdown_blocks(source) == [
        Block("- one wrapped\n- two:\n1. a\n2. b\nafter"),
        Block("3) c\n4) d"),
    ]


def test_table_rows_name_their_columns() -> None:
    source = "| Leave | Days |\n|---|---|\n| *Annual* | 25 |\n| Sick | |"
    assert markdown_blocks(source) == [Block("Leave: Annual; Days: 25\nLeave: Sick")]


def test_tags_are_text_where_html_is_off() -> None:
    assert markdown_blocks("Dear <Name>,", inline_html=False) == [Block("Dear <Name>,")]
    assert markdown_blocks("Dear <Name>,") == [Block("Dear ,")]


PIECES = (
    *("A word", "\n\n", "\n", "two  \nlines", "# Head", "## Head ##", "- item", "1. item"),
    *("    code", "> quoted", "| a | b |", "|---|---|", "===", "---", "[a]: /b", "[a]", "A: B"),
    *("<b>", "<pre>", "<!-- x -->", "```", "~~~", "5 \\* 3", "&amp;", "\\", " ", "\t", "**bold**"),
    *("\u201cquoted\u201d", "(a) b", "2) c", "#", "1.", "`x`", "*", "_", "~", "  - deeper", "3 b"),
    *("\u00e9", "\0", "- item\n- b", "* star", "+  plus", "7. c\n9. d", "3) e\n", "5.5 f", "    "),
    *("[at] g", "](/u)", "[^n]", "[^n]: note", "### 1. Term", "## - [x] h", "- [ ] i", "![j", "[k"),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.booleans())
def test_text_without_markup_reads_as_the_whole_parser_has_it(source: str, tags: bool) -> None:
    plain = MarkdownIt("commonmark", {"html": tags}).enable(["table", "strikethrough"])
    cleaned = re.sub(r"\{%.*?%\}", "", source, flags=re.DOTALL)
    assert markdown_blocks(source, tags) == _Reader().read(plain.parse(cleaned))


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab#*-_>`|[]()<!\n 1.:{%}~&;="), max_size=120))
def test_any_markdown_can_be_read(source: str) -> None:
    for block in markdown_blocks(source):
        assert block.text
        assert block.text == block.text.strip()
