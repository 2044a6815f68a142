"""Step 1 of a new job: which documents."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from bonito_local.bounds import user_folder
from bonito_local.passages.survey import Survey, survey
from bonito_local.tui.format import BAD, DIM, GOOD, STRONG, WARN, Piece, plural, short_path, size
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.jobs import content
from bonito_local.tui.widgets.pick_tree import PickTree


class DocumentsStep(Vertical):
    """A tree to choose from, and beside it what is chosen, counted."""

    class Changed(Message):
        """Other documents are chosen."""

    def __init__(self, folder: Path, chosen: Iterable[Path]) -> None:
        super().__init__()
        self._folder = folder
        self._chosen = tuple(chosen)
        self._counting = threading.Event()
        self.survey = Survey()

    def compose(self) -> ComposeResult:
        """The folder, the tree and the count."""
        with Horizontal(classes="field"):
            yield Static("Look in", classes="name")
            yield Input(str(self._folder), id="folder")
        with Horizontal():
            yield PickTree(self._folder, self._chosen, id="tree")
            with VerticalScroll(id="chosen", can_focus=False):
                yield Static(id="count", markup=False)

    def on_mount(self) -> None:
        """Count what is chosen already."""
        self.count()

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is chosen."""
        return tuple(self.query_one(PickTree).chosen)

    @on(Input.Submitted, "#folder")
    def _go(self, event: Input.Submitted) -> None:
        if folder := user_folder(event.value):
            self.query_one(PickTree).path = folder.resolve()
            self.query_one(PickTree).focus()
        else:
            self.notify(f"{event.value} is not a folder.", severity="warning")

    @on(PickTree.Picked)
    def count(self) -> None:
        """Count anew, in a thread; an earlier count is given up."""
        self._counting.set()
        self._counting = given_up = threading.Event()
        paths = self.paths
        self._show(Survey(whole=not paths))
        if paths:
            page = cast(Page, self.screen)
            page.ask(lambda: survey(paths, given_up.is_set), self._show, "survey")

    def on_unmount(self) -> None:
        """Give up counting."""
        self._counting.set()

    def _show(self, found: Survey) -> None:
        self.survey = found
        pieces: list[Piece] = []
        width = max(20, self.query_one("#chosen").content_size.width - 2)
        for path in self.paths:
            pieces += [("● ", GOOD), (short_path(path, width - 2) + "\n", "")]
        if not pieces:
            pieces = [
                ("Nothing is chosen yet\n\n", STRONG),
                ("Space chooses the file or the folder under the cursor, with all it holds. ", DIM),
                ("Enter opens a folder, Backspace goes up.", DIM),
            ]
        elif not found.whole:
            pieces.append(("\nCounting …", DIM))
        else:
            total = f"\n{plural(found.files, 'document')}, {size(found.bytes)}\n"
            pieces.append((total, STRONG if found.files else BAD))
            kinds = ", ".join(f"{number} {kind}" for kind, number in found.kinds)
            pieces.append((f"{kinds}\n", DIM))
            for problem in found.problems[:50]:
                pieces.append((f"\n{Path(problem.source).name}: ", WARN))
                pieces.append((problem.title, DIM))
        self.query_one("#count", Static).update(content(pieces))
        self.post_message(self.Changed())
