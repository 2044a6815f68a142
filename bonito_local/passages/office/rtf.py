"""Rich Text (RTF): headings, paragraphs, lists, tables and notes, in the declared charsets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.omitted import Omitted
from bonito_local.passages.office.outline import BOLD_LEVEL, Lines, in_one_line, settle_headings
from bonito_local.passages.office.package import damaged
from bonito_local.passages.office.rtftable import Table
from bonito_local.passages.office.rtftokens import CHARSETS, Token, code_page, tokens
from bonito_local.passages.office.symbols import raised, symbol

_SIGNS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "page": "\n", "column": "\n", "softline": "\n",
    "emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022", "lquote": "\u2018",
    "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "emspace": " ",
    "enspace": " ", "qmspace": " ", "nestcell": " ", "nestrow": "\n",
}  # fmt: skip
_SKIPPED = frozenset(
    "colortbl info pict header headerl headerr headerf footer footerl footerr footerf ftnsep"
    " ftnsepc ftncn aftnsep aftnsepc aftncn xe tc txe rxe nonshppict objdata objclass private"
    " listtable listoverridetable revtbl rsidtbl generator sp bkmkstart bkmkend mmath datafield"
    " nonesttables fldtype template keywords author operator background themedata"
    " colorschememapping".split()
)
_STARRED = frozenset("shpinst shptxt ud fldinst annotation pntext listtext cs".split())
_CONTENTS = re.compile(r"\s*(TOC|TOA|INDEX)\b", re.IGNORECASE)
_CONTENTS_STYLE = re.compile(r"(?:toc|index) (?:\d|heading)|table of (?:figures|authorities)")
_HEADING = re.compile(r"heading (\d)")
_LABEL = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits from the one it stands in."""

    place: str = "text"  # or "skip", "fonts", "styles", "label", "instruction"
    font: int = 0
    unicode_skip: int = 1
    bold: bool = False
    hidden: bool = False
    deleted: bool = False
    raised: bool = False


@dataclass(slots=True)
class _Story:
    """The text of the body, or of a note, a box or a comment in it."""

    kind: str = "body"
    depth: int = 0
    pieces: list[str] = field(default_factory=list)
    plain: bool = False
    paragraphs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Field:
    depth: int
    instruction: str = ""
    kind: str = ""


