"""Markdown to blocks that read as prose."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from bonito_local.passages.blocks import Block, rows_as_prose, tidy

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_TEMPLATE_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)  # Liquid and Jinja
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?")
_HTML = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[a-zA-Z][^>]*>", re.DOTALL)
# Text that stands for itself but for backslashes before signs (CommonMark 2.4).
_SIGN = r"[!-/:-@\[-`{-~]"
_ESCAPE = re.compile(rf"\\({_SIGN})")
_PLAIN = rf"(?:[^\\`*_\[<&~\n\0]++|\\{_SIGN})"
_UNMARKED = re.compile(rf"(?:{_PLAIN}|(?<!  )\n)*+")
# A heading of plain text, or a paragraph of it whose lines begin with no sign: between blank lines
# these are nothing else, unless there is what goes on over such, or says what a link is. Where
# nothing says that, brackets are text too, but for footnotes and links with an address.
_BARE = rf"(?:[^\\`*_\[\]<&~\n\0]++|\[(?!\^)|\](?!\()|\\{_SIGN})"
_LINE = rf"(?:[^\W\d_]|[\"'“‘(]|\[(?!\^)|\d++(?![.)](?!\w))){_BARE}*+"
_SIMPLE = re.compile(
    rf"(?P<marks>\#{{1,6}})[ ]++(?![^\n]*\#)(?P<title>(?=[!-~]|\w){_BARE}++)"
    rf"|{_LINE}(?:(?<![ ][ ])\n{_LINE})*+"
)
# A list of such lines, where no list goes before it, and what follows cannot be a part of it.
_ITEM = rf"[ ]{{1,4}}{_LINE}"
_LIST = re.compile(
    rf"(?P<mark>[-+*]){_ITEM}(?:\n(?P=mark){_ITEM})*+"
    rf"|(?P<first>\d{{1,9}})(?P<dot>[.)]){_ITEM}(?:\n\d{{1,9}}(?P=dot){_ITEM})*+"
)
_NO_ITEM = re.compile(r"[^\W\d_]|\#|\Z")
_SPANNING = ("```", "~~~", "]:")
_SPANNING_TAG = re.compile(r"<(?:script|pre|style|textarea|[!?])", re.IGNORECASE)
_BLANK = re.compile(r"\n(?:[ \t]*\n)+")
_BOLD_HEADING = 7  # below the six levels that Markdown has
_BOLD_HEADING_LENGTH = 80


def markdown_blocks(source: str, inline_html: bool = True) -> list[Block]:
    """Read Markdown (CommonMark and tables) as headings and prose.

    Links become their text; lists keep their markers; table rows read "Name: value;
    ...". Front matter, images, comments, template tags and code in a named language
    are dropped. A paragraph all in bold is a heading. With `inline_html` false, "<" is text.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = _TEMPLATE_TAG.sub("", _FRONT_MATTER.sub("", source)).strip("\n")
    parser = _parser(inline_html)
    if any(sign in source for sign in _SPANNING) or _SPANNING_TAG.search(source):
        return _Reader().read(parser.parse(source))
    blocks: list[Block] = []
    parsed = at = 0
    for end, after in [*(gap.span() for gap in _BLANK.finditer(source)), 2 * (len(source),)]:
        if simple := _SIMPLE.fullmatch(source, at, end):
            if parsed < at:
                blocks += _Reader().read(parser.parse(source[parsed:at]))
            blocks.append(_simple_block(simple))
            parsed = after
        elif (
            parsed == at
            and _NO_ITEM.match(source, after)
            and (simple := _LIST.fullmatch(source, at, end))
        ):
            blocks.append(_simple_list(simple))
            parsed = after
        at = after
    return blocks + (_Reader().read(parser.parse(source[parsed:])) if parsed < len(source) else [])


def _simple_block(found: re.Match[str]) -> Block:
    text = _unescaped(found["title"] or found[0])
    return Block(tidy(text), len(found["marks"] or ""))


