"""Aligned columns of text, for what is read by people and by `awk`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bonito_local.printable import one_line


def aligned(lines: Sequence[Sequence[str]], left: Collection[int] = (0,), gap: int = 1) -> str:
    """Return cells as lines of text: the columns named in `left` to the left, the others right."""
    lines = [[one_line(cell) for cell in cells] for cells in lines]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        (" " * gap)
        .join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    )
