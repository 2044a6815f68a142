"""HTML as a tree (HTML5, as browsers build it), and walking it without recursion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

# Elements whose content is no text of the page.
SILENT = frozenset(
    "script style noscript template head svg iframe object embed audio video canvas map select"
    " datalist input meter progress noframes annotation annotation-xml rp".split()
)
# Elements that begin a new line. All others stand within one.
BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li"
    " main menu nav ol optgroup option p pre search section summary table tbody td tfoot th"
    " thead tr ul listing plaintext xmp button textarea".split()
)
_HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all)\b",
    re.IGNORECASE,
)
_DELETED = frozenset(("del", "s", "strike"))
_WORD = re.compile(r"\w+")


def parse(page: str) -> LexborNode:
    """Return the root element of a page's tree; a piece of HTML gets a root of its own."""
    from selectolax.lexbor import LexborHTMLParser

    root = LexborHTMLParser(page.encode("utf-8", "replace").decode("utf-8")).root
    if root is None:  # an empty page
        root = LexborHTMLParser("<html></html>").root
    assert root is not None  # noqa: S101 - a page with an element has a root
    return root


def walk(
    root: LexborNode,
    enter: Callable[[LexborNode], bool],
    leave: Callable[[LexborNode], None],
) -> None:
    """Visit a tree in the order of its text: `enter` says whether to go into a node.

    `leave` is called of each node that was gone into, after its children. Depth has no limit.
    """
    node, depth = root, 0
    while True:
        if enter(node):
            child = node.first_child
            if child is not None:
                node, depth = child, depth + 1
                continue
            leave(node)
        while depth:
            after = node.next
            if after is not None:
                node = after
                break
            parent = node.parent
            if parent is None:
                return
            node, depth = parent, depth - 1
            leave(node)
        else:
            return


def tag_of(node: LexborNode) -> str:
    """Return an element's name in lower case, without a namespace's prefix ("svg:text")."""
    return (node.tag or "").rpartition(":")[2]


def attribute(node: LexborNode, name: str) -> str:
    """Return an attribute's value, "" where it has none or is not there."""
    return node.attributes.get(name) or ""


def is_hidden(node: LexborNode) -> bool:
    """Whether an element says of itself that it is not shown."""
    attributes = node.attributes
    if node.tag == "dialog" and "open" not in attributes:
        return True
    if not attributes:
        return False
    if "hidden" in attributes and attributes["hidden"] != "until-found":
        return True
    style = attributes.get("style")
    return bool(style and _HIDING.search(style))


def is_deleted(node: LexborNode) -> bool:
    """Whether an element strikes its text out."""
    return node.tag in _DELETED


def text_of(node: LexborNode) -> str:
    """Return the text in a node, shown or hidden, with spaces between blocks."""
    pieces: list[str] = []
    after_link = False

    def enter(inner: LexborNode) -> bool:
        nonlocal after_link
        if inner.is_text_node:
            pieces.append(inner.text_content or "")
            after_link = after_link and not pieces[-1].strip()
            return False
        if inner.is_comment_node:
            return False
        if tag_of(inner) in SILENT:
            if inner.tag == "iframe" and (page := attribute(inner, "srcdoc")):
                pieces.append(f" {text_of(parse(page))} ")
            return False
        if inner.tag == "br" or inner.tag in BLOCKS or (inner.tag == "a" and after_link):
            pieces.append(" ")
        after_link = False
        return True

    def leave(inner: LexborNode) -> None:
        nonlocal after_link
        after_link = inner.tag == "a"
        if inner.tag in BLOCKS:
            pieces.append(" ")

    walk(node, enter, leave)
    return " ".join("".join(pieces).split())


def count_words(text: str) -> int:
    """Count the words of a text."""
    return sum(1 for _ in _WORD.finditer(text))
