"""The options of a multiple-choice question, as they stand in its text."""

from __future__ import annotations

import re

from bonito_local.checks.text import normalize

_MARK = re.compile(r"(?<![\w(])\(?([A-Ha-h]|[1-8])[).:](?=\s)")
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+(.+)$", re.MULTILINE)
_LISTED = re.compile(
    r"(?:options|choices|(?:choose|pick) (?:from|between|one of))\b[^:\n]{0,30}:?\s*(.+)",
    re.IGNORECASE,
)
_APART = re.compile(r"\s*(?:[,;/|]\s*(?:or|and)\s+|[,;/|]|\bor\b)\s*", re.IGNORECASE)

Options = tuple[tuple[str, str], ...]


def find_options(text: str) -> Options:
    """The options of a text as (mark, text), folded; the mark is empty where there is none."""
    for found in (_marked(text), _bullets(text), _listed(text)):
        if len(found) > 1:
            return found
    return ()


def written_options(text: str) -> Options:
    """The marked options of a text as they are written: each mark with its signs, and its text."""
    return tuple((mark.group(0), said) for mark, said in _run(text))


def chosen(options: Options, response: str) -> bool:
    """Whether a response is one of the options, named by its text, its mark or both."""
    said = _clean(response)
    for mark, text in options:
        if text and said == text:
            return True
        bare = said.strip("() .:")
        if mark and (bare == mark or _clean(_MARK.sub("", response, count=1)) == text != ""):
            return bare == mark or normalize(response).lstrip("( ").startswith(mark)
    return False


def _marked(text: str) -> Options:
    return tuple((mark.group(1).casefold(), _clean(said)) for mark, said in _run(text))


def _run(text: str) -> list[tuple[re.Match[str], str]]:
    """The longest run of options a, b, c or 1, 2, 3: the marks, and what stands after them."""
    marks = list(_MARK.finditer(text))
    best: list[re.Match[str]] = []
    for at, first in enumerate(marks):
        if first.group(1) not in "Aa1":
            continue
        run = [first]
        for mark in marks[at + 1 :]:
            if ord(mark.group(1)) == ord(run[-1].group(1)) + 1:
                run.append(mark)
        if len(run) > len(best):
            best = run
    options = []
    for at, mark in enumerate(best):
        end = best[at + 1].start() if at + 1 < len(best) else len(text)
        # The last option ends with its line.
        options.append((mark, text[mark.end() : end].strip().split("\n")[0].strip()))
    return options


def _bullets(text: str) -> Options:
    return tuple(("", _clean(line)) for line in _BULLET.findall(text))


def _listed(text: str) -> Options:
    found = _LISTED.search(text)
    if not found:
        return ()
    line = found.group(1).split("\n")[0]
    return tuple(("", _clean(part)) for part in _APART.split(line) if _clean(part))


def _clean(text: str) -> str:
    return normalize(text).strip(" .,;:\"'“”‘’")
