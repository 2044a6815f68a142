"""Tables of a page: rows as prose, or what only lays a page out as paragraphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bonito_local.passages.blocks import Block, rows_as_prose
from bonito_local.passages.dom import attribute, text_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_LAYOUT = "table, h1, h2, h3, h4, h5, h6, article, section, form, hr, iframe"
_LONGEST_CELL = 600  # characters: longer ones are columns of a layout
_MOST_SPAN = 200


@dataclass(slots=True)
class Table:
    """A table's blocks, and the column names that they repeat."""

    blocks: list[Block] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    header: bool
    width: int


def table_blocks(
    table: LexborNode,
    read_cell: Callable[[LexborNode], str],
    leave_out: Callable[[LexborNode], bool],
) -> Table | None:
    """Read a table of data; None for one that only lays out a page, or is hidden.

    A table lays out where it has one column, or a cell holds a table, a heading or long text.
    Text in cells that span others is written once. `leave_out` is asked of each row.
    """
    if attribute(table, "role") in ("presentation", "none"):
        return None
    rows = list(_rows(table))
    cells = [list(_children(row, "td", "th")) for row in rows]
    if max(map(len, cells), default=0) < 2 or any(row.css_first(_LAYOUT) for row in rows):
        return None
    if any(len(text_of(cell)) > _LONGEST_CELL for row in cells for cell in row):
        return None
    read = Table()
    for caption in _children(table, "caption"):
        if text := read_cell(caption):
            read.blocks.append(Block(text))
    rows = [row for row in rows if not leave_out(row)]
    grid = _grid([list(_children(row, "td", "th")) for row in rows], read_cell)
    names, body = _split_header(grid)
    lines: list[list[str]] = []
    for row in body:
        filled = [cell for cell in row if cell and cell.text]
        if len(filled) == 1 and filled[0].width >= len(row) > 1:
            _add_rows(read, names, lines)  # a row that is one cell titles those below it
            read.blocks.append(Block(filled[0].text))
            lines = []
        elif filled:
            lines.append([cell.text if cell else "" for cell in row])
    _add_rows(read, names, lines)
    if names and not any(block.text for block in read.blocks):
        read.blocks.append(Block("; ".join(filter(None, names))))
    return read


def _add_rows(read: Table, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    if names:
        text = "\n".join(_named(names, row) for row in rows)
        for row in rows:
            read.added += [name for name, cell in zip(names, row, strict=False) if cell]
    elif len(rows) == 1 or len(rows[0]) == 2:
        lines = [_pair(row) if len(row) == 2 else "; ".join(filter(None, row)) for row in rows]
        text = "\n".join(lines)
    else:
        text = rows_as_prose(rows[0], rows[1:])
        if not text.startswith("; ".join(filter(None, rows[0]))):
            read.added += [" ".join(rows[0])] * (len(rows) - 1)
    read.blocks.append(Block(text))


def _named(names: Sequence[str], row: Sequence[str]) -> str:
    cells = [
        f"{names[at].rstrip(':')}: {cell}" if at < len(names) and names[at] else cell
        for at, cell in enumerate(row)
        if cell
    ]
    return "; ".join(cells)


def _pair(row: Sequence[str]) -> str:
    name, value = row
    if not (name and value):
        return name or value
    return f"{name}{'' if name[-1] in '.!?:;,' else ':'} {value}"


def _split_header(grid: list[list[_Cell | None]]) -> tuple[list[str], list[list[_Cell | None]]]:
    """Return the names of the columns, from rows of header cells alone, and the other rows."""
    heads = 0
    for row in grid[:3]:
        cells = [cell for cell in row if cell and cell.text]
        if not cells or not all(cell.header for cell in cells) or len(grid) == heads + 1:
            break
        if len(cells) == 1 and cells[0].width >= len(row):
            break
        heads += 1
    names = [""] * max((len(row) for row in grid), default=0)
    for row in grid[:heads]:
        for at, cell in enumerate(row):
            if cell and cell.text:
                for column in range(at, min(at + cell.width, len(names))):
                    names[column] = f"{names[column]} {cell.text}".strip()
    return (names if heads else []), grid[heads:]


def _grid(
    rows: Sequence[Sequence[LexborNode]], read_cell: Callable[[LexborNode], str]
) -> list[list[_Cell | None]]:
    """Place cells in columns; where a cell spans others there is None but in its first place."""
    grid: list[list[_Cell | None]] = []
    spans: dict[int, int] = {}  # column: rows that a cell above still takes there
    for row in rows:
        placed: list[_Cell | None] = []
        for cell in row:
            _skip_spanned(placed, spans)
            width, height = _span(cell, "colspan"), _span(cell, "rowspan")
            first = len(placed)
            placed.append(_Cell(read_cell(cell), cell.tag == "th" or _in_head(cell), width))
            placed += [None] * (width - 1)
            for column in range(first, first + width) if height > 1 else ():
                spans[column] = height - 1
        _skip_spanned(placed, spans)
        grid.append(placed)
    width = max((len(row) for row in grid), default=0)
    return [row + [None] * (width - len(row)) for row in grid]


def _skip_spanned(placed: list[_Cell | None], spans: dict[int, int]) -> None:
    while spans.get(len(placed), 0) > 0:
        spans[len(placed)] -= 1
        placed.append(None)


def _span(cell: LexborNode, name: str) -> int:
    value = attribute(cell, name).strip()
    return max(1, min(int(value), _MOST_SPAN)) if value.isdecimal() and len(value) < 8 else 1


def _in_head(cell: LexborNode) -> bool:
    row = cell.parent
    group = row.parent if row is not None else None
    return group is not None and group.tag == "thead"


def _rows(table: LexborNode) -> Iterator[LexborNode]:
    for group in _children(table, "thead", "tbody", "tfoot", "tr"):
        yield from [group] if group.tag == "tr" else _children(group, "tr")


def _children(node: LexborNode, *tags: str) -> Iterator[LexborNode]:
    for child in node.iter():
        if child.tag in tags:
            yield child
