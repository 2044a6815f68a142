"""What a model thinks before it answers, apart from the answer.

Models that think write the thought between two marks of their own, then the answer. No row may hold
a thought, so it is split off from whatever an engine or a server returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands before and after a thought, and an empty thought in a prompt."""

    begin: str
    end: str
    empty: str = ""

    @property
    def skipped(self) -> str:
        """A thought without content, after which a model answers."""
        return self.empty or self.begin + self.end


_STEPS, _RESPONSE = "Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"
MARKS = (
    Marks("<think>", "</think>", "<think>\n\n</think>\n\n"),  # Qwen, DeepSeek, Phi, SmolLM, ...
    Marks("[THINK]", "[/THINK]"),  # Mistral
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere
    Marks("<seed:think>", "</seed:think>"),
    Marks("<|channel>thought\n", "<channel|>"),  # Gemma 4
    Marks(_STEPS, _RESPONSE, f"{_STEPS}\n{_RESPONSE}\n"),  # Apriel
)

# Harmony (gpt-oss): each message names its channel; the answer is what the final one holds.
_FINAL = "<|channel|>final<|message|>"
_MESSAGE_ENDS = ("<|end|>", "<|return|>", "<|call|>")
# Marks around an answer, of models that mark that too: Granite 3.3, Cohere, Apriel.
ANSWER_BEGINS = ("<response>", "<|START_RESPONSE|>", "<|START_TEXT|>")
_ANSWER_ENDS = ("</response>", "<|END_RESPONSE|>", "<|END_TEXT|>", "[END FINAL RESPONSE]")


@dataclass(frozen=True, slots=True)
class Split:
    """A completion in two: the `thought`, empty where there is none, and the `answer`.

    A thought that does not end has no answer after it.
    """

    thought: str
    answer: str


def split(text: str) -> Split:
    """Return a completion's thought and its answer.

    A prompt may have begun the thought: then the text holds its end alone.
    """
    if "<|channel|>" in text:
        return _of_channels(text)
    for marks in MARKS:
        before, ended, after = text.rpartition(marks.end)
        if ended:
            thought = before.replace(marks.begin, "", 1)
            return Split(thought.strip(), _bare(after))
        if text.lstrip().startswith(marks.begin):
            return Split(text.lstrip().removeprefix(marks.begin).strip(), "")
    return Split("", text)


def without_lead(answer: str, lead: str, *, asked: bool = False) -> str:
    """Return an answer without the `lead` that it was to begin with, where it repeats that.

    Where the lead was only `asked` for and not begun for the model, what comes before it goes too.
    """
    name = rf"{re.escape(lead)}[*]*"
    found = re.match(rf"[\s*#-]*{name}", answer, re.IGNORECASE) if lead else None
    if lead and asked and not found:
        found = re.search(rf"^[ *#-]*{name}", answer, re.IGNORECASE | re.MULTILINE)
    return answer[found.end() :] if found else answer


def _of_channels(text: str) -> Split:
    thought, final, answer = text.rpartition(_FINAL)
    if not final:
        # Where a prompt began the answer's message, the answer comes first.
        answer, _, thought = text.partition("<|channel|>")
        answer = answer.partition("<|start|>")[0]
    for end in _MESSAGE_ENDS:
        answer = answer.partition(end)[0]
    return Split(thought.strip(), answer)


def _bare(answer: str) -> str:
    for mark in (*ANSWER_BEGINS, *_ANSWER_ENDS):
        answer = answer.replace(mark, "")
    return answer.lstrip("\n")
