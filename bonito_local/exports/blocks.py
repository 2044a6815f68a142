"""What a section of a card or report is made of, however it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Cells; a column whose cells are all numbers is one of numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing in SVG, and the name of its file."""

    name: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences, one below the other."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A row: its passage, the instruction with "[passage]" in its place, the response."""

    task: str
    passage: str
    instruction: str
    response: str


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to type or to paste."""

    text: str
    language: str


Block = str | Table | Plot | Points | Example | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A title and what stands below it."""

    title: str
    blocks: tuple[Block, ...]
