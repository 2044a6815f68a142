"""What the model learns to write about a passage: plain lines, one field on each.

The evidence comes first: a sentence of the passage, then an answer in it, and only then the
question for that answer. The task "answer" reads the other way round, to check a row.
"""

from __future__ import annotations

from collections.abc import Sequence

# The task types' short names, and what stands on the first line of their outputs. "answer" is no
# task type of Bonito's: the product asks for it itself.
TASKS = {
    "exqa": "extractive question answering",
    "ynqa": "yes-no question answering",
    "mcqa": "multiple-choice question answering",
    "nli": "natural language inference",
    "qa": "question answering without choices",
    "summarization": "summarization",
    "answer": "answer",
}
NOT_STATED = "not stated"


def prompt(passage: str) -> str:
    """Return what all rows of a passage begin with."""
    return f"Text:\n{passage}\n\n"


def exqa(sentence: str, answer: str, question: str) -> str:
    return _lines("exqa", Sentence=sentence, Answer=answer, Question=question)


def mcqa(sentence: str, answer: str, question: str, wrong: Sequence[str]) -> str:
    return _lines(
        "mcqa", Sentence=sentence, Answer=answer, Question=question, Wrong=" | ".join(wrong)
    )


def ynqa(sentence: str, answer: str, question: str) -> str:
    return _lines("ynqa", Sentence=sentence, Answer=answer, Question=question)


def nli(sentence: str, label: str, statement: str) -> str:
    return _lines("nli", Sentence=sentence, Label=label, Statement=statement)


def qa(sentence: str, question: str, answer: str) -> str:
    return _lines("qa", Sentence=sentence, Question=question, Answer=answer)


def summarization(summary: str) -> str:
    return _lines("summarization", Summary=summary)


def answer(question: str, answer: str) -> str:
    return _lines("answer", Question=question, Answer=answer)


def begun(task: str, **fields: str) -> str:
    """Return the beginning of an output, for the model to go on from the next field."""
    return _lines(task, **fields) + "\n"


def parse(output: str) -> dict[str, str]:
    """Return the fields of an output; lines that are none are left out."""
    pairs = (line.partition(": ") for line in output.splitlines())
    return {name: value.strip() for name, separator, value in pairs if separator}


def _lines(task: str, **fields: str) -> str:
    lines = (f"{name}: {' '.join(value.split())}" for name, value in fields.items())
    return "\n".join([f"Task: {TASKS[task]}", *lines])
