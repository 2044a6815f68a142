"""The fenced blocks of a Markdown page, and what its commands are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^( *)```([\w-]*)(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True)
class Fence:
    """A block: its language, the words of its info string, its text, and the line it begins on."""

    page: Path
    line: int
    language: str
    info: dict[str, str]
    text: str

    @property
    def name(self) -> str:
        """Where it stands, for a test that fails."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """The commands of a block, each with the lines that it is said to print."""
        if self.language != "console":
            yield self.text, []
            return
        command = ""
        printed: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, printed
                command, printed = line[2:], []
            elif command.endswith("\\"):
                command += f"\n{line.removeprefix('> ')}"
            else:
                printed.append(line)
        yield command, printed


def fences(page: Path) -> list[Fence]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Fence(
            page,
            text.count("\n", 0, found.start()) + 1,
            found[2],
            dict(_WORD.findall(found[3])),
            re.sub(rf"^{found[1]}", "", found[4], flags=re.MULTILINE),
        )
        for found in _FENCE.finditer(text)
    ]


def commands(script: str) -> Iterator[list[str]]:
    """The words of every simple command in a shell script, without comments and pipes."""
    for line in script.replace("\\\n", " ").splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        for word in lexer:
            if not words and re.fullmatch(r"[A-Z_]+=.*", word):
                continue  # a variable for the command after it
            if set(word) <= set("|&;"):
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words