def _simple_list(found: re.Match[str]) -> Block:
    items = [line.split(" ", 1)[1] for line in found[0].split("\n")]
    first, dot = int(found["first"] or 0), found["dot"]
    marks = [f"{first + at}{dot}" if dot else "-" for at in range(len(items))]
    return Block(
        "\n".join(f"{m} {tidy(_unescaped(item))}" for m, item in zip(marks, items, strict=True))
    )


def _unescaped(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(r"\1", text)
    return text.replace("\n", " ")


@cache
def _parser(inline_html: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": inline_html}).enable(["table", "strikethrough"])
    parser.core.ruler.at("inline", _inline)
    return parser


def _inline(state: StateCore) -> None:
    """Parse what is inside blocks, but for text without markup, of which there is most."""
    from markdown_it.token import Token

    for token in state.tokens:
        if token.type != "inline":
            continue
        if _UNMARKED.fullmatch(token.content):
            token.children = [Token("text", "", 0, content=_unescaped(token.content))]
        else:
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


class _Reader:
    """Walks a flat token stream; a list or a table is gathered until its end."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.counters: list[int | None] = []  # next number of each open list; None: bullets
        self.items: list[str] = []
        self.marker = ""
        self.rows: list[list[str]] = []

    def read(self, tokens: Sequence[Token]) -> list[Block]:
        for before, token in zip([None, *tokens], tokens, strict=False):
            match token.type:
                case "inline":
                    self._text(token, before)
                case "code_block" | "fence" if token.info.strip() in ("", "text", "txt"):
                    self._prose(tidy(token.content))
                case "html_block":
                    self._prose(_flat(html.unescape(_HTML.sub(" ", token.content))))
                case "bullet_list_open":
                    self.counters.append(None)
                case "ordered_list_open":
                    self.counters.append(int(token.attrGet("start") or 1))
                case "bullet_list_close" | "ordered_list_close":
                    self.counters.pop()
                    if not self.counters:
                        self._add("\n".join(self.items))
                        self.items = []
                case "list_item_open":
                    self.marker = self._next_marker(token)
                case "tr_open":
                    self.rows.append([])
                case "table_close":
                    self._prose(rows_as_prose(self.rows[0], self.rows[1:]))
                    self.rows = []
        return self.blocks

    def _next_marker(self, item: Token) -> str:
        number = self.counters[-1]
        if number is None:
            return "- "
        self.counters[-1] = number + 1
        return f"{number}{item.markup or '.'} "

    def _text(self, token: Token, opening: Token | None) -> None:
        text = _inline_text(token.children or [])
        kind = opening.type if opening else ""
        if kind in ("th_open", "td_open"):
            self.rows[-1].append(text.replace("\n", " "))
        elif kind == "heading_open" and opening and not self.counters:
            self._add(text.replace("\n", " "), level=int(opening.tag[1:]))
        elif not self.counters and _is_bold(token.children or []) and _titles(text):
            self._add(text, level=_BOLD_HEADING)
        else:
            self._prose(text)

    def _prose(self, text: str) -> None:
        if self.counters and text:
            self.items.append(self.marker + text)
            self.marker = ""
        else:
            self._add(text)

    def _add(self, text: str, level: int = 0) -> None:
        if text:
            self.blocks.append(Block(text, level))


def _inline_text(children: Sequence[Token]) -> str:
    parts = []
    for child in children:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak" or (child.type == "html_inline" and _is_break(child)):
            parts.append("\n")
    return tidy(_FOOTNOTE.sub("", "".join(parts)))


def _is_break(token: Token) -> bool:
    return token.content.lower().startswith("<br")


def _is_bold(children: Sequence[Token]) -> bool:
    shown = [child for child in children if child.content.strip() or child.nesting]
    return (
        len(shown) >= 3
        and shown[0].type == "strong_open"
        and shown[-1].type == "strong_close"
        and sum(child.type == "strong_open" for child in shown) == 1
    )


def _titles(text: str) -> bool:
    return len(text) <= _BOLD_HEADING_LENGTH and "\n" not in text and text[-1:] not in ".;,:!?"


def _flat(text: str) -> str:
    return " ".join(tidy(text).split())