def rtf_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read Rich Text into blocks.

    Raises:
        DocumentError: the document is no Rich Text.
    """
    if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{\\rtf"):
        raise damaged(".rtf", "it does not begin as one")
    reader = _Reader(notes)
    for token in tokens(data):
        reader.take(token)
    blocks = settle_headings(reader.end())
    reader.omitted.report()
    return blocks


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self.omitted = Omitted(notes)
        self._lines = Lines()
        self._state = _State()
        self._stack: list[_State] = []
        self._stories = [_Story()]
        self._fields: list[_Field] = []
        self._starred = False
        self._skip = 0  # characters that stand for the one before them in old programs
        self._bytes = b""
        self._page = "cp1252"
        self._fonts: dict[int, tuple[str, str]] = {}  # charset and name
        self._styles: dict[int, str] = {}
        self._named = ""  # the font or style that is being declared
        self._number = 0
        self._style = 0
        self._level: int | None = None
        self._label = ""
        self._in_contents = False
        self._table = Table(self._lines, self.omitted)
        self._words: dict[str, Callable[[int | None], None]] = {
            "par": lambda _: self._paragraph(),
            "sect": lambda _: self._paragraph(),
            "pard": lambda _: self._plain_paragraph(),
            "plain": lambda _: self._plain_text(),
            "cell": lambda _: self._cell(),
            "row": lambda _: self._table.end_row(),
        }

    def end(self) -> list[Block]:
        """Return what was read."""
        while len(self._stories) > 1:
            self._end_story()
        self._paragraph()
        self._table.end()
        self._anchor()
        return self._lines.end()

    def take(self, token: Token) -> None:
        """Read the next token."""
        if token.data:
            self._data(token.data)
        elif token.symbol == "{{":
            self._flush()
            self._stack.append(self._state)
            self._starred = False
        elif token.symbol == "}}":
            self._close()
        elif token.symbol == "*":
            self._starred = True
        elif token.symbol:
            self._symbol(token.symbol)
        else:
            self._word(token.word, token.number)

    def _close(self) -> None:
        self._flush()
        self._skip = 0
        depth = len(self._stack)
        if self._stories[-1].depth == depth and len(self._stories) > 1:
            self._end_story()
        if self._fields and self._fields[-1].depth == depth:
            self._fields.pop()
        if self._stack:
            self._state = self._stack.pop()

    def _symbol(self, sign: str) -> None:
        if sign in "\r\n":
            self._paragraph()
        elif shown := {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\"}.get(sign):
            self._put(shown)

    def _data(self, data: bytes) -> None:
        self._starred = False
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        self._bytes += data

    def _flush(self) -> None:
        """Decode the bytes that were read, in the charset of their font."""
        data, self._bytes = self._bytes, b""
        if not data:
            return
        charset, name = self._fonts.get(self._state.font, ("", ""))
        if charset == "symbol" and self._state.place in ("text", "label"):
            known = name if name.lower().startswith(("wingdings", "symbol")) else ""
            self._text("".join(symbol(known, code) for code in data))
        else:
            self._text(data.decode(charset or self._page, "replace"))

    def _put(self, text: str) -> None:
        self._flush()
        if self._skip:
            self._skip -= 1
        else:
            self._text(text)

    def _text(self, text: str) -> None:
        state = self._state
        place = state.place
        if place in ("fonts", "styles"):
            self._declare(text)
        elif place == "instruction" and self._fields:
            self._fields[-1].instruction += text
        elif place == "label":
            self._label += text
        elif place == "text":
            kind = "tracked deletions" if state.deleted else "hidden text"
            if contents := next((held.kind for held in self._fields if held.kind), ""):
                self._leave_out_contents(contents)
            elif (state.hidden or state.deleted) and not self.omitted.hidden:
                self.omitted.leave_out(kind, text)
            else:
                story = self._stories[-1]
                story.pieces.append(raised(text) if state.raised else text)
                story.plain |= bool(text.strip()) and not state.bold

    def _declare(self, text: str) -> None:
        self._named += text
        if ";" not in self._named:
            return
        name, _, self._named = self._named.partition(";")
        if self._state.place == "fonts":
            charset = self._fonts.get(self._number, ("", ""))[0]
            self._fonts[self._number] = (charset, name.strip())
        else:
            self._styles[self._number] = name.strip().lower()
            self._number = 0

    def _word(self, word: str, number: int | None) -> None:
        self._flush()
        starred, self._starred = self._starred, False
        if self._skip and word != "u":
            self._skip = 0
        place = self._state.place
        if place == "skip" and word != "ud":
            return
        if word == "u":
            self._put(chr((number or 0) % 0x10000))
            self._skip = self._state.unicode_skip
        elif word in _SKIPPED or (starred and word not in _STARRED):
            self._set(place="skip")
        elif self._opens(word):
            return
        elif place in ("fonts", "styles"):
            self._declaring(word, number)
        elif word in _SIGNS:
            self._put(_SIGNS[word])
        elif word in self._words and place == "text":
            self._words[word](number)
        else:
            self._format(word, number)

    def _opens(self, word: str) -> bool:
        """Whether a word opens a destination: a table of fonts, a field, a note."""
        depth = len(self._stack)
        if word in ("fonttbl", "stylesheet"):
            self._set(place="fonts" if word == "fonttbl" else "styles")
            self._number, self._named = 0, ""
        elif word in ("pntext", "listtext"):
            self._set(place="label")
            self._label = ""
        elif word == "field":
            self._fields.append(_Field(depth))
        elif word == "fldinst":
            self._set(place="instruction")
        elif word == "fldrslt":
            found = _CONTENTS.match(self._fields[-1].instruction) if self._fields else None
            if found:
                is_index = found[1].upper() == "INDEX"
                self._fields[-1].kind = "index" if is_index else "table of contents"
        elif word == "annotation" and not self.omitted.hidden:
            self.omitted.leave_out("comment")
            self._set(place="skip")
        elif word in ("footnote", "shptxt", "annotation"):
            self._stories.append(_Story(word, depth))
            self._set(place="text", bold=False, hidden=False)
        elif word == "object":
            self.omitted.leave_out("embedded object")
        elif word == "upr":
            self._set(place="skip")
        elif word == "ud":
            self._set(place=self._stack[-2].place if depth > 1 else "text")
        else:
            return False
        return True

    def _declaring(self, word: str, number: int | None) -> None:
        if self._state.place == "fonts":
            name = self._fonts.get(self._number, ("", ""))[1]
            if word == "f":
                self._number = number or 0
                self._fonts.setdefault(self._number, ("", ""))
            elif word == "fcharset" and number is not None and number != 1:
                charset = "symbol" if number == 2 else CHARSETS.get(number, "")
                self._fonts[self._number] = (charset, name)
            elif word == "cpg":
                self._fonts[self._number] = (code_page(number), name)
        elif word == "s":
            self._number = number or 0

    def _format(self, word: str, number: int | None) -> None:
        on = number != 0
        if word == "f":
            self._set(font=number or 0)
        elif word == "uc":
            self._set(unicode_skip=max(0, min(number or 0, 10)))
        elif word == "b":
            self._set(bold=on)
        elif word == "v":
            self._set(hidden=on)
        elif word == "deleted":
            self._set(deleted=on)
        elif word in ("super", "nosupersub", "sub"):
            self._set(raised=word == "super" and on)
        elif word == "s":
            self._style = number or 0
        elif word == "outlinelevel":
            self._level = (number or 0) + 1 if (number or 0) < 9 else 0
        elif word == "ansicpg":
            self._page = code_page(number)
        elif word in ("mac", "pc", "pca"):
            self._page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "deff":
            self._set(font=number or 0)
        else:
            self._table.define(word, number)

    def _set(self, **changed: object) -> None:
        self._state = replace(self._state, **changed)  # type: ignore[arg-type]

    def _plain_text(self) -> None:
        self._set(bold=False, hidden=False, deleted=False, raised=False)

    def _plain_paragraph(self) -> None:
        self._style, self._level = 0, None
        self._table.in_table = False

    def _taken(self) -> tuple[str, bool]:
        """Return the text since the last paragraph, and whether all of it is bold."""
        self._flush()
        story = self._stories[-1]
        # Two halves of a character outside the first plane come as two.
        joined = "".join(story.pieces).encode("utf-16-le", "surrogatepass")
        text = tidy(joined.decode("utf-16-le", "replace"))
        bold = not story.plain
        story.pieces, story.plain = [], False
        return text, bold

    def _paragraph(self) -> None:
        text, bold = self._taken()
        story = self._stories[-1]
        if story.kind != "body":
            story.paragraphs.append(text)
            return
        label = " ".join(self._label.split())
        self._label = ""
        style = self._styles.get(self._style, "")
        if not text:
            return
        if _CONTENTS_STYLE.fullmatch(style):
            self._leave_out_contents("index" if style.startswith("index") else "table of contents")
            return
        self._in_contents = False
        if self._table.in_table:
            self._table.add_paragraph(f"{label} {text}" if _LABEL.search(label) else text, bold)
            return
        self._table.end()
        heading = _HEADING.fullmatch(style)
        level = self._level if self._level is not None else int(heading[1]) if heading else 0
        label = label if _LABEL.search(label) else "-" * bool(label)
        if style == "title":
            self._lines.add(in_one_line(text), title=True)
        elif level:
            self._lines.add(in_one_line(f"{label.strip('-')} {text}"), level)
        elif label:
            self._lines.add_item(label, text)
        else:
            self._lines.add(text, BOLD_LEVEL if bold else 0)
        self._anchor()

    def _cell(self) -> None:
        text, bold = self._taken()
        if text:
            self._table.add_paragraph(text, bold)
        self._table.end_cell()
        self._label = ""

    def _end_story(self) -> None:
        text, _ = self._taken()
        story = self._stories.pop()
        text = "\n".join(filter(None, [*story.paragraphs, text]))
        if text:
            self._table.anchored.append(Block(text))

    def _anchor(self) -> None:
        """Have the notes of a paragraph follow it."""
        self._lines.later += self._table.anchored
        self._table.anchored = []

    def _leave_out_contents(self, kind: str) -> None:
        self.omitted.leave_out(kind, "", 0 if self._in_contents else 1)
        self._in_contents = True
