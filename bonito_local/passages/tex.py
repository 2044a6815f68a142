"""LaTeX to headings and prose."""

from __future__ import annotations

import re

from bonito_local.passages.blocks import Block, rows_as_prose, tidy
from bonito_local.passages.notes import Notes
from bonito_local.passages.plain import decode

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*\n?[ \t]*")
_DOCUMENT = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_TITLE = re.compile(r"\\title\s*(?=\{)")
_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_VERBATIM = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted|comment|tikzpicture|filecontents)(\*?)\}.*?\\end\{\1\2\}",
    re.DOTALL,
)
_TABLE = re.compile(r"\\begin\{(tabular[xy*]?|longtable|array)\}(.*?)\\end\{\1\}", re.DOTALL)
_ITEM = re.compile(r"\\item\b\s*(?:\[([^\]]*)\])?\s*")
# Commands whose argument is no text: names of files, labels, sizes.
_SILENT = frozenset(
    "label cite citep citet citeauthor nocite bibliography bibliographystyle includegraphics"
    " input include usepackage documentclass begin end vspace hspace setlength pagestyle"
    " thispagestyle newcommand renewcommand def providecommand newenvironment bibitem index"
    " hypersetup graphicspath addtolength setcounter ref eqref pageref autoref cref Cref"
    " pagenumbering definecolor color maketitle tableofcontents".split()
)
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "r": "\u030a",
    "k": "\u0328",
}  # fmt: skip
_ACCENT = re.compile(r"""\\(?:(['`^"~=.])\s*\{?\\?([A-Za-z])\}?|([cvuHrk])\{\\?([A-Za-z])\})""")
_SIGNS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å",
    "AA": "Å", "l": "ł", "L": "Ł", "i": "ı", "ldots": "…", "dots": "…", "textbackslash": "\\",
    "textendash": "–", "textemdash": "—", "S": "§", "P": "¶", "copyright": "©", "pounds": "£",
    "euro": "€", "texteuro": "€", "LaTeX": "LaTeX", "TeX": "TeX", "quad": " ", "qquad": " ",
    "par": "\n\n", "newline": "\n", "textquoteright": "’", "textquoteleft": "‘",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z@]+)\*?|\\(.)|([{}])", re.DOTALL)


