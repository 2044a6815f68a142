"""A table that draws only the lines in sight: as quick with a million rows as with ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bonito_local.printable import printable
from bonito_local.tui.format import Cell

_GAP = 2
_BLANKS = str.maketrans("\n\t", "  ")  # a line of the table is one line


@dataclass(frozen=True, slots=True)
class Column:
    """A column. With `flex` it takes the width that is left; below `least` it is not shown."""

    title: str
    width: int
    right: bool = False
    flex: bool = False
    least: int = 0


Row = Callable[[int], Sequence[Cell] | None]


class Grid(ScrollView, can_focus=True):
    """Lines of cells under a header, with a cursor. `row` makes the cells of a line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--cursor",
        "grid--good",
        "grid--bad",
        "grid--warn",
        "grid--dim",
        "grid--accent",
        "grid--strong",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000000)", "First", show=False),
        Binding("end,G", "move(1000000000)", "Last", show=False),
        Binding("enter", "select", "Open", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """The cursor is on another line."""

        def __init__(self, grid: Grid, index: int) -> None:
            super().__init__()
            self.grid = grid
            self.index = index

        @property
        def control(self) -> Grid:
            """The table, for `@on` with a selector."""
            return self.grid

    class Selected(Highlighted):
        """Enter or a double click on a line."""

    def __init__(
        self, columns: Sequence[Column], row: Row, *, id: str | None = None, header: bool = True
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.count = 0
        self._row = row
        self._top = int(header)

    def show(self, count: int) -> None:
        """Show so many lines, made anew; the cursor stays where it can."""
        if count != self.count:
            self.count = count
            self.virtual_size = Size(0, count + self._top)
        self.cursor = self.validate_cursor(self.cursor)
        self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a line."""
        return max(0, min(cursor, self.count - 1))

    def watch_cursor(self, before: int, cursor: int) -> None:
        """Bring the cursor into sight and say where it is; only two lines are drawn anew."""
        self._bring_into_sight(cursor)
        for index in (before, cursor):
            line = index - int(self.scroll_offset.y) + self._top
            self.refresh(Region(0, line, self.size.width, 1))
        self.post_message(self.Highlighted(self, cursor))

    @property
    def in_sight(self) -> range:
        """The lines in sight."""
        first = int(self.scroll_offset.y)
        return range(first, min(self.count, first + max(1, self.size.height - self._top)))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._bring_into_sight(self.cursor)

    def _bring_into_sight(self, index: int) -> None:
        height = max(1, self.size.height - self._top)
        first = self.scroll_offset.y
        if index < first:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= first + height:
            self.scroll_to(y=index - height + 1, animate=False, immediate=True)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self.cursor += by * max(1, self.size.height - self._top - 1)

    def action_select(self) -> None:
        """Say that the line is chosen."""
        if self.count:
            self.post_message(self.Selected(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the line that was clicked; a second click chooses it."""
        index = event.y - self._top + int(self.scroll_offset.y)
        if event.y < self._top or index >= self.count:
            return
        self.cursor = index
        if event.chain == 2:
            self.action_select()

    def render_line(self, y: int) -> Strip:
        """Draw one line in sight."""
        width = self.scrollable_content_region.width
        columns, widths = self._layout(width)
        if y < self._top:
            style = self.get_component_rich_style("grid--header")
            cells: Sequence[Cell] = [((column.title, ""),) for column in self.columns]
        else:
            index = y - self._top + int(self.scroll_offset.y)
            if index >= self.count:
                return Strip.blank(width, self.rich_style)
            on = index == self.cursor
            style = self.get_component_rich_style("grid--cursor") if on else self.rich_style
            cells = self._row(index) or [(("…", "dim"),)]
        segments = [Segment(" ", style)]
        for at, wide in zip(columns, widths, strict=True):
            drawn = cells[at] if at < len(cells) else ()
            segments += self._cell(drawn, wide, self.columns[at].right, style)
            segments.append(Segment(" " * _GAP, style))
        return Strip(segments).adjust_cell_length(width, style)

    def _layout(self, width: int) -> tuple[list[int], list[int]]:
        """Which columns are shown, and how wide each is."""
        shown = [at for at, column in enumerate(self.columns) if width >= column.least]
        fixed = sum(self.columns[at].width for at in shown) + _GAP * (len(shown) - 1) + 2
        flexible = [at for at in shown if self.columns[at].flex]
        spare = max(0, width - fixed)
        extra = {at: spare // len(flexible) for at in flexible}
        return shown, [self.columns[at].width + extra.get(at, 0) for at in shown]

    def _cell(self, cell: Cell, width: int, right: bool, style: Style) -> list[Segment]:
        segments, left = [], width
        for text, tone in cell:
            if left <= 0:
                break
            text = printable(text).translate(_BLANKS)
            length = cell_len(text)
            if length > left:
                text, length = set_cell_size(text, left - 1) + "…", left
            segments.append(Segment(text, style + self._tone(tone) if tone else style))
            left -= length
        blank = Segment(" " * left, style)
        return [blank, *segments] if right else [*segments, blank]

    def _tone(self, tone: str) -> Style:
        # Not the partial style: a colour that lets the background through needs one.
        found = self.get_component_rich_style(f"grid--{tone}")
        return Style(color=found.color, bold=found.bold or None)
