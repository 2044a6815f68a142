"""Rows on one passage, for each task: of people's questions, or of plain sentences by rules."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import outputs
from questions import asks_for, content, plain_clause, words
from rules import Rules
from shares import Shares
from sources import Paragraph, Question
from statements import Forms, Verbs, forms, wrong_answer
from windows import Asked, Passage, is_evidence

# Rows per task, out of 100.
SHARES = {
    "exqa": 46,
    "answer": 22,
    "ynqa": 16,
    "nli": 6,
    "mcqa": 4,
    "qa": 4,
    "summarization": 2,
}
_MOST = {"exqa": 4, "answer": 3, "ynqa": 2, "nli": 1, "mcqa": 1, "qa": 1, "summarization": 1}
_MOST_ROWS = 8  # on a passage: as many as the trainer computes together
_ANSWERS = {"span": 60, "yes-no": 25, outputs.NOT_STATED: 15}  # of the task "answer"
_LONGEST_OPTION = 8  # words
_NEAR = 6  # paragraphs of the same document that are looked at for the nearest question


@dataclass(frozen=True, slots=True)
class Row:
    """An output for a task, and its label where it has one."""

    task: str
    output: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """Yes-no forms of what a sentence says, or of it with one thing changed.

    `origin` is the question that they were made of, or the sentence itself.
    """

    origin: str
    sentence: str
    forms: Forms


def _labels(*labels: str) -> Shares:
    return Shares(dict.fromkeys(labels, 1))


@dataclass(frozen=True, slots=True)
class Balance:
    """What was written so far: tasks, kinds of answers, and labels."""

    tasks: Shares = field(default_factory=lambda: Shares(SHARES))
    answers: Shares = field(default_factory=lambda: Shares(_ANSWERS))
    read: Shares = field(default_factory=lambda: _labels("yes", "no"))
    asked: Shares = field(default_factory=lambda: _labels("yes", "no"))
    stated: Shares = field(
        default_factory=lambda: _labels("entailment", "contradiction", "neutral")
    )

    def copy(self) -> Balance:
        """Return the same counts, for a passage that may be left out yet."""
        parts = (self.tasks, self.answers, self.read, self.asked, self.stated)
        return Balance(*(part.copy() for part in parts))


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage, the balance that its rows are to keep, and what they have asked."""

    passage: Passage
    balance: Balance
    used: set[str] = field(default_factory=set)

    def first(self, use: str, thing: str) -> bool:
        """Whether a thing has not been used so yet; from now on it has."""
        key = f"{use} {thing}"
        if key in self.used:
            return False
        self.used.add(key)
        return True


