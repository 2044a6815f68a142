"""A tree of files and folders to choose from: Space takes one, or leaves it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DirectoryTree
from textual.widgets._directory_tree import DirEntry
from textual.widgets.tree import TreeNode

from bonito_local.passages import JOB_FOLDER
from bonito_local.passages.discover import KINDS
from bonito_local.printable import printable
from bonito_local.tui.format import size


class PickTree(DirectoryTree):
    """Chosen ones have a full circle; so has everything in a chosen folder."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pick", "Choose", tooltip="Choose the file or folder, or leave it"),
        Binding("backspace", "up", "Up", show=False, tooltip="Show the folder above"),
        Binding("right", "open(True)", show=False),
        Binding("left", "open(False)", show=False),
    ]

    class Picked(Message):
        """The choice has changed."""

    def __init__(self, path: Path, chosen: Iterable[Path] = (), *, id: str | None = None) -> None:
        super().__init__(path, id=id)
        self.chosen: dict[Path, None] = dict.fromkeys(chosen)
        self._sizes: dict[Path, str] = {}
        self.show_root = True
        self.guide_depth = 2

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Hidden ones are not read by a job, and not shown."""
        return [path for path in paths if not path.name.startswith((".", "~$"))]

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> Text:
        """A circle, the name, and a file's size or that it cannot be read."""
        path = node.data.path if node.data else Path()
        name = Text(printable(path.name or str(path)))
        variables = self.app.theme_variables
        readable = node.allow_expand or path.suffix.lower() in KINDS
        if path in self.chosen:
            mark = Text("● ", variables["accent"])
        elif any(parent in self.chosen for parent in path.parents) and readable:
            mark = Text("● ", variables["primary"])
        else:
            mark = Text("○ " if readable else "  ", variables["primary"])
        if node.allow_expand:
            icon = self.ICON_NODE_EXPANDED if node.is_expanded else self.ICON_NODE
            name.stylize("bold")
            label = Text.assemble(mark, icon, name, "/")
        else:
            if not readable:
                name.stylize("dim")
            note = self._note(path) if readable else "cannot be read"
            label = Text.assemble(mark, name, (f"  {note}", "dim"))
        label.stylize_before(style)
        return label

    def _note(self, path: Path) -> str:
        if path not in self._sizes:
            try:
                self._sizes[path] = size(path.stat().st_size)
            except OSError:
                self._sizes[path] = ""
        return self._sizes[path]

    def action_pick(self) -> None:
        """Choose what is under the cursor, or leave it."""
        node = self.cursor_node
        if node is None or node.data is None:
            return
        path = node.data.path
        if path in self.chosen:
            del self.chosen[path]
        elif (path / JOB_FOLDER).is_dir():
            self.notify("This is a dataset that bonito-local made.", severity="warning")
            return
        elif node.allow_expand or path.suffix.lower() in KINDS:
            # A folder holds what was chosen in it before.
            for inside in [held for held in self.chosen if path in held.parents]:
                del self.chosen[inside]
            self.chosen[path] = None
        else:
            self.notify(f"{path.suffix or 'Such'} files cannot be read.", severity="warning")
            return
        self._invalidate()
        self.refresh()
        self.post_message(self.Picked())

    def action_up(self) -> None:
        """Show the folder above."""
        self.path = Path(self.path).resolve().parent

    def action_open(self, wide: bool) -> None:
        """Open the folder under the cursor, or close it or the one it is in."""
        node = self.cursor_node
        if node is None:
            return
        if wide:
            node.expand()
        elif node.is_expanded:
            node.collapse()
        elif node.parent is not None:
            self.move_cursor(node.parent)
