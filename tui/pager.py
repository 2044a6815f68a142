"""Rows of a filter by their place in it: only the pages in sight are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from bonito_local.jobs.rows import Shown

PAGE = 100
_MOST_PAGES = 60
_MANY = 10 * PAGE
_IN_SIGHT = 3  # pages that one screen may show


class Pager:
    """Which rows there are, and those of them that were read.

    `want` is called with a page's number and the numbers of its rows when it has to be read.
    """

    def __init__(self, want: Callable[[int, Sequence[int]], None]) -> None:
        self.numbers: Sequence[int] = ()
        self._want = want
        self._pages: OrderedDict[int, dict[int, Shown]] = OrderedDict()
        self._wanted: set[int] = set()

    def set_numbers(self, numbers: Sequence[int], *, more: bool = False) -> None:
        """Other rows; with `more` the rows of before are the first of them."""
        self.numbers = numbers
        if more:
            # Only the last page of before was not whole.
            last = max(self._pages, default=-1)
            self._pages.pop(last, None)
        else:
            self._pages.clear()
        self._wanted.clear()

    def at(self, index: int) -> Shown | None:
        """The row at a place, None until it was read."""
        page = index // PAGE
        held = self._pages.get(page)
        if held is None:
            if page not in self._wanted:
                self._wanted.add(page)
                self._want(page, self._of_page(page))
            return None
        self._pages.move_to_end(page)
        return held.get(self.numbers[index])

    def put(self, page: int, rows: Sequence[Shown]) -> None:
        """Take in a page that was read."""
        self._wanted.discard(page)
        numbers = set(self._of_page(page))
        self._pages[page] = {row.id: row for row in rows if row.id in numbers}
        while len(self._pages) > _MOST_PAGES:
            self._pages.popitem(last=False)

    def change(self, number: int, **fields: object) -> None:
        """Show a row otherwise, until its page is read again."""
        for held in self._pages.values():
            if number in held:
                held[number] = replace(held[number], **fields)  # type: ignore[arg-type]

    def again(self, numbers: Sequence[int]) -> None:
        """Read the pages that hold these rows again; what is shown stays until then.

        Of very many rows only what was looked at last is, and the rest is forgotten.
        """
        if len(numbers) > _MANY:
            while len(self._pages) > _IN_SIGHT:
                self._pages.popitem(last=False)
        wanted = set(numbers) if len(numbers) <= _MANY else set[int]()
        for page, held in list(self._pages.items()):
            if not wanted or not wanted.isdisjoint(held):
                self._want(page, self._of_page(page))

    def _of_page(self, page: int) -> Sequence[int]:
        return self.numbers[page * PAGE : (page + 1) * PAGE]
