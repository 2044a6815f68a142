"""The dataset's README: its sections as Markdown, with the header that `datasets` and hubs read."""

from __future__ import annotations

import re

from bonito_local.exports.account import Account, Made
from bonito_local.exports.blocks import Block, Code, Example, Plot, Points, Section, Table
from bonito_local.exports.formats import find_format
from bonito_local.exports.plots import standalone
from bonito_local.exports.sections import lead, sections
from bonito_local.exports.tables import shard_names
from bonito_local.exports.tally import Tally
from bonito_local.exports.usage import usage

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_CATEGORIES = {
    "question-answering": ("exqa", "mcqa", "qa", "ynqa"),
    "summarization": ("summarization",),
    "text-classification": ("nli", "te", "sentiment", "topic_class", "paraphrase_id", "wsd"),
    "text-generation": ("qg", "coref", "paraphrase", "sent_comp", "text_gen"),
}


def dataset_card(account: Account, made: Made, tally: Tally) -> dict[str, str]:
    """Return README.md and the plots it shows, by file name."""
    found = [*sections(account, made, tally), *usage(made)]
    named = "" if made.strip_source else f": {_plain(account.name)}"
    lines = [
        _header(made, tally),
        f"# Instruction-tuning dataset{named}\n",
        lead(account, made, tally),
    ]
    files = {}
    for section in found:
        lines.append(_section(section))
        for block in section.blocks:
            if isinstance(block, Plot):
                files[f"plots/{block.name}.svg"] = standalone(block.svg)
    files["README.md"] = "\n".join(lines).rstrip() + "\n"
    return files


def _header(made: Made, tally: Tally) -> str:
    form = find_format(made.format)
    total, tasks = tally.total, tally.tasks()
    size = next((name for most, name in _SIZES if total < most), "n>1M")
    kinds = [kind for kind, known in _CATEGORIES.items() if set(known) & set(tasks)]
    files = []
    for name in made.split.names:
        if tally.in_split(name) or len(made.split.shares) == 1:
            paths = [form.file(name)]
            if form.kind == "parquet":
                paths = shard_names(paths[0], tally.in_split(name))
            told = paths[0] if len(paths) == 1 else "".join(f"\n    - {path}" for path in paths)
            files += [f"  - split: {name}", f"    path: {told}"]
    lines = [
        *("---", "language:", "- en", "license: unknown"),
        *(["task_categories:", *(f"- {kind}" for kind in kinds)] if kinds else []),
        *("size_categories:", f"- {size}"),
        *("tags:", "- synthetic", "- bonito", "- bonito-local"),
    ]
    if files:
        lines += ["configs:", "- config_name: default", "  data_files:", *files]
    return "\n".join([*lines, "---"])


def _section(section: Section) -> str:
    return "\n".join(
        [f"\n## {section.title}\n", *(_block(block) + "\n" for block in section.blocks)]
    )


def _block(block: Block) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, Table):
        rule = "|".join("---:" if right else "---" for right in right_columns(block))
        lines = [block.columns, *block.rows]
        head, *rest = ["| " + " | ".join(map(_plain, line)) + " |" for line in lines]
        return "\n".join([head, f"|{rule}|", *rest])
    if isinstance(block, Plot):
        return f"![{block.title}](plots/{block.name}.svg)"
    if isinstance(block, Points):
        return "\n".join(f"- {item}" for item in block.items)
    if isinstance(block, Code):
        return _fenced(block.text, block.language)
    return f"**{block.task}**\n\n" + _fenced(_example(block), "text")


def _example(row: Example) -> str:
    parts = (("passage", row.passage), ("input", row.instruction), ("output", row.response))
    return "\n\n".join(f"{name}: {text}" for name, text in parts)


def right_columns(table: Table) -> list[bool]:
    """Which columns hold numbers alone."""
    cells = zip(*table.rows, strict=True) if table.rows else ([] for _ in table.columns)
    return [
        bool(column)
        and all(cell.replace(",", "").replace(".", "").strip("-%").isdecimal() for cell in column)
        for column in map(list, cells)
    ]


def _fenced(text: str, language: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _plain(cell: str) -> str:
    """A cell of a table: what would end it, or a line, cannot stand in it."""
    return " ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;")