class Writer:
    """Writes rows about passages of some documents."""

    def __init__(
        self, paragraphs: Sequence[Paragraph], rules: Rules, verbs: Verbs, rng: random.Random
    ) -> None:
        self._rules, self._verbs, self._rng = rules, verbs, rng
        self._by_group: dict[str, list[Paragraph]] = {}
        for paragraph in paragraphs:
            self._by_group.setdefault(paragraph.group, []).append(paragraph)
        # Each writes the next row of a task, or returns None where the passage gives no more.
        self._tasks: Mapping[str, Callable[[Draft], Row | None]] = {
            "exqa": self._exqa,
            "answer": self._answer,
            "ynqa": self._ynqa,
            "nli": self._nli,
            "mcqa": self._mcqa,
            "qa": self._qa,
            "summarization": self._summarization,
        }

    def rows(self, passage: Passage, balance: Balance) -> list[Row]:
        """Return rows of the tasks that are furthest behind, and add them to the balance."""
        draft = Draft(passage, balance)
        rows: list[Row] = []
        spent: set[str] = set()
        while len(rows) < _MOST_ROWS:
            task = next((t for t in balance.tasks.order() if t not in spent), None)
            if task is None:
                break
            full = sum(row.task == task for row in rows) == _MOST[task]
            row = None if full or balance.tasks.ahead(task) else self._tasks[task](draft)
            if row is None:
                spent.add(task)
            else:
                rows.append(row)
                balance.tasks.add(task)
        return rows

    def _exqa(self, draft: Draft) -> Row | None:
        for asked in self._shuffled(draft.passage.asked):
            if draft.first("asked", asked.question):
                text = outputs.exqa(asked.sentence, asked.answer, asked.question)
                return Row("exqa", text)
        return None

    def _mcqa(self, draft: Draft) -> Row | None:
        for asked in self._shuffled(draft.passage.asked):
            wrong = self._options(draft.passage, asked)
            if len(wrong) == 3 and draft.first("asked", asked.question):
                text = outputs.mcqa(asked.sentence, asked.answer, asked.question, wrong)
                return Row("mcqa", text)
        return None

    def _options(self, passage: Passage, asked: Asked) -> list[str]:
        """Three wrong answers, or fewer where there are not as many."""
        wrong: list[str] = []
        if len(asked.answer.split()) > _LONGEST_OPTION:
            return wrong
        for _ in range(12):
            other = self._wrong(passage, asked)
            taken = [asked.answer.lower(), *(o.lower() for o in wrong)]
            if other is None or "|" in other:
                continue
            if not any(o in other.lower() or other.lower() in o for o in taken):
                wrong.append(other)
            if len(wrong) == 3:
                break
        return wrong

    def _qa(self, draft: Draft) -> Row | None:
        for asked in self._shuffled(draft.passage.asked):
            made = self._forms(asked.question, asked.answer)
            if made and made.statement and draft.first("asked", asked.question):
                return Row("qa", outputs.qa(asked.sentence, asked.question, made.statement))
        return None

    def _summarization(self, draft: Draft) -> Row | None:
        summary = draft.passage.paragraph.summary
        if not summary or not draft.first("summary", summary):
            return None
        return Row("summarization", outputs.summarization(summary))

    def _ynqa(self, draft: Draft) -> Row | None:
        for label in draft.balance.asked.order():
            for judged in self._judged(draft, label == "yes"):
                draft.balance.asked.add(label)
                text = outputs.ynqa(judged.sentence, label, judged.forms.question)
                return Row("ynqa", text, label)
        return None

    def _nli(self, draft: Draft) -> Row | None:
        label = draft.balance.stated.order()[0]
        every = self._neutral(draft)
        if label != "neutral":
            every = self._judged(draft, label == "entailment", stated=True)
        for judged in every:
            draft.balance.stated.add(label)
            return Row("nli", outputs.nli(judged.sentence, label, judged.forms.statement), label)
        return None

    def _neutral(self, draft: Draft) -> Iterator[Judged]:
        """Statements that are true elsewhere in the document, beside any sentence."""
        sentences = [s for s in draft.passage.sentences if is_evidence(s)]
        for question in self._elsewhere(draft.passage):
            made = self._forms(question.text, question.answer)
            if made and made.statement and sentences and draft.first("judged", question.text):
                yield Judged(question.text, self._rng.choice(sentences), made)

    def _answer(self, draft: Draft) -> Row | None:
        for kind in draft.balance.answers.order()[:2]:
            for question, answer in self._to_read(kind, draft):
                if draft.first("read", question):
                    draft.balance.answers.add(kind)
                    return Row("answer", outputs.answer(question, answer), kind)
        return None

    def _to_read(self, kind: str, draft: Draft) -> Iterator[tuple[str, str]]:
        """Yield questions of one kind with the answers that are found by reading."""
        if kind == "span":
            # First those that no other row asks: two ways to learn from a passage.
            asked = self._shuffled(draft.passage.asked)
            asked.sort(key=lambda a: f"asked {a.question}" in draft.used)
            yield from ((a.question, a.answer) for a in asked)
        elif kind == outputs.NOT_STATED:
            yield from ((q.text, kind) for q in self._elsewhere(draft.passage))
        else:
            for label in draft.balance.read.order():
                for judged in self._judged(draft, label == "yes"):
                    draft.balance.read.add(label)
                    yield judged.forms.question, label

    def _elsewhere(self, passage: Passage) -> list[Question]:
        """Some questions of the document that the passage does not answer, the nearest first."""
        near = self._by_group.get(passage.paragraph.group, [])
        some = self._rng.sample(near, min(_NEAR, len(near)))
        there = set(words(passage.text))
        questions = [
            self._rng.choice(paragraph.questions)
            for paragraph in some
            if paragraph.questions and paragraph.text != passage.paragraph.text
        ]
        return sorted(
            (q for q in questions if not passage.says(q.answer)),
            key=lambda q: -len(content(q.text) & there),
        )

    def _judged(self, draft: Draft, true: bool, stated: bool = False) -> Iterator[Judged]:
        """Yield yes-no forms that are true or false; `stated` asks for a statement too."""
        passage = draft.passage
        every = self._of_questions if passage.by_people else self._of_sentences
        for judged in every(passage, true):
            if (judged.forms.statement or not stated) and draft.first("judged", judged.origin):
                yield judged

    def _of_questions(self, passage: Passage, true: bool) -> Iterator[Judged]:
        every = (self._forms(q.text, q.answer) for q in passage.paragraph.questions)
        facts = [content(made.question) for made in every if made]
        for asked in self._shuffled(passage.asked):
            answer = asked.answer if true else self._wrong(passage, asked)
            made = self._forms(asked.question, answer) if answer else None
            # What another question says is no mistake: "What fort", "What park lies there?"
            if made and (true or content(made.question) not in facts):
                yield Judged(asked.question, asked.sentence, made)

    def _of_sentences(self, passage: Passage, true: bool) -> Iterator[Judged]:
        rules = self._rules
        for sentence in self._rng.sample(passage.sentences, len(passage.sentences)):
            clause = plain_clause(rules, sentence) if is_evidence(sentence) else None
            if clause is not None and not true:
                clause = rules.corrupt(clause, [], self._rng)
            if clause is not None:
                made = Forms(rules.yes_no(clause), rules.statement(clause))
                yield Judged(sentence, sentence, made)

    def _forms(self, question: str, answer: str) -> Forms | None:
        """Yes-no forms, the answer as it is written within a sentence."""
        first, _, rest = answer.partition(" ")
        if first in ("The", "A", "An") or rest[:1].islower():
            answer = self._rules.lower_first(answer)
        return forms(question, answer, self._verbs)

    def _shuffled(self, asked: Sequence[Asked]) -> list[Asked]:
        return self._rng.sample(asked, len(asked))

    def _wrong(self, passage: Passage, asked: Asked) -> str | None:
        """An answer to another such question on the passage, or elsewhere in the document."""
        near = [passage.paragraph]
        if self._rng.random() >= 0.6:
            near = self._by_group.get(passage.paragraph.group, near)
        right, kind = set(words(asked.answer)), asks_for(asked.question)
        others = [
            q.answer
            for paragraph in near
            for q in paragraph.questions
            if asks_for(q.text) == kind
            and not right & set(words(q.answer))
            and (" and " in q.answer) == (" and " in asked.answer)
        ]
        return wrong_answer(asked.answer, others, self._rng)
