"""Lists of a page: items with their bullets and numbers, terms with what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bonito_local.passages.dom import attribute

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_COMPLEX = "h1, h2, h3, h4, h5, h6, table, article, section"
_ROMAN = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


class Lists:
    """The lists that are open where a page is read; a list is one text, nested ones in it.

    A list whose items hold headings or tables is no list of sentences: its items are read as
    paragraphs. True while a list is open that gathers items.
    """

    def __init__(self) -> None:
        self.numbers: list[str] = []  # that were put before items
        self._open: list[_List] = []
        self._items: list[str] = []
        self._marker = ""
        self._term = False  # the item that is open is a term
        self._after_term = False

    def __bool__(self) -> bool:
        return any(not held.flows for held in self._open)

    def open(self, node: LexborNode) -> None:
        """Begin a list."""
        flows = not self and bool(node.css_first(_COMPLEX))
        self._open.append(_List(node, flows))

    def item(self, node: LexborNode) -> None:
        """Begin an item of the innermost list."""
        if not self:
            return
        self._marker = self._open[-1].marker(node)
        self._term = node.tag == "dt"
        if self._marker not in ("- ", ""):
            self.numbers.append(self._marker)

    def add(self, text: str) -> None:
        """Add a paragraph to the item that is open; what is said of a term follows it."""
        if self._after_term and not self._term:
            term = self._items[-1]
            self._items[-1] = f"{term}{'' if term[-1] in '.!?:' else ':'} {text}"
        else:
            self._items.append(self._marker + text)
        self._after_term, self._marker = self._term, ""

    def close(self) -> str:
        """End the innermost list; return the text of all where it was the outermost."""
        gathered = bool(self)
        if self._open:
            self._open.pop()
        if self or not gathered:
            return ""
        text = "\n".join(self._items)
        self._items, self._marker = [], ""
        self._term = self._after_term = False
        return text


class _List:
    def __init__(self, node: LexborNode, flows: bool) -> None:
        self.flows = flows
        self._tag = node.tag
        self._kind = attribute(node, "type")
        start = attribute(node, "start")
        self._step = 1
        self._next = int(start) if start.lstrip("-").isdecimal() and len(start) < 8 else 1
        if "reversed" in node.attributes:
            self._step = -1
            if not start:
                self._next = sum(1 for child in node.iter() if child.tag == "li")

    def marker(self, node: LexborNode) -> str:
        """Return what stands before an item."""
        if self._tag == "dl" or node.tag in ("dt", "dd"):
            return ""
        if self._tag != "ol":
            return "- "
        value = attribute(node, "value")
        number = int(value) if value.isdecimal() and len(value) < 8 else self._next
        self._next = number + self._step
        return f"{_numeral(number, self._kind)}. "


def _numeral(number: int, kind: str) -> str:
    """Write a number as a list of the type "1", "a", "A", "i" or "I" does."""
    if number < 1 or kind not in ("a", "A", "i", "I") or number > 39:
        return str(number)
    if kind in "iI":
        text = ""
        for value, sign in _ROMAN:
            while number >= value:
                text, number = text + sign, number - value
        return text.upper() if kind == "I" else text
    text = chr(96 + number) if number <= 26 else f"a{chr(96 + number - 26)}"
    return text.upper() if kind == "A" else text