def tex_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read LaTeX: what stands in the document, without code, labels, citations and comments."""
    source = decode(data).replace("\r\n", "\n")
    comments = sum(bool(line.strip(" %\n")) for line in re.findall(r"(?<!\\)%.*", source))
    source = _COMMENT.sub(r"\1", source)
    code = len(_VERBATIM.findall(source))
    source = _VERBATIM.sub("\n\n", source)
    title = _TITLE.search(source)
    named = _argument(source, title.end())[0] if title else ""
    body = _DOCUMENT.search(source)
    blocks = [Block(_plain(named), 1)] if title and _plain(named) else []
    _read(body[1] if body else source, blocks)
    notes.left_out(comments, "comment", "")
    notes.left_out(code, "block of code", "")
    return blocks


def _read(source: str, blocks: list[Block]) -> None:
    """Read what stands between headings and tables as paragraphs."""
    at = 0
    pattern = re.compile(rf"\\({'|'.join(_LEVELS)})\*?\s*(?:\[[^\]]*\])?(?=\{{)")
    while True:
        heading, table = pattern.search(source, at), _TABLE.search(source, at)
        first = min(filter(None, (heading, table)), key=lambda match: match.start(), default=None)
        _paragraphs(source[at : first.start() if first else len(source)], blocks)
        if first is None:
            return
        if first is heading:
            text, at = _argument(source, first.end())
            if shown := " ".join(_plain(text).split()):
                blocks.append(Block(shown, _LEVELS.index(first[1]) + 1))
        else:
            _table(first[2], blocks)
            at = first.end()


def _table(content: str, blocks: list[Block]) -> None:
    while content.lstrip().startswith(("{", "[")):
        content = content.lstrip()
        content = _argument(content, 0)[1:] and content[_argument(content, 0)[1] :]
    content = re.sub(r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^}]*\})", "", content)
    rows = [
        [" ".join(_plain(cell).split()) for cell in re.split(r"(?<!\\)&", line)]
        for line in re.split(r"\\\\(?:\[[^\]]*\])?", content)
    ]
    rows = [row for row in rows if any(row)]
    if len(rows) == 1:
        blocks.append(Block("; ".join(filter(None, rows[0]))))
    elif rows:
        blocks.append(Block(rows_as_prose(rows[0], rows[1:])))


def _paragraphs(source: str, blocks: list[Block]) -> None:
    source = re.sub(
        r"\\(?:begin|end)\s*\{(?:itemize|enumerate|description)\}(?:\[[^\]]*\])?", "\n\n", source
    )
    source = _ITEM.sub(lambda item: f"\n\ue010 {item[1] + ': ' if item[1] else ''}", source)
    source = re.sub(r"\n\s*\n", "\ue011", source).replace("\n", " ").replace("\ue010", "\n-")
    for chunk in source.split("\ue011"):
        for part in re.split(r"\n\n+", _plain(chunk)):
            if text := re.sub(r" +(?=[,.;:](?:\s|\Z))", "", tidy(part)):
                joins = text.startswith("- ") and blocks and blocks[-1].text.startswith("- ")
                if joins and not blocks[-1].level:
                    blocks[-1] = Block(f"{blocks[-1].text}\n{text}")
                else:
                    blocks.append(Block(text))


def _plain(source: str) -> str:
    """Return source without commands: their arguments stay but for those that are no text."""
    source = _ACCENT.sub(_accented, source)
    source = re.sub(r"\\\\(?:\[[^\]]*\])?", "\n", source)
    source = source.replace("~", " ").replace("---", "—").replace("--", "–")
    source = source.replace("``", "“").replace("''", "”")
    pieces: list[str] = []
    at = 0
    while command := _COMMAND.search(source, at):
        pieces.append(source[at : command.start()])
        at = command.end()
        name = command[1]
        if name in _SILENT:
            at = _after_arguments(source, at)
        elif name == "href":
            at = _argument(source, at)[1]
        elif name == "footnote":
            text, at = _argument(source, at)
            pieces.append(f" ({_plain(text).strip()})" if text else "")
        elif name:
            pieces.append(_SIGNS.get(name, ""))
            if source[at : at + 1] == " " and name in _SIGNS:
                at += 1
            at = _after_option(source, at)
        elif command[2]:
            pieces.append(
                {",": " ", ";": " ", ":": " ", " ": " ", "-": "", "/": ""}.get(
                    command[2], command[2] if command[2] in "%&$#_{}" else ""
                )
            )
    pieces.append(source[at:])
    return "".join(pieces).replace("$", "").replace("ı\u0301", "í")


def _accented(accent: re.Match[str]) -> str:
    import unicodedata

    mark, letter = accent[1] or accent[3], accent[2] or accent[4]
    return unicodedata.normalize("NFC", letter + _ACCENTS[mark])


def _argument(source: str, at: int) -> tuple[str, int]:
    """Return the argument in braces or brackets that begins at or after spaces, and its end."""
    while at < len(source) and source[at].isspace():
        at += 1
    if at >= len(source) or source[at] not in "{[":
        return "", at
    closing, depth, start = {"{": "}", "[": "]"}[source[at]], 0, at + 1
    opening = source[at]
    while at < len(source):
        if source[at] == "\\":
            at += 1
        elif source[at] == opening:
            depth += 1
        elif source[at] == closing:
            depth -= 1
            if depth == 0:
                return source[start:at], at + 1
        at += 1
    return source[start:], len(source)


def _after_option(source: str, at: int) -> int:
    return _argument(source, at)[1] if source[at : at + 1] == "[" else at


def _after_arguments(source: str, at: int) -> int:
    while source[at : at + 1] in ("{", "["):
        at = _argument(source, at)[1]
    return at
