"""Bonito's 16 task types, its prompt, and the parsing of its completions.

Format from BatsResearch/bonito (`bonito/abstract.py`) and the paper, arXiv 2402.18334.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bonito_local.errors import UsageError, did_you_mean

PIPE = "<|pipe|>"
CONTEXT = "{{context}}"
LABELS = "{{labels}}"  # in a template of a task type of the user's own
MARKERS = ("<|tasktype|>", "<|context|>", "<|task|>", PIPE)


@dataclass(frozen=True, slots=True)
class TaskType:
    """A kind of row: its short name, the full name Bonito was trained on, and an example.

    A type of the user's own may have `labels`, of which responses must be one, `templates` of
    instructions, `like`, a type whose checks it has to pass, and `limits`, thresholds of its own
    (name and value).
    """

    short: str
    name: str
    meaning: str
    instruction: str
    response: str
    labels: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    like: str = ""
    limits: tuple[tuple[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        """Short name of the type whose checks it has to pass."""
        return self.like or self.short

    @property
    def own(self) -> bool:
        """Whether it is none of the 16."""
        return self.short not in _BY_NAME


@dataclass(frozen=True, slots=True)
class Pair:
    """A parsed completion: an instruction with the passage in place, and its response."""

    instruction: str
    response: str


# The examples are all about one sentence: "Either party may end this agreement
# by giving thirty days' written notice."
TASK_TYPES: tuple[TaskType, ...] = (
    TaskType(
        "exqa",
        "extractive question answering",
        "a question whose answer stands word for word in the passage",
        "How much notice must a party give?",
        "thirty days' written notice",
    ),
    TaskType(
        "mcqa",
        "multiple-choice question answering",
        "a question with options, one of them right",
        "How can the agreement be ended? (a) by notice (b) by email (c) by a court",
        "(a) by notice",
    ),
    TaskType(
        "qg",
        "question generation",
        "writing a question that the passage answers",
        "Write a question about the passage.",
        "How much notice is needed to end the agreement?",
    ),
    TaskType(
        "qa",
        "question answering without choices",
        "a question answered in free words",
        "Can one party end the agreement alone?",
        "Yes, by giving thirty days' notice in writing.",
    ),
    TaskType(
        "ynqa",
        "yes-no question answering",
        "a question answered yes or no",
        "Must notice be given in writing?",
        "yes",
    ),
    TaskType(
        "coref",
        "coreference resolution",
        "what a word in the passage refers to",
        "Who gives the notice?",
        "Either party",
    ),
    TaskType(
        "paraphrase",
        "paraphrase generation",
        "the same thing said in other words",
        "Say the sentence in other words.",
        "With thirty days' notice in writing, each side can terminate.",
    ),
    TaskType(
        "paraphrase_id",
        "paraphrase identification",
        "whether two sentences mean the same",
        "Does 'each side can leave with a month's notice' mean the same?",
        "yes",
    ),
    TaskType(
        "sent_comp",
        "sentence completion",
        "the rest of a sentence",
        "Complete: Either party may end this agreement by",
        "giving thirty days' written notice.",
    ),
    TaskType(
        "sentiment",
        "sentiment",
        "the tone of the passage",
        "Is the tone positive, negative or neutral?",
        "neutral",
    ),
    TaskType(
        "summarization",
        "summarization",
        "the passage made shorter",
        "Summarize the clause.",
        "Thirty days' written notice ends the agreement.",
    ),
    TaskType(
        "text_gen",
        "text generation",
        "new text from a prompt",
        "Write a clause on ending an agreement by notice.",
        "Either party may end this agreement by giving thirty days' written notice.",
    ),
    TaskType(
        "topic_class",
        "topic classification",
        "what the passage is about",
        "Which topic: termination, payment or liability?",
        "termination",
    ),
    TaskType(
        "wsd",
        "word sense disambiguation",
        "which sense a word has in the passage",
        "Does 'notice' mean an announcement or to perceive?",
        "an announcement",
    ),
    TaskType(
        "te",
        "textual entailment",
        "whether a statement follows from the passage",
        "Does it follow that the agreement can be ended?",
        "yes",
    ),
    TaskType(
        "nli",
        "natural language inference",
        "whether the passage entails, contradicts or leaves open a statement",
        "Statement: Notice may be given by phone.",
        "contradiction",
    ),
)

_BY_NAME = {t.short: t for t in TASK_TYPES} | {t.name: t for t in TASK_TYPES}


def task_type(name: str) -> TaskType:
    """Look a task type up by short or full name, in any case.

    Raises:
        UsageError: the name is unknown; the remedy names the nearest.
    """
    found = _BY_NAME.get(" ".join(name.lower().split()))
    if found is None:
        known = [t.short for t in TASK_TYPES]
        near = did_you_mean(name, list(_BY_NAME))
        remedy = near if near.startswith("Did") else f"Known: {', '.join(known)}."
        raise UsageError(f"Unknown task type {name!r}.", remedy)
    return found


def format_prompt(task: TaskType, passage: str) -> str:
    """Return Bonito's prompt for one passage, without BOS.

    Markers and `{{context}}` inside the passage are broken up with a space, so
    that a passage can neither end its own prompt nor pass for the placeholder.
    """
    return f"<|tasktype|>\n{task.name}\n<|context|>\n{defuse(passage.strip())}\n<|task|>\n"


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How an instruction is put to a model that is no Bonito, and whether EOS ends an answer.

    The forms are those of the paper's training and evaluation (BatsResearch/
    nayak-aclfindings24-code, `training/train_decoder.py` and `evaluate_decoder.py`), which adds
    EOS to every choice but for Mistral-Instruct.
    """

    before: str
    after: str
    ends: bool = True

    def wrap(self, instruction: str) -> str:
        """The prompt, without BOS."""
        return f"{self.before}{instruction.strip()}{self.after}"


# By what the model was trained on: nothing of the kind, rows (as here), chats.
FORMS = {
    "base": PromptForm("Instruct: ", "\nAnswer:"),
    "adapted": PromptForm("<|input|>\n", "\n<|output|>\n"),
    "mistral": PromptForm("[INST] ", " [/INST]", ends=False),
}


def defuse(passage: str) -> str:
    """Break up Bonito's markers and placeholder where they stand in a passage."""
    for marker in MARKERS:
        passage = passage.replace(marker, f"< {marker[1:-1]} >")
    return passage.replace(CONTEXT, "{ {context} }")


def parse_completion(text: str, passage: str) -> Pair | None:
    """Split a completion at its one `<|pipe|>` and put the passage in for `{{context}}`.

    Returns None when the completion does not hold exactly one `<|pipe|>`.
    """
    if text.count(PIPE) != 1:
        return None
    instruction, response = text.split(PIPE)
    passage = passage.strip()
    return Pair(
        instruction.strip().replace(CONTEXT, passage),
        response.strip().replace(CONTEXT, passage),
    )
