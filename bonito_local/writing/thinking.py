"""Models that think: how a prompt keeps them from it, and what they write without it.

A template that has a switch is rendered with thinking off. Where it has none, or begins a thought
itself, an empty thought is put before the answer. What is thought all the same is split off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bonito_local.backends.thoughts import ANSWER_BEGINS, MARKS, split, without_lead

# Switches of published templates, by the name of the variable: off, and on.
_SWITCHES: Mapping[str, tuple[object, object]] = {
    "enable_thinking": (False, True),  # Qwen3, SmolLM3, GLM, Nemotron, Gemma 4, ...
    "thinking": (False, True),  # Granite 3, DeepSeek V3.1
    "thinking_budget": (0, -1),  # Seed-OSS
    "thinking_mode": ("disabled", "enabled"),  # MiniMax
}
_EFFORT = "reasoning_effort"
# What a template may compare its effort with, the least first. gpt-oss takes any word.
_EFFORTS = ("no_think", "none", "minimal")
_LEAST, _MOST = "low", "high"
_FLAG = "/no_think"  # in a system message: SmolLM3, Nemotron
_SHORTEST = 8  # characters by which what comes before answers is known again
_LONGEST = 4096


def switches(template: str, on: bool = False) -> dict[str, object]:
    """Return the values of a template's variables that switch thinking off, or on."""
    values = {name: pair[on] for name, pair in _SWITCHES.items()}
    least = next((word for word in _EFFORTS if _compares(template, word)), _LEAST)
    return {**values, _EFFORT: _MOST if on else least}


def _compares(template: str, word: str) -> bool:
    """Return whether an expression of the template names its effort, and then this word."""
    quoted = re.compile(rf"""["']{word}["']""")
    # In linear time, whatever the template is: one pattern for both would backtrack.
    for expression in re.split("[%}]", template):
        named = re.search(rf"{_EFFORT}\b", expression)
        if named and quoted.search(expression, named.end()):
            return True
    return False


def flag(template: str) -> str:
    """Return what a system message says to switch thinking off; empty where a template has none."""
    return _FLAG if _FLAG in template else ""


def close(tail: str, template: str, begun: str, switched: bool) -> str:
    """Return what a prompt ends with, so that the answer comes next and no thought.

    `begun` is what stands before earlier answers of the conversation. `switched` says that the
    template has a switch, which is off.
    """
    tail += _more(tail, begun)
    for marks in MARKS:
        if tail.rfind(marks.begin) > tail.rfind(marks.end):
            ending = tail.rpartition(marks.begin)[2]
            broken = "\n" in ending
            return tail.rstrip("\n") + ("\n\n" if broken else "") + marks.end + "\n\n" * broken
        if marks.end in tail:
            mark = next((mark for mark in ANSWER_BEGINS if begun.endswith(mark)), "")
            return tail.removesuffix(mark) + mark
    due = next((marks.skipped for marks in MARKS if marks.begin in template), "")
    return tail if switched else tail + due


def _more(tail: str, begun: str) -> str:
    """Return what earlier answers begin with beyond the prompt's end: a channel, a thought."""
    for cut in range(min(len(begun), len(tail), _LONGEST), _SHORTEST, -1):
        if tail.endswith(begun[:cut]):
            return begun[cut:] if begun[cut:].strip() else ""
    return ""


def answer_of(text: str, lead: str = "") -> str:
    """Return what a model answered: without a thought, and without the `lead` that it was given."""
    return without_lead(split(text).answer, lead)
