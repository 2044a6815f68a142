"""Notes of a reader: what it left out of a document, to be said of the document afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from bonito_local.passages.types import Problem

READ_HIDDEN = "To read it too: --hidden, or hidden = true in a job file."


@dataclass(slots=True)
class Notes:
    """How one document is read, and the problems met in it.

    With `hidden`, text that the document hides from its readers is read too. `problems` have
    no source: the reader process adds it.
    """

    hidden: bool = False
    problems: list[Problem] = field(default_factory=list)

    def add(self, title: str, remedy: str = "") -> None:
        """Record a problem, once."""
        problem = Problem("", title, remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def left_out(self, count: int, what: str, remedy: str = READ_HIDDEN) -> None:
        """Record that `count` things of a kind were left out; `what` is singular: "hidden row"."""
        if count:
            self.add(f"Left out {counted(count, what)}.", remedy)


def counted(count: int, what: str) -> str:
    """Return "1 hidden row" or "2,000 hidden rows"."""
    if count != 1:
        end = next((what.index(held) for held in (" of ", " in ") if held in what), len(what))
        noun, rest = what[:end], what[end:]
        ending = "ies" if noun.endswith("y") else "es" if noun.endswith("x") else "s"
        what = f"{noun.removesuffix('y')}{ending}{rest}"
    return f"{count:,} {what}"
