"""Captions, notebooks, reStructuredText, Org, LaTeX, XML and JSON with known text."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.formats import READERS
from bonito_local.passages.notes import Notes


def read(text: str, kind: str) -> tuple[list[Block], list[str]]:
    notes = Notes()
    blocks = READERS[kind](text.encode(), notes)
    return blocks, [problem.title for problem in notes.problems]


def test_captions_are_what_is_said_without_times() -> None:
    vtt = (
        "WEBVTT\n\nNOTE made by hand\n\n1\n00:00:01.000 --> 00:00:02.000 align:start\n"
        "<v Ann>Hello <i>there</i>\nfriend.\n\n00:00:02.000 --> 00:00:03.000\n<v Ann>friend.\n"
        "How are you?\n\n00:04.000 --> 00:05.000\n<v Bo>Fine &\n"
    )
    assert read(vtt, ".vtt") == (
        [Block("Ann: Hello there friend. How are you?"), Block("Bo: Fine &")],
        ["Left out 1 note of the captions."],
    )
    srt = (
        "1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}It rains,\r\n\r\n"
        "2\r\n00:00:02,600 --> 00:00:04,000\r\nand 12\r\ncats came.\r\n\r\n"
        "3\r\n00:01:04,000 --> 00:01:05,000\r\nThe end.\r\n"
    )
    assert read(srt, ".srt") == ([Block("It rains, and 12 cats came."), Block("The end.")], [])


def test_notebooks_are_their_text_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Head\n", "Some *text*."]},
        {"cell_type": "code", "source": "x = 1", "outputs": [{"text": "1"}]},
        {"cell_type": "raw", "source": "As it is"},
    ]
    notebook = json.dumps({"nbformat": 4, "cells": cells})
    expected = (
        [Block("Head", 1), Block("Some text."), Block("As it is")],
        ["Left out 1 cell of code."],
    )
    assert read(notebook, ".ipynb") == expected
    assert read(notebook, ".json") == expected


def test_restructured_text_is_headings_and_prose() -> None:
    text = (
        "=====\nRules\n=====\n:Author: Bo\n:Date: May\n\nQuiet ``hours`` are *long*, see\n"
        ":ref:`the yard <yard>` and `Rome <https://x>`_ [1]_ |here|::\n\n    as it is\n\n"
        "Yard\n----\n.. |here| replace:: in town\n.. _yard: x\n.. remark\n.. warning::\n\n"
        "   Do not park.\n\n   - at night\n   - by day\n\n.. code-block:: python\n\n   x = 1\n\n"
        ".. image:: a.png\n\n+-----+-----+\n| Day | Fee |\n+=====+=====+\n| Mon | 20  |\n"
        "|     | eur |\n+-----+-----+\n\n===== ===\nA     B\n===== ===\nx y   1\n===== ===\n\n"
        ".. [1] The note.\n"
    )
    assert read(text, ".rst") == (
        [
            Block("Rules", 1),
            Block("Author: Bo\nDate: May"),
            Block("Quiet hours are long, see the yard and Rome in town:"),
            Block("as it is"),
            Block("Yard", 2),
            Block("Do not park."),
            Block("- at night\n- by day"),
            Block("Day: Mon; Fee: 20 eur"),
            Block("A: x y; B: 1"),
            Block("The note."),
        ],
        ["Left out 1 comment.", "Left out 1 block of code."],
    )


def test_org_is_headings_and_prose() -> None:
    text = (
        "#+TITLE: x\n# remark\n* TODO Rules :home:\n:PROPERTIES:\n:ID: 1\n:END:\n"
        "Quiet *hours* are\n"
        "[[https://x][long]].\n\n- one\n- two\n** Yard\n#+begin_src python\nx = 1\n#+end_src\n"
        "| Day | Fee |\n|-----+-----|\n| Mon | 20 |\nEnd.[fn:1]\n"
    )
    assert read(text, ".org") == (
        [
            Block("Rules", 1),
            Block("Quiet hours are\nlong."),
            Block("- one\n- two"),
            Block("Yard", 2),
            Block("Day: Mon; Fee: 20"),
            Block("End."),
        ],
        ["Left out 1 comment.", "Left out 1 block of code."],
    )


def test_latex_is_headings_and_prose() -> None:
    text = (
        "\\documentclass{article}\n\\title{House \\emph{rules}}\n\\begin{document}\\maketitle\n"
        "\\section{Rent}\\label{s} % remark\nThe tenant pays 5\\,\\% \\& more~\\cite{x}, in\n"
        "M\\\"unchen -- ``well''\\footnote{A note.}.\n\n\\begin{itemize}\\item One\n\\item Two\n"
        "\\end{itemize}\n\\begin{tabular}{ll}\\hline Day & Fee \\\\ Mon & 20 \\\\\\end{tabular}\n"
        "\\begin{verbatim}\nx = 1\n\\end{verbatim}\nThe end.\n\\end{document} after"
    )
    assert read(text, ".tex") == (
        [
            Block("House rules", 1),
            Block("Rent", 3),
            Block("The tenant pays 5 % & more, in München – “well” (A note.)."),
            Block("- One\n- Two"),
            Block("Day: Mon; Fee: 20"),
            Block("The end."),
        ],
        ["Left out 1 comment.", "Left out 1 block of code."],
    )


def test_xml_is_names_and_values_and_paragraphs() -> None:
    text = (
        "<?xml version='1.0' encoding='utf-8'?><r xmlns='u:x'><!-- remark --><p><name>Jé</name>"
        "<age>5</age><note/></p><sec><title>Rent</title><para>We <b>pay</b> it.</para></sec></r>"
    )
    assert read(text, ".xml") == (
        [Block("name: Jé; age: 5"), Block("title: Rent"), Block("We pay it.")],
        ["Left out 1 comment."],
    )
    page = (
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><h1>A</h1><p>b</p></html>"
    )
    assert read(page, ".xml")[0] == [Block("A", 1), Block("b")]
    entity = "<!DOCTYPE r [<!ENTITY a 'b'>]><r>&a;</r>"
    with pytest.raises(DocumentError, match="declares entities"):
        read(entity, ".xml")
    with pytest.raises(DocumentError, match=r"no XML \(line 1\)"):
        read("<r>", ".xml")


def test_json_is_names_and_values() -> None:
    long = "Quiet hours are from ten to six. " * 8
    text = json.dumps(
        [
            {"name": "Alpha", "fee": 20, "at": {"town": "Rome", "open": True}, "none": None},
            {"name": "Beta", "text": long, "tags": ["a", "b"]},
        ]
    )
    assert read(text, ".json")[0] == [
        Block("name: Alpha; fee: 20; at.town: Rome; at.open: yes"),
        Block("name: Beta"),
        Block(long.strip()),
        Block("tags: a, b"),
    ]
    with pytest.raises(DocumentError, match="no JSON"):
        read("{", ".json")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from((".rst", ".org", ".tex", ".srt", ".vtt")),
    st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=9), min_size=1, max_size=6),
)
def test_every_word_of_prose_arrives_once_and_in_order(
    kind: str, paragraphs: list[list[int]]
) -> None:
    texts = [" ".join(f"w{number}x" for number in numbers) for numbers in paragraphs]
    if kind in (".srt", ".vtt"):
        times = "00:00:0{0}.000 --> 00:00:0{0}.900\n{0}a {1}"
        texts = [times.format(at, text) for at, text in enumerate(texts)]
    source = "\n\n".join(texts)
    shown = "\n".join(block.text for block in read(source, kind)[0])
    assert re.findall(r"w\d+x", shown) == re.findall(r"w\d+x", source)


@settings(deadline=None, max_examples=120)
@given(
    st.sampled_from((".rst", ".org", ".tex", ".srt", ".json", ".xml", ".ipynb")),
    st.text(alphabet=st.sampled_from('ab 1\n.:*-=+|\\{}[]<>/`_#&%"'), max_size=80),
)
def test_any_text_is_read_or_an_error(kind: str, text: str) -> None:
    try:
        blocks, _ = read(text, kind)
    except DocumentError:
        return
    assert all(isinstance(block, Block) for block in blocks)
