"""Models that were trained to write the evidence first: a sentence, an answer in it, its question.

The form is that of `recipes/small/outputs.py`: the passage, then lines of `Name: text`, of which
the model gets the first ones. A GGUF says by `bonito.writer = "evidence"` that it was trained so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bonito_local.backends.base import Completion, Line, Lines
from bonito_local.backends.likelihood import Likelihood
from bonito_local.checks.answers import question_in
from bonito_local.checks.text import content
from bonito_local.errors import UsageError
from bonito_local.passages.sentences import Sentence, leans
from bonito_local.tasks import PIPE, TaskType, defuse, task_type
from bonito_local.writing.claims import VERDICTS, claim_of_lines
from bonito_local.writing.forms import Fields, Form
from bonito_local.writing.instruct import fault
from bonito_local.writing.promptset import PromptSet, package_prompts
from bonito_local.writing.writer import Ask, Assignment, Claim

# Task types that are written as another, and put together in their own way.
_AS = {"qg": "exqa", "te": "nli"}
# The lines that the model writes, where their order is not the form's.
_ORDER = {
    "exqa": ("answer", "question"),
    "qg": ("answer", "question"),
    "mcqa": ("answer", "question", "wrong"),
}
# What is given before those lines. A label other than these comes from a changed sentence.
_GIVEN = {
    "ynqa": "Answer: yes\n",
    "nli": "Label: entailment\n",
    "te": "Label: entailment\n",
}
UNCLEAR = "no sentence is clear by itself"
TOO_LITTLE = "question says too little of its sentence"
TOO_MUCH = "question says what its sentence does not"
UNLIKELY = "the model itself finds it unlikely"
_LEAST_SAID = 0.45
# Nats: of a question's token, on average, and half of what its answer costs (RESULTS.md).
_MOST_SURPRISE = 1.1
_NEUTRAL = "Label: neutral\n"
_TOLD = (*_ORDER, "ynqa")
EVIDENCE_TASKS = (*_ORDER, "ynqa", "nli", "te", "qa", "summarization")


@dataclass(frozen=True, slots=True)
class EvidenceWriter:
    """Asks for lines, given the passage and one of its sentences.

    Attributes:
        prompts: the forms, for the wordings of rows.
    """

    prompts: PromptSet = field(default_factory=package_prompts)

    def shared(self, task: TaskType) -> bool:
        """Return False: each sample is about another sentence."""
        return False

    def unfit(self, assignment: Assignment) -> str | None:
        """Return why no row can be right: all sentences have pronouns.

        A pronoun stands for what may be said elsewhere. Of 302 rows 57 % were right, of the 179
        about sentences without a pronoun 65 % (benchmarks/RESULTS.md).
        """
        choice = self._form(assignment.task).choose(assignment)
        return UNCLEAR if choice.label != "neutral" and leans(choice.shown) else None

    def ask(self, assignment: Assignment) -> Ask:
        """Return the passage, the task type's name, the sentence, and the first line begun."""
        asked = self._form(assignment.task)
        choice = asked.choose(assignment)
        name = task_type(_AS.get(assignment.task.short, assignment.task.short)).name
        sentence = f"Sentence: {choice.shown}\n" if choice.shown else ""
        given = _GIVEN.get(assignment.task.short, "")
        if choice.label == "neutral":
            given = _NEUTRAL
        begun = f"Task: {name}\n{sentence}{given}{asked.lead}"
        # Of the likeliest rows of a small model more are right than of those that are drawn; what
        # is asked again has to be drawn, to come out otherwise.
        return Ask(
            _about(assignment) + begun,
            asked.shape(assignment),
            ("\n\n", "\nTask:"),
            greedy=asked.fresh(assignment),
        )

    def written(self, assignment: Assignment, done: Completion) -> Completion:
        """Return instruction and response, put together from the lines."""
        if done.finish_reason == "failed":
            return done
        row = self._form(assignment.task).row(assignment, done.text)
        return done if row is None else replace(done, text=f"{row[0]}\n{PIPE}\n{row[1]}")

    def evidence(self, assignment: Assignment) -> Sentence | None:
        """Return the sentence that the model was given."""
        return self._form(assignment.task).choose(assignment).sentence

    def fault(self, assignment: Assignment, done: Completion) -> str | None:
        """Return why a row cannot be right: a change was lost, or it strays from its sentence.

        A small model turns a sentence into a question rightly where it keeps to its words.
        """
        asked = self._form(assignment.task)
        fields = asked.fields(done.text)
        if not fields:
            return None
        choice = asked.choose(assignment)
        why = fault(asked, self.prompts.conversation, assignment, fields)
        if why is not None or choice.label == "neutral":
            return why
        subject = _asked(fields)
        if subject and said(subject, choice.shown, fields.get("answer", "")) < _LEAST_SAID:
            return TOO_LITTLE
        known = content(choice.shown) | content(assignment.heading)
        judged = assignment.task.short in _GIVEN
        return TOO_MUCH if judged and content(subject) - known else None

    def telling(self, assignment: Assignment, done: Completion) -> list[tuple[str, str]]:
        """Return the question after its sentence alone, and the answer after both."""
        asked = self._form(assignment.task)
        fields = asked.fields(done.text)
        if not fields or assignment.task.short not in _TOLD:
            return []
        # A false row's answer is "yes" to the sentence that was changed.
        question, answer = fields["question"], fields.get("answer", "yes")
        text = f"Text:\n{defuse(asked.choose(assignment).shown)}\n\n"
        return [
            (f"{text}Question:", f" {question}"),
            (f"{text}Task: answer\nQuestion: {question}\nAnswer:", f" {answer}"),
        ]

    def unlikely(self, found: Sequence[Likelihood]) -> str | None:
        """Return why the model, by its own probabilities, does not stand by a row."""
        question, answer = found
        surprise = -question.mean - answer.total / 2
        return UNLIKELY if surprise > _MOST_SURPRISE else None

    def claim(self, assignment: Assignment, done: Completion) -> Claim | None:
        """Return the row's question or statement, and its answer."""
        return claim_of_lines(self._form(assignment.task), assignment, done.text)

    def reread(self, assignment: Assignment, claim: Claim, *, plainly: bool = False) -> Ask | None:
        """Return the question for the model to answer; it was not trained to judge statements."""
        if claim.kind == "statement":
            return None
        line = Line("Answer", VERDICTS.get(claim.kind, ()))
        begun = f"Task: answer\nQuestion: {claim.text}\nAnswer:"
        return Ask(_about(assignment) + begun, Lines((line,)), ("\n",), greedy=True)

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """Return the passage and the instruction as a question to answer."""
        question = " ".join(question_in(instruction.replace("{{context}}", " ")).split())
        return f"Text:\n{defuse(passage.strip())}\n\nTask: answer\nQuestion: {question}\nAnswer:"

    def _form(self, task: TaskType) -> Form:
        """The form of a task type, with the lines in the order of training."""
        found = self.prompts.form(task.short)
        if found is None or task.short not in EVIDENCE_TASKS:
            raise UsageError(
                f"This model writes no rows of {task.short}.",
                f"Use {', '.join(EVIDENCE_TASKS)}, or a model that follows instructions.",
            )
        return replace(found, lines=_ORDER.get(task.short, found.lines), alone=True)


def said(asked: str, sentence: str, answer: str = "") -> float:
    """Return the share of a sentence's content, the answer not counted, that a question has."""
    whole = content(sentence) - content(answer)
    return len(content(asked) & whole) / len(whole) if whole else 1.0


def _asked(fields: Fields) -> str:
    """The question or the statement; empty where the lines hold neither."""
    return fields.get("question") or fields.get("statement", "")


def _about(assignment: Assignment) -> str:
    title = assignment.heading.rpartition(" > ")[2]
    titled = f"{title}\n\n" if title else ""
    return f"Text:\n{defuse(titled + assignment.passage.strip())}\n\n"
